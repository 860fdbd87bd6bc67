"""How version 6 writes agents, tests and rows: integer ids, 0 and 1, upper-case choices, flat rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from orchestrator.simulator.catalog import ERROR_FIELDS
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import Json, JsonObject
from orchestrator.simulator.routes import Context
from orchestrator.simulator.world import Row, SimTest

_GONE = 90_000.0

# Path of a layer's data, the group of its envelope, and the key of its list.
DATA: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "network": ("net/metrics", "net", "metrics"),
        "path-vis": ("net/path-vis", "net", "pathVis"),
        "http-server": ("web/http-server", "web", "httpServer"),
        "page-load": ("web/page-load", "web", "pageLoad"),
        "web-transactions": ("web/web-transactions", "web", "webTransaction"),
        "ftp-server": ("web/ftp-server", "web", "ftpServer"),
        "dns-trace": ("dns/trace", "dns", "trace"),
        "dns-server": ("dns/server", "dns", "server"),
        "dnssec": ("dns/dnssec", "dns", "dnssec"),
        "sip-server": ("voice/sip-server", "voice", "sipMetrics"),
        "rtp-server": ("voice/rtp-stream", "voice", "metrics"),
    }
)
TYPE_NAMES: Final = MappingProxyType({"dnssec": "dns-dnssec"})
_AGENT_TYPES: Final = {
    "cloud": "Cloud",
    "enterprise": "Enterprise",
    "enterprise-cluster": "Enterprise Cluster",
}


def date(epoch: float) -> str:
    """Seconds since the epoch as version 6 writes dates (UTC)."""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%S")


def agent_body(agent: SimAgent, context: Context) -> JsonObject:
    """One agent as tests show it."""
    return {
        "agentId": agent.id,
        "agentName": context.name_of(agent),
        "agentType": _AGENT_TYPES[agent.type],
        "countryId": agent.country,
        "location": agent.location,
        "ipAddresses": [agent.address],
        "publicIpAddresses": [agent.address],
        "network": agent.network,
        "prefix": agent.address.rpartition(".")[0] + ".0/24",
    }


def listed_agent(agent: SimAgent, context: Context) -> JsonObject:
    """One agent of the list, with its labels and what is known of its state."""
    body = agent_body(agent, context)
    body["groups"] = [group_body(context, value) for _, value in agent.tags]
    if agent.type == "cloud":
        body["targetOnly"] = int(agent.target_only)
        return body
    body |= {
        "enabled": int(not agent.disabled),
        "verifySslCertificates": 1,
        "keepBrowserCache": 0,
        "ipv6Policy": "FORCE_IPV4",
        "createdDate": "2025-01-15 09:00:00",
        "utilization": agent.id % 60,
    }
    if agent.members:
        body["clusterMembers"] = [
            {
                "memberId": member.id,
                "name": member.name,
                "agentState": member.state.capitalize(),
                "ipAddresses": [agent.address],
                "lastSeen": date(context.now - (0.0 if member.state == "online" else _GONE)),
                "utilization": member.id % 60,
                "targetForTests": agent.address,
            }
            for member in agent.members
        ]
    else:
        body |= {
            "hostname": f"{agent.name}.example.net",
            "agentState": (agent.state or "online").capitalize(),
            "lastSeen": date(context.now - (0.0 if agent.answers else _GONE)),
            "targetForTests": agent.address,
        }
    return body


def group_body(context: Context, name: str) -> JsonObject:
    """One label of agents."""
    names = [value for _, value in context.tag_pairs()]
    return {"name": name, "groupId": 700 + names.index(name), "type": "agents", "builtin": 0}


def test_shape(context: Context, test: SimTest) -> JsonObject:
    """A test, with its agents expanded as always in this version."""
    definition = test.definition
    shown: JsonObject = dict(definition.echo) if definition.api == "v6" else {}
    shown |= {
        "agents": [agent_body(context.world.agents[agent_id], context) for agent_id in definition.agent_ids],
        "alertsEnabled": 0,
        "apiLinks": _links(context, test),
        "createdBy": "Simulated User (user@example.com)",
        "createdDate": date(test.created),
        "enabled": 1,
        "interval": 0,
        "liveShare": 0,
        "savedEvent": 0,
        "testId": test.id,
        "testName": definition.name,
        "type": TYPE_NAMES.get(definition.type, definition.type),
    }
    if definition.type == "agent-to-server" and definition.port:
        shown["server"] = f"{definition.host}:{definition.port}"
    if definition.dns_servers:
        shown["dnsServers"] = [
            {"serverId": context.server_id(server, position), "serverName": server}
            for position, server in enumerate(definition.dns_servers)
        ]
    return shown


def _links(context: Context, test: SimTest) -> list[Json]:
    layers = [layer for layer in test.definition.layers if layer in DATA]
    if context.settings.links == "missing":
        layers = []
    elif context.settings.links == "documented" and test.definition.type == "web-transactions":
        # The vendor's own sample of this type has no link to the transaction layer.
        layers.remove("web-transactions")
    links: list[Json] = [{"rel": "self", "href": context.href(f"tests/{test.id}")}]
    links += [{"rel": "data", "href": context.data_href(f"{DATA[layer][0]}/{test.id}")} for layer in layers]
    return links


def row_body(context: Context, test: SimTest, row: Row) -> JsonObject:
    """One flat row; a failed measurement has no metric keys."""
    measured = row.measured
    link = f"https://app.thousandeyes.com/view/tests?testId={test.id}&roundId={row.round_id}"
    metrics = dict(measured.metrics)
    if "isValid" in metrics:
        metrics["valid"] = int(metrics.pop("isValid"))
    if "pathTraces" in metrics:
        metrics["endpoints"] = metrics.pop("pathTraces")
    shown: JsonObject = {
        "agentId": row.agent.id,
        "agentName": context.name_of(row.agent),
        "countryId": row.agent.country,
        "date": date(row.date),
        "roundId": row.round_id,
        "permalink": f"{link}&agentId={row.agent.id}",
        **measured.facts,
        **metrics,
    }
    if measured.server is not None:
        shown["server"] = measured.server
    if measured.server_id is not None:
        shown["serverId"] = measured.server_id
    if row.direction is not None:
        shown["direction"] = row.direction.upper().replace("-", "_")
    return shown | _error_fields(context, row)


def _error_fields(context: Context, row: Row) -> JsonObject:
    kind, text = ERROR_FIELDS[row.layer]
    trouble = row.measured.trouble
    shown: JsonObject = {}
    if kind is not None:
        shown[kind] = "None" if trouble is None else trouble.word
        if row.layer == "sip-server" and trouble is not None:
            # Only "None" is documented here; the other words are taken from version 7's list.
            shown[kind] = "server" if trouble.phase in {"receive", "http"} else trouble.phase
    if text is not None and trouble is not None:
        shown[text] = context.error_text(trouble.text, row.agent)
    elif text is not None and kind is None and row.layer != "network":
        # DNS and RTP rows have the field even when there is nothing to say.
        shown[text] = ""
    return shown


def detail_body(context: Context, test: SimTest, row: Row) -> JsonObject:
    """A row with its path traces hop by hop."""
    shown = row_body(context, test, row)
    shown.pop("endpoints", [])
    if row.layer == "path-vis":
        shown["routes"] = [{"pathId": trace, "hops": hops} for trace, hops in context.world.paths(test, row)]
    return shown
