"""The engine over its own tables: what becomes of its jobs when the worker stops listening."""

from __future__ import annotations

import gc
import logging

import anyio
import anyio.lowlevel
import psycopg
import pytest

from orchestrator.clock import LoopClock
from orchestrator.store.queue import Handed
from orchestrator.worker.engine import SCHEMA, Engine, install
from orchestrator.worker.told import Silent


class Endless:
    """Tasks of a worker whose runs go on for longer than it listens."""

    def __init__(self) -> None:
        self.going_on = anyio.Event()

    async def go_on(self, _: str) -> str:
        self.going_on.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def feed(self) -> int:
        return 0

    sweep = tick = feed


async def test_the_job_of_a_run_that_outlives_its_listening_ends_without_a_traceback(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await install(url)
    engine, tasks = Engine(url, name="w"), Endless()
    engine.offer(tasks)  # type: ignore[arg-type] # the four that are registered
    async with engine._opened():
        await engine.defer(Handed("r1", "acme", 0))

    async def acme() -> list[str]:
        return ["acme"]

    with caplog.at_level(logging.ERROR, "asyncio"):
        async with anyio.create_task_group() as serving:
            serving.start_soon(engine.serve, acme, lambda: 1, LoopClock(), Silent())
            await tasks.going_on.wait()
            serving.cancel_scope.cancel()
        # What a task raised that nobody waited for is told when the task goes.
        await anyio.lowlevel.checkpoint()
        gc.collect()
    assert [record.getMessage() for record in caplog.records] == []
    with psycopg.connect(url) as db:
        db.execute("SELECT set_config('search_path', %s, false)", (SCHEMA,))
        jobs = db.execute("SELECT status FROM procrastinate_jobs WHERE task_name = 'go_on'").fetchall()
        listening = db.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
    assert jobs == [("aborted",)]
    assert listening == (0,)
