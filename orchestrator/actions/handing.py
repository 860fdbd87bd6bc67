"""A diagnosis is handed to workers where there are some, and watched to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.actions.question import Question
from orchestrator.actions.queueing import LOOK, Mask, queue_of, submit_diagnosis
from orchestrator.clock import Clock
from orchestrator.errors import PlanBusy
from orchestrator.outbox import Channel
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import SEEN, Cancel, Place
from orchestrator.records import RunRecord, RunState
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened

# Whoever is told later than that is told too late (seconds): it is not begun any more.
EXPIRES = 600.0
# So long after its time box a diagnosis is watched: its worker may have died, and another one gone on.
PATIENCE = 180.0
# A run that confirms another is one of the newest of its plan.
LATEST = 20


async def served(opened: Opened, organization: str) -> bool:
    """Whether a worker is there that takes runs of an organization of this store."""
    if opened.queue is None or not organization:
        return False
    now = await opened.queue.now()
    return any(
        now - seen < SEEN and (worker.organizations is None or organization in worker.organizations)
        for worker, seen in await opened.queue.workers()
    )


@dataclass(frozen=True, slots=True)
class Handed:
    """A diagnosis that a worker took: its ``run``, the ``units`` that it and what confirmed it took so far,
    and whether it is ``over``."""

    run: RunRecord
    units: float
    over: bool


async def hand_over(
    opened: Opened,
    question: Question,
    settings: Settings,
    *,
    notify: tuple[Channel, ...],
    mask: Mask = str,
    environ: Mapping[str, str],
) -> RunRecord:
    """Put a diagnosis into the queue, before everything else; it is skipped while the same is diagnosed.

    Raises as :func:`submit_diagnosis`.
    """
    expires = await queue_of(opened).now() + EXPIRES
    place = Place(settings.organization, priority=1, expires=expires, overlap=Overlap.SKIP)
    return await submit_diagnosis(
        opened, question, settings, place, notify=notify, mask=mask, environ=environ
    )


async def seen_through(
    opened: Opened, run: RunRecord, question: Question, organization: str, clock: Clock
) -> Handed | None:
    """What came of a diagnosis that was handed over; ``None`` if no worker is there any more to begin it, and
    it is taken back.

    Raises ``PlanBusy`` where it was skipped. One that takes far longer than its box is left to its worker.
    """
    queue, until = queue_of(opened), clock.now() + EXPIRES + question.box + PATIENCE
    while (waits := await queue.place_of(run.id)) is not None and clock.now() < until:
        untaken = waits.begun is None and waits.owner is None and not await served(opened, organization)
        if untaken and await queue.cancel(run.id, Cancel.NOW):
            return None
        await clock.sleep(LOOK)
    found = await opened.store.run(run.id)
    if found.state is RunState.SKIPPED:
        why = "somebody diagnoses the same" if found.exit_code == PlanBusy.exit_code else "nobody began it"
        raise PlanBusy(f"run {run.id} was skipped: {why}", hint="`orchestrator queue` shows the workers")
    again = [one for one in await opened.store.runs(LATEST, run.plan) if one.parent == run.id]
    units = found.facts.units + sum(one.facts.units for one in again)
    return Handed(found, units, over=waits is None)
