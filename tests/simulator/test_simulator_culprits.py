"""What is broken on purpose: how it is written, what each layer and version shows of it, and the witness."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator.culprits import EFFECTS, KINDS, broken_world, listing, parse_culprit
from orchestrator.simulator.definitions import define
from orchestrator.simulator.planted import unmet
from orchestrator.simulator.scenario import ScenarioError, load_scenario
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Culprit, Noise, Settings
from orchestrator.simulator.world import Silence, World

AGENTS = (3, 4, 5, 6, 17, 24, 25, 1001, 1002, 1011)
# What each version calls a layer: v7's path, v6's path, group and key.
V6_DATA = {
    "network": ("net/metrics", "net", "metrics"),
    "path-vis": ("net/path-vis", "net", "pathVis"),
    "http-server": ("web/http-server", "web", "httpServer"),
    "page-load": ("web/page-load", "web", "pageLoad"),
    "dns-server": ("dns/server", "dns", "server"),
    "dns-trace": ("dns/trace", "dns", "trace"),
    "dnssec": ("dns/dnssec", "dns", "dnssec"),
    "rtp-server": ("voice/rtp-stream", "voice", "metrics"),
    "ftp-server": ("web/ftp-server", "web", "ftpServer"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hop=tr2-san-jose-0:dead", Culprit("hop", ("tr2-san-jose-0",), "dead")),
        (
            "agent=branch-09-oslo:loss=20%,share=0.9,from=30s,until=10m",
            Culprit("agent", ("branch-09-oslo",), "loss", 20.0, "%", share=0.9, since=30.0, until=600.0),
        ),
        (
            "target=shop.example.com:443,country=US:http=503",
            Culprit("country*target", ("US", "shop.example.com:443"), "http", 503.0),
        ),
        ("agent=London, England:slow=x3", Culprit("agent", ("London, England",), "slow", 3.0, "x")),
        ("target=https://a.b/x?c=d:slow=80ms", Culprit("target", ("https://a.b/x?c=d",), "slow", 80.0, "ms")),
        ("block=web:slow=1.5s", Culprit("block", ("web",), "slow", 1500.0, "ms")),
        (
            "host=a.example:tls,text=expired, said it: yesterday",
            Culprit("host", ("a.example",), "tls", text="expired, said it: yesterday"),
        ),
    ],
)  # fmt: skip
def test_a_culprit_is_read_from_a_line(text: str, expected: Culprit) -> None:
    assert parse_culprit(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hopp=tr2-san-jose-0:dead", "'hopp' is nothing that can be broken, did you mean 'hop'?"),
        ("tr2-san-jose-0", "it is written KIND=VALUE:EFFECT"),
        ("hop=tr2-san-jose-0", "its effect is missing; the effects are dead"),
        ("hop=tr2-san-jose-0:deed", "'deed' is no effect, did you mean 'dead'?"),
        ("hop=:dead", "hop has no value: a router's name or address"),
        ("agent=x:loss=120%", "loss must lie between 0% and 100%"),
        ("agent=x:loss", "loss must be like loss=30%"),
        ("agent=x:slow=fast", "slow must be like slow=x3, not 'fast'"),
        ("agent=x:http=200", "http must be like http=503"),
        ("agent=x:dead=1", "dead has no amount"),
        ("agent=x:dead,share=0", "share must be a number over 0 and up to 1"),
        ("agent=x:dead,from=soon", "from must be a time such as 90s or 10m, not 'soon'"),
        ("agent=x:dead,from=10m,until=30s", "until must come after from"),
        ("agent=x:loss=3%,text=no", "loss has no text"),
        ("agent=x,country=GB:dead", "can be paired, each with a target"),
    ],
)
def test_a_line_that_is_no_culprit_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as problem:
        parse_culprit(text)
    assert f"'{text}'" in str(problem.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hop=tr2-sanjose-0:dead", "there is no hop 'tr2-sanjose-0', did you mean 'tr2-san-jose-0'?"),
        ("agent=branch-09-osli:dead", "did you mean 'branch-09-oslo'?"),
        ("agent=oslo:dead", "did you mean 'Oslo, Norway'?"),
        ("country=XX:dead", "there is no country 'XX'"),
        ("network=AS 1:dead", "there is no network 'AS 1'"),
        ("hop-network=Example Backbon 2:dead", "did you mean 'Example Backbone 2 (AS 64602)'?"),
        ("agent-type=enterprize:dead", "did you mean 'enterprise'?"),
        ("location=Oslo Aria:dead", "did you mean 'Oslo Area'?"),
        ("country=XX,target=a.example:dead", "culprit country*target=XX,a.example: there is no country 'XX'"),
    ],
)
def test_what_is_not_in_the_world_cannot_be_broken(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        broken_world(1, [text], None)


def test_all_culprits_that_cannot_be_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="country 'XX'") as problem:
        broken_world(1, ["country=XX:dead", "hop=nowhere:dead", "hop"], None)
    assert len(str(problem.value).splitlines()) == 3


def test_everything_in_the_listing_can_be_broken() -> None:
    lines = list(listing(Settings()))
    assert all(any(line.startswith(f"  {kind} ") for line in lines) for kind in KINDS)
    hops = lines[lines.index("hops") + 1 : lines.index("networks of hops")]
    agents = lines[lines.index("agents") + 1 : lines.index("networks of agents")]
    named = [re.split("  +", line.strip())[0] for line in (*hops, *agents)]
    wanted = [f"{'hop' if n < len(hops) else 'agent'}={name}:dead" for n, name in enumerate(named)]
    assert len(broken_world(1, wanted, None).culprits) == len(hops) + len(agents) > 100


SCENARIO = """\
noise: {seed: 9, spikes: 0}
culprits:
  - hop=tr2-san-jose-0:dead
  - {kind: target, value: crm.example.net, effect: tls, text: "certificate has expired"}
  - {kind: agent, value: branch-09-oslo, effect: "loss: 20%", share: 0.9, from: 0s, until: 10m}
  - {kind: "country*target", value: [NO, shop.example.com], effect: {http: 503}}
  - {kind: country, value: NO, effect: "slow: x3", share: 50%}
"""


def test_culprits_and_noise_are_read_from_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(SCENARIO)
    read = load_scenario(path)
    assert read.noise == Noise(9, spikes=0.0)
    assert read.culprits == (
        Culprit("hop", ("tr2-san-jose-0",), "dead"),
        Culprit("target", ("crm.example.net",), "tls", text="certificate has expired"),
        Culprit("agent", ("branch-09-oslo",), "loss", 20.0, "%", share=0.9, until=600.0),
        Culprit("country*target", ("NO", "shop.example.com"), "http", 503.0),
        Culprit("country", ("NO",), "slow", 3.0, "x", share=0.5),
    )
    assert read.shared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("culprits: dead", "culprits: must be a list"),
        ("culprits: [3]", "culprits: culprit 1: must be a string or a mapping"),
        ("culprits: [{kind: hop, value: x}]", "culprit 1: effect is missing"),
        ("culprits: [{kind: hop, value: x, efect: dead}]", "unknown key 'efect', did you mean 'effect'?"),
        ("culprits: [{kind: hopp, value: x, effect: dead}]", "unknown kind 'hopp', did you mean 'hop'?"),
        ("culprits: [{kind: hop, value: x, effect: deed}]", "not 'deed', did you mean 'dead'?"),
        ("culprits: [{kind: hop, value: [x, y], effect: dead}]", "value must be one text"),
        ("culprits: [{kind: 'country*target', value: NO, effect: dead}]", "value must be a list of 2 texts"),
        ("culprits: ['country=GB:dead', 'agent=nobody:dead']", "there is no agent 'nobody'"),
        ("topology: starlike", "topology must be random or shared"),
        (
            "topology: random\nculprits: ['country=GB:dead']",
            "topology must be shared where there are culprits",
        ),
        ("noise: 7", "noise: must be a mapping"),
        ("noise: {sed: 7}", "noise: unknown key 'sed', did you mean 'seed'?"),
        ("noise: {spikes: 2}", "noise: spikes must be between 0 and 1"),
        ("noise: {own: x}", "noise: own must be a number"),
    ],
)
def test_a_scenario_with_a_culprit_that_cannot_be_names_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=re.escape(message)) as problem:
        load_scenario(path)
    assert "scenario.yaml" in str(problem.value)


# -- what is seen of it --------------------------------------------------------------------------------------


class Looked:
    """A test in a broken world: its rows by layer and agent, over both versions, which must agree."""

    def __init__(
        self, caller: Any, type_name: str, *culprits: str, agents: Any = AGENTS, **body: Any
    ) -> None:
        world = {"culprits": tuple(map(parse_culprit, culprits)), "all_online": True}
        self.new, self.old = caller(**world), caller(**world)
        v6_type = {"dnssec": "dns-dnssec"}.get(type_name, type_name)
        # The name is what a client gives it, the same over both versions.
        body = {"testName": body.pop("name", "plan / web / shop [orc-1]"), **body}
        self.id = self.new.create(type_name, agents=[{"agentId": str(one)} for one in agents], **body)
        v6_body = {**body, **_in_v6_words(body)}
        self.old_id = self.old.create_v6(v6_type, agents=[{"agentId": one} for one in agents], **v6_body)
        self.new.now = self.old.now = self.new.start + 400

    def rows(self, layer: str) -> dict[int, dict[str, Any]]:
        """By agent, the last row of it."""
        path, group, key = V6_DATA[layer]
        told = self.old.get(f"/v6/{path}/{self.old_id}")[group].get(key, [])
        rows = self.new.rows(self.id, layer)
        assert [_common(one) for one in told] == [_common(one) for one in rows], layer
        return {int(row["agent"]["agentId"]): row for row in rows}

    def hops(self, agent: int) -> list[list[str]]:
        """The names of the hops of each trace."""
        round_id = next(iter(self.rows("path-vis").values()))["roundId"]
        path = f"/v7/test-results/{self.id}/path-vis/agent/{agent}/round/{round_id}"
        (row,) = self.new.get(path)["results"]
        old = self.old.get(f"/v6/net/path-vis/{self.old_id}/{agent}/{round_id}")["net"]["pathVis"][0]
        assert [one["hops"] for one in old["routes"]] == [one["hops"] for one in row["pathTraces"]]
        return [[hop["rdns"] for hop in trace["hops"]] for trace in row["pathTraces"]]

    @property
    def planted(self) -> list[dict[str, Any]]:
        """The cells that the witness tells."""
        cells = self.new.service.witness()["planted"]["cells"]
        assert [_cell(one) for one in cells] == [
            _cell(one) for one in self.old.service.witness()["planted"]["cells"]
        ]
        assert isinstance(cells, list)
        return cells

    def broken(self) -> set[int]:
        """Agents whose cell is broken, as the witness tells."""
        return {int(cell["agent_id"]) for cell in self.planted}


def _in_v6_words(body: Mapping[str, Any]) -> dict[str, Any]:
    servers, target = body.get("dnsServers"), body.get("targetAgentId")
    told: dict[str, Any] = {} if target is None else {"targetAgentId": int(target)}
    return told if servers is None else {**told, "dnsServers": [{"serverName": one} for one in servers]}


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in cell.items() if name != "test_id"}


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    """What both versions write alike."""
    names = ("loss", "avgLatency", "responseCode", "connectTime", "waitTime", "totalTime", "resolutionTime",
             "mappings", "serverIp", "mos", "errorType", "finalQueryTime", "roundId", "server")  # fmt: skip
    return {name: row[name] for name in names if name in row}


@pytest.fixture
def look(caller: Any) -> Any:
    return lambda *words, **more: Looked(caller, *words, **more)


SHOP = "https://shop.example.com"


def test_a_dead_target_is_not_connected_to_and_has_no_certificate_to_refuse(look: Any) -> None:
    seen = look("http-server", "target=shop.example.com:dead", "target=shop.example.com:tls", url=SHOP)
    for row in seen.rows("http-server").values():
        assert row["errorType"] == "Connect"
        assert "timed out" in row["errorDetails"]
        assert "responseCode" not in row
    assert {row["loss"] for row in seen.rows("network").values()} == {100.0}
    assert not any(
        "responseTime" in trace for row in seen.rows("path-vis").values() for trace in row["pathTraces"]
    )
    assert all(trace[-1].startswith("edge-") for trace in seen.hops(AGENTS[0]))
    assert {cell["effect"] for cell in seen.planted} == {"dead"}, "what is hidden was not broken"
    assert seen.broken() == set(AGENTS)


@pytest.mark.parametrize("type_name", ["dns-trace", "dnssec", "dns-server"])
def test_a_host_that_is_dead_still_resolves(look: Any, type_name: str) -> None:
    more = {"dnsServers": ["ns1.example.com"]} if type_name == "dns-server" else {}
    seen = look(type_name, "target=shop.example.com:dead", domain="shop.example.com A", **more)
    rows = seen.rows(type_name)
    assert len(rows) == len(AGENTS)
    assert not any(row.get("errorDetails") for row in rows.values())
    assert seen.planted == []


def test_a_certificate_is_refused_over_a_clean_network(look: Any) -> None:
    seen = look("page-load", "target=shop.example.com:tls,text=certificate has expired", url=SHOP)
    rows = seen.rows("http-server")
    assert {(row["errorType"], row["errorDetails"]) for row in rows.values()} == {
        ("SSL", "certificate has expired")
    }
    assert not any("pageLoadTime" in row for row in seen.rows("page-load").values())
    assert {row["loss"] for row in seen.rows("network").values()} == {0.0}
    assert all(
        "responseTime" in trace for row in seen.rows("path-vis").values() for trace in row["pathTraces"]
    )
    assert {tuple(cell["layers"]) for cell in seen.planted} == {("page-load", "http-server")}


def test_where_there_is_no_certificate_none_is_refused(look: Any) -> None:
    seen = look("http-server", "target=shop.example.com:tls", url="http://shop.example.com")
    assert {row["errorType"] for row in seen.rows("http-server").values()} == {"None"}
    assert seen.planted == []


def test_an_answer_with_a_code_is_measured(look: Any) -> None:
    seen = look("http-server", "country=GB,target=shop.example.com:http=503", url=SHOP)
    rows = seen.rows("http-server")
    british = {agent for agent, row in rows.items() if row["agent"]["countryId"] == "GB"}
    assert {agent for agent, row in rows.items() if row["responseCode"] == 503} == british == seen.broken()
    assert {rows[agent]["errorType"] for agent in british} == {"HTTP"}
    assert all(rows[agent]["waitTime"] > 0 for agent in british)
    assert len(british) >= 2


def test_a_name_that_is_not_resolved_is_not_connected_to(look: Any) -> None:
    seen = look("http-server", "host=shop.example.com:dns", url=SHOP)
    assert {row["errorType"] for row in seen.rows("http-server").values()} == {"Dns"}
    assert not any("loss" in row for row in seen.rows("network").values())
    assert {len(row["pathTraces"]) for row in seen.rows("path-vis").values()} == {0}
    asked = look("dns-trace", "host=shop.example.com:dns", domain="shop.example.com A")
    assert all("SERVFAIL" in row["errorDetails"] for row in asked.rows("dns-trace").values())


def test_an_answer_that_breaks_off_was_received_in_part(look: Any) -> None:
    seen = look("ftp-server", "block=ftp-server:receive", url="ftp://files.example.com")
    assert {row["errorType"] for row in seen.rows("ftp-server").values()} == {"Receive"}
    assert (
        "0 bytes received"
        not in next(iter(seen.rows("ftp-server").values()))["errorDetails"].split("with ")[1][:2]
    )
    assert {row["loss"] for row in seen.rows("network").values()} == {0.0}


def test_lost_packets_are_seen_where_packets_are_counted(look: Any) -> None:
    seen = look("http-server", "agent=branch-09-oslo:loss=20%", url=SHOP)
    losses = {agent: row["loss"] for agent, row in seen.rows("network").items()}
    assert 4.0 <= losses[1011] <= 50.0
    assert {loss for agent, loss in losses.items() if agent != 1011} == {0.0}
    assert seen.rows("http-server")[1011]["errorType"] == "None"
    assert [(cell["agent"], cell["layers"]) for cell in seen.planted] == [("branch-09-oslo", ["network"])]
    voice = look("voice", "agent=branch-09-oslo:loss=20%", targetAgentId="1002", agents=(1001, 1011)).rows(
        "rtp-server"
    )
    assert voice[1011]["mos"] < voice[1001]["mos"]
    assert voice[1011]["loss"] > 0.0 == voice[1001]["loss"]


def test_a_slow_agent_has_a_long_way_and_a_slow_server_lets_wait(look: Any, caller: Any) -> None:
    def times(*culprits: str) -> dict[str, Any]:
        seen = Looked(caller, "http-server", "country=BR:dead", *culprits, url=SHOP)
        return {**seen.rows("network")[1011], **seen.rows("http-server")[1011]}

    usual, agent, server = times(), times("agent=1011:slow=x3"), times("target=shop.example.com:slow=800ms")
    assert agent["avgLatency"] == pytest.approx(3 * usual["avgLatency"], rel=0.01)
    assert agent["connectTime"] == pytest.approx(3 * usual["connectTime"], abs=2)
    assert server["avgLatency"] == usual["avgLatency"]
    assert server["waitTime"] == usual["waitTime"] + 800
    assert server["totalTime"] == usual["totalTime"] + 800


def test_a_silent_agent_has_no_rows_at_all(look: Any) -> None:
    seen = look("http-server", "agent=branch-09-oslo:silent", url=SHOP)
    for layer in ("http-server", "network", "path-vis"):
        assert set(seen.rows(layer)) == set(AGENTS) - {1011}
    assert seen.broken() == {1011}


def test_a_share_of_the_cells_breaks_in_all_of_their_layers(look: Any) -> None:
    everyone = tuple(range(3, 43))
    seen = look("http-server", "agent-type=cloud:dead,share=0.5", agents=everyone, url=SHOP)
    dead = {agent for agent, row in seen.rows("http-server").items() if row["errorType"] == "Connect"}
    assert (
        dead
        == {agent for agent, row in seen.rows("network").items() if row["loss"] == 100.0}
        == seen.broken()
    )
    assert 10 <= len(dead) <= 30


def test_a_culprit_of_some_time_breaks_the_rounds_of_that_time(caller: Any) -> None:
    asked = caller(culprits=(parse_culprit("country=GB:dead,from=10m,until=20m"),))
    first = asked.create(url=SHOP)
    for minutes in (11, 25):
        asked.now = asked.start + 60 * minutes
        assert asked.ask("POST", f"/v7/tests/{first}/run").status == 200
    cells = asked.service.witness()["planted"]["cells"]
    assert {cell["round"] for cell in cells} == {2}


# -- the ways ----------------------------------------------------------------------------------------------


def test_agents_of_a_network_share_hops_and_each_aggregation_is_two_routers(look: Any) -> None:
    everyone = (*range(3, 43), *range(1001, 1021))
    seen = look("agent-to-server", "country=BR:slow=x2", agents=everyone, server=f"{SHOP[8:]}:443")
    ways = {
        agent: [[hop for hop in trace if hop != "shop.example.com"] for trace in seen.hops(agent)]
        for agent in everyone
    }
    users: dict[str, set[int]] = {}
    for agent, traces in ways.items():
        for hop in (hop for trace in traces for hop in trace):
            users.setdefault(hop, set()).add(agent)
    transit = [
        hop for hop in users if re.fullmatch(r"tr\d-(frankfurt|amsterdam|ashburn|san-jose|singapore)-\d", hop)
    ]
    assert all(len(users[hop]) >= 3 for hop in transit)
    both = [
        agent
        for agent, traces in ways.items()
        if len({trace[1] for trace in traces if trace[1:] and trace[1].startswith("agg-")}) == 2
    ]
    assert len(both) > 10, "traces of one agent part at the aggregation"
    assert {hop.rpartition("-")[2] for hop in users if hop.startswith("agg-")} == {"0", "1"}


def test_a_dead_hop_ends_the_traces_through_it_before_it_and_no_other(look: Any, caller: Any) -> None:
    everyone = (*range(3, 43), *range(1001, 1021))
    whole = Looked(caller, "agent-to-server", "country=BR:slow=x2", agents=everyone, server=f"{SHOP[8:]}:443")
    before = {agent: whole.hops(agent) for agent in everyone}
    dead = next(hop for traces in before.values() for hop in traces[0] if hop.startswith("ix-"))
    seen = look("agent-to-server", f"hop={dead}:dead", agents=everyone, server=f"{SHOP[8:]}:443")
    for agent, traces in before.items():
        for usual, now in zip(traces, seen.hops(agent), strict=True):
            expected = usual[: usual.index(dead)] if dead in usual else usual
            assert now == expected or dead not in usual
    through = {agent for agent, traces in before.items() if any(dead in trace for trace in traces)}
    assert through <= seen.broken()
    rows = seen.rows("network")
    assert {agent for agent, row in rows.items() if "loss" not in row} == seen.broken()
    assert 5 <= len(seen.broken()) < len(everyone)


def test_one_dead_router_of_an_aggregation_loses_a_part_of_the_packets(look: Any) -> None:
    agents = (1001, 1005, 1009, 1013, 1017)
    seen = look("http-server", "hop=agg-64496-emea-0:dead", agents=agents, url=SHOP)
    losses = {agent: row["loss"] for agent, row in seen.rows("network").items()}
    errors = {agent for agent, row in seen.rows("http-server").items() if row["errorType"] == "Connect"}
    partly = {agent for agent, loss in losses.items() if 0.0 < loss < 100.0}
    assert partly, losses
    assert seen.broken() == {agent for agent, loss in losses.items() if loss > 0.0}
    assert errors <= seen.broken()


def test_a_slow_hop_is_a_jump_from_there_on(look: Any, caller: Any) -> None:
    usual = Looked(caller, "agent-to-server", "country=BR:dead", server=f"{SHOP[8:]}:443")
    hop = next(one for one in usual.hops(1011)[0] if one.startswith("ix-"))
    seen = look("agent-to-server", f"hop={hop}:slow=80ms", server=f"{SHOP[8:]}:443")
    round_id = seen.rows("path-vis")[1011]["roundId"]

    def trace(looked: Looked) -> list[tuple[str, int]]:
        path = f"/v7/test-results/{looked.id}/path-vis/agent/1011/round/{round_id}"
        (row,) = looked.new.get(path)["results"]
        return [(one["rdns"], one["responseTime"]) for one in row["pathTraces"][0]["hops"]]

    grown = {
        name: after - before for (name, before), (_, after) in zip(trace(usual), trace(seen), strict=True)
    }
    at = list(grown).index(hop)
    assert set(list(grown.values())[:at]) == {0}
    assert all(79 <= more <= 81 for more in list(grown.values())[at:])
    assert seen.rows("network")[1011]["avgLatency"] > usual.rows("network")[1011]["avgLatency"] + 70


def test_a_host_with_two_addresses_gives_each_agent_one_and_one_of_them_can_be_dead(look: Any) -> None:
    everyone = tuple(range(3, 43))
    for name in ("shop", "www", "crm", "mail"):
        url = f"https://{name}.example.com"
        addresses = {
            agent: row["serverIp"]
            for agent, row in look("http-server", "country=BR:slow=x2", agents=everyone, url=url)
            .rows("http-server")
            .items()
        }
        if len(set(addresses.values())) == 2:
            break
    one = addresses[3]
    given = {agent for agent, address in addresses.items() if address == one}
    assert look("http-server", f"server-ip={one}:dead", agents=everyone, url=url).broken() == given
    answers = look("dns-trace", f"dns-answer={one}:slow=x5", agents=everyone, domain=f"{name}.example.com A")
    assert {agent for agent, row in answers.rows("dns-trace").items() if row["mappings"] == one} == given


def test_a_name_server_that_is_dead_fails_its_own_rows_only(caller: Any) -> None:
    asked = caller(culprits=(parse_culprit("host=ns2.example.com:dead"),))
    test_id = asked.create("dns-server")
    asked.now += 400
    for layer in ("dns-server", "network"):
        rows = asked.rows(test_id, layer)
        bad = {
            row["server"].removesuffix(":53") for row in rows if row.get("errorDetails") or row.get("loss")
        }
        assert bad == {"ns2.example.com"}, layer


# One of each kind that is in a small world; addresses are asked for.
VALUES = {
    **dict.fromkeys(("target", "host"), "www.example.com"),
    "agent": "3",
    "country": "GB",
    "network": "AS 64505",
    "agent-type": "cloud",
    "location": "London",
    "hop": "tr1-emea-0",
    "hop-network": "AS 64601",
    "block": "http-server",
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("effect", list(EFFECTS))
def test_every_kind_can_have_every_effect(caller: Any, kind: str, effect: str) -> None:
    value = VALUES.get(kind)
    if value is None:
        plain = caller(topology="shared")
        made = plain.create()
        plain.now += 400
        value = plain.rows(made, "http-server")[0]["serverIp"]
    amount = {"loss": "=30%", "slow": "=x3", "http": "=503"}.get(effect, "")
    asked = caller(culprits=(parse_culprit(f"{kind}={value}:{effect}{amount}"),))
    ids = [asked.create("http-server", url=f"https://www{n or ''}.example.com") for n in range(6)]
    asked.now += 400
    cells = asked.service.witness()["planted"]["cells"]
    assert cells
    assert {cell["effect"] for cell in cells} == {effect}
    usual = caller(topology="shared")
    same = [usual.create("http-server", url=f"https://www{n or ''}.example.com") for n in range(6)]
    usual.now += 400
    broken = {(cell["test_id"], cell["agent_id"]) for cell in cells}
    for one, other in zip(ids, same, strict=True):
        now, before = _by_agent(asked, one), _by_agent(usual, other)
        differ = {(one, agent) for agent in before if now.get(agent) != before[agent]}
        assert differ == {cell for cell in broken if cell[0] == one}, (
            "the witness tells what differs, and all of it"
        )


def _by_agent(asked: Any, test_id: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for layer in ("http-server", "network"):
        for row in asked.rows(test_id, layer):
            values = {name: value for name, value in row.items() if name not in {"date", "_links"}}
            found.setdefault(row["agent"]["agentId"], []).append(values)
    return found


# -- noise ---------------------------------------------------------------------------------------------------


def test_with_noise_every_run_measures_something_else_and_a_seed_repeats_it(caller: Any) -> None:
    def waits(**world: Any) -> list[list[int]]:
        asked = caller(**world)
        found = []
        for _ in range(2):
            test_id = asked.create(url=SHOP)
            asked.now += 400
            found.append([row["totalTime"] for row in asked.rows(test_id, "http-server")])
        return found

    plain, quiet = waits(), waits(noise=Noise(0))
    one, again, other = waits(noise=Noise(7)), waits(noise=Noise(7)), waits(noise=Noise(8))
    assert plain[0] == plain[1]
    assert plain == quiet
    assert one == again
    assert one[0] != one[1]
    assert other[0] not in (one[0], plain[0])
    still = waits(noise=Noise(7, own=0.0, common=0.0, spikes=0.0))
    assert still == plain


def test_a_world_without_culprits_has_no_planted_truth() -> None:
    assert "planted" not in Service(Settings()).witness()


def test_a_culprit_that_nothing_tested_met_is_told_with_what_was_meant() -> None:
    texts = ("host=shop.exampel.com:dead", "target=https://shop.example.com:tls", "block=http-sever:http=503",
             "country=GB,target=nowhere.example.com:dead", "agent-type=cloud:dead")  # fmt: skip
    world = World(Settings(culprits=tuple(map(parse_culprit, texts))), Silence())
    assert unmet(world) == [], "nothing was tested yet"
    body = {"url": "https://shop.example.com", "testName": "plan / web / shop"}
    world.create(define("http-server", body, (3,), api="v7", echo={}), 0.0)
    told = unmet(world)
    assert len(told) == 3
    assert "did you mean 'shop.example.com'?" in told[0]
    assert "did you mean 'http-server'?" in told[1]
    assert "no target 'nowhere.example.com' was tested" in told[2]
