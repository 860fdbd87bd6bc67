"""What a comparison needs of the cells of a run, kept of each as it is read: nobody reads them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median

from orchestrator.actions.insight import hops_of, names_of
from orchestrator.compare.samples import Sampling
from orchestrator.compare.values import Sample, Which
from orchestrator.insight.groups import seen
from orchestrator.insight.values import Observed, Seen
from orchestrator.insight.words import Names
from orchestrator.model import Hop
from orchestrator.records import CellRecord, RunRecord
from orchestrator.store.base import Archive
from orchestrator.testtypes.layers import timed
from orchestrator.testtypes.norms import NORMS, Norm


def times_before(past: Callable[[Which], Iterable[Sample]], cells: Iterable[Which]) -> dict[Which, float]:
    """The main time of each of these cells before, milliseconds: the median of the runs that have it."""
    found = {}
    for which in cells:
        layer = timed(which.type)[0]
        if layer is None:
            continue
        name = f"{layer.name}.{layer.whole}"
        known = [one.numbers[name] for one in past(which) if name in one.numbers]
        if known:
            found[which] = median(known)
    return found


class Looked:
    """What a comparison needs of the cells of a run: takes them one after the other, as they are read."""

    def __init__(self, norms: Mapping[str, Norm] = NORMS) -> None:
        self.samples: dict[Which, Sample] = {}
        self.judged: dict[Which, Seen] = {}
        self.records: dict[Which, CellRecord] = {}
        self._sampling = Sampling(norms)
        self._hops: dict[str, Hop] = {}
        self._targets: set[tuple[str, str]] = set()

    def take(self, one: Observed) -> None:
        """The next cell."""
        which, judged = which_of(one.record), seen(one)
        self.samples[which] = _sample(one, judged, self._sampling)
        self.records[which] = one.record
        if judged is not None:
            self.judged[which] = judged
        if one.spec is not None:
            self._targets.add((which.test, which.target))
        for hop in hops_of(one):
            if hop.address is not None:
                self._hops[hop.address] = hop

    async def names(self, archive: Archive, run: RunRecord) -> Names:
        """What things are called."""
        return names_of((await archive.agents(run.id)).values(), self._targets, self._hops)


def which_of(record: CellRecord) -> Which:
    """What a cell is, to a comparison."""
    return Which(record.test, record.type, record.target, record.agent_id)


def _sample(one: Observed, judged: Seen | None, sampling: Sampling) -> Sample:
    phase = None if judged is None else judged.phase
    return sampling.of(one.record.verdict, one.rows, phase)
