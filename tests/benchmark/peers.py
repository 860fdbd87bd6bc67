"""How others would do it, in the same world and the same virtual time.

* ``naive``: 50 workers, exponential back-off with full jitter, looks every 5 s.
* ``aiolimiter``: ``AsyncLimiter(24, 60)`` and ``AsyncLimiter(240, 60)``, the nominal limits; looks every 5 s.
* ``sdk``: 50 workers with the policy of the vendor's SDK: a 429 is tried once more after the later of the
  two resets, by the local clock and without jitter; a second one is an error, which this caller, more
  patient than the SDK, meets with another try after 5 s.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from random import Random

import anyio
from aiolimiter import AsyncLimiter
from measure import Figures, figures
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import EPOCH, ORIGIN, VirtualTransport

from orchestrator.clock import LoopClock
from orchestrator.model import Api, Spec
from orchestrator.runner.naming import test_name
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request

EVERY = 5.0
Send = Callable[[Request], Awaitable[Reply]]


class Peer:
    """Creates and collects every spec with workers; subclasses say how a request is sent."""

    name = "naive"
    workers = 50

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.service = scenario.world()
        self.rng = Random(scenario.seed)
        self.stored: dict[tuple[str, str], float] = {}
        self.speaks = dialect(Api.V7)

    def measure(self) -> Figures:
        """Run to the end and return the figures."""
        began = time.process_time()
        started = run_virtual(self._work)
        real = time.process_time() - began
        return figures(self.name, self.scenario, self.service, began=started, stored=self.stored, real=real)

    async def _work(self) -> float:
        self.clock = LoopClock(epoch=EPOCH + self.scenario.phase)
        started = self.clock.wall()
        self.transport = VirtualTransport(self.service, self.clock, self.clock)
        self.prepare()
        todo = iter(self.scenario.specs())
        async with anyio.create_task_group() as tasks:
            for _ in range(self.workers):
                tasks.start_soon(self._worker, todo)
        return started

    def prepare(self) -> None:
        """Make what needs a running loop."""

    async def _worker(self, todo: object) -> None:
        for spec in todo:  # type: ignore[attr-defined] # one iterator that all workers share
            await self._one(spec)

    async def _one(self, spec: Spec) -> None:
        name = test_name("bench", "6500000000000001", spec)
        reply = await self.insist(self.speaks.create(spec, name, None))
        made = self.speaks.read_created(reply.body, reply.headers)
        async with anyio.create_task_group() as tasks:
            for layer in spec.layers:
                tasks.start_soon(self._poll, spec, made.test_id, layer)

    async def _poll(self, spec: Spec, test_id: str, layer: str) -> None:
        while True:
            await anyio.sleep(EVERY)
            reply = await self.insist(self.speaks.poll(spec, test_id, layer, None, ORIGIN, None))
            if self.speaks.read_page(layer, reply.body).rows:
                self.stored[spec.key, layer] = self.clock.wall()
                return

    async def insist(self, request: Request) -> Reply:
        """Send until it succeeds: exponential back-off, full jitter."""
        attempt = 0
        while True:
            reply = await self.send(request)
            if reply is not None and reply.status < 300:
                return reply
            await anyio.sleep(self.rng.uniform(0.0, min(60.0, 2.0**attempt)))
            attempt += 1

    async def send(self, request: Request) -> Reply | None:
        """One request; ``None`` when it was lost."""
        try:
            return await self.transport.send(request)
        except NoAnswer:
            return None


class Limited(Peer):
    """The nominal limits in two leaky buckets."""

    name = "aiolimiter"
    workers = 100

    def prepare(self) -> None:
        self.creations = AsyncLimiter(self.scenario.instant, 60.0)
        self.calls = AsyncLimiter(self.scenario.organization, 60.0)

    async def send(self, request: Request) -> Reply | None:
        if request.instant:
            await self.creations.acquire()
        await self.calls.acquire()
        return await super().send(request)


class Sdk(Peer):
    """The vendor's SDK: one retry after the later reset."""

    name = "sdk policy"

    async def insist(self, request: Request) -> Reply:
        while True:
            reply = await self.send(request)
            if reply is not None and reply.status == 429:
                await anyio.sleep(self._until_reset(reply))
                reply = await self.send(request)
            if reply is not None and reply.status < 300:
                return reply
            await anyio.sleep(EVERY)

    def _until_reset(self, reply: Reply) -> float:
        limits = read_limits(reply.headers)
        resets = [
            reading.reset for reading in (limits.organization, limits.instant_test) if reading is not None
        ]
        return max(0.0, max(resets, default=0.0) - self.clock.wall())


PEERS: tuple[type[Peer], ...] = (Peer, Limited, Sdk)
