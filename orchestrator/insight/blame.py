"""Which groups explain the bad cells: masks, merging, guard, beam. Cells are bits of whole numbers.

``bad`` and ``known`` are masks; what is not known was never asked, was silent, or failed before that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.insight import score
from orchestrator.insight.kinds import KINDS, Kind
from orchestrator.insight.values import Group

BEAM = 8
MOST = 7  # so deep a beam looks for explanations that are best together
AT_ALL = 100  # more are no explanation any more
POOL, POOL_OF_A_KIND = 300, 20
MOST_NEAR = 4
OUTSIDE_TOO, NONE_OUTSIDE = 0.01, 0.05  # what p may be at most inside one target
_MAY_BE_ALONE = frozenset({"target", "agent"})
_ROUNDS = 3
_SETTLED = 0.002
_BETTER = 1e-6  # bits; less is the rounding of a sum


@dataclass(frozen=True, slots=True)
class Candidate:
    """A group, or several that cover the same known cells: ``name`` is the smallest claim of them."""

    name: Group
    same: tuple[Group, ...]
    mask: int
    cost: float
    floor: float = score.FLOOR

    def counts(self, bad: int, known: int) -> tuple[int, int]:
        """How many of the known cells are bad, and how many are known."""
        return (self.mask & bad).bit_count(), (self.mask & known).bit_count()


@dataclass(frozen=True, slots=True)
class Near:
    """What fits nearly as well."""

    group: Group
    bad: int
    known: int
    bits: float


@dataclass(frozen=True, slots=True)
class Claim:
    """An explanation. ``bad`` and ``known`` are masks of what no other explanation has claimed."""

    group: Group
    same: tuple[Group, ...]
    near: tuple[Near, ...]
    bad: int
    known: int
    bits: float


@dataclass(frozen=True, slots=True)
class Explained:
    """``isolated`` is the mask of bad cells without a common cause."""

    claims: tuple[Claim, ...]
    isolated: int
    background: float


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained, and how. ``insides``: the mask of each target, for the guard.

    ``least`` is what an explanation has to gain, in bits; ``traced`` is the mask of the cells whose hops are
    known.
    """

    bad: int
    known: int
    groups: Mapping[Group, int]
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    sizes: Mapping[str, int] = field(default_factory=dict)
    insides: Sequence[int] = ()
    levels: int = 1
    background: float = score.BACKGROUND
    least: float = score.MIN_BITS
    traced: int = -1


@dataclass(frozen=True, slots=True)
class _Choice:
    chosen: tuple[int, ...] = ()
    claimed: int = 0
    bits: float = 0.0


def explain(question: Question) -> Explained:
    """What the bad cells share, the likeliest set of explanations; nothing bad gives nothing."""
    bad = question.bad
    if bad.bit_count() < 2:
        return Explained((), bad, question.background)
    everything = merged(question)
    candidates = [one for one in pooled(everything, question) if passes_guard(one, question)]
    while True:
        best, background = _settled(candidates, question)
        doubtful = _doubtful(best, candidates, question, background)
        if not doubtful:
            break
        candidates = [one for position, one in enumerate(candidates) if position not in doubtful]
    claims = _claims(best, candidates, everything, question, background)
    return Explained(claims, bad & ~best.claimed, background)


def _settled(candidates: Sequence[Candidate], question: Question) -> tuple[_Choice, float]:
    """The best choice, with the background that it leaves."""
    background, best = question.background, _Choice()
    for _ in range(_ROUNDS):
        best = _search(candidates, question, background)
        free = question.known & ~best.claimed
        following = score.next_background((question.bad & free).bit_count(), free.bit_count())
        if abs(following - background) < _SETTLED:
            break
        background = following
    return best, background


def _doubtful(
    best: _Choice, candidates: Sequence[Candidate], question: Question, background: float
) -> frozenset[int]:
    """What is chosen on the strength of cells whose hops are unknown, and may be a hop's too.

    By the cells whose hops are known, it does not stand beside the hops that are chosen, or one hop explains
    better what several others explain.
    """
    traced = question.known & question.traced
    if traced == question.known:
        return frozenset()
    through = 0
    others = []
    for position in best.chosen:
        if question.kinds[candidates[position].name.kind].path:
            through |= candidates[position].mask
        else:
            others.append(position)
    bad, known = question.bad & traced & ~through, traced & ~through
    bits = {position: _bits_by(candidates[position], bad, known, background) for position in others}
    if through:
        return frozenset(position for position in others if bits[position] < question.least)
    return _of_one_hop(bits, candidates, question, background)


def _of_one_hop(
    bits: Mapping[int, float], candidates: Sequence[Candidate], question: Question, background: float
) -> frozenset[int]:
    """Several that are chosen, if their bad cells with known hops all go through one, and it is likelier."""
    bad, known = question.bad & question.traced, question.known & question.traced
    for one in candidates:
        if not question.kinds[one.name.kind].path:
            continue
        inside = [position for position in bits if not candidates[position].mask & bad & ~one.mask]
        if len(inside) < 2:
            continue
        own = _bits_by(one, bad, known, background)
        if own >= question.least and own > sum(max(0.0, bits[position]) for position in inside):
            return frozenset(inside)
    return frozenset()


def _bits_by(one: Candidate, bad: int, known: int, background: float) -> float:
    """The gain by these cells alone, below zero where they are no cause."""
    k, n = one.counts(bad, known)
    may = score.may_explain(k, n, one.floor, background)
    return score.gain(k, n, one.cost, background) if may else -1.0


def merged(question: Question) -> list[Candidate]:
    """The groups with two bad cells and more; those that cover the same known cells are one."""
    alike: dict[int, list[Group]] = {}
    for group, whole in question.groups.items():
        if (whole & question.bad).bit_count() >= 2:
            alike.setdefault(whole & question.known, []).append(group)
    return [_merge(mask, groups, question) for mask, groups in alike.items()]


def _merge(mask: int, groups: list[Group], question: Question) -> Candidate:
    kinds = question.kinds
    first, *others = sorted(groups, key=lambda group: (kinds[group.kind].order, group.value))
    extra = math.log2(question.levels)
    cost = min(math.log2(max(1, question.sizes.get(one.kind, 1))) + kinds[one.kind].prior for one in groups)
    # What covers everything has nothing to be compared with, whatever it is called: unless it is the one
    # target or the one agent that was asked for.
    alone = mask == question.known and first.kind not in _MAY_BE_ALONE
    floor = score.RUN_FLOOR if alone else score.FLOOR
    return Candidate(first, tuple(others), mask, cost + extra, floor)


def pooled(candidates: Sequence[Candidate], question: Question) -> list[Candidate]:
    """The candidates worth trying, in an order that does not depend on that of the cells."""
    ranked = sorted(candidates, key=lambda one: (-_own(one, question), _rank(one.name, question.kinds)))
    if len(ranked) <= POOL:
        return ranked
    kept, of_kind = ranked[:POOL], dict.fromkeys(question.kinds, 0)
    for one in kept:
        of_kind[one.name.kind] += 1
    for one in ranked[POOL:]:
        if of_kind[one.name.kind] < POOL_OF_A_KIND:
            of_kind[one.name.kind] += 1
            kept.append(one)
    return kept


def _own(candidate: Candidate, question: Question) -> float:
    k, n = candidate.counts(question.bad, question.known)
    return score.gain(k, n, candidate.cost, question.background)


def _rank(group: Group, kinds: Mapping[str, Kind]) -> tuple[int, tuple[str, ...]]:
    return kinds[group.kind].order, group.value


def passes_guard(candidate: Candidate, question: Question) -> bool:
    """Whether agents inside one target stand out from the others there; else the target itself is to name."""
    if not question.kinds[candidate.name.kind].agents:
        return True
    inside = next((one for one in question.insides if not candidate.mask & question.known & ~one), None)
    if inside is None:
        return True
    k, n = candidate.counts(question.bad, question.known)
    bad, known = (inside & question.bad).bit_count(), (inside & question.known).bit_count()
    return score.fisher(k, n, bad, known) <= (OUTSIDE_TOO if bad > k else NONE_OUTSIDE)


def _search(candidates: Sequence[Candidate], question: Question, background: float) -> _Choice:
    """The best sum of gains that a beam finds; every further explanation has to pay its own cost."""
    best = _Choice()
    beams = [best]
    for _ in range(MOST):
        longer: dict[frozenset[int], _Choice] = {}
        for beam in beams:
            for choice in _extended(beam, candidates, question, background):
                longer.setdefault(frozenset(choice.chosen), choice)
        beams = sorted(longer.values(), key=lambda one: (-one.bits, one.chosen))[:BEAM]
        if not beams:
            break
        if beams[0].bits > best.bits:
            best = beams[0]
    return _without_detours(best, candidates, question, background)


def _without_detours(
    best: _Choice, candidates: Sequence[Candidate], question: Question, background: float
) -> _Choice:
    """A better choice than the beam's, if one is near.

    A beam takes a wide group first that holds a part of several causes, and is in the way once those are
    there; and it is only so deep. So the smallest claims alone are tried too, then each choice without one of
    its own.
    """
    small = [n for n, one in enumerate(candidates) if one.name.kind in _MAY_BE_ALONE]
    alone = _grown((), [candidates[n] for n in small], question, background)
    starts = [best.chosen, [small[n] for n in alone.chosen]]
    best = max(
        (_grown(start, candidates, question, background) for start in starts), key=lambda one: one.bits
    )
    while True:
        others = [
            _grown(
                [one for one in best.chosen if one != left_out], candidates, question, background, left_out
            )
            for left_out in best.chosen
            if candidates[left_out].name.kind not in _MAY_BE_ALONE
        ]
        better = max(others, key=lambda one: one.bits, default=best)
        if better.bits <= best.bits + _BETTER:
            return best
        best = better


def _grown(
    positions: Sequence[int],
    candidates: Sequence[Candidate],
    question: Question,
    background: float,
    but: int | None = None,
) -> _Choice:
    """These explanations as far as each still pays, then the best further ones ``but`` one."""
    choice = _Choice()
    for position in positions:
        bits = _bits(choice, candidates[position], question, background)
        if bits is not None:
            choice = _with(choice, position, candidates[position], bits)
    while len(choice.chosen) < AT_ALL:
        longer = _extended(choice, candidates, question, background)
        following = next((one for one in longer if one.chosen[-1] != but), None)
        if following is None:
            break
        choice = following
    return choice


def _bits(beam: _Choice, one: Candidate, question: Question, background: float) -> float | None:
    """What a further explanation gains with what is not claimed yet; ``None`` if it does not pay."""
    k = (one.mask & question.bad & ~beam.claimed).bit_count()
    if k < 2:
        return None
    n = (one.mask & question.known & ~beam.claimed).bit_count()
    if not score.may_explain(k, n, one.floor, background):
        return None
    bits = score.gain(k, n, one.cost, background)
    return bits if bits >= question.least else None


def _with(beam: _Choice, position: int, one: Candidate, bits: float) -> _Choice:
    return _Choice((*beam.chosen, position), beam.claimed | one.mask, beam.bits + bits)


def _extended(
    beam: _Choice, candidates: Sequence[Candidate], question: Question, background: float
) -> Iterable[_Choice]:
    found: list[tuple[float, int]] = []
    for position, one in enumerate(candidates):
        bits = _bits(beam, one, question, background)
        if bits is not None:
            found.append((-bits, position))
    for minus, position in sorted(found)[:BEAM]:
        yield _with(beam, position, candidates[position], -minus)


def _claims(
    best: _Choice,
    candidates: Sequence[Candidate],
    everything: Sequence[Candidate],
    question: Question,
    background: float,
) -> tuple[Claim, ...]:
    claimed, claims = 0, []
    for position in best.chosen:
        one = candidates[position]
        bad, known = one.mask & question.bad & ~claimed, one.mask & question.known & ~claimed
        bits = score.gain(bad.bit_count(), known.bit_count(), one.cost, background)
        others = 0
        for other in best.chosen:
            others |= candidates[other].mask if other != position else 0
        near = _near(one, everything, question, others, background)
        claims.append(Claim(one.name, one.same, near, bad, known, bits))
        claimed |= one.mask
    return tuple(claims)


def _near(
    chosen: Candidate, everything: Sequence[Candidate], question: Question, others: int, background: float
) -> tuple[Near, ...]:
    """What fits nearly as well and holds at least half of the bad cells, also what the guard left out."""
    bad, known = question.bad & ~others, question.known & ~others
    own = score.gain(*chosen.counts(bad, known), chosen.cost, background)
    found = []
    for one in everything:
        k, n = one.counts(bad, known)
        half = 2 * (one.mask & chosen.mask & bad).bit_count() >= (chosen.mask & bad).bit_count()
        if one is chosen or one.mask == chosen.mask or k < 2 or not half:
            continue
        bits = score.gain(k, n, one.cost, background)
        if bits >= own - score.NEAR_BITS and score.may_explain(k, n, one.floor, background):
            found.append(Near(one.name, k, n, bits))
    found.sort(key=lambda near: (-near.bits, _rank(near.group, question.kinds)))
    return tuple(found[:MOST_NEAR])
