"""The stories of runs that wait for workers: submit, watch, cancel, look at the queue; schedules."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from orchestrator.actions.organizations import mask_of_organization, settled
from orchestrator.actions.prepare import refuse_the_token
from orchestrator.actions.question import Question, check_question, dump_question, name_of
from orchestrator.clock import Clock
from orchestrator.diagnosis.plantext import unasked
from orchestrator.errors import Exit, UsageProblem
from orchestrator.organizations import at_home, fits
from orchestrator.outbox import Channel
from orchestrator.plan.load import load_plan, outline
from orchestrator.plan.model import Plan
from orchestrator.queueing.slots import coming
from orchestrator.queueing.timetable import load_timetable
from orchestrator.queueing.values import Cancel, Here, Level, Place, Schedule, Scheduled, Waiting
from orchestrator.records import RunRecord, RunSettings, RunState
from orchestrator.runner.naming import run_id
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened
from orchestrator.store.operating import Keeper
from orchestrator.store.queue import Queue, Schedules

# A watched run is looked at so often (seconds): its workers tell nobody.
LOOK = 2.0
# Times of a schedule that are shown, for each.
COMING = 5
Mask = Callable[[str], str]


def queue_of(opened: Opened) -> Queue:
    """The queue of a store. Raises ``UsageProblem`` for one that only one host uses."""
    if opened.queue is None:
        raise UsageProblem(
            "a queue needs a store that several hosts share: this one is a file",
            hint="name one with --store postgresql://USER@HOST/DATABASE, or use `orchestrator run`",
        )
    return opened.queue


def schedules_of(opened: Opened) -> Schedules:
    """The schedules of a store. Raises ``UsageProblem`` as :func:`queue_of`."""
    queue_of(opened)
    assert opened.schedules is not None  # noqa: S101 - a store that has the one has the other
    return opened.schedules


def keeper_of(opened: Opened) -> Keeper:
    """Who looks after a store. Raises ``UsageProblem`` as :func:`queue_of`."""
    queue_of(opened)
    assert opened.keeper is not None  # noqa: S101 - a store that has the one has the other
    return opened.keeper


def queued_run(name: str, bundle: str, settings: Settings, now: float, known: RunSettings) -> RunRecord:
    """The record of a run that waits: nothing of it is ``known`` but its plan and where it is to run."""
    plan = outline(bundle)
    return RunRecord(
        id=run_id(now, secrets.token_hex(4)),
        plan=name,
        plan_path=plan.file,
        plan_text=bundle,
        plan_hash=plan.hash,
        api=plan.api,
        origin=settings.origin,
        account=settings.account,
        parent=None,
        started=now,
        state=RunState.QUEUED,
        settings=replace(known, sets=plan.sets),
    )


async def submit(
    opened: Opened,
    plan: Plan,
    settings: Settings,
    place: Place,
    *,
    mask: Mask = str,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> RunRecord:
    """Put a run of the plan into the queue; its record. Durable when it returns.

    It runs where its organization is, unless ``settings`` name an origin. Raises ``UsageProblem`` for a store
    without a queue, a place without an organization or with one that is not in the store, one that is
    elsewhere, a plan that holds the token (also that of the organization, where ``environ`` has it), and a
    time that lies before now; ``StoreProblem``.
    """
    settings = await _whereabouts(opened, plan.bundle(), settings, place, mask, environ)
    queue = queue_of(opened)
    run = queued_run(
        plan.name, plan.bundle(), settings, await queue.now(), RunSettings(urgent=place.priority > 0)
    )
    await queue.submit(run, place)
    return run


async def submit_diagnosis(
    opened: Opened,
    question: Question,
    settings: Settings,
    place: Place,
    *,
    notify: tuple[Channel, ...] = (),
    mask: Mask = str,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> RunRecord:
    """Put a diagnosis into the queue; its record. Whoever carries it out asks both waves, and confirms.

    ``notify`` is who is told of it. Raises as :func:`submit`, and ``UsageProblem`` for what cannot be asked
    and for a preset, which is a plan.
    """
    check_question(question)
    if question.preset is not None:
        raise UsageProblem("a preset is a plan: it is not diagnosed by a worker", hint="orchestrator submit")
    if question.share:
        raise UsageProblem(
            "a worker makes nothing public", hint="share it at the end: orchestrator report --share"
        )
    bundle = unasked(question.frame)
    asked = dump_question(question)
    settings = await _whereabouts(opened, f"{bundle} {json.dumps(asked)}", settings, place, mask, environ)
    queue = queue_of(opened)
    known = RunSettings(reserve=0.0, urgent=True, notify=notify, question=asked)
    run = queued_run(name_of(question), bundle, settings, await queue.now(), known)
    await queue.submit(run, place)
    return run


async def _whereabouts(
    opened: Opened, text: str, settings: Settings, place: Place, mask: Mask, environ: Mapping[str, str]
) -> Settings:
    """The settings at the organization's origin, if all may be put into the queue so. See :func:`submit`."""
    queue = queue_of(opened)
    if not place.organization:
        raise UsageProblem("whose run it is must be named", hint="give --organization NAME")
    if (organization := await settled(opened, place.organization)) is not None:
        # One that is paused may queue what is to run when it goes on.
        settings = at_home(organization, settings)
        fits(organization, settings)
        refuse_the_token(mask_of_organization(organization, environ), text)
    refuse_the_token(mask, text)
    if place.expires is not None and place.expires <= await queue.now():
        raise UsageProblem("the run would expire before it begins", hint="name a later time")
    return settings


@dataclass(frozen=True, slots=True)
class Watched:
    """A run of the queue as it stands: its record, whether it is over, and what it waits for."""

    run: RunRecord
    over: bool
    waiting: Waiting | None = None

    @property
    def code(self) -> Exit:
        """What a command that waited for it ends with."""
        code = self.run.exit_code
        return Exit.INCOMPLETE if code is None else Exit(code)


async def watch(opened: Opened, run: str, clock: Clock) -> AsyncIterator[Watched]:
    """A run as it changes, until it has left the queue. To leave the iteration leaves the run alone."""
    queue, told = queue_of(opened), None
    while True:
        waits = await queue.place_of(run)
        found = Watched(await opened.store.run(run), waits is None, waits)
        if found != told:
            told = found
            yield found
        if found.over:
            return
        await clock.sleep(LOOK)


async def cancel(opened: Opened, name: str, *, now: bool = False) -> tuple[RunRecord, bool]:
    """Ask for a run to be stopped, wherever it runs; its record, and whether it is over already.

    Its worker lets what is paid for come in, or leaves at once (``now``). Raises ``UsageProblem`` for a run
    that there is not, or that has ended.
    """
    queue = queue_of(opened)
    run = await opened.store.run(name)
    if await queue.place_of(run.id) is None and run.state not in (RunState.RUNNING, RunState.QUEUED):
        raise UsageProblem(f"run {run.id} has ended: {run.state}", hint=f"orchestrator show {run.id}")
    over = await queue.cancel(run.id, Cancel.NOW if now else Cancel.GRACE)
    return await opened.store.run(run.id), over


@dataclass(frozen=True, slots=True)
class Queued:
    """What waits and what runs, by organization; the workers, each with when it was last seen; and the time
    by the store's clock."""

    now: float
    waiting: tuple[Waiting, ...]
    levels: tuple[Level, ...]
    workers: tuple[tuple[Here, float], ...]

    def document(self, mask: Mask = str) -> dict[str, object]:
        """As JSON."""
        return {
            "now": self.now,
            "organizations": [
                {
                    "organization": mask(level.organization),
                    "waiting": level.waiting,
                    "under_way": level.under_way,
                    "oldest_seconds": None if level.oldest is None else max(0.0, self.now - level.oldest),
                }
                for level in self.levels
            ],
            "runs": [_waiting(one, mask) for one in self.waiting],
            "workers": [
                {
                    "name": mask(worker.name),
                    "host": mask(worker.host),
                    "version": worker.version,
                    "width": worker.width,
                    "free": worker.free,
                    "seen": seen,
                }
                for worker, seen in self.workers
            ],
        }


def _waiting(one: Waiting, mask: Mask) -> dict[str, object]:
    return {
        "run": one.run,
        "organization": mask(one.organization),
        "plan": mask(one.plan),
        "priority": one.priority,
        "queued": one.queued,
        "not_before": one.not_before,
        "expires": one.expires,
        "begun": one.begun,
        "owner": None if one.owner is None else mask(one.owner),
        "attempts": one.attempts,
        "cancel": None if one.cancel is None else one.cancel.value,
        "reason": None if one.reason is None else mask(one.reason),
        "schedule": None if one.schedule is None else mask(one.schedule),
    }


async def looked_at(opened: Opened, *, most: int = 200) -> Queued:
    """The queue as it stands; ``most`` runs of it, those that were begun first."""
    queue = queue_of(opened)
    return Queued(
        await queue.now(),
        tuple(await queue.waiting(most)),
        tuple(await queue.levels()),
        tuple(await queue.workers()),
    )


async def apply(
    opened: Opened, path: Path, environ: Mapping[str, str], *, mask: Mask = str
) -> list[tuple[Schedule, str]]:
    """Read a file of schedules and write them; each with ``new``, ``changed`` or ``same``.

    Raises ``PlanInvalid`` with every problem of the file and its plans, ``UsageProblem`` for an organization
    that is not in the store, and then nothing is written.
    """
    schedules = schedules_of(opened)
    found = load_timetable(
        path,
        load=lambda plan, sets: load_plan(plan, environ=environ, sets=sets),
        now=await queue_of(opened).now(),
    )
    for one in found:
        await settled(opened, one.organization)
        refuse_the_token(mask, one.bundle)
    return list(zip(found, await schedules.apply(found), strict=True))


async def scheduled(opened: Opened, organization: str | None = None) -> list[Scheduled]:
    """The schedules, by organization and name."""
    return await schedules_of(opened).listed(organization)


def next_times(found: Sequence[Scheduled], now: float, count: int = COMING) -> list[tuple[Schedule, float]]:
    """When schedules that do not rest fire next, ``count`` times each, in order of time."""
    times = [
        (one.schedule, at)
        for one in found
        if not one.schedule.paused
        for at in coming(one.schedule.timing, now, count)
    ]
    return sorted(times, key=lambda each: each[1])


async def pause(opened: Opened, organization: str, name: str, *, paused: bool) -> None:
    """Let a schedule rest, or go on. Raises ``UsageProblem`` where there is none of this name."""
    if not await schedules_of(opened).pause(organization, name, paused=paused):
        raise _no_schedule(organization, name)


async def remove(opened: Opened, organization: str, name: str) -> None:
    """Forget a schedule; its runs stay. Raises ``UsageProblem`` where there is none of this name."""
    if not await schedules_of(opened).remove(organization, name):
        raise _no_schedule(organization, name)


def _no_schedule(organization: str, name: str) -> UsageProblem:
    return UsageProblem(
        f"organization {organization!r} has no schedule {name!r}", hint="`orchestrator schedule list`"
    )


def scheduled_run(schedule: Schedule, now: float, settings: Settings) -> RunRecord:
    """The run of a schedule's slot; its plan was checked when the schedule was written."""
    known = RunSettings(urgent=schedule.priority > 0)
    return queued_run(schedule.plan, schedule.bundle, settings, now, known)
