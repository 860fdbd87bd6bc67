"""A whole run behind a gateway whose base URL has a path, over both versions: nothing is asked beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from simulated_run import over_sockets
from virtual_world import EPOCH

from orchestrator.clock import HeldClock
from orchestrator.simulator.settings import Settings as World

PLAN = """
version: 1
name: behind
tests:
  - name: web
    type: http-server
    targets: ["https://a.example", "https://b.example"]
    agents: ["3", "4", "5"]
    path_details: true
  - {name: names, type: dns-server, targets: [example.com A], agents: ["3", "4"],
     options: {dnsServers: [ns1.example.com, ns2.example.com]}}
deadline: 20m
"""
BELOW = b"/corp/te-api"


@dataclass
class Gateway:
    """Passes what is asked below a path on to a port without it; anything else is refused, and kept."""

    to: int
    beside: list[bytes] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self.tasks.add(me)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head, await reader.readexactly(_length(head))))
                await writer.drain()
        writer.close()
        self.tasks.discard(me)

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        method, path, rest = head.split(b" ", 2)
        if not path.startswith(BELOW + b"/"):
            self.beside.append(path)
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        self.passed.append(path)
        inner, outer = await asyncio.open_connection("127.0.0.1", self.to)
        lines = b" ".join((method, path.removeprefix(BELOW), rest)).replace(
            b"\r\n", b"\r\nConnection: close\r\n", 1
        )
        outer.write(lines + body)
        came = await inner.readuntil(b"\r\n\r\n")
        whole = came + await inner.readexactly(_length(came))
        outer.close()
        return whole.replace(b"\r\nConnection: close\r\n", b"\r\n", 1)


def _length(head: bytes) -> int:
    named = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return next((int(line.partition(b":")[2]) for line in named), 0)


@asynccontextmanager
async def gateway(origin: str) -> AsyncIterator[tuple[Gateway, str]]:
    there = Gateway(int(origin.rpartition(":")[2]))
    listener = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    try:
        yield there, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}{BELOW.decode()}"
    finally:
        listener.close()
        left = list(there.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@pytest.mark.parametrize("api", ["v7", "v6"])
async def test_a_run_and_its_rerun_work_below_a_path(api: str, tmp_path: Path) -> None:
    clock, world = HeldClock(speed=1e6, epoch=EPOCH), World(page_size=2, all_online=True)
    async with (
        over_sockets(world, store=tmp_path / "behind.db", clock=clock) as behind,
        gateway(behind.session.settings.origin) as (there, origin),
        over_sockets(World(), store=tmp_path / "store.db", origin=origin, clock=clock) as simulated,
    ):
        first = await simulated.run(f"{PLAN}api: {api}\n")
        again = await simulated.rerun(first.outcome.run.id)
        witness = behind.service.witness()
    assert there.beside == []
    assert (first.code, again.code) == (0, 0)
    for ran in (first, again):
        assert ran.states() == {"complete": 3}
        assert ran.summary["paths"]["got"] == ran.summary["paths"]["wanted"] > 0, "hops were read"
    assert (len(witness["creations"]), len(witness["reruns"])) == (3, 3)
    pages = [path for path in there.passed if b"cursor" in path.lower() or b"page" in path.lower()]
    assert pages, "no page was followed"
    assert {path.removeprefix(BELOW).split(b"/")[1] for path in there.passed} == {api.encode()}
