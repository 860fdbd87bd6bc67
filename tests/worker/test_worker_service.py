"""A worker from its first run to its last: what its own end means for the runs that it has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import anyio
import pytest
from builders import make_run

from orchestrator.clock import LoopClock
from orchestrator.errors import Exit
from orchestrator.queueing.attempts import Ending, Next
from orchestrator.queueing.values import Place, Taken
from orchestrator.records import RunState
from orchestrator.store.opening import Opened
from orchestrator.store.queue import MakeRun
from orchestrator.worker.desk import Stops
from orchestrator.worker.health import Health
from orchestrator.worker.metrics import Metrics
from orchestrator.worker.service import Me, Shared, serve
from orchestrator.worker.tasks import Tasks
from orchestrator.worker.told import Silent


class OneRun:
    """An engine that hands one run out, as soon as it serves."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._tasks: Tasks | None = None

    def offer(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def serve(self, *_: object) -> None:
        assert self._tasks is not None
        await self._tasks.go_on(self._run)
        await anyio.sleep_forever()

    async def defer(self, _: object) -> None: ...

    async def told_of(self) -> int:
        return 0

    async def wake(self, _: str) -> bool:
        return True


@pytest.mark.parametrize("signal", [Exit.SIGINT, Exit.SIGTERM, Exit.SIGHUP])
async def test_a_worker_that_is_stopped_leaves_its_runs_to_others_whatever_signal_it_was(
    opened: Opened, signal: Exit
) -> None:
    queue, schedules = opened.queue, opened.schedules
    assert queue is not None
    assert schedules is not None
    assert opened.keeper is not None
    await queue.submit(make_run("r1", state=RunState.QUEUED), Place("acme"))
    going_on, heard = anyio.Event(), list[Exit]()

    async def carry(_: Taken, stops: Stops) -> Ending:
        """As a run that ends with the code that it was stopped by; 130 is that of one that was cancelled."""
        going_on.set()
        heard.append(await anext(stops))
        return Ending(Next.OVER if heard[0] is Exit.SIGINT else Next.ANYBODY, heard[0])

    async def stops() -> AsyncIterator[Exit]:
        await going_on.wait()
        yield signal

    await serve(
        Me("w", "host", "1", 2, _acme, (), lambda: "w/1"),
        Shared(queue, schedules, opened.store, opened.store.tenure, opened.keeper),
        OneRun("r1"),  # type: ignore[arg-type] # what a worker asks of an engine
        carry,
        _no_run,
        LoopClock(),
        stops(),
        told=Silent(),
        metrics=Metrics(),
        health=Health(LoopClock(), opened.keeper.standing),
    )
    assert heard == [Exit.SIGTERM]
    assert await queue.place_of("r1") is not None, "it is over, and nobody asked for that"


async def _acme() -> Sequence[str]:
    return ["acme"]


async def _no_run() -> MakeRun:
    raise AssertionError("there is no schedule")
