"""How version 7 writes agents, tests and rows: string ids, booleans, nested agents, HAL links."""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator.simulator.catalog import ERROR_FIELDS
from orchestrator.simulator.draws import number
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import Json, JsonObject
from orchestrator.simulator.routes import Context
from orchestrator.simulator.sharing import Asked
from orchestrator.simulator.world import Row, SimTest

# An agent that is gone was last seen a day and an hour ago.
_GONE = 90_000.0
# A name that cannot exist (RFC 2606), in the form that the vendor's public links have.
_SHARES = "share.thousandeyes.invalid"


def iso(epoch: float) -> str:
    """Seconds since the epoch as the API writes dates."""
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def agent_body(agent: SimAgent, context: Context, *, members: bool) -> JsonObject:
    """One agent of the list; ``members`` adds the machines of a cluster."""
    body: JsonObject = {
        "agentId": str(agent.id),
        "agentName": context.name_of(agent),
        "agentType": agent.type,
        "countryId": agent.country,
        "location": agent.location,
        "ipAddresses": [agent.address],
        "publicIpAddresses": [agent.address],
        "network": agent.network,
        "prefix": agent.address.rpartition(".")[0] + ".0/24",
        "coordinates": {"latitude": agent.latitude, "longitude": agent.longitude},
        "enabled": not agent.disabled,
        "verifySslCertificates": True,
    }
    if agent.type == "cloud":
        return body
    body |= {
        "hostname": f"{agent.name}.example.net",
        "ipv6Policy": "force-ipv4",
        "keepBrowserCache": False,
        "createdDate": "2025-01-15T09:00:00Z",
        "targetForTests": agent.address,
        "utilization": agent.id % 60,
        "errorDetails": [],
        "lastSeen": iso(context.now - (0.0 if agent.answers else _GONE)),
    }
    if not agent.members:
        body["agentState"] = agent.state
    elif members:
        # A cluster has no state of its own; its members have, when they are asked for.
        body["clusterMembers"] = [
            {
                "memberId": str(member.id),
                "name": member.name,
                "agentState": member.state,
                "ipAddresses": [agent.address],
                "lastSeen": iso(context.now - (0.0 if member.state == "online" else _GONE)),
                "utilization": member.id % 60,
                "targetForTests": agent.address,
                "errorDetails": [],
            }
            for member in agent.members
        ]
    return body


def test_shape(context: Context, test: SimTest, *, agents: bool) -> JsonObject:
    """A test; its agents are listed only when they are asked for."""
    definition = test.definition
    shown: JsonObject = dict(definition.echo) if definition.api == "v7" else {}
    shown |= {
        "testId": str(test.id),
        "testName": definition.name,
        "type": definition.type,
        "createdBy": "Simulated User (user@example.com)",
        "createdDate": iso(test.created),
        "liveShare": False,
        "savedEvent": False,
        "_links": _test_links(context, test),
    }
    if definition.dns_servers:
        shown["dnsServers"] = [
            {"serverId": str(context.server_id(server, position)), "serverName": server}
            for position, server in enumerate(definition.dns_servers)
        ]
    if agents:
        shown["agents"] = [
            agent_body(context.world.agents[agent_id], context, members=False)
            for agent_id in definition.agent_ids
        ]
    return shown


def _test_links(context: Context, test: SimTest) -> JsonObject:
    # The vendor's examples name network and path-vis whatever the type.
    layers = {
        "documented": ("network", "path-vis"),
        "complete": test.definition.layers,
        "missing": (),
    }[context.settings.links]
    links: JsonObject = {"self": {"href": context.href(f"tests/{test.definition.type}/{test.id}")}}
    if layers:
        links["testResults"] = [
            {"href": context.data_href(f"test-results/{test.id}/{layer}")} for layer in layers
        ]
    return links


def row_body(context: Context, test: SimTest, row: Row) -> JsonObject:
    """One row; a failed measurement has no metric keys."""
    measured = row.measured
    link = f"https://app.thousandeyes.com/view/tests?testId={test.id}&roundId={row.round_id}"
    shown: JsonObject = {
        "agent": {
            "agentId": str(row.agent.id),
            "agentName": context.name_of(row.agent),
            "countryId": row.agent.country,
            "location": row.agent.location,
        },
        "date": iso(row.date),
        "roundId": row.round_id,
        "startTime": row.round_id,
        "endTime": row.round_id + 60,
        "_links": {"appLink": {"href": f"{link}&agentId={row.agent.id}"}},
        **measured.facts,
        **measured.metrics,
    }
    if "dscp" in shown:
        shown["dscp"] = str(shown["dscp"])
    if measured.server is not None:
        shown["server"] = measured.server
    if measured.server_id is not None:
        shown["serverId"] = str(measured.server_id)
    if row.direction is not None:
        shown["direction"] = row.direction
    return shown | _error_fields(context, row)


def _error_fields(context: Context, row: Row) -> JsonObject:
    kind, text = ERROR_FIELDS[row.layer]
    trouble = row.measured.trouble
    shown: JsonObject = {}
    if kind is not None:
        shown[kind] = "None" if trouble is None else trouble.word
        if row.layer == "sip-server":
            # This layer has a list of its own: none, dns, connect, register, ..., server, ssl.
            phase = "none" if trouble is None else trouble.phase
            shown[kind] = "server" if phase in {"receive", "http"} else phase
    if text is not None and trouble is not None:
        shown[text] = context.error_text(trouble.text, row.agent)
    return shown


def detail_body(context: Context, test: SimTest, row: Row) -> JsonObject:
    """A row with what one agent's detail adds: hops, waterfall, steps."""
    shown = row_body(context, test, row)
    if row.layer == "path-vis":
        shown["pathTraces"] = path_traces(context, test, row)
    elif row.layer == "page-load":
        shown["har"] = {"log": {"version": "1.2", "creator": {"name": "simulator"}, "entries": []}}
    elif row.layer == "web-transactions":
        shown |= {"markers": [], "pages": []}
    else:
        shown["requests"] = []
    return shown


def path_traces(context: Context, test: SimTest, row: Row) -> list[Json]:
    """The hops of each trace of one row; none where the name could not be resolved."""
    return [{"pathId": trace, "hops": hops} for trace, hops in context.world.paths(test, row)]


def snapshot_body(context: Context, test: SimTest, asked: Asked, made: str) -> JsonObject:
    """What a creation of a snapshot answers."""
    inside = [one.id for one in test.rounds if asked.start <= one.id <= asked.end]
    host = "app.thousandeyes.invalid" if asked.saved else f"{made}.{_SHARES}"
    return {
        "id": made,
        "startRoundId": int(asked.start),
        "endRoundId": int(asked.end),
        "roundId": max(inside, default=int(asked.start)),
        "shareDate": iso(context.now),
        "sourceTestId": str(test.id),
        "testId": str(number(0, "shared", test.id, made) % 10**15),
        "uid": "5784",
        "displayName": asked.title,
        "extraParams": "",
        "test": test_shape(context, test, agents=False),
        "_links": {
            "self": {"href": context.href(f"tests/{test.id}/snapshot")},
            "appLink": {"href": f"https://{host}/view/tests/?testId={test.id}"},
        },
    }
