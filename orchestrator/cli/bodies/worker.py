"""What `orchestrator worker` does."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.metadata import version

from orchestrator import app
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.budgets import left
from orchestrator.actions.carrying import Carrying
from orchestrator.actions.organizations import organizations_of, settled
from orchestrator.actions.queueing import keeper_of, queue_of, scheduled_run, schedules_of
from orchestrator.actions.session import Session, further_origin
from orchestrator.addresses import AddressBook
from orchestrator.cli import tell_defect
from orchestrator.cli.bodies.common import opened_store, run_async, say, set_up_logging
from orchestrator.cli.bodies.sessions import settings_of, token_of_worker
from orchestrator.cli.serving import Serving
from orchestrator.cli.signals import STOPS, heard_signals
from orchestrator.clock import Clock, LoopClock
from orchestrator.errors import Exit, OrchestratorError, StoreProblem, UsageProblem
from orchestrator.listeners.log import LogListener
from orchestrator.organizations import at_home, may_hear_a_token
from orchestrator.queueing.attempts import Ending
from orchestrator.queueing.values import Schedule, Taken
from orchestrator.records import RunRecord
from orchestrator.report.headline import many
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened
from orchestrator.store.operating import Measures
from orchestrator.store.queue import Fired, MakeRun
from orchestrator.worker.door import asked, listening
from orchestrator.worker.engine import Engine
from orchestrator.worker.health import Health
from orchestrator.worker.metrics import Metrics
from orchestrator.worker.service import Me, Shared, serve
from orchestrator.worker.told import Several

OFF = "off"
# A worker that is started waits so long for its store, and looks again so often (seconds).
START, START_AGAIN = 300.0, 2.0


def health(serving: Serving) -> None:
    """Ask the worker on this host whether it is well; exit 0 or 3."""
    host, port = _address(serving.listen)

    async def work() -> bool:
        found = await asked(host, port)
        say(found.words)
        return found.well

    raise SystemExit(int(Exit.OK if run_async(work) else Exit.INCOMPLETE))


def worker(serving: Serving, *, grace: float) -> None:
    """Serve until stopped. Ends with 0."""
    set_up_logging()
    settings = settings_of(serving.access)

    async def work() -> None:
        metrics = Metrics()
        async with AsyncExitStack() as stack:
            opened = await _patiently(stack, serving.store, LoopClock(), metrics)
            await _Worker(serving, settings, opened, metrics, grace).run()

    run_async(work)


async def _patiently(stack: AsyncExitStack, store: str | None, clock: Clock, measures: Measures) -> Opened:
    """The store, once it is there: a host that starts may be ahead of its database, and of its tables."""
    until, told = clock.now() + START, ""
    while True:
        try:
            return await stack.enter_async_context(opened_store(store, measures=measures))
        except StoreProblem as problem:
            if clock.now() > until:
                raise
            if problem.message != told:
                say(f"waiting for the store: {problem.message}")
            told = problem.message
        await clock.sleep(START_AGAIN)


def _address(listen: str) -> tuple[str, int]:
    host, sign, port = listen.rpartition(":")
    if not sign or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageProblem(f"--listen takes HOST:PORT or off, not {listen!r}")
    return host.strip("[]"), int(port)


class _Worker:
    """One worker of this process."""

    def __init__(
        self, serving: Serving, settings: Settings, opened: Opened, metrics: Metrics, grace: float
    ) -> None:
        self._serving, self._settings, self._opened, self._grace = serving, settings, opened, grace
        self._origins = (settings.origin, *(further_origin(one) for one in serving.origins))
        self._token = token_of_worker(serving.access)
        self._clock = LoopClock()
        self._metrics = metrics
        self._host = socket.gethostname()
        self._name = serving.name or f"{self._host}:{os.getpid()}"

    async def run(self) -> None:
        """Serve until stopped."""
        opened, clock = self._opened, self._clock
        queue, schedules, keeper = queue_of(opened), schedules_of(opened), keeper_of(opened)
        engine = Engine(opened.url, name=self._name)
        told = Several(_Words(), self._metrics)
        well = Health(clock, keeper.standing)
        notifier = app.notifier(AddressBook(os.environ), self._settings.ca_file)
        carrying = Carrying(
            opened.store, self._connect, self._environ(), (self._metrics,), self._grace, notifier
        )
        width, whose = self._serving.concurrency, self._serving.organizations
        me = Me(self._name, self._host, version("orchestrator"), width, self._whose, whose, self._owner)
        shared = Shared(queue, schedules, opened.store, opened.store.tenure, keeper)
        async with AsyncExitStack() as stack:
            if self._serving.listen != OFF:
                host, port = _address(self._serving.listen)
                origin = await stack.enter_async_context(listening(host, port, well, self._metrics.text))
                say(f"worker {self._name}: {origin}/healthz, /readyz, /metrics")
            received = stack.enter_context(heard_signals())
            say(f"worker {self._name} takes {many(width, 'run')} at a time")
            await serve(
                me,
                shared,
                engine,
                carrying.carry,
                self._maker,
                clock,
                _stops(received),
                told=told,
                metrics=self._metrics,
                health=well,
            )
        say(f"worker {self._name} has ended")

    async def _whose(self) -> Sequence[str]:
        """The organizations whose runs this worker takes."""
        wanted = self._serving.organizations
        try:
            levels = await queue_of(self._opened).levels()
            mine = [one.organization for one in levels if not wanted or one.organization in wanted]
            return [one for one in mine if await self._serves(one)]
        except OrchestratorError:
            return wanted

    async def _serves(self, name: str) -> bool:
        """Whether this host may talk to the organization's origin, and has its token. What it cannot serve is
        left to others."""
        try:
            if (organization := await settled(self._opened, name)) is None:
                return True
            self._token(organization)
        except UsageProblem:
            return False
        return may_hear_a_token(at_home(organization, self._of(name)))

    def _owner(self) -> str:
        return f"{self._name}/{secrets.token_hex(4)}"

    def _environ(self) -> dict[str, str]:
        """Those of this host's variables that plans may read: whoever submits a plan reads what it names."""
        named = self._serving.plan_env
        return {name: os.environ[name] for name in named if name in os.environ}

    async def _maker(self) -> MakeRun:
        written = {one.name: one for one in await organizations_of(self._opened).listed()}

        def make(schedule: Schedule, now: float) -> RunRecord:
            settings, of = self._of(schedule.organization), written.get(schedule.organization)
            return scheduled_run(schedule, now, settings if of is None else at_home(of, settings))

        return make

    def _of(self, organization: str) -> Settings:
        """The settings for an organization, until it is known whether it has an origin of its own."""
        return replace(self._settings, organization=organization, origin_named=False, origins=self._origins)

    @asynccontextmanager
    async def _connect(self, record: RunRecord, taken: Taken, reserve: float) -> AsyncIterator[Session]:
        settings = await settings_as_begun(self._opened, record, self._of(taken.organization))
        async with app.connect(
            settings,
            self._token,
            reserve=reserve,
            listeners=[LogListener()],
            opened=self._opened.of(taken.organization),
        ) as session:
            with self._metrics.budgets_of(taken.organization, lambda: left(session)):
                yield session


async def _stops(received: AsyncIterator[int]) -> AsyncIterator[Exit]:
    async for number in received:
        say("taking no more runs; what is paid for still comes in; once more leaves at once")
        yield STOPS[number]  # type: ignore[index] # a signal is a number


class _Words:
    """Says on stderr what a worker does: one line for each run."""

    def took(self, run: str, taken: Taken) -> None:
        how = "goes on" if taken.begun else "begins"
        say(f"run {run} of {taken.organization} {how} (attempt {taken.attempts.count})")

    def ended(self, run: str, taken: Taken, ending: Ending) -> None:
        del taken
        why = f": {ending.reason}" if ending.reason else ""
        say(f"run {run} {ending.next.name.lower()}, exit code {int(ending.code)}{why}")

    def lost(self, run: str) -> None:
        say(f"run {run} was taken over by another worker")

    def defect(self, run: str, error: Exception) -> None:
        say(f"run {run} ended with a defect of orchestrator")
        tell_defect(error)

    def fired(self, fired: Fired) -> None:
        made, one = ", ".join(fired.runs) or "no run", fired.schedule
        left = f"{fired.skipped} skipped, {fired.missed} missed"
        say(f"schedule {one.name} of {one.organization}: {made}; {left}")

    def made_room(self, made: Sequence[str]) -> None:
        say(f"room was made for the next days: {many(len(made), 'part')} of tables, {made[0]} to {made[-1]}")

    def problem(self, what: str, problem: OrchestratorError | OSError) -> None:
        say(f"warning: {what}: {problem}; trying again")
