"""Each rule taken out: a mutant that survives would mean that the examples prove nothing about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from insight_worlds import FLEET, OSLO, cells, counted, found, with_groups

from orchestrator.insight import blame, levels
from orchestrator.insight.blame import Candidate, Question
from orchestrator.insight.values import LEVELS, Group, Phase, Seen
from orchestrator.model import Agent

C, T = Phase.CONNECT, Phase.TLS
CUT = frozenset(agent.id for agent in FLEET[:8])
FIVE = frozenset({"a03", "a06", "a09", "a12", OSLO})


def what_fails_earlier_is_unknown_later() -> None:
    def breaks(agent: Agent, target: str) -> Phase | None:
        return C if agent.id in CUT else T if target == "t4" else None

    causes = [counted(cause) for cause in found(cells(breaks)).causes if T in cause.phases]
    assert causes == [("target", ("web", "t4"), 10, 10)]


def what_fails_later_is_good_earlier() -> None:
    """A part of t4 does not connect, the rest gets through and sees its certificate."""

    def breaks(agent: Agent, target: str) -> Phase | None:
        if target != "t4":
            return None
        return C if agent.country == "US" else T

    causes = [counted(cause)[:2] for cause in found(cells(breaks)).causes if C in cause.phases]
    assert causes == [("country*target", ("US", "web", "t4"))]


def agents_inside_one_target_must_stand_out_there() -> None:
    (cause,) = found(cells(lambda agent, _: C if agent.id in FIVE else None, targets=1)).causes
    assert counted(cause) == ("target", ("web", "t1"), 5, 18)


def what_covers_the_same_cells_is_one_thing_with_the_smallest_name() -> None:
    (cause,) = found(cells(lambda agent, _: C if agent.id == OSLO else None)).causes
    assert cause.group == Group("agent", (OSLO,))
    assert [group.kind for group in cause.same] == ["country"]
    assert cause.near == ()
    assert cause.sure == "clear"


def a_hop_is_named_only_beside_good_cells_with_known_hops() -> None:
    hop = Group("hop", ("198.51.100.7",))

    def through(cell: Seen) -> Seen:
        return with_groups(cell, hop) if cell.phase is not None else cell

    seen = cells(lambda agent, target: C if agent.id in CUT and target in {"t1", "t2"} else None)
    causes = found(map(through, seen)).causes
    assert hop not in [cause.group for cause in causes]


def _everything_known(bad_levels: Mapping[int, int], of: int) -> Iterator[tuple[int, int, int]]:
    for level in LEVELS:
        if bad_levels[level] & of:
            yield level, bad_levels[level] & of, of


def _later_is_unknown_too(bad_levels: Mapping[int, int], of: int) -> Iterator[tuple[int, int, int]]:
    whole = 0
    for mask in bad_levels.values():
        whole |= mask & of
    for level in LEVELS:
        if bad := bad_levels[level] & of:
            yield level, bad, of & ~whole | bad


def _no_guard(_: Candidate, __: Question) -> bool:
    return True


def _unmerged(question: Question) -> list[Candidate]:
    return [
        blame._merge(whole & question.known, [group], question)
        for group, whole in question.groups.items()
        if (whole & question.bad).bit_count() >= 2
    ]


def _largest_first(mask: int, groups: list[Group], question: Question) -> Candidate:
    made = _MERGE(mask, groups, question)
    last, *others = [*reversed(made.same), made.name]
    return Candidate(last, tuple(others), made.mask, made.cost, made.floor)


_MERGE = blame._merge

MUTANTS: list[tuple[Callable[[], None], object, str, object]] = [
    (what_fails_earlier_is_unknown_later, levels, "judged_at", _everything_known),
    (what_fails_later_is_good_earlier, levels, "judged_at", _later_is_unknown_too),
    (agents_inside_one_target_must_stand_out_there, blame, "passes_guard", _no_guard),
    (what_covers_the_same_cells_is_one_thing_with_the_smallest_name, blame, "merged", _unmerged),
    (what_covers_the_same_cells_is_one_thing_with_the_smallest_name, blame, "_merge", _largest_first),
    (
        a_hop_is_named_only_beside_good_cells_with_known_hops,
        levels,
        "_may_name_path",
        lambda level, _, __: level == 2,
    ),
]
RULES = list(dict.fromkeys(rule for rule, *_ in MUTANTS))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_holds(rule: Callable[[], None]) -> None:
    rule()


@pytest.mark.parametrize(
    ("rule", "module", "name", "mutant"), MUTANTS, ids=[f"{rule.__name__}-{n}" for rule, _, n, _ in MUTANTS]
)
def test_without_it_the_rule_is_seen_to_fail(
    rule: Callable[[], None], module: object, name: str, mutant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, mutant)
    with pytest.raises((AssertionError, ValueError)):
        rule()
