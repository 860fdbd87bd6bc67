"""What is small in each cell and common to many: the median of a group moved farther than such groups do.

How far the medians of groups wander by themselves is measured on the history, each run held against the
others; without enough history on the sibling groups, else it is assumed to be large.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from orchestrator.compare.cells import Levels
from orchestrator.compare.noise import WEIGHT, deviation, value
from orchestrator.compare.values import Shift, Which
from orchestrator.insight.kinds import KINDS as KINDS_OF_CLAIMS
from orchestrator.insight.values import Group
from orchestrator.testtypes.norms import Norm

# Kinds of groups that may shift, the whole run first.
KINDS = ("run", "target", "agent", "country", "network", "agent-type")
# With a history less is needed: what groups do by themselves was seen, not guessed.
SHIFTED, SHIFTED_WITH_HISTORY = 5.0, 4.5
FEWEST = 3
MOST = 5
_SAME_WAY = 0.75
_SHARE = 0.1  # of the former value
_HISTORY, _LEFT_OUT = 4, 5
_SIBLINGS = 8
_LEAST = 0.1
_SETTLED = 0.01  # nothing is steadier than that
_LOWER, _WIDER = 0.9, 1.3
_FEW_RUNS, _CAREFUL = 0.03, 2.0
# Without a history everything is said to have moved if so much of the targets and of the agents did.
_ALL, _SEVERAL, _LEANS = 0.75, 3, 1.0
# The variance of a median is larger than that of a mean by pi / 2.
_OF_A_MEDIAN = 1.57

Members = Mapping[Group, Sequence[Which]]


@dataclass(frozen=True)
class Wander:
    """How far medians of groups move by themselves, on the scale of the metric: of each kind, and of a group
    itself with the number of runs that tell it. A kind is missing where nothing but the group tells."""

    of_kind: Mapping[str, float]
    of_group: Mapping[Group, tuple[float, int]]

    @property
    def enough(self) -> float:
        """How many standard deviations make a shift."""
        return SHIFTED_WITH_HISTORY if self.of_group else SHIFTED

    def knows(self, kind: str) -> bool:
        return kind in self.of_kind

    def spread(self, group: Group, within: float, cells: int) -> float:
        """The standard deviation of the median of a group of so many cells."""
        between = self.of_kind.get(group.kind)
        if between is None:
            between = max(_LEAST, within)
        own, runs = self.of_group.get(group, (0.0, 0))
        # A country of three agents is steadier than one of a single agent: its own past is worth something.
        between = math.sqrt((WEIGHT * between**2 + runs * own**2) / (WEIGHT + runs))
        return max(_SETTLED, math.sqrt(between**2 + _OF_A_MEDIAN * within**2 / cells))


def moved(cells: Levels) -> dict[Which, float]:
    """What each cell moved by."""
    return {which: now - past.median for which, (now, past) in cells.items()}


def wander(cells: Levels, members: Members, moves: Mapping[Which, float]) -> Wander:
    """Told by the history where four runs are there, else by how siblings moved now."""
    runs = max((len(past) for _, past in cells.values()), default=0)
    return _by_history(cells, members, runs) if runs >= _HISTORY else _by_siblings(members, moves)


def _by_history(cells: Levels, members: Members, runs: int) -> Wander:
    earlier = _left_out(cells, min(runs, _LEFT_OUT))
    of_group: dict[Group, tuple[float, int]] = {}
    of_kind: dict[str, list[float]] = {}
    for group, whiches in members.items():
        centres = [abs(one) for then in earlier if (one := _centre(then, whiches)) is not None]
        if centres:
            of_kind.setdefault(group.kind, []).extend(centres)
            of_group[group] = (
                math.sqrt(math.fsum(one * one for one in centres) / len(centres)),
                len(centres),
            )
    return Wander({kind: _wandering(centres) for kind, centres in of_kind.items()}, of_group)


def _by_siblings(members: Members, moves: Mapping[Which, float]) -> Wander:
    of_kind: dict[str, list[float]] = {}
    for group, whiches in members.items():
        centre = _centre(moves, whiches)
        if centre is not None:
            of_kind.setdefault(group.kind, []).append(centre)
    # Few siblings tell little, and what they tell may be too small by chance.
    return Wander(
        {
            kind: max(_FEW_RUNS, deviation(found) * (1 + _CAREFUL / len(found)))
            for kind, found in of_kind.items()
            if len(found) >= _SIBLINGS
        },
        {},
    )


def _left_out(cells: Levels, runs: int) -> list[dict[Which, float]]:
    """What each cell moved by in each of so many runs of the history, held against the others."""
    found: list[dict[Which, float]] = [{} for _ in range(runs)]
    for which, (_, past) in cells.items():
        ordered = sorted(past)
        # Without one of them: those above it are one place lower.
        half, even = (len(past) - 1) // 2, (len(past) - 1) % 2 == 0
        for run in range(min(runs, len(past)) if len(past) > 1 else 0):
            place = bisect_left(ordered, past[run])
            middle = ordered[half + (half >= place)]
            if even:
                middle = (ordered[half - 1 + (half - 1 >= place)] + middle) / 2
            found[run][which] = past[run] - middle
    return found


def _centre(moves: Mapping[Which, float], whiches: Iterable[Which]) -> float | None:
    found = [moves[which] for which in whiches if which in moves]
    return median(found) if len(found) >= FEWEST else None


def _wandering(centres: Sequence[float]) -> float:
    """Of the lower nine tenths, since the rest may be incidents of the past."""
    kept = sorted(centres)[: max(1, math.ceil(_LOWER * len(centres)))]
    return _WIDER * math.sqrt(math.fsum(one * one for one in kept) / len(kept))


@dataclass
class _Search:
    """The groups of one metric, with what their cells moved by beyond what was found already."""

    metric: str
    cells: Levels
    members: Members
    norm: Norm
    moves: dict[Which, float]
    spread: Wander

    def best(self, kinds: Sequence[str]) -> tuple[Shift, float] | None:
        """The group that moved farthest beyond what its kind does, and by how much."""
        found = [
            one
            for group, whiches in self.members.items()
            if group.kind in kinds and (one := self._shift(group, whiches)) is not None
        ]
        return max(found, key=lambda one: (abs(one[0].score), one[0].group), default=None)

    def everything(self) -> tuple[Shift, float] | None:
        """The whole run: by its own score, or by its parts where no history tells how it wanders."""
        own = self.best(KINDS[:1])
        if own is not None or self.spread.knows(KINDS[0]):
            return own
        for kind, enough in (("target", SHIFTED), ("agent", _LEANS)):
            groups = [(group, whiches) for group, whiches in self.members.items() if group.kind == kind]
            ways = [one[1] for pair in groups if (one := self._shift(*pair, enough)) is not None]
            most = max(sum(way > 0 for way in ways), sum(way < 0 for way in ways))
            if len(groups) < _SEVERAL or most < _ALL * len(groups):
                return None
        whole = next((pair for pair in self.members.items() if pair[0].kind == KINDS[0]), None)
        return None if whole is None else self._shift(*whole, enough=0.0)

    def taken(self, shift: Shift, by: float) -> None:
        """Takes a shift out of its cells."""
        for which in self.members[shift.group]:
            if which in self.moves:
                self.moves[which] -= by

    def _shift(
        self, group: Group, whiches: Sequence[Which], enough: float | None = None
    ) -> tuple[Shift, float] | None:
        known = [which for which in whiches if which in self.moves]
        if len(known) < FEWEST:
            return None
        own = [self.moves[which] for which in known]
        centre = median(own)
        alike = sum(1 for one in own if (one > 0) == (centre > 0) and one)
        score = centre / self.spread.spread(group, deviation(own), len(known))
        if abs(score) < (self.spread.enough if enough is None else enough) or alike < _SAME_WAY * len(known):
            return None
        before = median([value(self.cells[which][1].median, self.norm) for which in known])
        after = median([value(self.cells[which][0], self.norm) for which in known])
        change = abs(after - before)
        if change < self.norm.absolute / 2 or change < _SHARE * before:
            return None
        worse = -score if self.norm.falls else score
        return Shift(group, self.metric, before, after, worse, alike, len(known), centre), centre


def _smallest(cells: Levels, members: Members) -> dict[Group, list[Which]]:
    """Of the groups with the same cells in this metric the smallest claim: one agent, not its network."""
    found: dict[tuple[Which, ...], Group] = {}
    for group in sorted(members, key=lambda one: (KINDS_OF_CLAIMS[one.kind].order, one.value)):
        known = tuple(which for which in members[group] if which in cells)
        if known:
            found.setdefault(known, group)
    return {group: [*known] for known, group in found.items()}


def shifts(metric: str, cells: Levels, members: Members, norm: Norm) -> list[Shift]:
    """The groups that shifted in one metric, the whole run first, at most five; each is taken out of its
    cells before the next is looked for."""
    moves = moved(cells)
    smallest = _smallest(cells, members)
    search = _Search(metric, cells, smallest, norm, moves, wander(cells, members, moves))
    found: list[Shift] = []
    following = search.everything() or search.best(KINDS[1:])
    while following is not None:
        found.append(following[0])
        search.taken(*following)
        following = search.best(KINDS[1:]) if len(found) < MOST else None
    return found


def could_have_seen(cells: Levels, members: Members, norm: Norm) -> dict[str, float]:
    """By kind, the factor that most groups of it would have to change by to be seen, at least 1.1."""
    moves = moved(cells)
    spread = wander(cells, members, moves)
    found: dict[str, list[float]] = {}
    for group, whiches in members.items():
        known = [which for which in whiches if which in moves]
        if len(known) < FEWEST:
            continue
        within = deviation([moves[which] for which in known])
        before = median([value(cells[which][1].median, norm) for which in known])
        needed = spread.enough * spread.spread(group, within, len(known))
        place = math.log(max(before, 0.0) + norm.absolute)
        after = max(value(place + needed, norm), before + norm.absolute / 2, before * (1 + _SHARE))
        if before > 0:
            found.setdefault(group.kind, []).append(after / before)
    return {kind: median(factors) for kind, factors in found.items()}
