"""What holds in every world."""

from __future__ import annotations

import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from insight_worlds import FLEET, cell, cells, counted, found

from orchestrator.insight import score
from orchestrator.insight.levels import World, blame
from orchestrator.insight.values import CellKey, Phase, Seen
from orchestrator.model import Agent, Verdict

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True, database=None)

COUNTS = st.integers(2, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@st.composite
def worlds(draw: st.DrawFn) -> list[Seen]:
    """A small fleet, some targets; each target, agent and country breaks in some way or not, and cells do."""
    agents = draw(st.lists(st.sampled_from(FLEET), min_size=2, max_size=12, unique_by=lambda one: one.id))
    phases: st.SearchStrategy[Phase | None] = st.sampled_from([None, None, None, None, *Phase])
    of_agent = {agent.id: draw(phases) for agent in agents}
    targets = draw(st.integers(1, 6))
    of_target = {f"t{n}": draw(phases) for n in range(1, targets + 1)}
    lot = random.Random(draw(st.integers(0, 10_000)))
    flake = draw(st.sampled_from([0.0, 0.05, 0.3]))

    def breaks(agent: Agent, target: str) -> Phase | None:
        if lot.random() < flake:
            return lot.choice(list(Phase))
        return of_target[target] or of_agent[agent.id]

    made = cells(breaks, targets=targets, agents=agents)
    warned = draw(st.booleans())
    return [
        one._replace(verdict=Verdict.WARN) if warned and one.phase is not None and lot.random() < 0.5 else one
        for one in made
    ]


@SETTINGS
@given(worlds())
def test_every_failure_is_either_explained_once_or_isolated(seen: list[Seen]) -> None:
    world = World.of(seen)
    blamed = blame(world)
    fails = world.bad(Verdict.FAIL)
    claimed = 0
    for cause in blamed.causes:
        if cause.severity is Verdict.FAIL:
            assert not claimed & cause.bad, "a failure is explained twice"
            claimed |= cause.bad
    assert claimed | blamed.isolated == fails
    assert not claimed & blamed.isolated


@SETTINGS
@given(worlds())
def test_every_claim_has_two_bad_cells_and_no_more_than_it_has_cells(seen: list[Seen]) -> None:
    for cause in found(seen).causes:
        assert cause.bad.bit_count() >= 2
        assert not cause.bad & ~cause.known
        assert sum(cause.phases.values()) == cause.bad.bit_count()
        assert cause.bits >= score.MIN_BITS


@SETTINGS
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_changes_nothing(seen: list[Seen], lot: random.Random) -> None:
    shuffled = list(seen)
    lot.shuffle(shuffled)
    shuffled = [one._replace(groups=tuple(lot.sample(one.groups, len(one.groups)))) for one in shuffled]
    assert found(shuffled) == found(seen)


@SETTINGS
@given(worlds(), st.sampled_from(["x-", "\u00e9", "0"]))
def test_other_names_change_names_only(seen: list[Seen], before: str) -> None:
    """In the same order: which of two equally good claims is named may follow it."""
    renamed = [_renamed(one, before) for one in seen]
    told, again = found(seen), found(renamed)
    assert [counted(one)[2:] for one in again.causes] == [counted(one)[2:] for one in told.causes]
    assert [one.group.kind for one in again.causes] == [one.group.kind for one in told.causes]
    assert [one.bits for one in again.causes] == [one.bits for one in told.causes]


def _renamed(one: Seen, before: str) -> Seen:
    key = CellKey(one.key.test, f"{before}{one.key.target}", f"{before}{one.key.agent_id}")
    groups = tuple(
        group._replace(value=tuple(f"{before}{part}" for part in group.value)) for group in one.groups
    )
    return one._replace(key=key, groups=groups)


@given(COUNTS, st.floats(0.01, 0.3), st.floats(1, 20))
def test_a_passing_cell_more_never_raises_a_gain(counts: tuple[int, int], e: float, cost: float) -> None:
    k, n = counts
    assume(score.may_explain(k, n, score.FLOOR, e))
    assert score.gain(k, n + 1, cost, e) <= score.gain(k, n, cost, e) + 1e-9


@given(COUNTS, st.floats(0.01, 0.3), st.floats(1, 20))
def test_a_bad_cell_more_never_lowers_a_gain(counts: tuple[int, int], e: float, cost: float) -> None:
    k, n = counts
    assume(score.may_explain(k, n, score.FLOOR, e))
    assert score.gain(k + 1, n + 1, cost, e) >= score.gain(k, n, cost, e) - 1e-9


@SETTINGS
@given(worlds())
def test_where_nothing_is_bad_nothing_is_explained(seen: list[Seen]) -> None:
    fine = [one._replace(verdict=Verdict.PASS, phase=None) for one in seen]
    blamed = found(fine)
    assert (blamed.causes, blamed.isolated) == ((), 0)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_fishers_probability_is_one_and_falls(bad: int, good: int, n: int) -> None:
    known = bad + good
    assume(n <= known)
    chances = [score.fisher(k, n, bad, known) for k in range(min(n, bad) + 1)]
    assert all(0 < one <= 1 for one in chances)
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == 1 or abs(chances[0] - 1) < 1e-9


def test_a_cell_is_in_the_world_of_the_tests_as_in_life() -> None:
    """The builder's groups are those of the real ones, as far as there are data."""
    kinds = {group.kind for group in cell(FLEET[0], "t1").groups}
    assert {"run", "target", "agent", "block", "country", "country*target", "agent-type*target"} <= kinds
