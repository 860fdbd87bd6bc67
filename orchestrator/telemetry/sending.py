"""Hears a session and sends what it was told and measured. It never waits, and a dead end costs a warning.

What was told becomes spans at once. A test's answers are read from the store when it has its end, beside the
run; a thread sends both (:mod:`orchestrator.telemetry.outlet`). At the end of the session what is left has
some seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import anyio

from orchestrator.errors import OrchestratorError
from orchestrator.events import Closed, Event, RequestAnswered, RequestFailed, RequestSent
from orchestrator.model import Agent
from orchestrator.records import RunRecord, TestRecord
from orchestrator.store.base import Store
from orchestrator.telemetry.outlet import LATE, Batch, Measured, Outlet
from orchestrator.telemetry.points import NANOSECONDS, Attributes, words_of
from orchestrator.telemetry.spans import Span, Trace, trace_id_of

# At the end of a session: how long what is left may take, and how long if nothing is taken (seconds).
FLUSH, TROUBLED = 5.0, 1.0
# Tests whose answers wait to be read, spans that wait to be sent, facts that come before there is a run.
MOST_TESTS, MOST_SPANS, MOST_EARLY = 10_000, 20_000, 1_000
# So much goes in one request.
TESTS_AT_ONCE, SPANS_AT_ONCE = 20, 500
_LOOK = 0.02

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read of a run once."""

    run: RunRecord
    agents: dict[str, Agent]


class Telemetry:
    """A listener, and what sends beside a session (:meth:`beside`).

    ``server`` is where the API is. ``resumed``: its first run was begun by another session.
    """

    def __init__(self, outlet: Outlet, url: str, *, resumed: bool = False) -> None:
        self._outlet, self._url, self._resumed = outlet, url, resumed
        self._server: Attributes = {}
        self._began: int | None = None
        self._early: list[Event] = []
        self._traces: dict[str, Trace] = {}
        self._known: dict[str, _Known] = {}
        self._spans: deque[Span] = deque()
        self._closed: deque[tuple[str, str]] = deque()
        self._lost = 0
        self._wake = anyio.Event()
        self.warning: str | None = None

    def hear(self, event: Event) -> None:
        """Note what ends with this event."""
        at = round(event.at * NANOSECONDS)
        if self._began is None:
            self._began = at
        if event.run is None:
            if isinstance(event.fact, RequestSent | RequestAnswered | RequestFailed) and not self._traces:
                self._early = [*self._early, event][-MOST_EARLY:]
            return
        trace = self._traces.get(event.run)
        if trace is None:
            trace = self._begin(event.run, at)
        self._keep(trace.hear(event))
        if isinstance(event.fact, Closed) and event.spec is not None:
            if len(self._closed) < MOST_TESTS:
                self._closed.append((event.run, event.spec))
            else:
                self._lost += 1
            self._wake.set()

    def _begin(self, run: str, at: int) -> Trace:
        first = not self._traces
        began = self._began if first and self._began is not None else at
        trace = self._traces[run] = Trace(run, began, self._server, resumed=self._resumed and first)
        if first:
            self._keep(trace.prepared(self._early, at))
            self._early = []
        return trace

    def _keep(self, spans: Iterable[Span]) -> None:
        for span in spans:
            if len(self._spans) < MOST_SPANS:
                self._spans.append(span)
            else:
                self._lost += 1
        if len(self._spans) >= SPANS_AT_ONCE:
            self._wake.set()

    @asynccontextmanager
    async def beside(self, store: Store, server: Attributes) -> AsyncIterator[None]:
        """Send while the block runs, and what is left after it, for some seconds at most.

        ``server`` is the address of the API. :attr:`warning` says then what was not taken, if anything.
        """
        self._server = server
        self._outlet.start()
        problem: BaseException | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._work, store)
            try:
                yield
            except BaseException as error:  # it is raised again, and not in a group
                problem = error
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await self._finish(store)
        if problem is not None:
            raise problem

    async def _work(self, store: Store) -> None:
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            await self._hand_over(store, all_of_it=False)

    async def _finish(self, store: Store) -> None:
        began = anyio.current_time()
        with anyio.move_on_after(FLUSH) as limit:
            with suppress(OrchestratorError):
                for name, trace in self._traces.items():
                    self._keep(trace.ended(await store.run(name)))
            await self._hand_over(store, all_of_it=True)
            while not self._outlet.idle:
                if self._outlet.troubled:
                    limit.deadline = min(limit.deadline, began + TROUBLED)
                await anyio.sleep(_LOOK)
        lost = self._lost + len(self._closed) + len(self._spans) + self._outlet.close()
        if lost:
            what = f"{lost} tests and spans were not sent to {self._url}"
            self.warning = f"OpenTelemetry: {what}: {self._outlet.why or LATE}"

    async def _hand_over(self, store: Store, *, all_of_it: bool) -> None:
        """Everything that waits goes to the thread; spans alone only if there are many, or at the end.

        What waits is taken away when it was handed over: then it is counted there.
        """
        while self._closed:
            tests = [*islice(self._closed, TESTS_AT_ONCE)]
            measured = [await self._measured(store, *one) for one in tests]
            await self._offer([one for one in measured if one is not None])
            _drop(self._closed, len(tests))
        while self._spans and (all_of_it or len(self._spans) >= SPANS_AT_ONCE):
            spans = [*islice(self._spans, SPANS_AT_ONCE)]
            await self._offer(spans)
            _drop(self._spans, len(spans))

    async def _offer(self, batch: Batch) -> None:
        while batch and not self._outlet.offer(batch):  # noqa: ASYNC110 - a thread makes room
            await anyio.sleep(_LOOK)

    async def _measured(self, store: Store, run: str, key: str) -> Measured | None:
        """A test with its answers; ``None`` where the store does not give them."""
        try:
            if run not in self._known:
                self._known[run] = _Known(await store.run(run), await store.agents(run))
            test = await store.test(run, key)
            answers = await store.answers(run, key)
        except OrchestratorError:
            self._lost += 1
            return None
        self._name(run, test)
        known = self._known[run]
        return Measured(known.run, test, known.agents, answers) if answers else None

    def _name(self, run: str, test: TestRecord) -> None:
        """Give the span of a test, which has just ended, the words of its plan."""
        trace, words = trace_id_of(run), words_of(test.spec)
        for n in range(len(self._spans) - 1, -1, -1):
            span = self._spans[n]
            if span.spec == test.spec.key and span.trace_id == trace:
                self._spans[n] = replace(span, attributes={**span.attributes, **words})
                return


def _drop(waiting: deque[_T], count: int) -> None:
    for _ in range(count):
        waiting.popleft()
