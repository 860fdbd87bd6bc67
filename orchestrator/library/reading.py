"""What a run came to, read from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from orchestrator.actions import explain as explaining
from orchestrator.actions import reading
from orchestrator.actions.asked import Asked
from orchestrator.actions.reading import Shown
from orchestrator.clock import LoopClock
from orchestrator.library.doors import Place, place, stored
from orchestrator.model import AnswerStatus, Verdict
from orchestrator.records import CellRecord, RunRecord, StoredAnswer
from orchestrator.report.stories import Explained
from orchestrator.store.opening import store_exists


async def runs(*, limit: int = 20, plan: str | None = None, store: Place = None) -> tuple[RunRecord, ...]:
    """The newest runs, newest first, all or those of one plan; none where there is no store.

    Raises ``UsageProblem`` for a store that cannot be one, ``StoreProblem``.
    """
    if not await store_exists(place(store)):
        return ()
    async with stored(store) as opened:
        return await reading.runs(opened, limit=limit, plan=plan)


async def show(run: str = "last", *, plan: str | None = None, store: Place = None) -> Shown:
    """What a run came to, also one that goes on. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return await reading.show(opened, run, now=LoopClock().wall(), plan=plan)


async def results(
    run: str = "last",
    *,
    plan: str | None = None,
    layers: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
    statuses: Sequence[AnswerStatus] = (),
    agents: Sequence[str] = (),
    targets: Sequence[str] = (),
    store: Place = None,
) -> AsyncIterator[StoredAnswer]:
    """The answers of a run in the order of the plan, read page by page; what is empty lets all pass.

    Agents by id or pattern, targets by pattern. Raises ``UsageProblem``, ``StoreProblem``.
    """
    keep = reading.keeping(layers, verdicts, statuses, agents, targets)
    async with stored(store) as opened:
        record = await reading.find(opened, run, plan)
        async for answer in opened.store.results(record.id):
            if keep.keeps(answer):
                yield answer


async def cells(
    run: str = "last", *, plan: str | None = None, store: Place = None
) -> AsyncIterator[CellRecord]:
    """The cells of a run in the order of the plan, read page by page. Raises as :func:`results`."""
    async with stored(store) as opened:
        record = await reading.find(opened, run, plan)
        async for cell in opened.store.cells(record.id):
            yield cell


async def make_report(
    run: str = "last",
    *,
    form: str = "markdown",
    plan: str | None = None,
    against: str | None = None,
    store: Place = None,
) -> bytes:
    """A report of a run in one of the formats of ``orchestrator report``, as UTF-8.

    With ``against``, a word or name as ``diff`` takes it, it tells what the gate says too. Raises
    ``UsageProblem``, ``StoreProblem``.
    """
    asked = None if against is None else Asked(against)
    async with stored(store) as opened:
        return await reading.report(opened, run, form, now=LoopClock().wall(), plan=plan, asked=asked)


async def explain(
    run: str, cell: str, *, agent: str | None = None, plan: str | None = None, store: Place = None
) -> Explained:
    """The story of a cell: a target's name or a part of it, a spec's key, or TARGET@AGENT.

    Raises ``UsageProblem``, also for a cell that the run does not have, ``StoreProblem``.
    """
    async with stored(store) as opened:
        return await explaining.explain(opened.store, await reading.find(opened, run, plan), cell, agent)
