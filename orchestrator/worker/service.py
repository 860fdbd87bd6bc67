"""One worker: its pool, its signs of life, its engine, its door. It ends when it is stopped, never before."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from orchestrator.clock import Clock
from orchestrator.errors import Exit, OrchestratorError
from orchestrator.queueing.values import Here
from orchestrator.store.operating import Keeper
from orchestrator.store.queue import Queue, Schedules
from orchestrator.worker.desk import Carry, Leases
from orchestrator.worker.engine import Engine
from orchestrator.worker.health import Health
from orchestrator.worker.metrics import Metrics
from orchestrator.worker.pool import Pool
from orchestrator.worker.tasks import SWEEP, Maker, Tasks
from orchestrator.worker.told import Told

# How often a worker shows itself, and tells its metrics how the queue stands (seconds).
SHOWN = 5.0
STOOD = 15.0
# How often a worker sees to it that there is room for the days to come (seconds).
KEPT = 3600.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What a store gives to those who work for it."""

    queue: Queue
    schedules: Schedules
    leases: Leases
    tenure: float
    keeper: Keeper


@dataclass(frozen=True, slots=True)
class Me:
    """Who a worker is: the name it is seen by, how many runs it takes, whose runs there are that it can
    serve, and whose ``only``, if not everybody's."""

    name: str
    host: str
    version: str
    width: int
    organizations: Callable[[], Awaitable[Sequence[str]]]
    only: tuple[str, ...]
    owner: Callable[[], str]


async def serve(
    me: Me,
    shared: Shared,
    engine: Engine,
    carry: Carry,
    maker: Maker,
    clock: Clock,
    stops: AsyncIterable[Exit],
    *,
    told: Told,
    metrics: Metrics,
    health: Health,
) -> None:
    """Carry out what is handed out until it is stopped: the first stop lets runs end their way, the second
    leaves at once. Whatever stops it, its runs are others' to go on with."""
    async with anyio.create_task_group() as runs:
        pool = Pool(
            runs,
            shared.queue,
            shared.leases,
            carry,
            clock,
            owner=me.owner,
            width=me.width,
            tenure=shared.tenure,
            told=told,
        )
        engine.offer(Tasks(pool, shared.queue, shared.schedules, maker, engine.defer, engine.told_of, told))
        async with anyio.create_task_group() as keeping:
            fetching = anyio.CancelScope()
            keeping.start_soon(pool.beat)
            keeping.start_soon(health.turn)
            keeping.start_soon(_show, me, shared.queue, pool, clock, told)
            keeping.start_soon(_stand, shared, pool, metrics, clock)
            keeping.start_soon(_make_room, shared.keeper, clock, told)
            keeping.start_soon(_fetch, fetching, engine, me, pool, clock, told)
            keeping.start_soon(_heed, stops, pool, fetching, health)
            await _stopped(pool)
            keeping.cancel_scope.cancel()
    await _leave(me, shared.queue, engine)


async def _fetch(
    scope: anyio.CancelScope, engine: Engine, me: Me, pool: Pool, clock: Clock, told: Told
) -> None:
    with scope:
        await engine.serve(me.organizations, lambda: pool.free, clock, told)


async def _heed(stops: AsyncIterable[Exit], pool: Pool, fetching: anyio.CancelScope, health: Health) -> None:
    async for _ in stops:
        health.stopping = True
        fetching.cancel()
        # To a run SIGINT says that somebody cancelled it: Ctrl-C here is about the worker.
        pool.stop(Exit.SIGTERM)


async def _stopped(pool: Pool) -> None:
    await pool.told_to_stop.wait()
    await pool.emptied()


async def _show(me: Me, queue: Queue, pool: Pool, clock: Clock, told: Told) -> None:
    while True:
        try:
            await queue.here(Here(me.name, me.host, me.version, me.width, pool.free, me.only or None))
        except OrchestratorError as problem:
            told.problem("showing itself", problem)
        await clock.sleep(SHOWN)


async def _stand(shared: Shared, pool: Pool, metrics: Metrics, clock: Clock) -> None:
    queue = shared.queue
    while True:
        try:
            metrics.stand(await queue.levels(), await queue.now(), len(pool.runs), pool.free)
            metrics.store_stands(await shared.keeper.standing())
        except OrchestratorError:
            metrics.here(len(pool.runs), pool.free)
        await clock.sleep(STOOD)


async def _make_room(keeper: Keeper, clock: Clock, told: Told) -> None:
    """No store is to stop because nobody called ``store maintain``. Who comes second finds nothing to do."""
    while True:
        try:
            if made := await keeper.make_room():
                told.made_room(made)
        except OrchestratorError as problem:
            told.problem("making room for the next days", problem)
        await clock.sleep(KEPT)


async def _leave(me: Me, queue: Queue, engine: Engine) -> None:
    """So that others need not find out by themselves."""
    with anyio.move_on_after(3.0, shield=True):
        try:
            await queue.gone(me.name)
        except OrchestratorError:
            return
        await engine.wake(SWEEP)
