"""How many reads open a connection: real runs in virtual time, their reads put through a pool of connections.

The pool is the client's: what was idle for longest is used first, and what was idle for too long is closed. A
creation has a connection of its own and is not counted.
"""

from __future__ import annotations

import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import VirtualTransport, run_in_virtual_time

from orchestrator.clock import LoopClock
from orchestrator.thousandeyes.protocol import Reply, Request, Transport


@dataclass(slots=True)
class Timed:
    """A transport that keeps when each answered read began and ended, in seconds."""

    inner: Transport
    reads: list[tuple[float, float]] = field(default_factory=list)

    async def send(self, request: Request) -> Reply:
        """As the inner transport."""
        clock = LoopClock()
        began = clock.now()
        reply = await self.inner.send(request)
        if not request.instant:
            self.reads.append((began, clock.now()))
        return reply


def opened(reads: list[tuple[float, float]], keep: float) -> int:
    """How many connections the reads open if idle ones are kept for so many seconds."""
    moments = sorted([*((end, 0, n) for n, (_, end) in enumerate(reads)),
                      *((begin, 1, n) for n, (begin, _) in enumerate(reads))])  # fmt: skip
    idle: deque[float] = deque()
    fresh = 0
    for at, begins, _ in moments:
        if not begins:
            idle.append(at)
            continue
        while idle and at - idle[0] > keep:
            idle.popleft()
        if idle:
            idle.popleft()
        else:
            fresh += 1
    return fresh


def shares(scenario: Scenario, keeps: tuple[float, ...]) -> tuple[int, dict[float, float]]:
    """The number of reads of a run, and the share of them that open a connection, by how long it is kept."""
    timed: list[Timed] = []

    def between(inner: VirtualTransport) -> Timed:
        timed.append(Timed(inner))
        return timed[0]

    with tempfile.TemporaryDirectory() as folder:
        run_virtual(
            lambda: run_in_virtual_time(
                scenario.specs(), scenario.world(), Path(folder) / "s.db", transport=between
            )
        )
    reads = timed[0].reads
    return len(reads), {keep: opened(reads, keep) / len(reads) for keep in keeps}
