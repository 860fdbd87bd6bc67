"""The one loop that sends: it waits for the wire, chooses, reserves in the same step, and starts the step.

Nobody else sends and nothing is retried where it failed: what is to be tried again goes back to the
schedule. The loop sleeps until the next thing that can change: an answer, a due poll, a pacer's slot, a
budget's opening, a deadline, or a word from outside. What goes next is chosen in ``chooser``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

import anyio

from orchestrator.budget.permits import Ledger
from orchestrator.budget.readings import ORGANIZATION_LIMIT
from orchestrator.errors import LostRun, StoreProblem
from orchestrator.events import CircuitOpened, Waited, WaitEnded, Waiting
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState
from orchestrator.runner.chooser import Chooser, Go, Wait
from orchestrator.runner.close import close
from orchestrator.runner.context import EVENTS_BUFFERED, Context
from orchestrator.runner.create import create, end_all_uncreated, leave_unanswered
from orchestrator.runner.doors import Interruption
from orchestrator.runner.hops import choose_hops
from orchestrator.runner.pacer import Pacer
from orchestrator.runner.poll import detail, poll, probe
from orchestrator.runner.standing import run_facts, standing
from orchestrator.schedule.steps import Create, Poll, Probe

# Steps under way at once; far above what the limits allow, and a bound for memory and sockets.
MAX_IN_FLIGHT = 64
# The loop chooses anew at least this often, whatever the headers have made it believe (seconds).
LONGEST_SLEEP = 5.0
# Counts of requests are stored this often, so that a kill loses few of them (seconds).
KEEP_EVERY = 10.0
# After the run's deadline the last polls have this long (seconds).
DEADLINE_GRACE = 30.0

# What is cut short when the grace after an interruption is over: all that waits for an answer.
ASKS: tuple[object, ...] = (create, poll, detail, probe)


class End(Enum):
    """How the loop ended."""

    FINISHED = auto()
    INTERRUPTED = auto()
    REFUSED = auto()


Work = tuple[Callable[..., Awaitable[None]], tuple[object, ...]]


class _Hand:
    """A task that waits for its next step: to wake one costs half of starting one."""

    def __init__(self) -> None:
        self._given = anyio.Event()
        self._work: Work | None = None

    def give(self, work: Work | None) -> None:
        """Let it do this, or end."""
        self._work = work
        self._given.set()

    async def next(self) -> Work | None:
        """What it was given."""
        await self._given.wait()
        return self._work


class Dispatcher:
    """Runs one run's schedule to its end, until its ``deadline`` (monotonic) or an interruption.

    One that is ``open_ended`` waits for more specs when nothing is left to do, until :meth:`finish`.
    """

    def __init__(
        self,
        context: Context,
        ledger: Ledger,
        pacer: Pacer,
        *,
        deadline: float,
        interruption: Interruption,
        open_ended: bool = False,
    ) -> None:
        self._context = context
        self._open_ended = open_ended
        self._why_over = "the run's deadline was reached"
        self._ledger = ledger
        self._pacer = pacer
        self._chooser = Chooser(context.schedule, ledger, pacer)
        self._interruption = interruption
        self._deadline = deadline
        self._kept_at = 0.0
        self._woken = anyio.Event()
        self._in_flight = 0
        self._slot = False
        self._leave_at: float | None = None
        self._asking: dict[anyio.CancelScope, object] = {}
        self._idle: list[_Hand] = []
        self._deadline_passed = False
        self._broken: list[StoreProblem] = []

    def wake(self) -> None:
        """Something changed: choose again."""
        self._woken.set()

    def finish(self, why: str) -> None:
        """Nothing more is wanted: what is open is polled once more and closed with what is there.

        ``why`` is kept with the run if that ends it before its plan does.
        """
        self._open_ended, self._why_over = False, why
        if not self._context.schedule.idle:
            self._deadline = min(self._deadline, self._context.clock.now())
        self.wake()

    # -- the loop -----------------------------------------------------------------------------------

    async def run(self) -> End:
        """Send until nothing is left, or until told to stop. Raises what makes the run impossible."""
        context = self._context
        self._interruption.wakes(self.wake)
        self._ledger.listen(self.wake)
        async with anyio.create_task_group() as tasks:
            while True:
                now = context.clock.now()
                await self._or_break(self._heed_stops(now))
                while (key := context.schedule.closable()) is not None:
                    self._start(tasks, close, context, key)
                if keys := context.schedule.choosable():
                    self._start(tasks, choose_hops, context, keys, self._room(now))
                if self._over(now):
                    break
                if not self._broken:
                    await self._or_break(self._keep_facts(now))
                if not self._slot:
                    await self._pacer.slot()
                    self._slot = True
                choice = self._choose(context.clock.now())
                if isinstance(choice, Wait):
                    await self._sleep(choice)
                else:
                    self._slot = False
                    await self._send(tasks, choice)
            self._dismiss()
        if self._broken:
            raise _told_together(self._broken)
        await context.durably(context.store.add_events(context.run.id, context.take_events()))
        if context.stop.refused is not None:
            return End.REFUSED
        return End.FINISHED if self._interruption.code is None else End.INTERRUPTED

    def _room(self, now: float) -> int:
        """Reads that are left in the window, as far as is known."""
        organization = self._ledger.view(now).organization
        return organization.room if organization.known else ORGANIZATION_LIMIT

    def _over(self, now: float) -> bool:
        schedule, stop = self._context.schedule, self._context.stop
        if self._in_flight:
            return False
        if stop.sending is not None:
            return True
        if schedule.idle:
            return not self._open_ended or stop.creating is not None
        return self._leave_at is not None and (self._leaving(now) or not schedule.open_tests)

    def _leaving(self, now: float) -> bool:
        """Whether the grace after an interruption is over: nothing more is sent."""
        return self._leave_at is not None and now >= self._leave_at

    async def _heed_stops(self, now: float) -> None:
        context = self._context
        if self._interruption.lapsed() and self._interruption.lost is None:
            self._interruption.lose(f"this host was suspended for longer than it held run {context.run.id}")
        if self._interruption.lost is not None:
            context.stop.sending = context.stop.sending or self._interruption.lost
        if self._interruption.code is not None and self._leave_at is None:
            context.stop.creating = context.stop.creating or "interrupted"
            self._leave_at = now + self._interruption.grace
        if now >= self._deadline and not self._deadline_passed:
            self._deadline_passed = True
            context.stop.creating = context.stop.creating or self._why_over
            context.schedule.hasten(now)
        if now >= self._deadline + DEADLINE_GRACE:
            context.schedule.give_up()
        # What was read already is being stored under a shield. Nobody waits for a probe.
        if context.stop.creating is None:
            return
        leaving = self._leaving(now)
        for scope, step in self._asking.items():
            if leaving or step is probe:
                scope.cancel()
        left = context.schedule.stop_creating()
        if left and self._leave_at is None and context.stop.sending is None:
            # Not an interruption: these will not be created by this run any more. A resume may.
            tests = [context.tests[key] for key in left]
            await end_all_uncreated(context, tests, SpecState.NOT_RUN, context.stop.creating)

    async def _keep_facts(self, now: float) -> None:
        context = self._context
        if now - self._kept_at >= KEEP_EVERY:
            self._kept_at = now
            counted = context.telling.statistics
            facts = run_facts(context.run, context.before, counted, self._ledger.view(now), now, None)
            kept = context.store.update_run(
                context.run.id, state=RunState.RUNNING, finished=None, exit_code=None, facts=facts
            )
            await context.durably(kept)
        if context.events_waiting > EVENTS_BUFFERED:
            await context.durably(context.store.add_events(context.run.id, context.take_events()))

    # -- choice -------------------------------------------------------------------------------------

    def _choose(self, now: float) -> Go | Wait:
        """The next step, with its permit; else until when there is none."""
        schedule, until = self._context.schedule, now + LONGEST_SLEEP
        if not self._deadline_passed:
            until = min(until, self._deadline)
        stopped = self._context.stop.sending is not None or self._leaving(now)
        # What a store that does not answer could not keep is not asked for; above all nothing is paid for.
        if not stopped and self._context.writes.overdue():
            return Wait(until, Waiting.STORE)
        if stopped or self._in_flight >= MAX_IN_FLIGHT:
            return Wait(until)
        if self._leave_at is not None:
            until = min(until, self._leave_at)
        pause = schedule.trip(now)
        if pause is not None:
            self._context.tell(CircuitOpened(pause.failures, round(pause.seconds, 1)))
        if now < schedule.paused_until:
            return Wait(min(until, schedule.paused_until), Waiting.CIRCUIT)
        choice = self._chooser.choose(now)
        if isinstance(choice, Wait):
            return replace(choice, until=min(until, choice.until))
        return choice

    # -- doing --------------------------------------------------------------------------------------

    async def _send(self, tasks: anyio.abc.TaskGroup, go: Go) -> None:
        step, permit = go.step, go.permit
        await self._pacer.sent(instant=permit.instant, blind=go.blind)
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
        if self._idle:
            self._idle.pop().give((step, arguments))
        else:
            tasks.start_soon(self._work, (step, arguments))

    def _dismiss(self) -> None:
        """Nothing is left to do: the tasks that wait for work end."""
        for hand in self._idle:
            hand.give(None)

    async def _work(self, work: Work | None) -> None:
        while work is not None:
            step, arguments = work
            await self._perform(step, *arguments)
            hand = _Hand()
            self._idle.append(hand)
            work = await hand.next()

    async def _perform(self, step: Callable[..., Awaitable[None]], *arguments: object) -> None:
        try:
            if step in ASKS:
                with anyio.CancelScope() as scope:
                    self._asking[scope] = step
                    try:
                        await self._or_break(step(*arguments))
                    finally:
                        del self._asking[scope]
                if step is create and scope.cancelled_caught:
                    await self._or_break(leave_unanswered(self._context, str(arguments[1])))
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

    async def _sleep(self, wait: Wait) -> None:
        context, began = self._context, self._context.clock.now()
        if context.telling.attended:
            context.tell(standing(context, wait.view or self._ledger.view(began), wait.reason))
        with context.clock.move_on_after(max(0.001, wait.until - began)):
            await self._woken.wait()
        self._woken = anyio.Event()
        if wait.reason is not None:
            context.tell(WaitEnded(wait.reason, context.clock.now() - began))


def _told_together(problems: Sequence[StoreProblem]) -> StoreProblem:
    """The first message and every hint: each may name a test whose id could not be stored."""
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    first = next((problem for problem in problems if isinstance(problem, LostRun)), problems[0])
    kind = LostRun if isinstance(first, LostRun) else StoreProblem
    told = kind(first.message, hint="; ".join(hints) or None)
    told.__cause__ = first
    return told


__all__ = ["Dispatcher", "End"]
