"""The whole of it: a run, its base and their history in; what changed, and what the gate says, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from orchestrator.compare.cells import Judge, Levels, Past, gone, levels_of, noises
from orchestrator.compare.gate import Finding, Judgement, Kind, Strictness, judged
from orchestrator.compare.noise import at_least, level
from orchestrator.compare.rollup import RollUp, all_shifts, members_of, rolled_up
from orchestrator.compare.routes import Rerouted, rerouted
from orchestrator.compare.shifts import Members, could_have_seen
from orchestrator.compare.values import Change, Compared, Sample, Which, Why
from orchestrator.compare.words import told_in_words
from orchestrator.insight.values import Seen
from orchestrator.insight.words import Names, Sentence, count
from orchestrator.model import Verdict

MIN_COVER = 0.8
# With fewer runs than this only large changes are seen.
RECOMMENDED = 3
_COMPARED = frozenset({Change.BETTER, Change.SAME, Change.WORSE})
_CERTAIN = 8.0
_ONE = {"fail": "fails", "is": "is", "have": "has"}
_MANY = {"fail": "fail", "is": "are", "have": "have"}
# How often a cell is far out that nothing is wrong with, where no other was; how likely a coincidence may be.
_RARE, _BY_CHANCE = 0.002, 0.01
_JUDGED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})
# Of two verdicts the better one is what persists.
_BEST_FIRST = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)


@dataclass(frozen=True)
class Now:
    """The run that is judged. ``again`` are its cells once more, of a round that confirms."""

    samples: Mapping[Which, Sample]
    seen: Mapping[Which, Seen] = field(default_factory=dict)
    again: Mapping[Which, Sample] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """What changed. ``runs`` is the number of runs that tell what is normal, ``flaky`` are cells that were
    worse and were not when run again, ``routes`` what changed in paths that are known on both sides."""

    compared: tuple[Compared, ...]
    worse: RollUp
    better: RollUp
    judgement: Judgement
    runs: int
    flaky: frozenset[Which]
    persisting: frozenset[Which]
    routes: Mapping[Which, Rerouted]
    could_have_seen: Mapping[str, float]
    texts: tuple[Sentence, ...]
    recovered: tuple[Sentence, ...]

    @property
    def counts(self) -> Counter[Change]:
        """How many cells of each change."""
        return Counter(one.change for one in self.compared)

    @property
    def comparable(self) -> int:
        return sum(number for change, number in self.counts.items() if change in _COMPARED)

    def worse_by(self, why: Why) -> tuple[Compared, ...]:
        """The cells that got worse for one reason."""
        return tuple(one for one in self.compared if one.change is Change.WORSE and one.why is why)

    @property
    def lost(self) -> tuple[Compared, ...]:
        """Cells that answered before and do not now."""
        return tuple(one for one in self.compared if one.lost)


def compare(
    now: Now,
    past: Past,
    names: Names,
    strictness: Strictness = Strictness.NORMAL,
    min_cover: float = MIN_COVER,
) -> Comparison:
    """Holds a run against its base and history."""
    levels = levels_of(now.samples, past)
    first = Judge(past, levels, noises(levels))
    steady = _steady(now, past)
    # Without a round that confirms, what persists is what was seen at first.
    judge = replace(first, levels=levels_of(steady, past)) if now.again else first
    cells = [judge.compared(which, sample, now.seen.get(which)) for which, sample in sorted(steady.items())]
    cells += [gone(which, base) for which, base in sorted(past.base.items()) if which not in steady]
    confirmed = _confirmed(cells, now, first)
    members = members_of(cells)
    shifted = all_shifts(judge, members)
    worse = rolled_up(cells, judge, shifted, members, worse=True)
    better = rolled_up(cells, judge, shifted, members, worse=False)
    runs = 1 + len(past.history)
    by_which = {one.which: one for one in cells}
    findings = tuple(_findings(cells, worse, confirmed))
    return Comparison(
        compared=tuple(cells),
        worse=worse,
        better=better,
        judgement=judged(
            strictness,
            findings,
            comparable=sum(1 for one in cells if one.change in _COMPARED),
            wanted=sum(1 for base in past.base.values() if base.verdict in _JUDGED),
            least=min_cover,
        ),
        runs=runs,
        flaky=confirmed.flaky,
        persisting=confirmed.persisting,
        routes=dict(_routes(steady, past)),
        could_have_seen=_seen_sizes(members, judge.levels, past),
        texts=tuple(told_in_words(one, worse, names, by_which, runs) for one in worse.told),
        recovered=tuple(told_in_words(one, better, names, by_which, runs) for one in better.told),
    )


def _steady(now: Now, past: Past) -> dict[Which, Sample]:
    """The run with what persists of it: of two rounds the verdict that is better, and the number nearer to
    the past."""
    return {
        which: sample if which not in now.again else _persisting(which, sample, now.again[which], past)
        for which, sample in now.samples.items()
    }


def _persisting(which: Which, first: Sample, again: Sample, past: Past) -> Sample:
    if again.verdict not in _BEST_FIRST or first.verdict not in _BEST_FIRST:
        return first  # what did not answer confirms nothing
    numbers = {}
    for metric, one in first.numbers.items():
        other, before = again.numbers.get(metric), past.levels(which, metric) if metric in past.norms else ()
        if other is None or not before:
            numbers[metric] = one
            continue
        norm, middle = past.norms[metric], median(before)
        numbers[metric] = min((one, other), key=lambda found: abs(level(found, norm) - middle))
    base = past.base.get(which)
    usual = {} if base is None else base.marks
    marks = {
        name: again.marks[name] if again.marks.get(name) == usual.get(name) else mark
        for name, mark in first.marks.items()
    }
    better = min(first, again, key=lambda one: _BEST_FIRST.index(one.verdict or Verdict.FAIL))
    route = again.route if again.route.known and again.route.reached else first.route
    return replace(
        first, verdict=better.verdict, phase=better.phase, numbers=numbers, marks=marks, route=route
    )


@dataclass(frozen=True)
class _Confirmed:
    """Of the cells that were run again: those that were worse at first only, those that still are, and those
    that were far out at first."""

    flaky: frozenset[Which] = frozenset()
    persisting: frozenset[Which] = frozenset()
    far: frozenset[Which] = frozenset()
    cells: int = 0


def _confirmed(cells: Sequence[Compared], now: Now, judge: Judge) -> _Confirmed:
    """``judge`` is that of the first round."""
    first = [
        judge.compared(which, now.samples[which], now.seen.get(which))
        for which in now.again
        if which in now.samples
    ]
    worse = frozenset(one.which for one in first if one.change is Change.WORSE)
    still = {one.which for one in cells if one.change is Change.WORSE}
    far = frozenset(one.which for one in first if one.change is Change.WORSE and one.z > _CERTAIN)
    return _Confirmed(worse - still, worse & still, far, len(first))


def _findings(cells: Sequence[Compared], worse: RollUp, confirmed: _Confirmed) -> Iterator[Finding]:
    now_fail = sum(one.failing.bad.bit_count() for one in worse.told if one.failing is not None)
    moved = sum(one.moved.bad.bit_count() for one in worse.told if one.moved is not None)
    shifted = sum(one.failing is None and one.moved is None for one in worse.told)
    strong = _not_by_chance(cells, worse.alone, confirmed)
    told = (
        (Kind.NOW_FAIL, now_fail, "passed and now {fail}, together"),
        (Kind.NOW_FAIL_ALONE, len(worse.isolated), "passed and now {fail}, alone"),
        (Kind.MOVED, moved, "{is} worse by metrics, together"),
        (Kind.PERSISTS, len(strong), "{is} worse by a metric, and was when run again"),
        (Kind.MOVED_ALONE, len(worse.alone - strong), "{is} worse by a metric, alone"),
        (Kind.WARNS, sum(one.warned for one in cells), "passed and now {have} warnings"),
        (Kind.SILENT, sum(one.lost for one in cells), "answered before and now {have} no answer"),
    )
    for kind, number, text in told:
        forms = _ONE if number == 1 else _MANY
        yield Finding(kind, number, f"{count(number, 'cell')} {text.format(**forms)}")
    yield Finding(Kind.SHIFTED, shifted, f"{count(shifted, 'group')} of cells got worse as a whole")
    ends = sum(one.ends is not None for one in cells)
    yield Finding(Kind.ENDS_EARLIER, ends, f"{count(ends, 'path')} ended before the target")


def _not_by_chance(
    cells: Sequence[Compared], alone: frozenset[Which], confirmed: _Confirmed
) -> frozenset[Which]:
    """The cells that are far worse in both rounds, unless so many would be by chance: where many cells are
    far out in one round, some are in two."""
    both = {one.which for one in cells if one.which in alone & confirmed.persisting and one.z > _CERTAIN}
    if not both:
        return frozenset()
    once = len(confirmed.far | both)
    rate = min(1.0, _RARE + (once - len(both)) / confirmed.cells)
    return frozenset(both) if at_least(len(both), once, rate) <= _BY_CHANCE else frozenset()


def _routes(now: Mapping[Which, Sample], past: Past) -> Iterator[tuple[Which, Rerouted]]:
    for which, sample in now.items():
        found = rerouted(sample.route, [one.route for one in past.samples(which)])
        if found is not None:
            yield which, found


def _seen_sizes(members: Members, levels: Mapping[str, Levels], past: Past) -> dict[str, float]:
    """By kind of group, the factor below which a change would not have been noticed, of the metric that most
    cells have and that stands for its layer."""
    wholes = [metric for metric in levels if past.norms[metric].whole and past.norms[metric].relative]
    if not wholes:
        return {}
    metric = max(wholes, key=lambda name: (len(levels[name]), name))
    return could_have_seen(levels[metric], members, past.norms[metric])
