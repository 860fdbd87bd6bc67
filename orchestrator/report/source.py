"""What the reports of a run are made of: functions that read records, asked for when needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, Answer
from orchestrator.records import (
    CellRecord,
    Counts,
    PublicSnapshot,
    RunRecord,
    SnapshotState,
    StoredAnswer,
    TestRecord,
)
from orchestrator.report.names import agent_names

if TYPE_CHECKING:
    from orchestrator.insight.look import Insight
    from orchestrator.insight.values import Observed
    from orchestrator.report.since import Since


@dataclass(frozen=True, slots=True)
class Source:
    """What reports are made of. ``now`` is epoch seconds, for a run that goes on; all else reads a store.

    ``others`` are the newest runs of other plans that have ended, one of each.

    ``insight`` is computed when it is asked for the first time, and then kept. ``watched`` computes it
    anew, and hands each cell on with its rows. ``metric_names`` are those of all ``results``, from a source
    that knows them without decoding every row, and ``each_test`` gives the tests, or those in some states,
    one after the other. ``since`` tells of the time before the run, where somebody wants to know.
    ``bad_cells`` are the ``cells`` but for those that pass, from a source that can tell, and ``snapshots``
    the public copies of its tests.
    """

    run: RunRecord
    now: float
    counts: Callable[[], Awaitable[Counts]]
    agents: Callable[[], Awaitable[Mapping[str, Agent]]]
    tests: Callable[[], Awaitable[Sequence[TestRecord]]]
    answers: Callable[[str], Awaitable[Sequence[Answer]]]
    cells: Callable[[], AsyncIterator[CellRecord]]
    results: Callable[[], AsyncIterator[StoredAnswer]]
    insight: Callable[[], Awaitable[Insight]]
    watched: Callable[[Callable[[Observed], object]], Awaitable[Insight]]
    metric_names: Callable[[], Awaitable[Collection[str]]] | None = None
    each_test: Callable[[Sequence[SpecState] | None], AsyncIterator[TestRecord]] | None = None
    since: Callable[[], Awaitable[Since]] | None = None
    others: Callable[[], Awaitable[Sequence[Source]]] | None = None
    bad_cells: Callable[[], AsyncIterator[CellRecord]] | None = None
    snapshots: Callable[[], Awaitable[Sequence[PublicSnapshot]]] | None = None

    async def lost(self) -> list[TestRecord]:
        """The tests whose creation's answer was lost."""
        lost = (SpecState.UNKNOWN,)
        if self.each_test is not None:
            return [test async for test in self.each_test(lost)]
        return [test for test in await self.tests() if test.state in lost]

    def not_passing(self) -> AsyncIterator[CellRecord]:
        """The cells that there is something to be said of; a source may give all."""
        return self.cells() if self.bad_cells is None else self.bad_cells()

    async def shared(self) -> tuple[PublicSnapshot, ...]:
        """The public snapshots of its tests, but for those that were refused."""
        found = () if self.snapshots is None else await self.snapshots()
        return tuple(one for one in found if one.state is not SnapshotState.REFUSED)

    async def names(self) -> dict[str, str]:
        """The agents' names for people, by id."""
        return agent_names((await self.agents()).values())
