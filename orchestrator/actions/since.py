"""What a report says of the time before its run: which earlier runs are read for it, and how much of them.

By itself a report is cheap: of a small run the base and six good runs before it are read, of a larger one the
base alone, of a large one its times only, and beyond that nothing but verdicts. What was asked for is done
whatever the size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.actions.asked import Asked, Terms
from orchestrator.actions.compare import (
    LAST_GOOD,
    base_of,
    check_common,
    earlier_runs,
    hold,
    samples,
)
from orchestrator.actions.looked import Looked, times_before
from orchestrator.compare.samples import Sampling
from orchestrator.compare.values import Which
from orchestrator.errors import NoBase
from orchestrator.insight.values import CellKey
from orchestrator.records import RunRecord, RunState
from orchestrator.report.since import TRAIL, Earlier, Reading, Since, key_of
from orchestrator.store.base import Archive
from orchestrator.testtypes.norms import NORMS

# Cells of a run: up to so many a report compares it with the base and its history, with the base alone, looks
# at what its times were.
SMALL, MIDDLE = 2_000, 5_000
# So many cells of earlier runs are looked through for how each target was.
_LOOKED_THROUGH = 300_000


class Comparing:
    """Finds what a run is held against, takes the cells of the run as somebody reads them, and compares."""

    def __init__(self, archive: Archive, run: RunRecord, asked: Asked) -> None:
        self._archive, self._run, self._asked = archive, run, asked
        self._base: RunRecord | None = None
        self._size: int | None = None
        self._looked: Looked | None = None
        self._found: Since | None = None

    async def looked(self) -> Looked | None:
        """Who takes the cells of the run, if they are needed. Raises ``UsageProblem`` for a base that was
        asked for and is not there."""
        if self._size is None:
            self._size = sum((await self._archive.counts(self._run.id)).cells.values())
            self._base = await self._find()
            if self._base is not None and self._whole and self._asked.held is None:
                self._looked = Looked({**NORMS, **self._asked.terms.tolerances})
        return self._looked

    @property
    def _by_name(self) -> bool:
        return self._asked.base is not None or self._asked.held is not None

    @property
    def _whole(self) -> bool:
        return self._by_name or (self._size or 0) <= min(self._asked.most, MIDDLE)

    async def _find(self) -> RunRecord | None:
        run, asked = self._run, self._asked
        if asked.held is not None:
            return asked.held.base
        if asked.base is not None:
            return await base_of(self._archive, run, asked.base)
        if run.state is RunState.RUNNING or run.settings.confirms:
            return None
        try:
            return await base_of(self._archive, run, LAST_GOOD)
        except NoBase:
            return None

    async def since(self) -> Since:
        """What there is to be told. Raises ``UsageProblem`` as :meth:`looked`, and where a base that was
        asked for has no cell in common with the run."""
        if self._found is None:
            self._found = await self._since()
        return self._found

    async def _since(self) -> Since:
        looked = await self.looked()
        trail = tuple(reversed([await self._earlier(n, run) for n, run in enumerate(await self._trail())]))
        found = Since(trail=trail, base=self._base, asked=self._by_name)
        if self._base is None:
            return found
        if not self._whole:
            return replace(found, times=await self._times(self._base), limit=self._limit())
        held = self._asked.held or await hold(
            self._archive,
            self._run,
            self._asked.base or LAST_GOOD,
            self._terms(),
            base=self._base,
            # A run that confirms another one is not what is compared.
            looked=None if self._run.settings.confirms else looked,
        )
        if self._by_name:
            check_common(held)
        return replace(found, held=held, times=_by_key(held.times))

    def _terms(self) -> Terms:
        if self._by_name:
            return self._asked.terms
        return replace(self._asked.terms, history=TRAIL if (self._size or 0) <= SMALL else 1)

    def _limit(self) -> str:
        return (
            f"{self._size} cells: by itself a report compares no more than {MIDDLE} of them by their times; "
            "with `--against last-good` all are"
        )

    async def _trail(self) -> list[RunRecord]:
        """The runs of the plan before this one, newest first."""
        found = await earlier_runs(self._archive, self._run)
        told = [one for one in found if not one.settings.confirms and one.state is not RunState.RUNNING]
        return told[:TRAIL]

    async def _earlier(self, place: int, run: RunRecord) -> Earlier:
        counts = await self._archive.counts(run.id)
        if (place + 1) * (self._size or 0) > _LOOKED_THROUGH:
            return Earlier(run.id, run.started, counts.verdicts)
        reading = Reading()
        async for cell in self._archive.cells(run.id):
            reading.add(cell)
        return Earlier(run.id, run.started, counts.verdicts, reading.cells, reading.rows)

    async def _times(self, base: RunRecord) -> Mapping[CellKey, float]:
        """The times of the cells in the base alone."""
        if (self._size or 0) > self._asked.most:
            return {}
        before = await samples(self._archive, base, Sampling())
        return _by_key(times_before(lambda which: [before[which]], before))


def _by_key(times: Mapping[Which, float]) -> Mapping[CellKey, float]:
    return {key_of(one): value for one, value in times.items()}
