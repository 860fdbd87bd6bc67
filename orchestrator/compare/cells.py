"""One cell held against its own past: better, same, worse, new, gone, or not to be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.compare.noise import CERTAIN, Earlier, Noise, large, level, noise, score, value
from orchestrator.compare.values import Change, Compared, Measured, Sample, Which, Why
from orchestrator.insight.values import Seen
from orchestrator.model import Metric, Verdict
from orchestrator.testtypes.norms import NORMS, Norm

_GOOD = frozenset({Verdict.PASS, Verdict.WARN})
_SILENT = frozenset({Verdict.NO_ANSWER, Verdict.NOT_RUN, None})
# A mark that got worse is certain: it is no amount.
_MARK_Z = 10.0
_NAMES = {True: Change.WORSE, False: Change.BETTER}


@dataclass(frozen=True)
class Past:
    """What is compared with. ``history`` are earlier good runs, newest first, without ``base``.

    ``norms`` are the floors of each metric, by ``layer.metric``.
    """

    base: Mapping[Which, Sample]
    history: Sequence[Mapping[Which, Sample]] = ()
    norms: Mapping[str, Norm] = field(default_factory=lambda: NORMS)

    def samples(self, which: Which) -> Iterator[Sample]:
        """The cell in the base and in each earlier run that has it."""
        for run in (self.base, *self.history):
            found = run.get(which)
            if found is not None:
                yield found

    def levels(self, which: Which, metric: str) -> tuple[float, ...]:
        """The earlier levels of a metric, that of the base first."""
        return _levels(self.samples(which), metric, self.norms[metric])


Levels = Mapping[Which, tuple[float, Earlier]]


def _levels(samples: Iterable[Sample], metric: str, norm: Norm) -> tuple[float, ...]:
    found = [sample.numbers.get(metric) for sample in samples]
    return tuple([level(one, norm) for one in found if one is not None])


def levels_of(now: Mapping[Which, Sample], past: Past) -> dict[str, dict[Which, tuple[float, Earlier]]]:
    """By metric and cell: its level now and its earlier ones, where there are both."""
    found: dict[str, dict[Which, tuple[float, Earlier]]] = {}
    for which, sample in now.items():
        if which not in past.base:
            continue
        earlier = [*past.samples(which)]
        for metric, number in sample.numbers.items():
            norm = past.norms.get(metric)
            before = () if norm is None else _levels(earlier, metric, norm)
            if norm is not None and before:
                found.setdefault(metric, {})[which] = (level(number, norm), Earlier(before))
    return found


def noises(levels: Mapping[str, Levels]) -> dict[str, Noise]:
    """The noise of each metric over all cells."""
    return {
        metric: noise(
            (past for _, past in cells.values()), [now - past.median for now, past in cells.values()]
        )
        for metric, cells in levels.items()
    }


def gone(which: Which, base: Sample) -> Compared:
    """A cell that this run did not plan."""
    return Compared(which, Change.GONE, before=base.verdict)


@dataclass(frozen=True)
class Judge:
    """Holds cells against their past."""

    past: Past
    levels: Mapping[str, Levels]
    noises: Mapping[str, Noise]

    def compared(self, which: Which, now: Sample, seen: Seen | None) -> Compared:
        """What became of one cell of this run."""
        base = self.past.base.get(which)
        if base is None:
            return Compared(which, Change.NEW, phase=now.phase, verdict=now.verdict, seen=seen)
        changed = {**self._numbers(which), **_marks(base, now)}
        change, why, by = self._change(base, now, changed)
        return Compared(
            which,
            change,
            why,
            metrics={} if change is Change.UNKNOWN else changed,
            by=by,
            phase=now.phase,
            verdict=now.verdict,
            before=base.verdict,
            seen=seen,
            lost=now.verdict is Verdict.NO_ANSWER and base.verdict not in _SILENT,
            warned=base.verdict is Verdict.PASS and now.verdict is Verdict.WARN,
            ends=now.route.ends if now.route.reached is False and base.route.reached else None,
        )

    def _change(
        self, base: Sample, now: Sample, changed: Mapping[str, Measured]
    ) -> tuple[Change, Why | None, str | None]:
        if now.verdict in _SILENT or base.verdict in _SILENT:
            return Change.UNKNOWN, None, None
        if now.verdict is Verdict.FAIL and base.verdict in _GOOD:
            return Change.WORSE, Why.VERDICT, None
        if base.verdict is Verdict.FAIL and now.verdict in _GOOD:
            return Change.BETTER, Why.VERDICT, None
        if base.verdict is Verdict.FAIL and now.verdict is Verdict.FAIL:
            return Change.SAME, None, None
        common = now.numbers.keys() & base.numbers.keys() or now.marks.keys() & base.marks.keys()
        if Verdict.PARTIAL in (now.verdict, base.verdict) and not common:
            return Change.UNKNOWN, None, None
        return self._by_metrics(base, now, changed)

    def _by_metrics(
        self, base: Sample, now: Sample, changed: Mapping[str, Measured]
    ) -> tuple[Change, Why | None, str | None]:
        telling = [(name, one) for name, one in changed.items() if one.z and self.tells(name)]
        if telling:
            name, one = max(telling, key=lambda pair: (abs(pair[1].z), pair[0]))
            return one.change, Why.METRIC if name in self.past.norms else Why.MARK, name
        if now.route.reached is False and base.route.reached:
            return Change.WORSE, Why.PATH, None
        return Change.SAME, None, None

    def tells(self, metric: str) -> bool:
        """Whether a cell is called by this metric; the others tell only where in it."""
        norm = self.past.norms.get(metric)
        return norm is None or norm.whole

    def _numbers(self, which: Which) -> dict[str, Measured]:
        found = {metric: self.measured(which, metric) for metric in self.levels}
        return {metric: one for metric, one in found.items() if one is not None}

    def measured(self, which: Which, metric: str, less: float = 0.0) -> Measured | None:
        """A metric of a cell if it changed, as it would be had it moved by so much less."""
        pair = self.levels.get(metric, {}).get(which)
        if pair is None:
            return None
        return measured(pair[0] - less, pair[1], self.noises[metric], self.past.norms[metric])


def measured(now: float, past: Earlier, noise: Noise, norm: Norm) -> Measured | None:
    """A metric that changed, from its levels; ``None`` for one that is as it was."""
    z = score(now, past, noise)
    if abs(z) <= CERTAIN:
        return None
    before, after = value(past.median, norm), value(now, norm)
    if not large(before, after, norm):
        return None
    if norm.falls:
        z = -z
    return Measured(before, after, z, _NAMES[z > 0])


def _marks(base: Sample, now: Sample) -> dict[str, Measured]:
    found = {}
    for name, before in base.marks.items():
        after = now.marks.get(name)
        if after is None or after == before:
            continue
        worse, better = _worse(before, after), _worse(after, before)
        change = Change.WORSE if worse else Change.BETTER if better else Change.SAME
        found[name] = Measured(before, after, _MARK_Z if worse else -_MARK_Z if better else 0.0, change)
    return found


def _worse(before: Metric, after: Metric) -> bool:
    """A signature that no longer holds; an HTTP code whose class rises from that of success."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is True and after is False
    if isinstance(before, str) or isinstance(after, str):
        return False
    return 200 <= before < 400 <= after
