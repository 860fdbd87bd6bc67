"""Three kinds of evidence, one list: cells that fail now, cells worse by their metrics, group shifts.

A cell that got worse by a metric while its neighbours did not is isolated: of thousands of comparisons some
are always out. What cells have in common is the correction for that, stricter than a level of significance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.compare.cells import Judge
from orchestrator.compare.shifts import KINDS as SHIFTING
from orchestrator.compare.shifts import Members, shifts
from orchestrator.compare.values import Change, Compared, Shift, Which, Why
from orchestrator.insight.kinds import KINDS
from orchestrator.insight.levels import Blame, Cause, World, blame
from orchestrator.insight.score import LIKELY_BITS, MIN_BITS
from orchestrator.insight.values import CellKey, Group, Phase, Seen
from orchestrator.model import Verdict

# Metrics are our guess, expectations the user's word: the guess needs more.
LEAST_BY_METRIC = LIKELY_BITS


def strength(shift: Shift) -> tuple[float, str]:
    """What shifts of one group are ranked by."""
    return abs(shift.score), shift.metric


@dataclass(frozen=True)
class Told:
    """What a group of cells did together. ``failing`` are its cells that changed their verdict, ``moved``
    those that did by a metric alone; ``shift`` is its strongest one, ``shifts`` one for each metric."""

    group: Group
    worse: bool
    failing: Cause | None = None
    moved: Cause | None = None
    shifts: tuple[Shift, ...] = ()
    cells: tuple[Which, ...] = ()

    @property
    def shift(self) -> Shift | None:
        return max(self.shifts, key=strength, default=None)

    @property
    def size(self) -> tuple[int, int, int, float]:
        """What it is ranked by: cells that fail, cells that moved, those of a shift and how far it is."""
        failing = 0 if self.failing is None else self.failing.bad.bit_count()
        moved = 0 if self.moved is None else self.moved.bad.bit_count()
        shift = self.shift
        return failing, moved, 0 if shift is None else shift.cells, 0.0 if shift is None else abs(shift.score)


@dataclass(frozen=True)
class RollUp:
    """All that changed together, and what changed alone: ``isolated`` by verdict, ``alone`` by a metric."""

    told: tuple[Told, ...]
    isolated: frozenset[Which]
    alone: frozenset[Which]
    # The worlds that the masks of ``told`` are of: cells that fail, cells that moved.
    failing: World
    moved: World


def rolled_up(
    compared: Sequence[Compared], judge: Judge, shifted: Sequence[Shift], members: Members, *, worse: bool
) -> RollUp:
    """What got worse together, or better."""
    failing = World.of(_by_verdict(compared, worse=worse))
    moved = World.of(_by_metric(compared, _explained(compared, shifted, members, judge), worse=worse))
    which = {CellKey(one.which.test, one.which.target, one.which.agent_id): one.which for one in compared}
    found: dict[Group, Told] = {}
    blames = (blame(failing, MIN_BITS), blame(moved, LEAST_BY_METRIC))
    for cause in blames[0].causes:
        cells = tuple(which[cell.key] for cell in failing.cells_of(cause.bad))
        found[cause.group] = Told(cause.group, worse, failing=cause, cells=cells)
    for cause in blames[1].causes:
        told = found.get(cause.group, Told(cause.group, worse))
        cells = tuple(which[cell.key] for cell in moved.cells_of(cause.bad))
        found[cause.group] = replace(told, moved=cause, cells=tuple(dict.fromkeys((*told.cells, *cells))))
    for shift in shifted:
        if shift.worse is worse:
            told = found.get(shift.group, Told(shift.group, worse))
            cells = tuple(dict.fromkeys((*told.cells, *members[shift.group])))
            found[shift.group] = replace(told, shifts=(*told.shifts, shift), cells=cells)
    order = sorted(
        found.values(),
        key=lambda one: (*(-part for part in one.size), KINDS[one.group.kind].order, one.group.value),
    )
    return RollUp(
        tuple(order), _left(blames[0], failing, which), _left(blames[1], moved, which), failing, moved
    )


def all_shifts(judge: Judge, members: Members) -> list[Shift]:
    """The shifts of every metric, for the better and for the worse."""
    return [
        shift
        for metric, cells in judge.levels.items()
        for shift in shifts(metric, cells, members, judge.past.norms[metric])
    ]


def _left(found: Blame, world: World, which: Mapping[CellKey, Which]) -> frozenset[Which]:
    return frozenset(which[cell.key] for cell in world.cells_of(found.isolated))


def _judged(compared: Iterable[Compared]) -> Iterator[tuple[Compared, Seen]]:
    for one in compared:
        if one.seen is not None and one.change not in {Change.NEW, Change.GONE, Change.UNKNOWN}:
            yield one, one.seen


def _bad(seen: Seen, phase: Phase) -> Seen:
    return seen._replace(verdict=Verdict.FAIL, phase=phase)


def _good(seen: Seen) -> Seen:
    return seen._replace(verdict=Verdict.PASS, phase=None)


def _by_verdict(compared: Iterable[Compared], *, worse: bool) -> Iterator[Seen]:
    """Cells that could have changed their verdict this way, bad where they did."""
    for one, seen in _judged(compared):
        failed = one.before is Verdict.FAIL
        if failed is worse:  # it fails as before, or passed before: no such change could be seen
            continue
        if one.why is Why.VERDICT:
            yield seen if worse and seen.phase is not None else _bad(seen, Phase.ERROR)
        else:
            yield _good(seen)


def _by_metric(compared: Iterable[Compared], explained: frozenset[Which], *, worse: bool) -> Iterator[Seen]:
    """Cells whose verdict is as it was, bad where a metric went this way and no shift explains it."""
    wanted = Change.WORSE if worse else Change.BETTER
    for one, seen in _judged(compared):
        if one.why is Why.VERDICT or Verdict.FAIL in (one.before, one.verdict):
            continue
        moved = one.change is wanted and one.why in {Why.METRIC, Why.MARK} and one.which not in explained
        yield _bad(seen, Phase.SLOW) if moved else _good(seen)


def members_of(compared: Iterable[Compared]) -> dict[Group, list[Which]]:
    """The cells of each group that can shift."""
    found: dict[Group, list[Which]] = {}
    for one, seen in _judged(compared):
        for group in seen.groups:
            if group.kind in SHIFTING:
                members = found.setdefault(group, [])
                if not members or members[-1] != one.which:
                    members.append(one.which)
    return found


def _explained(
    compared: Iterable[Compared], shifted: Iterable[Shift], members: Members, judge: Judge
) -> frozenset[Which]:
    """The cells that would not have changed, had the groups that they are in not shifted."""
    by: dict[tuple[str, Which], float] = {}
    for shift in shifted:
        for which in members[shift.group]:
            by[shift.metric, which] = by.get((shift.metric, which), 0.0) + shift.by
    return frozenset(
        one.which
        for one in compared
        if one.why is Why.METRIC
        and not any(
            judge.measured(one.which, metric, by.get((metric, one.which), 0.0)) is not None
            for metric in one.metrics
            if judge.tells(metric)
        )
    )
