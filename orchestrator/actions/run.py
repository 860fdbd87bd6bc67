"""The story of a run, told once: the plan's lease, preparing, ceilings, storing, conducting.

A resume and a re-run join it where they come in. Whoever starts one may attend it (:data:`Attend`).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace

import anyio

from orchestrator.actions.insight import insight
from orchestrator.actions.prepare import (
    SHORTEST_DEADLINE,
    Wishes,
    check_ceilings,
    never_created,
    prepare,
    store_rerun,
    store_run,
)
from orchestrator.actions.prune import keep_to
from orchestrator.actions.session import Session
from orchestrator.actions.units import counted
from orchestrator.errors import Exit, LostRun, StoreProblem, UsageProblem, telling
from orchestrator.events import Listener
from orchestrator.lifecycle import SpecState
from orchestrator.plan.model import Plan
from orchestrator.records import FINISHED, UNKNOWN_POLICIES, RunRecord, RunState
from orchestrator.runner.conductor import Conductor, Outcome
from orchestrator.runner.doors import never
from orchestrator.runner.journal import durably
from orchestrator.store.base import Store

# After the first stop: how long what is paid for is still collected (seconds).
GRACE = 30.0
# What a run may take before and after its deadline: its agents are listed, its last polls come in (seconds).
AFTER_DEADLINE = 180.0
# A claim on a run is renewed so often in the time that it lasts.
RENEWALS = 4
# A resumed run need not be the newest one of its plan.
RUNS_ASKED = 20


def _ignore(_: object) -> None:
    """Nobody is there to be told."""


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who attends a run: who hears what happens, and the stops that are asked for, as exit codes.

    The first stop ends creations and lets what is paid for come in, ``grace`` seconds at most; the second
    leaves at once. Once the run has ``lapsed`` nothing more is sent for it: it may be another host's.
    """

    listeners: Sequence[Listener] = ()
    stops: AsyncIterable[Exit] | None = None
    grace: float = GRACE
    lapsed: Callable[[], bool] = never


# Is handed the conductor of a run before that begins.
Hand = Callable[[Conductor], object]
# Entered when the run is stored, left when it has been conducted.
Attend = Callable[[RunRecord], AbstractContextManager[Attendance]]


@contextmanager
def unattended(run: RunRecord) -> Iterator[Attendance]:
    """Nobody looks, nobody stops it; to leave, cancel the task."""
    del run
    yield Attendance()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What to do while another run of the plan goes on: wait, and tell once for whom, or raise."""

    wait: bool = False
    told: Callable[[str], None] = _ignore


AT_ONCE = Waiting()
NO_WISHES = Wishes()


async def run(
    session: Session,
    plan: Plan,
    *,
    wishes: Wishes = NO_WISHES,
    seed: int = 0,
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
) -> Outcome:
    """Run a plan to its end, or until it is stopped.

    Raises ``PlanBusy``, ``PlanInvalid`` for selectors that match nothing, ``CeilingExceeded``, ``Refused``
    and ``Unanswered`` before anything is created, ``StoreProblem`` at any time.
    """
    async with held(session, plan.name, waiting):
        outcome = await conduct(session, await _begun(session, plan, wishes, seed), attend=attend)
        outcome = await _with_count(session, plan, outcome)
    return await _kept(session, outcome, waiting)


async def begin(
    session: Session,
    queued: RunRecord,
    plan: Plan,
    *,
    wishes: Wishes = NO_WISHES,
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
) -> Outcome:
    """The same for a run that waits in the store under its id, with its ``plan``, and that the caller has
    claimed. Raises as :func:`run`."""
    async with held(session, plan.name, waiting):
        begun = await _begun(session, plan, wishes, 0, queued)
        outcome = await conduct(session, begun, attend=attend, claimed=True)
        outcome = await _with_count(session, plan, outcome)
    return await _kept(session, outcome, waiting)


async def _begun(
    session: Session, plan: Plan, wishes: Wishes, seed: int, queued: RunRecord | None = None
) -> RunRecord:
    """The run, ready and stored. What was prepared is not kept in memory while the run goes on."""
    prepared = await prepare(session, plan, seed=seed)
    check_ceilings(prepared)
    return await store_run(session, prepared, wishes, queued)


async def resume(
    session: Session,
    begun: RunRecord,
    *,
    unknown: str = "keep",
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
    claimed: bool = False,
) -> Outcome:
    """Go on where a run stopped; ``session`` has the settings that :mod:`orchestrator.actions.begun` gives.

    ``unknown`` is what to do with lost creations; ``claimed``: the caller has claimed the run, and renews
    that. Raises ``UsageProblem`` for another ``unknown`` than one of ``UNKNOWN_POLICIES`` and for a run that
    never began, ``PlanBusy`` and ``StoreProblem``.
    """
    if unknown not in UNKNOWN_POLICIES:
        raise UsageProblem(
            f"there is no way {unknown!r} to treat lost creations", hint=f"take {', '.join(UNKNOWN_POLICIES)}"
        )
    async with held(session, begun.plan, waiting):
        # Whoever held the lease has gone on with it meanwhile.
        record = await session.doors.store.run(begun.id)
        if record.state in (RunState.QUEUED, RunState.SKIPPED):
            raise UsageProblem(f"run {record.id} never began", hint="submit its plan again")
        outcome = await conduct(
            session, record, unknown=unknown, attend=attend, claimed=claimed, uncancelled=not claimed
        )
    return await _kept(session, outcome, waiting)


async def rerun(
    session: Session,
    parent: RunRecord,
    *,
    failed: bool = False,
    only: Collection[str] | None = None,
    wishes: Wishes = NO_WISHES,
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
) -> Outcome:
    """Run the tests of a run again by their ids, all, those that ``failed`` or ``only`` those of these specs:
    a new run.

    Raises ``PlanBusy``, ``NothingToDo`` if none failed, ``UsageProblem`` if none has an id, ``StoreProblem``.
    """
    async with held(session, parent.plan, waiting):
        record = await session.doors.store.run(parent.id)
        if only is not None:
            record = await _within_its_deadline(session, record, only)
        again = await store_rerun(session, record, wishes, failed=failed, only=only)
        outcome = await conduct(session, again, attend=attend)
    return await _kept(session, outcome, waiting)


async def _within_its_deadline(session: Session, parent: RunRecord, only: Collection[str]) -> RunRecord:
    """The parent of a run that only confirms it, with what it left of its own deadline; at least what the
    longest of these tests may take, or nothing could be confirmed."""
    tests = await session.doors.store.tests(parent.id)
    least = max((test.spec.deadline for test in tests if test.spec.key in only), default=0.0)
    left = parent.settings.deadline - (parent.facts.seconds or 0.0)
    deadline = min(parent.settings.deadline, max(left, least))
    return replace(parent, settings=replace(parent.settings, deadline=deadline))


async def _with_count(session: Session, plan: Plan, outcome: Outcome) -> Outcome:
    """The outcome with what the vendor has counted of its tests, of a plan with a ceiling in units. That it
    does not tell, or that this cannot be kept, changes nothing of the run."""
    run, store = outcome.run, session.doors.store
    asks = plan.budget.max_units is not None or plan.budget.max_share is not None
    if not asks or run.state not in FINISHED:
        return outcome
    tests = [test.test_id for test in await store.tests(run.id) if test.test_id is not None]
    found = await counted(session, run, tests)
    # What was sent for it is this run's, and not that of a run which follows in this session.
    asked = session.doors.telling.of(run.id).statistics.requests
    run = replace(run, facts=replace(run.facts, counted=found, requests=run.facts.requests + asked))
    with suppress(StoreProblem):
        kept = store.update_run(
            run.id, state=run.state, finished=run.finished, exit_code=run.exit_code, facts=run.facts
        )
        await durably(kept, store)
    return replace(outcome, run=run)


async def _kept(session: Session, outcome: Outcome, waiting: Waiting) -> Outcome:
    """The outcome, after the runs were taken away that the plan no longer keeps. That this cannot be done
    changes nothing of the run."""
    try:
        await keep_to(session.opened, outcome.run, session.doors.clock)
    except StoreProblem as problem:
        waiting.told(f"older runs of the plan could not be taken away: {problem.message}")
    return outcome


async def left_behind(session: Session, parent: RunRecord, *, failed: bool) -> str | None:
    """What a re-run of ``parent`` cannot run again because it was never created, and what to do; in words."""
    states = await never_created(session.doors.store, parent, failed=failed)
    lost = states.get(SpecState.UNKNOWN, 0) + states.get(SpecState.CREATING, 0)
    never = sum(states.values()) - lost
    told = []
    if never:
        told.append(f"{_tests(never)} never created: orchestrator resume {parent.id}")
    if lost:
        told.append(
            f"{_tests(lost)} lost with the answer to the creation: orchestrator reconcile {parent.id}"
        )
    return f"not run again, for want of an id: {'; '.join(told)}" if told else None


def _tests(count: int) -> str:
    return "1 test was" if count == 1 else f"{count} tests were"


async def conduct(
    session: Session,
    run: RunRecord,
    *,
    unknown: str = "keep",
    attend: Attend = unattended,
    claimed: bool = False,
    hand: Hand = _ignore,
    open_ended: bool = False,
    uncancelled: bool = False,
) -> Outcome:
    """Conduct a stored run whose lease is held. Raises what makes the run impossible.

    ``hand`` is handed its conductor. An ``open_ended`` run may be extended by that, and has to be finished.
    ``uncancelled``: somebody wants it to go on, and that it was cancelled before is forgotten.

    The run is claimed meanwhile, unless the caller has ``claimed`` it, and renews the claim: raises
    :class:`orchestrator.errors.LostRun` where another process goes on with it.
    """
    store = session.doors.store
    if claimed:
        return await _conduct(session, run, unknown, attend, hand, renewing=False, open_ended=open_ended)
    if not await claim_run(store, run.id, session.owner):
        raise LostRun(
            f"another process goes on with run {run.id}",
            hint=f"`orchestrator show {run.id}` says how it stands",
        )
    try:
        if uncancelled and (queue := session.opened.queue) is not None:
            await durably(queue.uncancel(run.id), store)
        renewing = math.isfinite(store.tenure)
        return await _conduct(session, run, unknown, attend, hand, renewing=renewing, open_ended=open_ended)
    finally:
        # Where the store is away by now, the claim ends by itself.
        with anyio.CancelScope(shield=True), suppress(StoreProblem):
            await durably(store.let_go(run.id), store)


async def claim_run(store: Store, run: str, owner: str) -> bool:
    """Whether the run is ours. Its plan is: whoever still has a claim on it has died, or is about to end."""
    until = anyio.current_time() + 2.0 * store.tenure
    while not await durably(store.claim(run, owner), store):
        if anyio.current_time() > until:
            return False
        await anyio.sleep(store.tenure / (2 * RENEWALS))
    return True


async def _conduct(
    session: Session,
    run: RunRecord,
    unknown: str,
    attend: Attend,
    hand: Hand,
    *,
    renewing: bool,
    open_ended: bool,
) -> Outcome:
    store = session.doors.store
    with attend(run) as attendance:
        while True:
            conductor = _conductor(session, run, unknown, attendance, open_ended=open_ended)
            hand(conductor)
            outcome = await _execute(session, run, conductor, attendance, renewing=renewing)
            # Ids that came from whoever had the run before, when this session had begun: it goes on.
            if outcome.exit_code is not Exit.INCOMPLETE or not await store.late_tests(run.id):
                break
            # It was finished: what it goes on with is no reason to wait for more.
            run, open_ended = await store.run(run.id), False
    return outcome if outcome.left_at_once else await _with_headline(session, outcome)


def _conductor(
    session: Session, run: RunRecord, unknown: str, attendance: Attendance, *, open_ended: bool
) -> Conductor:
    return Conductor(
        session.doors,
        session.dialect(run.api),
        run,
        pacing=session.pacing,
        listeners=attendance.listeners,
        unknown=unknown,
        open_ended=open_ended,
        lapsed=attendance.lapsed,
    )


async def _execute(
    session: Session, run: RunRecord, conductor: Conductor, attendance: Attendance, *, renewing: bool
) -> Outcome:
    outcome: Outcome | None = None
    stops: list[Exit] = []
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_heed, attendance, conductor, stops, tasks.cancel_scope)
            if renewing:
                tasks.start_soon(_renew, session.doors.store, run.id, conductor, attendance.grace)
            outcome = await conductor.run()
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise telling(group) from group
    if outcome is None:
        await conductor.abandon(stops[0])
        left = await session.doors.store.run(run.id)
        return Outcome(left, await session.doors.store.counts(run.id), stops[0], left_at_once=True)
    return outcome


async def _renew(store: Store, run: str, conductor: Conductor, grace: float) -> None:
    """Renew the claim on a run until it is lost; heed the end that was asked for from elsewhere."""
    asked = False
    while True:
        await anyio.sleep(store.tenure / RENEWALS)
        try:
            held = await store.renew([run])
        except StoreProblem:
            continue  # what the run writes next tells the same
        if run not in held:
            conductor.lose(f"another process has taken run {run} over")
            return
        if held[run] and not asked:
            asked = True
            conductor.interrupt(Exit.SIGINT, grace)


async def _with_headline(session: Session, outcome: Outcome) -> Outcome:
    """The outcome, its headline kept with the run for whoever lists runs.

    It is computed once, here: a list of many runs must not read all of their cells. A store that fails now
    takes nothing from what the run came to.
    """
    store, run = session.doors.store, outcome.run
    with suppress(StoreProblem):
        found = await insight(store, run)
        facts = replace(run.facts, headline=found.headline)
        ended = store.update_run(
            run.id, state=run.state, finished=run.finished, exit_code=run.exit_code, facts=facts
        )
        await durably(ended, store)
        return replace(outcome, run=replace(run, facts=facts), insight=found)
    return outcome


async def _heed(
    attendance: Attendance, conductor: Conductor, stops: list[Exit], scope: anyio.CancelScope
) -> None:
    if attendance.stops is None:
        return
    async for code in attendance.stops:
        stops.append(code)
        if len(stops) > 1:
            scope.cancel()
            return
        conductor.interrupt(code, attendance.grace)


@asynccontextmanager
async def held(session: Session, plan: str, waiting: Waiting) -> AsyncIterator[None]:
    """The lease on a plan while the block runs. Raises ``PlanBusy``."""
    clock, lease, store = session.doors.clock, session.opened.lease, session.doors.store

    async def longest() -> float:
        found = await store.runs(RUNS_ASKED, plan)
        alive = [one for one in found if one.state is RunState.RUNNING] or found
        return max((one.settings.deadline for one in alive), default=SHORTEST_DEADLINE) + AFTER_DEADLINE

    async with lease.hold(plan, clock, wait=waiting.wait, told=waiting.told, longest=longest):
        yield


__all__ = [
    "GRACE",
    "Attend",
    "Attendance",
    "Outcome",
    "Waiting",
    "Wishes",
    "begin",
    "conduct",
    "held",
    "left_behind",
    "rerun",
    "resume",
    "run",
    "unattended",
]
