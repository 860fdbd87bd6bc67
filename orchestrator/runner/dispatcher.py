"""The one loop that sends: it waits for the wire, chooses, reserves in the same step, and starts the step.

Nobody else sends and nothing is retried where it failed: what is to be tried again goes back to the
schedule. The loop sleeps until the next thing that can change: an answer, a due poll, a pacer's slot, a
budget's opening, a deadline, or a word from outside.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto

import anyio

from orchestrator.budget.holders import ASK_AGAIN
from orchestrator.budget.permits import BudgetView, Ledger, LedgerView, Permit
from orchestrator.budget.readings import WINDOW
from orchestrator.errors import StoreProblem
from orchestrator.events import CircuitOpened, Waited, WaitEnded, Waiting
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState
from orchestrator.runner.close import close
from orchestrator.runner.context import EVENTS_BUFFERED, Context
from orchestrator.runner.create import create, end_uncreated
from orchestrator.runner.journal import durably
from orchestrator.runner.pacer import Pacer
from orchestrator.runner.poll import detail, poll, probe
from orchestrator.runner.standing import run_facts, standing
from orchestrator.schedule.pace import Load
from orchestrator.schedule.steps import Candidate, Create, Poll, Probe, Step

# Steps under way at once; far above what the limits allow, and a bound for memory and sockets.
MAX_IN_FLIGHT = 64
# The loop looks around at least this often, whatever the headers have made it believe (seconds).
LONGEST_SLEEP = 5.0
# Counts of requests are stored this often, so that a kill loses few of them (seconds).
KEEP_EVERY = 10.0
# After the run's deadline the last polls have this long (seconds).
DEADLINE_GRACE = 30.0

# What may be cut short when the grace after an interruption is over.
READS: tuple[object, ...] = (poll, detail, probe)


class End(Enum):
    """How the loop ended."""

    FINISHED = auto()
    INTERRUPTED = auto()
    REFUSED = auto()


class Dispatcher:
    """Runs one run's schedule to its end.

    ``deadline`` is monotonic.
    """

    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        pacer: Pacer,
        *,
        deadline: float,
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._pacer = pacer
        self._deadline = deadline
        self._kept_at = 0.0
        self._woken = anyio.Event()
        self._in_flight = 0
        self._slot = False
        self._leave_at: float | None = None
        self._reading: dict[anyio.CancelScope, object] = {}
        self._deadline_passed = False
        self._waiting_for: Waiting | None = None
        self._view: LedgerView | None = None
        self._broken: list[StoreProblem] = []

    # -- from outside -------------------------------------------------------------------------------

    def interrupt(self, reason: str, grace: float) -> None:
        """Create no more, collect what is paid for during ``grace`` seconds, then leave."""
        self._context.stop.creating = self._context.stop.creating or reason
        self._leave_at = self._context.clock.now() + grace
        self.wake()

    def wake(self) -> None:
        """Something changed: look again."""
        self._woken.set()

    # -- the loop -----------------------------------------------------------------------------------

    async def run(self) -> End:
        """Send until nothing is left, or until told to stop. Raises what makes the run impossible."""
        context = self._context
        async with anyio.create_task_group() as tasks:
            while True:
                now = context.clock.now()
                await self._or_break(self._heed_stops(now))
                while (key := context.schedule.closable()) is not None:
                    self._start(tasks, close, context, key)
                if self._over(now):
                    break
                if not self._broken:
                    await self._or_break(self._keep_facts(now))
                if not self._slot:
                    await self._pacer.slot()
                    self._slot = True
                chosen, wake_at = self._choose(context.clock.now())
                if chosen is None:
                    await self._sleep(wake_at)
                else:
                    self._slot = False
                    await self._send(tasks, *chosen)
        if self._broken:
            raise _told_together(self._broken)
        await durably(context.store.add_events(context.run.id, context.take_events()))
        if context.stop.refused is not None:
            return End.REFUSED
        return End.INTERRUPTED if self._leave_at is not None else End.FINISHED

    def _over(self, now: float) -> bool:
        schedule, stop = self._context.schedule, self._context.stop
        if self._in_flight:
            return False
        if schedule.idle or stop.sending is not None:
            return True
        return self._leave_at is not None and (self._leaving(now) or not schedule.open_tests)

    def _leaving(self, now: float) -> bool:
        """Whether the grace after an interruption is over: nothing more is sent."""
        return self._leave_at is not None and now >= self._leave_at

    async def _heed_stops(self, now: float) -> None:
        context = self._context
        if now >= self._deadline and not self._deadline_passed:
            self._deadline_passed = True
            context.stop.creating = context.stop.creating or "the run's deadline was reached"
            context.schedule.hasten(now)
        if now >= self._deadline + DEADLINE_GRACE:
            context.schedule.give_up()
        # What was read already is being stored under a shield. A creation's answer is waited for (its request
        # has a time-out): leaving without it would make the creation unknown. Nobody waits for a probe.
        for scope, reads in self._reading.items():
            if self._leaving(now) or (reads is probe and context.stop.creating is not None):
                scope.cancel()
        if context.stop.creating is None:
            return
        left = context.schedule.stop_creating()
        if self._leave_at is None and context.stop.sending is None:
            # Not an interruption: these will not be created by this run any more. A resume may.
            for key in left:
                await end_uncreated(context, context.tests[key], SpecState.NOT_RUN, context.stop.creating)

    async def _keep_facts(self, now: float) -> None:
        context = self._context
        if now - self._kept_at >= KEEP_EVERY:
            self._kept_at = now
            facts = run_facts(context, self._ledger.view(now), None)
            kept = context.store.update_run(
                context.run.id, state=RunState.RUNNING, finished=None, exit_code=None, facts=facts
            )
            await durably(kept)
        if context.events_waiting > EVENTS_BUFFERED:
            await durably(context.store.add_events(context.run.id, context.take_events()))

    # -- choice -------------------------------------------------------------------------------------

    def _choose(self, now: float) -> tuple[tuple[Step, Permit, bool] | None, float]:
        """The first candidate that may go, with its permit; else when to look again."""
        context = self._context
        wake_at = min(
            now + LONGEST_SLEEP, self._deadline if not self._deadline_passed else now + LONGEST_SLEEP
        )
        self._waiting_for = self._view = None
        if context.stop.sending is not None or self._in_flight >= MAX_IN_FLIGHT or self._leaving(now):
            return None, wake_at
        if self._leave_at is not None:
            wake_at = min(wake_at, self._leave_at)
        pause = context.schedule.trip(now)
        if pause is not None:
            context.tell(CircuitOpened(pause.failures, round(pause.seconds, 1)))
        if now < context.schedule.paused_until:
            self._waiting_for = Waiting.CIRCUIT
            return None, min(wake_at, context.schedule.paused_until)
        self._view = view = self._ledger.view(now)
        for candidate in context.schedule.candidates(now, _load(view)):
            opens_at = self._affordable(candidate, view, now)
            if opens_at <= now:
                permit = self._ledger.try_reserve(now, instant=candidate.instant, spare=candidate.spare)
                if permit is not None:
                    context.schedule.take(candidate.step, now)
                    return (candidate.step, permit, _blind(view, candidate)), now
                opens_at = self._ledger.opens_at(now, instant=candidate.instant, spare=candidate.spare)
                if opens_at <= now:
                    opens_at = now + ASK_AGAIN  # another process of this host goes first
                self._waiting_for = self._waiting_for or _scarcer(view, candidate)
            wake_at = min(wake_at, opens_at)
        self._waiting_for = self._waiting_for or context.schedule.creations_wait_for(now)
        return None, min(wake_at, context.schedule.wake(now))

    def _affordable(self, candidate: Candidate, view: LedgerView, now: float) -> float:
        """When the pacers allow the candidate."""
        if not self._pacer.open(instant=candidate.instant, blind=_blind(view, candidate)):
            self._waiting_for = self._waiting_for or Waiting.SPACING
            return now + 0.1
        if not candidate.instant:
            return now
        instant = view.instant_test
        left = _seconds_left(instant, view.server_time)
        to_create = self._context.schedule.to_create
        opens_at = self._pacer.creation_opens_at(
            min(to_create, instant.free), left, last=to_create <= instant.free
        )
        if opens_at > now:
            self._waiting_for = self._waiting_for or Waiting.SPACING
        return opens_at

    # -- doing --------------------------------------------------------------------------------------

    async def _send(self, tasks: anyio.abc.TaskGroup, step: Step, permit: Permit, blind: bool) -> None:
        await self._pacer.sent(instant=permit.instant, blind=blind)
        if isinstance(step, Create):
            for reason, seconds in self._context.telling.statistics.waits.items():
                if seconds >= 0.5:
                    self._context.tell(Waited(reason, round(seconds, 1)), step.key)
            self._start(tasks, create, self._context, step.key, permit)
        elif isinstance(step, Poll):
            self._start(tasks, poll, self._context, step, permit)
        elif isinstance(step, Probe):
            self._start(tasks, probe, self._context, step, permit)
        else:
            self._start(tasks, detail, self._context, step, permit)

    def _start(
        self, tasks: anyio.abc.TaskGroup, step: Callable[..., Awaitable[None]], *arguments: object
    ) -> None:
        self._in_flight += 1
        tasks.start_soon(self._perform, step, *arguments)

    async def _perform(self, step: Callable[..., Awaitable[None]], *arguments: object) -> None:
        try:
            if step in READS:
                with anyio.CancelScope() as scope:
                    self._reading[scope] = step
                    try:
                        await self._or_break(step(*arguments))
                    finally:
                        del self._reading[scope]
            else:
                await self._or_break(step(*arguments))
        finally:
            self._in_flight -= 1
            self.wake()

    async def _or_break(self, work: Awaitable[None]) -> None:
        """When the store fails the run cannot go on.

        But creations under way are paid for, so their answers may come in: perhaps they can be stored, and if
        not, their ids are told.
        """
        try:
            await work
        except StoreProblem as problem:
            self._broken.append(problem)
            self._context.stop.sending = self._context.stop.sending or problem.message

    async def _sleep(self, until: float) -> None:
        context = self._context
        began = context.clock.now()
        if context.telling.attended:
            view = self._view or self._ledger.view(began)
            context.tell(standing(context, view, self._waiting_for))
        with context.clock.move_on_after(max(0.001, until - began)):
            await self._woken.wait()
        self._woken = anyio.Event()
        if self._waiting_for is not None:
            context.tell(WaitEnded(self._waiting_for, context.clock.now() - began))


def _told_together(problems: Sequence[StoreProblem]) -> StoreProblem:
    """The first message and every hint: each may name a test whose id could not be stored."""
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    told = StoreProblem(problems[0].message, hint="; ".join(hints) or None)
    told.__cause__ = problems[0]
    return told


def _seconds_left(budget: BudgetView, server_time: float) -> float:
    """Of the budget's window; a whole window where nothing is known."""
    if not budget.known or budget.reset is None or not math.isfinite(server_time):
        return WINDOW
    return budget.reset - server_time


def _load(view: LedgerView) -> Load:
    return Load(
        organization_limit=view.organization.limit,
        instant_limit=view.instant_test.limit,
        instant_free=view.instant_test.free,
        reserve=view.organization.reserve,
        room=view.organization.room if view.organization.known else None,
        seconds_left=_seconds_left(view.organization, view.server_time),
    )


def _blind(view: LedgerView, candidate: Candidate) -> bool:
    return view.organization.blind or (candidate.instant and view.instant_test.blind)


def _scarcer(view: LedgerView, candidate: Candidate) -> Waiting:
    scarce_instant = candidate.instant and view.instant_test.free < 1
    return Waiting.INSTANT_TEST if scarce_instant else Waiting.ORGANIZATION


__all__ = ["Dispatcher", "End"]
