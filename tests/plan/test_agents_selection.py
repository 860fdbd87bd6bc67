"""Which agents a selector means."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.expand import needs_labels
from orchestrator.model import Agent, AgentState, AgentType
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import Sample, Selector, explain_nothing, select

MakeAgent = Callable[..., Agent]


def _ids(selector: Selector, agents: list[Agent], seed: int = 0) -> list[str]:
    return [one.id for one in select(selector, agents, seed).agents]


@pytest.fixture
def world(agent: MakeAgent, cloud: MakeAgent) -> list[Agent]:
    return [
        agent("10", name="Branch-Leeds", labels=("site:branch", "branch")),
        agent("9", name="branch-lab-1", country="DE", location="Hamburg", labels=("lab",)),
        agent("8", name="branch-paris", country="FR", location="Paris", state=AgentState.OFFLINE),
        agent("7", name="branch-rome", country="IT", location=None, state=AgentState.DISABLED),
        agent("6", name="dc", type=AgentType.CLUSTER, country=None),
        cloud("1", name="London, England"),
        cloud("2", name="Berlin", country="DE", location="Berlin Area"),
        cloud("3", name="Hong Kong", country="HK", target_only=True),
    ]


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        (Selector(types=(AgentType.CLOUD,)), ["1", "2"]),
        (Selector(types=(AgentType.CLOUD, AgentType.CLUSTER)), ["1", "2", "6"]),
        (Selector(names=("BRANCH-*",)), ["9", "10"]),
        (Selector(names=("dc", "lond?n*")), ["1", "6"]),
        (Selector(countries=("DE",)), ["2", "9"]),
        (Selector(locations=("*area",)), ["2"]),
        (Selector(labels=("site:*",)), ["10"]),
        (Selector(ids=("6", "10")), ["6", "10"]),
        (
            Selector(names=("*",), exclude=(Selector(names=("*lab*",)), Selector(ids=("6",)))),
            ["1", "2", "10"],
        ),
        (Selector(countries=("DE",), types=(AgentType.ENTERPRISE,)), ["9"]),
    ],
)
def test_keys_must_all_match_and_within_a_key_any_value_may(
    world: list[Agent], selector: Selector, ids: list[str]
) -> None:
    assert _ids(selector, world) == ids


def test_agents_that_cannot_answer_are_left_out_with_the_reason(world: list[Agent]) -> None:
    selection = select(Selector(names=("*",)), world)
    assert {agent.id: reason for agent, reason in selection.left_out} == {
        "8": "the agent is offline",
        "7": "the agent is disabled",
        "3": "the agent can only be a target",
    }


def test_a_state_that_is_asked_for_is_taken(world: list[Agent]) -> None:
    assert _ids(Selector(states=(AgentState.OFFLINE,)), world) == ["8"]
    assert select(Selector(states=(AgentState.OFFLINE,)), world).left_out == ()


def test_asking_for_online_agents_takes_cloud_agents_and_reports_no_offline_ones(world: list[Agent]) -> None:
    selection = select(Selector(states=(AgentState.ONLINE,), countries=("GB", "FR")), world)
    assert ([agent.id for agent in selection.agents], selection.left_out) == (["1", "10"], ())


def test_ids_that_are_not_listed_are_told(world: list[Agent]) -> None:
    assert select(Selector(ids=("6", "666")), world).missing == ("666",)


def test_why_nothing_matches_names_what_came_near(world: list[Agent]) -> None:
    text = explain_nothing(Selector(types=(AgentType.CLOUD,), names=("brnch-*",)), world)
    assert (
        text
        == "of 8 agents type cloud matches 3, name brnch-* matches 0; nearest to 'brnch-*' is 'branch-rome'"
    )
    taken = explain_nothing(Selector(names=("dc",), exclude=(Selector(ids=("6",)),)), world)
    assert "the exclusions take the rest" in taken
    assert explain_nothing(Selector(names=("*",)), []) == "the account group has no agents"


class TestSamples:
    @pytest.fixture
    def many(self, agent: MakeAgent) -> list[Agent]:
        countries = ("GB", "DE", "FR")
        return [agent(str(n), country=countries[n % 3], location=f"city {n % 5}") for n in range(1, 61)]

    def test_a_sample_takes_its_count_of_each_country(self, many: list[Agent]) -> None:
        chosen = select(Selector(names=("*",), sample=Sample(4, "country")), many).agents
        assert sorted(agent.country or "" for agent in chosen) == ["DE"] * 4 + ["FR"] * 4 + ["GB"] * 4

    def test_a_sample_can_be_of_each_location_or_of_all(self, many: list[Agent]) -> None:
        assert len(_ids(Selector(names=("*",), sample=Sample(2, "location")), many)) == 10
        assert len(_ids(Selector(names=("*",), sample=Sample(7)), many)) == 7

    def test_the_same_seed_gives_the_same_agents_in_any_order_of_the_listing(self, many: list[Agent]) -> None:
        selector = Selector(names=("*",), sample=Sample(3, "country"))
        assert _ids(selector, many, 5) == _ids(selector, many[::-1], 5)
        assert len({tuple(_ids(selector, many, seed)) for seed in range(10)}) == 10

    def test_the_seed_of_the_sample_wins(self, many: list[Agent]) -> None:
        selector = Selector(names=("*",), sample=Sample(3, "country", seed=1))
        assert _ids(selector, many, 5) == _ids(selector, many, 6)

    def test_a_new_agent_changes_the_sample_by_itself_only(self, many: list[Agent], agent: MakeAgent) -> None:
        selector = Selector(names=("*",), sample=Sample(10))
        before = set(_ids(selector, many))
        for n in range(100, 130):
            after = set(_ids(selector, [*many, agent(str(n))]))
            assert after - before in (set(), {str(n)})

    def test_offline_agents_are_not_drawn_and_reported_only_where_a_group_falls_short(
        self, agent: MakeAgent
    ) -> None:
        agents = [
            agent("1", country="GB"),
            agent("2", country="GB"),
            agent("3", country="GB", state=AgentState.OFFLINE),
            agent("4", country="DE", state=AgentState.OFFLINE),
        ]
        selection = select(Selector(names=("*",), sample=Sample(2, "country")), agents)
        assert [one.id for one in selection.agents] == ["1", "2"]
        assert [one.id for one, _ in selection.left_out] == ["4"]


@pytest.mark.parametrize(
    ("agents", "needs"),
    [
        ("['1']", False),
        ("{type: cloud}", False),
        ("{label: a}", True),
        ("{type: cloud, exclude: {tag: a}}", True),
        ("{type: cloud, exclude: [{name: x, exclude: {tag: a}}]}", True),
    ],
)
def test_labels_are_needed_only_by_selectors_that_name_them(
    parse: Callable[..., Plan], one_test: Callable[..., str], agents: str, needs: bool
) -> None:
    assert needs_labels(parse(one_test(agents=agents))) is needs


_SELECTORS = st.builds(
    Selector,
    types=st.lists(st.sampled_from(AgentType), max_size=2).map(tuple),
    names=st.lists(st.sampled_from(["*", "branch-*", "[", "x"]), max_size=2).map(tuple),
    countries=st.lists(st.sampled_from(["GB", "DE", "XX"]), max_size=2).map(tuple),
    states=st.lists(st.sampled_from(AgentState), max_size=2).map(tuple),
    sample=st.none() | st.builds(Sample, st.integers(1, 3), st.sampled_from(["", "country", "location"])),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(selector=_SELECTORS, seed=st.integers(0, 3))
def test_every_agent_is_chosen_left_out_or_not_meant_but_never_twice(
    world: list[Agent], selector: Selector, seed: int
) -> None:
    selection = select(selector, world, seed)
    chosen = [agent.id for agent in selection.agents]
    left_out = [agent.id for agent, _ in selection.left_out]
    assert len({*chosen, *left_out}) == len(chosen) + len(left_out)
    assert {*chosen, *left_out} <= {agent.id for agent in world}
    whole = select(
        Selector(selector.types, selector.names, selector.countries, states=selector.states), world
    )
    assert set(chosen) <= {agent.id for agent in whole.agents}
