"""The worked examples: 8 targets from 18 agents, 144 cells unless said, with their figures."""

from __future__ import annotations

import math

import pytest
from insight_worlds import FLEET, OSLO, cells, counted, found

from orchestrator.insight.levels import Blame
from orchestrator.insight.score import fisher, gain
from orchestrator.insight.values import Phase
from orchestrator.model import Agent, AgentType

C = Phase.CONNECT
# Five enterprise agents in five countries.
FIVE = frozenset({"a03", "a06", "a09", "a12", OSLO})
ENTERPRISE = [agent for agent in FLEET if agent.type is AgentType.ENTERPRISE]


def only(blamed: Blame) -> tuple[str, tuple[str, ...], int, int]:
    (cause,) = blamed.causes
    return counted(cause)


def test_a_target_that_fails_from_everyone_is_named() -> None:
    blamed = found(cells(lambda _, target: C if target == "t3" else None))
    assert only(blamed) == ("target", ("web", "t3"), 18, 18)
    assert blamed.causes[0].bits == pytest.approx(113.9, abs=0.05)
    assert blamed.causes[0].sure == "clear"
    assert blamed.causes[0].near == ()
    assert blamed.background == 0.01
    assert fisher(18, 18, 18, 144) == pytest.approx(3e-23, rel=0.1)


def test_the_bits_of_a_whole_target_are_those_that_a_person_can_add_up() -> None:
    chance, culprit, cost = 18 * math.log2(1 / 0.01), math.log2((19 / 37 + 2 / 20) / 2), math.log2(8) + 1
    assert gain(18, 18, cost, 0.01) == pytest.approx(chance + culprit - cost)


def test_a_target_that_fails_from_a_part_is_still_the_target() -> None:
    part = {agent.id for agent in FLEET[:11]}
    blamed = found(cells(lambda agent, target: C if target == "t3" and agent.id in part else None))
    assert only(blamed) == ("target", ("web", "t3"), 11, 18)
    assert blamed.causes[0].bits == pytest.approx(49, abs=0.5)


def test_one_agent_is_named_and_its_country_is_the_same() -> None:
    blamed = found(cells(lambda agent, _: C if agent.id == OSLO else None))
    assert only(blamed) == ("agent", (OSLO,), 8, 8)
    assert blamed.causes[0].bits == pytest.approx(46.8, abs=0.05)
    assert [(group.kind, group.value) for group in blamed.causes[0].same] == [("country", ("NO",))]


def test_a_country_is_named_once_and_not_its_three_agents() -> None:
    blamed = found(cells(lambda agent, _: C if agent.country == "FR" else None))
    assert only(blamed) == ("country", ("FR",), 24, 24)
    assert blamed.causes[0].bits == pytest.approx(152, abs=0.5)


def test_a_country_to_one_target_is_likely_and_fisher_agrees() -> None:
    blamed = found(cells(lambda agent, target: C if agent.country == "US" and target == "t5" else None))
    assert only(blamed) == ("country*target", ("US", "web", "t5"), 4, 4)
    assert blamed.causes[0].bits == pytest.approx(16.6, abs=0.05)
    assert blamed.causes[0].sure == "likely"
    assert fisher(4, 4, 4, 18) == pytest.approx(1 / 3060)


def test_agents_inside_alone_to_one_target() -> None:
    blamed = found(
        cells(lambda agent, target: C if agent.type is AgentType.ENTERPRISE and target == "t5" else None)
    )
    assert only(blamed) == ("agent-type*target", ("enterprise", "web", "t5"), 11, 11)
    assert blamed.causes[0].bits == pytest.approx(64.7, abs=0.05)


def test_two_causes_and_two_flakes_and_the_shared_cell_is_counted_once() -> None:
    flakes = {("a02", "t6"), ("a11", "t8")}
    blamed = found(
        cells(
            lambda agent, target: (
                C if target == "t3" or agent.id == OSLO or (agent.id, target) in flakes else None
            )
        )
    )
    target, agent = blamed.causes
    assert counted(target) == ("target", ("web", "t3"), 18, 18)
    assert counted(agent) == ("agent", (OSLO,), 7, 7)
    assert target.bits == pytest.approx(99, abs=0.05)
    assert agent.bits == pytest.approx(34.5, abs=0.05)
    assert blamed.isolated.bit_count() == 2


def test_three_isolated_failures_have_no_cause() -> None:
    three = {("a02", "t6"), ("a11", "t8"), ("a07", "t2")}
    blamed = found(cells(lambda agent, target: C if (agent.id, target) in three else None))
    assert blamed.causes == ()
    assert blamed.isolated.bit_count() == 3


def test_inside_one_target_the_guard_names_the_target() -> None:
    assert fisher(5, 11, 5, 18) == pytest.approx(0.054, abs=0.0005)
    blamed = found(cells(lambda agent, _: C if agent.id in FIVE else None, targets=1))
    (cause,) = blamed.causes
    assert counted(cause) == ("target", ("web", "t1"), 5, 18)
    assert cause.bits == pytest.approx(8.5, abs=0.06)
    assert cause.sure == "possible"
    assert [near.group.value[0] for near in cause.near] == ["enterprise"]
    assert "run" in [group.kind for group in cause.same]


def test_one_target_from_three_agents_is_likely_and_cannot_be_told_from_the_run() -> None:
    agents: list[Agent] = [ENTERPRISE[0], ENTERPRISE[2], ENTERPRISE[4]]
    (cause,) = found(cells(lambda _, __: C, targets=1, agents=agents)).causes
    assert counted(cause) == ("target", ("web", "t1"), 3, 3)
    assert cause.bits == pytest.approx(15.3, abs=0.05)
    assert cause.sure == "likely"
    assert {"agent-type", "run"} <= {group.kind for group in cause.same}


def test_where_everything_fails_the_run_is_named() -> None:
    blamed = found(cells(lambda _, __: C))
    assert only(blamed) == ("run", ("run",), 144, 144)
    assert blamed.causes[0].bits == pytest.approx(805, abs=0.5)


def test_two_failures_of_one_target_have_no_cause() -> None:
    blamed = found(cells(lambda agent, _: C if agent.id in {"a03", OSLO} else None, targets=1))
    assert blamed.causes == ()
    assert blamed.isolated.bit_count() == 2


# -- the level rule ----------------------------------------------------------------------------------------


def test_what_fails_earlier_does_not_weaken_what_the_others_see() -> None:
    """Eight agents never connect to anything; the other ten all see an expired certificate of t4."""
    cut = {agent.id for agent in FLEET if agent.country in {"US", "FR"}} | {"a15"}

    def breaks(agent: Agent, target: str) -> Phase | None:
        if agent.id in cut:
            return C
        return Phase.TLS if target == "t4" else None

    blamed = found(cells(breaks))
    tls = [counted(cause) for cause in blamed.causes if Phase.TLS in cause.phases]
    assert tls == [("target", ("web", "t4"), 10, 10)]


def test_what_fails_later_shows_that_the_path_is_fine() -> None:
    """A target with an expired certificate is reached: it is good where a country does not connect."""
    blamed = found(
        cells(lambda agent, target: C if agent.country == "FR" else Phase.TLS if target == "t4" else None)
    )
    assert [counted(cause) for cause in blamed.causes] == [
        ("country", ("FR",), 24, 24),
        ("target", ("web", "t4"), 15, 15),
    ]
    assert [cause.phases for cause in blamed.causes] == [{C: 24}, {Phase.TLS: 15}]


def test_one_group_at_two_levels_is_one_cause_with_its_phases_counted() -> None:
    late = {"t5", "t6", "t7", "t8"}
    blamed = found(
        cells(lambda agent, target: None if agent.id != OSLO else Phase.SLOW if target in late else C)
    )
    (cause,) = blamed.causes
    assert counted(cause) == ("agent", (OSLO,), 8, 8)
    assert cause.phases == {C: 4, Phase.SLOW: 4}


@pytest.mark.parametrize("many", [2, 6, 7, 12, 14])
def test_several_dead_targets_are_named_one_by_one_and_not_by_what_some_of_their_agents_share(
    many: int,
) -> None:
    dead = {f"t{number}" for number in range(1, many + 1)}
    blamed = found(cells(lambda _, target: Phase.TLS if target in dead else None, targets=30))
    assert sorted(counted(cause) for cause in blamed.causes) == [
        ("target", ("web", target), 18, 18) for target in sorted(dead)
    ]
    assert not blamed.isolated
