"""The level rule: a cell that failed at one level got through those below, and never came to those above.

So each level is explained alone: bad are the cells that failed there, good those that passed or failed
higher; those that failed lower say nothing, nor do those whose kind of test never comes to it. A second
pass looks at warnings that nothing covers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from orchestrator.insight.blame import Claim, Near, Question, explain
from orchestrator.insight.kinds import KINDS
from orchestrator.insight.score import BACKGROUND, MIN_BITS, sure
from orchestrator.insight.values import LEVELS, PATH_LEVELS, Group, Phase, Seen
from orchestrator.model import Verdict

# Beyond it pairs and links, the most numerous kinds, are left out.
MOST_CELLS = 200_000
_ADDRESSES = frozenset({"hop", "link", "last-hop"})
_MANY = frozenset({"link", *(name for name, kind in KINDS.items() if kind.pair)})
# A hop is named only where at least this share of the cells that it explains is matched by good cells whose
# hops are known too: hops of bad cells alone say nothing.
_CONTRAST = 0.5


def mask_of(positions: Iterable[int], size: int) -> int:
    """The whole number that has these bits."""
    bits = bytearray((size + 7) // 8)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(bits, "little")


def positions_of(mask: int) -> Iterator[int]:
    """The bits of a mask, lowest first."""
    octets = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    for place, octet in enumerate(octets):
        if octet:
            yield from (8 * place + bit for bit in range(8) if octet >> bit & 1)


@dataclass(frozen=True)
class World:
    """All judged cells, in the order of their keys, with the mask of each group that has bad cells."""

    cells: tuple[Seen, ...]

    @classmethod
    def of(cls, cells: Iterable[Seen]) -> World:
        """The world of these cells, in whatever order they come."""
        return cls(tuple(sorted(cells, key=lambda cell: cell.key)))

    @cached_property
    def everything(self) -> int:
        return (1 << len(self.cells)) - 1

    @property
    def reduced(self) -> bool:
        """Whether pairs and links are left out."""
        return len(self.cells) > MOST_CELLS

    @cached_property
    def _groups(self) -> frozenset[Group]:
        return frozenset(group for cell in self.cells for group in cell.groups)

    @cached_property
    def _left_out(self) -> frozenset[str]:
        """Kinds of groups that are not looked at."""
        # The one kind of test is no other claim than the run.
        alone = sum(1 for group in self._groups if group.kind == "block") == 1
        return (_MANY if self.reduced else frozenset()) | ({"block"} if alone else frozenset())

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many groups of each kind there are: so many times one could have been named by chance."""
        return Counter(group.kind for group in self._groups if group.kind not in self._left_out)

    @cached_property
    def masks(self) -> Mapping[Group, int]:
        """The groups with at least two bad cells. Of the others, which are many, no members are kept."""
        bad = Counter(
            group
            for cell in self.cells
            if cell.phase is not None
            for group in set(cell.groups)  # a cell may be in a group by two of its paths
            if group.kind not in self._left_out
        )
        members: dict[Group, list[int]] = {group: [] for group, cells in bad.items() if cells >= 2}
        for position, cell in enumerate(self.cells):
            for group in cell.groups:
                found = members.get(group)
                if found is not None and (not found or found[-1] != position):
                    found.append(position)
        size = len(self.cells)
        masks = {group: mask_of(found, size) for group, found in members.items()}
        _end_at_servers(masks, {group.value for group in self._groups if group.kind == "server-ip"})
        return masks

    @cached_property
    def insides(self) -> tuple[int, ...]:
        """The mask of each target with bad cells."""
        return tuple(mask for group, mask in self.masks.items() if group.kind == "target")

    @cached_property
    def with_hops(self) -> int:
        return self.where(lambda cell: cell.hops_known)

    @cached_property
    def _telling(self) -> Mapping[int, int]:
        if all(cell.tells == LEVELS for cell in self.cells):
            return dict.fromkeys(LEVELS, self.everything)
        return {level: self.where(lambda cell, at=level: at in cell.tells) for level in LEVELS}  # type: ignore[misc]

    def telling(self, level: int) -> int:
        """The mask of the cells whose pass means that they got through a level."""
        return self._telling[level]

    def cells_of(self, mask: int) -> tuple[Seen, ...]:
        """The cells of a mask."""
        return tuple(self.cells[position] for position in positions_of(mask))

    @cached_property
    def _bad(self) -> Mapping[Verdict, int]:
        return {
            Verdict.FAIL: self.where(lambda cell: cell.verdict is Verdict.FAIL),
            Verdict.WARN: self.where(lambda cell: cell.verdict is Verdict.WARN),
        }

    def bad(self, severity: Verdict) -> int:
        """The mask of the failures, or of the warnings."""
        return self._bad[severity]

    def where(self, holds: Callable[[Seen], bool]) -> int:
        """The mask of the cells of which something holds."""
        return mask_of((n for n, cell in enumerate(self.cells) if holds(cell)), len(self.cells))


def _end_at_servers(masks: dict[Group, int], servers: set[tuple[str, ...]]) -> None:
    """The address of a target is no hop on the way to it: who has a path that ends there was given it."""
    for group in [one for one in masks if one.kind in _ADDRESSES]:
        if not any((address,) in servers for address in group.value):
            continue
        mask = masks.pop(group)
        if group.kind == "hop":
            own = Group("server-ip", group.value)
            masks[own] = masks.get(own, 0) | mask


@dataclass(frozen=True, slots=True)
class Cause:
    """What bad cells share, over all levels at which they do. ``bad`` and ``known`` are masks of cells."""

    group: Group
    severity: Verdict
    bad: int
    known: int
    bits: float
    phases: Mapping[Phase, int]
    same: tuple[Group, ...] = ()
    near: tuple[Near, ...] = ()

    @property
    def sure(self) -> str:
        """The word of certainty."""
        return sure(self.bits, self.bad.bit_count(), near=bool(self.near))


@dataclass(frozen=True, slots=True)
class Blame:
    """All causes, the largest first; ``isolated`` is the mask of failures without one."""

    causes: tuple[Cause, ...]
    isolated: int
    background: float


def blame(world: World, least: float = MIN_BITS) -> Blame:
    """What the failures share, then, of what is left, the warnings; each for at least so many bits."""
    fails, warns = bad_at(world, Verdict.FAIL), bad_at(world, Verdict.WARN)
    failing, background = _pass(world, fails, world.everything, Verdict.FAIL, least)
    covered, claimed = 0, 0
    for cause in failing:
        covered |= cause.known
        claimed |= cause.bad
    failed = _union(fails.values())
    # A warning is good in the first pass; a failure is neither bad nor good in the second one.
    warning, _ = _pass(world, warns, world.everything & ~covered & ~failed, Verdict.WARN, least)
    order = sorted([*failing, *warning], key=_rank)
    return Blame(tuple(order), failed & ~claimed, background)


def bad_at(world: World, verdict: Verdict) -> dict[int, int]:
    """The mask of the cells with a verdict that broke at each level."""
    found: dict[int, list[int]] = {level: [] for level in LEVELS}
    for position, cell in enumerate(world.cells):
        if cell.verdict is verdict and cell.phase is not None:
            found[cell.phase.level].append(position)
    return {level: mask_of(positions, len(world.cells)) for level, positions in found.items()}


def _rank(cause: Cause) -> tuple[bool, int, float, tuple[int, tuple[str, ...]]]:
    name = (KINDS[cause.group.kind].order, cause.group.value)
    return (cause.severity is Verdict.WARN, -cause.bad.bit_count(), -cause.bits, name)


def _union(masks: Iterable[int]) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole


def _pass(
    world: World, bad_levels: Mapping[int, int], cells: int, severity: Verdict, least: float
) -> tuple[list[Cause], float]:
    """The causes of one severity, and the largest background that was met."""
    levels = sum(1 for mask in bad_levels.values() if mask & cells) or 1
    found: dict[Group, Cause] = {}
    backgrounds = []
    for level, bad, of in judged_at(bad_levels, cells):
        known = of & (world.telling(level) | bad)
        answer = explain(_question(world, level, bad, known, levels, least))
        backgrounds.append(answer.background)
        for claim in answer.claims:
            cause = _cause(world, claim, severity)
            before = found.get(claim.group)
            found[claim.group] = cause if before is None else _joined(before, cause)
    return list(found.values()), max(backgrounds, default=BACKGROUND)


def judged_at(bad_levels: Mapping[int, int], cells: int) -> Iterator[tuple[int, int, int]]:
    """Level, bad and known cells of it, for each level that has bad cells: what failed lower is unknown."""
    lower = 0
    for level in LEVELS:
        bad = bad_levels[level] & cells
        if bad:
            yield level, bad, cells & ~lower
        lower |= bad


def _question(world: World, level: int, bad: int, known: int, levels: int, least: float) -> Question:
    contrast = (world.with_hops & known & ~bad).bit_count()
    groups = {
        group: mask
        for group, mask in world.masks.items()
        if not KINDS[group.kind].path or _may_name_path(level, (mask & bad).bit_count(), contrast)
    }
    return Question(
        bad,
        known,
        groups,
        sizes=world.sizes,
        insides=world.insides,
        levels=levels,
        background=BACKGROUND,
        least=least,
        traced=world.with_hops,
    )


def _may_name_path(level: int, bad: int, contrast: int) -> bool:
    return level in PATH_LEVELS and contrast >= 2 and contrast >= _CONTRAST * bad


def _cause(world: World, claim: Claim, severity: Verdict) -> Cause:
    phases = Counter(phase for n in positions_of(claim.bad) if (phase := world.cells[n].phase) is not None)
    return Cause(
        claim.group, severity, claim.bad, claim.known, claim.bits, dict(phases), claim.same, claim.near
    )


def _joined(one: Cause, other: Cause) -> Cause:
    """The same group at two levels. It is also something else only if it is that at both."""
    phases = Counter(one.phases) + Counter(other.phases)
    return replace(
        one,
        bad=one.bad | other.bad,
        known=one.known | other.known,
        bits=one.bits + other.bits,
        phases=dict(phases),
        same=tuple(group for group in one.same if group in other.same),
        near=tuple(
            near for near in one.near if near.group in {other_near.group for other_near in other.near}
        ),
    )
