"""Idle connections serve reads, and never creations; a read that meets a closed one is asked again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from stepped_time import pass_time, run_stepped

from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Permit
from orchestrator.clock import LoopClock
from orchestrator.listeners.telling import Telling
from orchestrator.runner.wire import Wire
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.protocol import GoneIdle, Reply, Request

READ = Request("GET", "/v7/test-results/1/network")
CREATION = Request("POST", "/v7/tests/http-server/instant", (), {}, instant=True)


@dataclass
class Link:
    """A wire to a raw server, and both ends of it."""

    server: Any
    transport: HttpTransport
    wire: Wire
    ledger: LocalLedger
    telling: Telling

    def permit(self) -> Permit:
        """Leave to send a read."""
        permit = self.ledger.try_reserve(asyncio.get_running_loop().time(), instant=False)
        assert permit is not None
        return permit

    async def send(self, request: Request) -> Reply:
        """Send by the wire."""
        return await self.wire.send(self.permit(), request)


@asynccontextmanager
async def linked(raw_server: Any, transport_to: Any, handler: Any) -> AsyncIterator[Link]:
    clock = LoopClock(epoch=1.8e9)
    ledger, telling = LocalLedger(rng=Random(1)), Telling(clock.wall)
    async with (
        raw_server(handler) as server,
        transport_to(f"http://127.0.0.1:{server.port}") as transport,
    ):
        yield Link(server, transport, Wire(transport, ledger, clock, telling), ledger, telling)


@pytest.fixture
def link(raw_server: Any, transport_to: Any) -> Callable[..., contextlib.AbstractAsyncContextManager[Link]]:
    """``async with link(handler) as link``."""
    return lambda handler: linked(raw_server, transport_to, handler)


def keeping(seconds: float | None, answer: Callable[..., bytes]) -> Any:
    """A handler that answers, and closes a connection that is idle for so many seconds, if any."""
    timers: dict[asyncio.StreamWriter, asyncio.TimerHandle] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        if writer in timers:
            timers.pop(writer).cancel()
        writer.write(limited(answer))
        if seconds is not None:
            timers[writer] = asyncio.get_running_loop().call_later(seconds, writer.close)

    return handle


def limited(answer: Callable[..., bytes]) -> bytes:
    """An answer that tells of a limit which is far away."""
    named = {"Limit": 240, "Remaining": 200, "Reset": 1_800_000_600}
    return answer(headers="".join(f"X-Organization-Rate-Limit-{n}: {v}\r\n" for n, v in named.items()))


PAUSES = (1.0, 2.5, 4.0, 10.0, 20.0, 45.0, 2.5, 70.0)


@pytest.mark.parametrize("keep", [5.0, 15.0, 60.0, None])
def test_reads_use_idle_connections_for_as_long_as_the_server_keeps_them(
    keep: float | None, link: Any, wire: tuple[Any, Any]
) -> None:
    async def work() -> None:
        async with link(keeping(keep, wire[0])) as there:
            for pause in PAUSES:
                assert (await there.send(READ)).status == 200
                await pass_time(pause)
            assert (await there.send(READ)).status == 200
            closed = 0 if keep is None else sum(pause > keep for pause in PAUSES)
            assert there.server.connections == 1 + closed

    run_stepped(work)


@pytest.mark.parametrize("keep", [5.0, None])
def test_a_creation_never_goes_on_a_connection_that_was_used(
    keep: float | None, link: Any, wire: tuple[Any, Any]
) -> None:
    async def work() -> None:
        async with link(keeping(keep, wire[0])) as there:
            for count, pause in enumerate((0.0, 1.0, 4.0), 1):
                await there.send(READ)
                await pass_time(pause)
                await there.transport.send(CREATION)
                assert there.server.connections == 1 + count

    run_stepped(work)


def closing_used(answer: Callable[..., bytes]) -> Any:
    """A handler that answers once on each connection, and closes it when it is used again."""
    used: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        if writer in used:
            writer.close()
        else:
            used.add(writer)
            writer.write(limited(answer))

    return handle


async def test_a_read_whose_idle_connection_is_closed_at_that_moment_is_asked_again_at_once(
    link: Any, wire: tuple[Any, Any]
) -> None:
    async with link(closing_used(wire[0])) as there:
        for _ in range(4):
            assert (await there.send(READ)).status == 200
        told = there.telling.statistics
        # Two of the four met a closed connection, and each request on the wire is counted.
        assert (len(there.server.requests), told.reads, told.errors) == (6, 6, 2)


async def test_each_request_on_the_wire_has_a_permit_and_without_one_the_read_has_failed(
    link: Any, wire: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with link(closing_used(wire[0])) as there:
        await there.send(READ)
        permit = there.permit()
        monkeypatch.setattr(there.ledger, "try_reserve", lambda *_, **__: None)
        with pytest.raises(GoneIdle):
            await there.wire.send(permit, READ)
        assert len(there.server.requests) == 2


async def test_a_fresh_connection_that_closes_is_no_idle_one(link: Any) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.close()

    async with link(close) as there:
        with pytest.raises(Exception, match="closed without an answer") as caught:
            await there.send(READ)
        assert not isinstance(caught.value, GoneIdle)
        assert len(there.server.requests) == 1
