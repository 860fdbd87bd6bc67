"""The story of a store that was restored from a backup: it does not know what was created since.

Of a spec that it takes for planned nobody can tell whether it was created after the backup was made. So it is
lost until somebody has looked: ``reconcile`` names what to look for. Of a diagnosis nobody can tell whether
it asked more, so it collects what it has asked. Of a run that waits nobody can tell whether it has begun, and
of runs that the store never heard of only the product knows.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from orchestrator.actions.begun import of_run
from orchestrator.actions.question import collecting
from orchestrator.actions.run import claim_run
from orchestrator.clock import Clock
from orchestrator.errors import PlanBusy
from orchestrator.lifecycle import SpecState
from orchestrator.model import JsonObject
from orchestrator.queueing.values import Cancel
from orchestrator.records import FINISHED, RunRecord, RunState, TestRecord
from orchestrator.report.restored import Doubtful, Restored
from orchestrator.runner.naming import test_name
from orchestrator.store.base import Store
from orchestrator.store.opening import Opened

WHY = "the store was restored from a backup: it may have been created since"
OWNER = "store restored"
# Whatever has begun may be resumed, and what has not is taken out of the queue.
_NOT_BEGUN = (RunState.QUEUED, RunState.SKIPPED)
# Specs that are written at once, to share their commits.
TOGETHER = 50


async def restored(opened: Opened, clock: Clock, *, dry_run: bool = False) -> Restored:
    """Take for lost what may have been created since a backup was made; queued runs wait no more.

    A ``dry_run`` only says which. Simulated runs are left alone. Nobody may carry out runs meanwhile; runs
    with which somebody goes on are told and left alone. May be done again. Raises ``StoreProblem``.
    """
    doubtful, busy, diagnoses = [], [], []
    for outline in await opened.store.outlines():
        if outline.state not in _NOT_BEGUN and not outline.simulated:
            run = await opened.store.run(outline.id)
            tests = await opened.store.tests(run.id, (SpecState.PLANNED, SpecState.CREATING))
            if not tests and outline.state in FINISHED:
                continue
            if not dry_run and not await _taken_for_lost(opened, run, tests, clock):
                busy.append(run.id)
                continue
            if tests:
                doubtful.append(Doubtful(run.id, run.plan, len(tests)))
            if _collecting(run) is not None:
                diagnoses.append(run.id)
    waited, begun = await _waits_no_more(opened, dry_run=dry_run)
    return Restored(tuple(doubtful), waited, (*busy, *begun), tuple(diagnoses), dry_run)


def _collecting(run: RunRecord) -> JsonObject | None:
    """What a diagnosis that would ask more is asked instead; ``None`` where it asks nothing more anyway."""
    asked = run.settings.question
    if asked is None or run.state in FINISHED:
        return None
    less = collecting(asked)
    return less if less != asked else None


async def _taken_for_lost(opened: Opened, run: RunRecord, tests: Sequence[TestRecord], clock: Clock) -> bool:
    """Whether that was done; else somebody goes on with the run."""
    store, mine = opened.store, await of_run(opened, run)
    try:
        async with mine.lease.hold(run.plan, clock, wait=False, told=lambda _: None):
            if not await claim_run(store, run.id, OWNER):
                return False
            try:
                less = _collecting(run)
                if less is not None:
                    await store.set_question(run.id, less)
                for first in range(0, len(tests), TOGETHER):
                    async with anyio.create_task_group() as group:
                        for test in tests[first : first + TOGETHER]:
                            group.start_soon(_lose, store, run, test, clock.wall())
            finally:
                await store.let_go(run.id)
    except PlanBusy:
        return False
    return True


async def _lose(store: Store, run: RunRecord, test: TestRecord, at: float) -> None:
    """By the moves that there are: as if its answer had been lost just now."""
    if test.state is SpecState.PLANNED:
        await store.intend(run.id, test.spec.key, test_name(run.plan, run.id, test.spec), at)
    await store.move(run.id, test.spec.key, SpecState.UNKNOWN, at, WHY)


async def _waits_no_more(opened: Opened, *, dry_run: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Runs that were queued; a worker would begin them a second time. And those that one has claimed."""
    queue = opened.queue
    if queue is None:
        return (), ()
    waited: list[str] = []
    begun: list[str] = []
    # Also those that a worker had just taken: by their state they have not begun.
    for one in reversed(await opened.store.outlines()):
        if one.state is RunState.QUEUED:
            place = await queue.place_of(one.id)
            held = place is not None and place.owner is not None
            if not dry_run:
                held = not await queue.cancel(one.id, Cancel.GRACE) and held
            (begun if held else waited).append(one.id)
    return tuple(waited), tuple(begun)
