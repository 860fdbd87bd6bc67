"""A large answer over a slow link is read to its end; what only drips, or stops, is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from scenarios import Scenario
from stepped_time import SteppedLoop, run_stepped
from virtual_time import run_virtual
from virtual_world import VirtualTransport, run_in_virtual_time

from orchestrator.budget.ledger import LocalLedger
from orchestrator.clock import LoopClock
from orchestrator.listeners.telling import Telling
from orchestrator.runner.dispatcher import DEADLINE_GRACE, LONGEST_SLEEP
from orchestrator.runner.wire import Wire
from orchestrator.schedule.backoff import Patience
from orchestrator.schedule.closing import CLOSING_GRACE
from orchestrator.thousandeyes.client import Timeouts
from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Transport, with_progress

READ = Request("GET", "/v7/test-results/1/path-vis")
SIZE = 1_200_000


class SlowLink:
    """Writes an answer's body in pieces, each some seconds after the client has the one before."""

    def __init__(self, piece: int, every: float, total: int = SIZE, stop_after: int = 10**9) -> None:
        self.piece, self.every, self.total, self.stop_after = piece, every, total, stop_after
        self.heard = 0
        self.more = asyncio.Event()

    def hear(self, size: int) -> None:
        self.heard += size
        self.more.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {self.total}\r\n\r\n".encode())
        sent = 0
        while sent < self.total and not writer.is_closing():
            if sent < self.stop_after:
                piece = b" " * min(self.piece, self.total - sent)
                writer.write(piece)
                sent += len(piece)
                await writer.drain()
                while self.heard < sent and not writer.is_closing():
                    self.more.clear()
                    await self.more.wait()
            loop.advance(self.every)
            await asyncio.sleep(0)


class Hearing:
    """The client, with an ear of the test's in each request."""

    def __init__(self, inner: Transport, hear: Callable[[int], None]) -> None:
        self._inner, self._hear = inner, hear

    async def send(self, request: Request) -> Reply:
        """As the inner transport."""
        inner = request.heard

        def both(size: int) -> None:
            if inner is not None:
                inner(size)
            self._hear(size)

        object.__setattr__(request, "heard", both)
        return await self._inner.send(request)


class Fetched:
    """What one read by the wire came to, after how many seconds."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.problem, self.seconds, self.requests = "", 0.0, 0


def fetch(raw_server: Any, transport_to: Any, *pieces: Any, most: float = 3600.0, **waits: Any) -> Fetched:
    """Read once over such a link."""
    came = Fetched()

    async def work() -> None:
        link, clock = SlowLink(*pieces, **waits), LoopClock(epoch=1.8e9)
        async with (
            raw_server(link.handle) as server,
            transport_to(f"http://127.0.0.1:{server.port}", timeouts=Timeouts()) as transport,
        ):
            ledger = LocalLedger(rng=Random(1))
            wire = Wire(Hearing(transport, link.hear), ledger, clock, Telling(clock.wall))
            permit = ledger.try_reserve(clock.now(), instant=False)
            assert permit is not None
            began = clock.now()
            try:
                came.reply = await wire.send(permit, READ, patience=Patience().wait(0), most=most)
            except NoAnswer as problem:
                came.problem = str(problem)
            came.seconds, came.requests = clock.now() - began, len(server.requests)

    run_stepped(work)
    return came


@pytest.mark.parametrize("rate", [4_000, 16_000, 64_000, 400_000])
def test_a_large_answer_over_a_slow_link_is_fetched_once(
    rate: int, raw_server: Any, transport_to: Any
) -> None:
    came = fetch(raw_server, transport_to, rate, 1.0)
    assert came.reply is not None, came.problem
    assert (len(came.reply.body), came.requests) == (SIZE, 1)
    assert came.seconds == pytest.approx(SIZE / rate, abs=2.0)


def test_an_answer_that_stops_is_given_up_after_half_a_minute(raw_server: Any, transport_to: Any) -> None:
    came = fetch(raw_server, transport_to, 64_000, 1.0, stop_after=640_000)
    assert "nothing came for 30 s" in came.problem
    assert 39.0 <= came.seconds <= 43.0


@pytest.mark.parametrize(("piece", "every"), [(1, 1.0), (1, 5.0), (40, 1.0)])
def test_an_answer_that_drips_is_given_up_as_if_nothing_came(
    piece: int, every: float, raw_server: Any, transport_to: Any
) -> None:
    came = fetch(raw_server, transport_to, piece, every)
    assert "no answer within 1" in came.problem
    assert came.seconds <= 21.0


def test_progress_has_its_ceilings(raw_server: Any, transport_to: Any) -> None:
    came = fetch(raw_server, transport_to, 4_000, 1.0, most=100.0)
    assert "no answer within 10" in came.problem
    assert 100.0 <= came.seconds <= 102.0
    came = fetch(raw_server, transport_to, 1_500, 1.0)
    assert "no complete answer within 600 s" in came.problem
    assert 600.0 <= came.seconds <= 603.0


def test_the_time_of_an_answer_grows_with_what_came_up_to_its_ceiling() -> None:
    assert with_progress(60.0, 0, 600.0) == 60.0
    assert with_progress(60.0, 10 * 1024, 600.0) == 70.0
    assert with_progress(60.0, 2**30, 600.0) == 600.0
    assert with_progress(60.0, 2**30, -5.0) == 60.0, "a ceiling that has passed leaves what anybody has"


class Endless:
    """Each read's body comes at a good rate and never ends."""

    def __init__(self, inner: VirtualTransport) -> None:
        self._inner = inner

    async def send(self, request: Request) -> Reply:
        """As the inner transport, for creations."""
        while not request.instant:
            await asyncio.sleep(1.0)
            if request.heard is not None:
                request.heard(65_536)
        return await self._inner.send(request)


@pytest.mark.parametrize("deadline", [60.0, 1e7])
def test_answers_without_an_end_hold_neither_a_test_nor_the_run(deadline: float, tmp_path: Path) -> None:
    scenario = Scenario("endless", 3, 1)
    specs = [replace(spec, deadline=300.0) for spec in scenario.specs()]
    ran = run_virtual(
        lambda: run_in_virtual_time(
            specs, scenario.world(), tmp_path / "s.db", deadline=deadline, transport=Endless
        )
    )
    counts = ran.outcome.counts.tests
    assert counts == {"timed_out": 3}, counts
    assert ran.outcome.run.finished is not None
    # A test is closed two minutes after its deadline at the latest, but for a poll that began before.
    most = min(deadline + DEADLINE_GRACE + Patience.LONGEST, 300.0 + CLOSING_GRACE + Patience.LONGEST)
    assert ran.outcome.run.finished - ran.began <= most + LONGEST_SLEEP
