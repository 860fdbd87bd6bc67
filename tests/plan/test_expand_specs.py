"""From plan and agents to specs."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import PlanInvalid
from orchestrator.expand import expand
from orchestrator.model import Agent, AgentState, AgentType
from orchestrator.plan.model import Plan
from orchestrator.testtypes.lasting import must_be_over

Parse = Callable[..., Plan]
OneTest = Callable[..., str]
MakeAgent = Callable[..., Agent]


def _urls(count: int) -> str:
    return "[" + ", ".join(f"'https://s{n}.example'" for n in range(count)) + "]"


def test_cells_that_differ_in_the_agent_only_are_one_creation(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent(str(n)) for n in range(1, 21)]
    expansion = expand(parse(one_test(targets=_urls(200), agents="{name: '*'}")), agents)
    assert (len(expansion.specs), expansion.cells) == (200, 4000)
    assert len({spec.key for spec in expansion.specs}) == 200


def test_specs_come_in_the_order_of_the_plan(parse: Parse, one_test: OneTest, agent: MakeAgent) -> None:
    text = one_test(targets=_urls(2)) + "  - {name: sec, type: dnssec, targets: [z.example], agents: '1'}\n"
    specs = expand(parse(text), [agent("1")]).specs
    assert [(spec.test, spec.target) for spec in specs] == [
        ("web", "https://s0.example"),
        ("web", "https://s1.example"),
        ("sec", "z.example"),
    ]


def test_a_spec_carries_everything_its_creation_and_judgement_need(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    text = one_test(
        "options: {dnsServers: [ns1.example, ns2.example], numPathTraces: 2}",
        "raw: {newField: 1}",
        "layers: [dns-server, path-vis]",
        "path_details: true",
        "deadline: 5m",
        "expect: dns-server.resolutionTime < 1s",
        "warn: path-vis.numberOfHops < 9",
        type="dns-server",
        targets="[{name: zone, domain: a.example A, numPathTraces: 4}]",
    )
    (spec,) = expand(parse(text), [agent("1")]).specs
    assert spec.fields == {
        "dnsServers": ["ns1.example", "ns2.example"],
        "numPathTraces": 4,
        "domain": "a.example A",
    }
    assert (spec.raw, spec.servers, spec.path_details, spec.deadline) == ({"newField": 1}, 2, True, 300.0)
    assert (spec.layers, spec.target, spec.agents) == (("dns-server", "path-vis"), "zone", ("1",))
    assert (spec.expect, spec.warn) == (("dns-server.resolutionTime < 1s",), ("path-vis.numberOfHops < 9",))


def test_agents_of_overlapping_selectors_are_tested_once(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent("1"), agent("2", country="DE"), agent("3")]
    plan = parse(one_test(agents="[{country: GB}, {name: '*'}, 1]"))
    assert [spec.agents for spec in expand(plan, agents).specs] == [("1", "2", "3")]


def test_an_agent_that_one_selector_leaves_out_and_another_asks_for_is_tested(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent("1", state=AgentState.OFFLINE)]
    plan = parse(one_test(agents="[{name: '*'}, {state: offline}]"))
    expansion = expand(plan, agents)
    assert ([spec.agents for spec in expansion.specs], expansion.not_run) == ([("1",)], ())


def test_agents_per_test_splits_and_every_cell_stays(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent(str(n)) for n in range(1, 8)]
    specs = expand(parse(one_test("agents_per_test: 3", agents="{name: '*'}")), agents).specs
    assert [spec.agents for spec in specs] == [("1", "2", "3"), ("4", "5", "6"), ("7",)]
    assert len({spec.key for spec in specs}) == 3


def test_offline_agents_are_not_run_for_each_target_with_the_reason(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent("1"), agent("2", state=AgentState.OFFLINE)]
    expansion = expand(parse(one_test(targets=_urls(2), agents="{name: '*'}")), agents)
    assert expansion.cells == 2
    assert [(cell.target, cell.agent, cell.reason) for cell in expansion.not_run] == [
        ("https://s0.example", "2", "the agent is offline"),
        ("https://s1.example", "2", "the agent is offline"),
    ]


class TestKeys:
    def test_the_same_plan_over_the_same_agents_gives_the_same_keys(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        agents = [agent(str(n)) for n in range(1, 12)]
        text = one_test("options: {httpTimeLimit: 9, httpVersion: 1}", targets=_urls(3), agents="{name: '*'}")
        keys = [spec.key for spec in expand(parse(text), agents).specs]
        again = text.replace("{httpTimeLimit: 9, httpVersion: 1}", "{httpVersion: 1, httpTimeLimit: 9}")
        assert [spec.key for spec in expand(parse("# a comment\n" + again), agents[::-1]).specs] == keys
        assert all(len(key) == 12 and int(key, 16) >= 0 for key in keys)

    @pytest.mark.parametrize(
        "line",
        [
            "options: {httpTimeLimit: 9}",
            "raw: {x: 1}",
            "layers: [http-server]",
            "options: {httpVersion: 1}",
        ],
    )
    def test_a_change_of_content_changes_the_key(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent, line: str
    ) -> None:
        plain, changed = (expand(parse(text), [agent("1")]) for text in (one_test(), one_test(line)))
        assert plain.specs[0].key != changed.specs[0].key

    def test_what_does_not_change_the_test_does_not_change_the_key(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        plans = one_test(), one_test("deadline: 9m", "expect: network.loss < 1", top="deadline: 1h")
        first, second = (expand(parse(text), [agent("1")]).specs[0].key for text in plans)
        assert first == second

    def test_two_contents_never_share_a_key(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orchestrator.expand._KEY_LENGTH", 1)  # sixteen keys: they must collide
        specs = expand(parse(one_test(targets=_urls(12))), [agent("1")]).specs
        assert len({spec.key for spec in specs}) == 12


class TestAgentsAsTargets:
    def test_a_target_is_found_by_id_and_by_name(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        agents = [agent("1"), agent("2", name="HQ"), agent("3", name="London, England")]
        plan = parse(
            one_test(type="voice", targets="[hq, {name: capital, targetAgentId: 'London, England'}, '3']")
        )
        specs = expand(plan, agents).specs
        assert [(spec.target, spec.fields["targetAgentId"]) for spec in specs] == [
            ("hq", "2"),
            ("capital", "3"),
            ("London, England", "3"),
        ]

    @pytest.mark.parametrize("type_name", ["agent-to-agent", "voice"])
    def test_an_agent_does_not_test_itself(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent, type_name: str
    ) -> None:
        plan = parse(one_test(type=type_name, targets="['1', '2']", agents="['1', '2', '3']"))
        expansion = expand(plan, [agent("1"), agent("2"), agent("3")])
        assert [spec.agents for spec in expansion.specs] == [("2", "3"), ("1", "3")]
        assert [(cell.agent, cell.reason) for cell in expansion.not_run] == [
            ("1", "the agent is its own target"),
            ("2", "the agent is its own target"),
        ]

    def test_a_target_that_only_tests_itself_makes_no_spec(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        expansion = expand(parse(one_test(type="voice", targets="['1']")), [agent("1")])
        assert (expansion.specs, len(expansion.not_run)) == ((), 1)

    def test_an_unknown_or_ambiguous_name_is_a_problem_at_its_place(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        agents = [agent("1"), agent("2", name="hq"), agent("3", name="HQ")]
        plan = parse(one_test(type="voice", targets="[hq, branch-01]"))
        with pytest.raises(PlanInvalid) as caught:
            expand(plan, agents)
        first, second = (str(problem) for problem in caught.value.problems)
        assert first == "plan.yaml:6:15: 2 agents are called 'hq'; give the id: 2, 3"
        assert second.startswith("plan.yaml:6:19: the target 'branch-01' is neither id nor name of an agent")
        assert second.endswith("did you mean 'branch-1'?")

    def test_throughput_is_never_asked_of_cloud_agents(
        self, parse: Parse, one_test: OneTest, agent: MakeAgent, cloud: MakeAgent
    ) -> None:
        agents = [agent("1"), agent("2"), cloud("3")]
        text = one_test(
            "options: {throughputMeasurements: true}",
            type="agent-to-agent",
            targets="['2']",
            agents="['1', '3']",
        )
        expansion = expand(parse(text), agents)
        assert [spec.agents for spec in expansion.specs] == [("1",)]
        assert [cell.reason for cell in expansion.not_run] == [
            "throughput cannot be measured from a cloud agent"
        ]
        with pytest.raises(PlanInvalid, match="throughput cannot be measured to the cloud agent 'city-3'"):
            expand(parse(text.replace("targets: ['2']", "targets: ['3']")), agents)


def test_selectors_and_ids_that_match_nothing_are_all_reported(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    plan = parse(one_test(agents="[{name: 'brunch-*'}, '9', {country: FR}]"))
    with pytest.raises(PlanInvalid) as caught:
        expand(plan, [agent("1"), agent("99")])
    lines = [str(problem) for problem in caught.value.problems]
    assert len(lines) == 3
    assert lines[0].startswith(
        "plan.yaml:7:14: selector in line 7 matches no agent: of 2 agents name brunch-*"
    )
    assert lines[1] == "plan.yaml:7:34: ids in line 7: no agent has the id '9', did you mean '99'?"
    assert "country FR matches 0" in lines[2]


def test_sip_gets_its_standard_port(parse: Parse, one_test: OneTest, agent: MakeAgent) -> None:
    targets = "[sip.example, {sipRegistrar: s.example, protocol: tls}, 'x.example:99']"
    specs = expand(parse(one_test(type="sip-server", targets=targets)), [agent("1")]).specs
    ports = [spec.fields["targetSipCredentials"] for spec in specs]
    assert [one["port"] for one in ports if isinstance(one, dict)] == [5060, 5061, 99]


@pytest.mark.parametrize(
    ("type_name", "fields", "seconds"),
    [
        ("http-server", {}, 180),
        ("page-load", {"pageLoadTimeLimit": 60}, 180),
        ("web-transactions", {"timeLimit": 180}, 300),
        ("api", {"timeLimit": 90}, 210),
        ("dnssec", {}, 180),
        ("agent-to-agent", {"throughputMeasurements": True, "throughputDuration": 30_000}, 180),
    ],
)
def test_the_default_deadline_leaves_two_minutes_beyond_the_limit(
    type_name: str, fields: dict[str, int | bool], seconds: float
) -> None:
    assert must_be_over(type_name, dict(fields)) == seconds


def test_a_hundred_thousand_cells_are_expanded_quickly_and_in_little_memory(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent(str(n)) for n in range(1, 101)]
    plan = parse(one_test(targets=_urls(1000), agents="{name: '*'}"))
    tracemalloc.start()
    started = time.process_time()
    expansion = expand(plan, agents)
    took = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert expansion.cells == 100_000
    assert peak < 30 * 1024 * 1024
    assert took < 30, "the goal is 3 s; this is a bound against something quadratic, not a measurement"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(targets=st.integers(1, 5), count=st.integers(1, 9), size=st.integers(1, 10), offline=st.integers(0, 8))
def test_packing_keeps_every_cell_exactly_once(
    parse: Parse, one_test: OneTest, agent: MakeAgent, targets: int, count: int, size: int, offline: int
) -> None:
    states = [AgentState.OFFLINE if n < offline else AgentState.ONLINE for n in range(count)]
    agents = [agent(str(n), state=state) for n, state in enumerate(states)]
    plan = parse(one_test(f"agents_per_test: {size}", targets=_urls(targets), agents="{name: '*'}"))
    expansion = expand(plan, agents)
    cells = [(spec.target, one) for spec in expansion.specs for one in spec.agents]
    left_out = [(cell.target, cell.agent) for cell in expansion.not_run]
    assert len({*cells, *left_out}) == len(cells) + len(left_out) == targets * count
    assert all(1 <= len(spec.agents) <= size for spec in expansion.specs)
    assert len({spec.key for spec in expansion.specs}) == len(expansion.specs)


def test_a_cluster_is_one_agent(parse: Parse, one_test: OneTest, agent: MakeAgent) -> None:
    plan = parse(one_test(agents="{type: enterprise-cluster}"))
    assert expand(plan, [agent("5", type=AgentType.CLUSTER)]).specs[0].agents == ("5",)


@pytest.mark.parametrize("type_name", ["agent-to-agent", "voice"])
class TestAgentsThatAreTargets:
    AGENTS = (("1", "Branch"), ("2", "Branch"), ("3", "Other"), ("4", ""))

    def targets(
        self, written: str, type_name: str, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> list[tuple[str, object]]:
        known = [agent(one, name=name) for one, name in self.AGENTS]
        specs = expand(parse(one_test(type=type_name, targets=written, agents="['3', '4']")), known).specs
        return [(spec.target, spec.fields["targetAgentId"]) for spec in specs]

    def test_of_one_name_have_their_ids(
        self, type_name: str, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        found = self.targets("['1', '2']", type_name, parse, one_test, agent)
        assert found == [("Branch (1)", "1"), ("Branch (2)", "2")]

    def test_without_a_name_go_by_their_id(
        self, type_name: str, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        assert self.targets("['4']", type_name, parse, one_test, agent) == [("4", "4")]

    def test_given_by_name_and_by_id_are_one(
        self, type_name: str, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        assert self.targets("['3', Other]", type_name, parse, one_test, agent) == [("Other", "3")]

    def test_called_like_another_one_are_refused(
        self, type_name: str, parse: Parse, one_test: OneTest, agent: MakeAgent
    ) -> None:
        with pytest.raises(PlanInvalid, match="two targets called 'Other'"):
            self.targets("[{name: Other, targetAgentId: '1'}, '3']", type_name, parse, one_test, agent)


def test_a_country_in_which_no_agent_is_is_told_where_others_of_the_list_match(
    parse: Parse, one_test: OneTest, agent: MakeAgent
) -> None:
    agents = [agent("1", country="DE"), agent("2", country="FR")]
    expansion = expand(parse(one_test(agents="{country: [DE, GB, JP]}")), agents)
    assert [note.rpartition(": ")[2] for note in expansion.notes] == [
        "no agent is in GB",
        "no agent is in JP",
    ]
    assert expand(parse(one_test(agents="{country: [DE, FR]}")), agents).notes == ()
