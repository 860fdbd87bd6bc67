"""From a creation's body, written in v7's words, to the test that the world knows."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.simulator.catalog import Definition, place_of_server, place_of_url
from orchestrator.simulator.fields import FIELDS
from orchestrator.simulator.messages import Json, JsonObject

# Ports of the agents that are aimed at, where the body names none.
_AGENT_PORT, _VOICE_PORT = 49153, 49152


def define(
    type_name: str, body: Mapping[str, Json], agent_ids: tuple[int, ...], *, api: str, echo: JsonObject
) -> Definition:
    """The test. ``echo`` is what the version ``api`` shows of the body; the body was checked before."""
    rules = FIELDS[type_name]
    host, subject, port, secure = _place(type_name, body)
    measured = body.get("networkMeasurements")
    return Definition(
        type=type_name,
        name=str(body.get("testName") or "Instant Test"),
        api=api,
        agent_ids=agent_ids,
        host=host,
        subject=subject,
        port=port,
        secure=secure,
        dns_servers=tuple(body.get("dnsServers") or ()),
        target_agent=int(body["targetAgentId"]) if "targetAgentId" in rules else None,
        direction=str(body.get("direction") or "to-target") if type_name == "agent-to-agent" else None,
        # In agent-to-server tests the name means the one-second loss view; the layer is always there.
        network=type_name == "agent-to-server" or measured is None or bool(measured),
        bandwidth=bool(body.get("bandwidthMeasurements")),
        traces=int(body.get("numPathTraces") or 3),
        dscp=int(body.get("dscpId") or 0),
        echo=echo,
    )


def _place(type_name: str, body: Mapping[str, Json]) -> tuple[str, tuple[str, ...], int | None, bool]:
    """Host, subject, port, and whether it is encrypted."""
    rules = FIELDS[type_name]
    if "url" in rules:
        host, port, secure = place_of_url(body["url"])
        return host, (body["url"],), port, secure
    if type_name == "agent-to-server":
        protocol = str(body.get("protocol") or "tcp")
        host, server_port = place_of_server(body["server"], body.get("port"), protocol)
        return host, (host, str(server_port)), server_port, False
    if "domain" in rules:
        servers = tuple(body.get("dnsServers") or ())
        words = body["domain"].split()
        return words[0].lower(), (body["domain"], *servers), None, False
    if type_name == "sip-server":
        sip = body["targetSipCredentials"]
        host = str(sip.get("sipRegistrar") or "sip.example.com").lower()
        return host, (host, str(sip["port"])), sip["port"], sip.get("protocol") == "tls"
    target = str(body["targetAgentId"])
    port = body.get("port") or (_AGENT_PORT if type_name == "agent-to-agent" else _VOICE_PORT)
    return f"agent-{target}", (target, str(body.get("direction") or "to-target")), port, False
