"""A store that another process keeps locked: nothing is paid for that cannot be kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from builders import make_spec
from simulated_run import Simulated, check_promises, in_process
from virtual_time import run_virtual
from virtual_world import EPOCH, ORIGIN, Ran, run_in_virtual_time

from orchestrator.errors import Exit, StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.records import TestRecord
from orchestrator.runner.conductor import Conductor
from orchestrator.runner.journal import OVERDUE
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.base import Store

TESTS = 12
PLAN = """\
version: 1
name: locked
agents:
  few: {type: cloud, country: [GB, DE]}
targets:
  sites: [{sites}]
tests:
  - {name: web, type: http-server, targets: sites, agents: few, deadline: 5m}
deadline: 30m
""".replace("{sites}", ", ".join(f"'https://site-{number}.example.com'" for number in range(TESTS)))


class LockedAt:
    """Locks the store before the ``nth`` call of one of its methods, for so many seconds.

    ``begun`` are the seconds into the lock at which intentions were asked for.
    """

    def __init__(self, path: Path, method: str, nth: int, seconds: float) -> None:
        self._other = sqlite3.connect(path, isolation_level=None, timeout=0.0)
        self._method, self._left, self._seconds = method, nth, seconds
        self._locked_at: float | None = None
        self.locked = anyio.Event()
        self.begun: list[float] = []

    def install(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        """Stand before the store's methods."""
        for method in {self._method, "intend"}:
            patch.setattr(store, method, self._before(method, getattr(store, method)))

    def _before(self, method: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(*arguments: Any, **named: Any) -> Any:
            if method == self._method:
                self._left -= 1
            if self._left == 0 and self._locked_at is None:
                self._other.execute("BEGIN IMMEDIATE")
                self._locked_at = anyio.current_time()
                self.locked.set()
            if method == "intend" and self._locked_at is not None:
                self.begun.append(anyio.current_time() - self._locked_at)
            return await call(*arguments, **named)

        return counted

    async def let_go(self) -> None:
        """Unlock when the time is over."""
        await self.locked.wait()
        await anyio.sleep(self._seconds)
        self._other.execute("ROLLBACK")

    def close(self) -> None:
        """The other process has gone."""
        self._other.close()


async def locked_run(simulated: Simulated, lock: LockedAt) -> object:
    """Run while the lock is held: what the run came to, or the problem that ended it."""
    found: object = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lock.let_go)
        try:
            found = await simulated.run(PLAN)
        except StoreProblem as problem:
            found = problem
    return found


def states(tests: Sequence[TestRecord]) -> set[SpecState]:
    return {test.state for test in tests}


@pytest.mark.parametrize("seconds", [30.05, 35.0, 50.0, 300.0])
@pytest.mark.parametrize("nth", [1, 5])
def test_intentions_that_met_a_lock_are_neither_sent_nor_kept_and_a_resume_creates_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, seconds: float
) -> None:
    async def work() -> None:
        path = tmp_path / "o.db"
        async with in_process(World(seed=3), store=path) as simulated:
            with closing(LockedAt(path, "intend", nth, seconds)) as lock, monkeypatch.context() as patch:
                store = simulated.session.doors.store
                lock.install(store, patch)
                problem = await locked_run(simulated, lock)
            assert isinstance(problem, StoreProblem), problem
            assert "locked" in problem.message
            sent = len(simulated.service.witness()["creations"])
            tests = await store.tests((await store.run("last")).id)
            assert states(tests) <= {SpecState.PLANNED, SpecState.WAITING, SpecState.COMPLETE}
            assert sum(test.state is not SpecState.PLANNED for test in tests) == sent == nth - 1
            ran = await simulated.resume("last")
            assert ran.states() == {"complete": TESTS}
            assert len(set(ran.created_names())) == len(ran.created_names()) == TESTS

    run_virtual(work)


def test_an_intention_that_waited_while_the_run_was_stopped_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, service = tmp_path / "o.db", Service(World(seed=3, base_url=ORIGIN))

    async def work() -> Ran:
        found: list[Ran] = []
        async with anyio.create_task_group() as tasks:

            def begin(conductor: Conductor) -> None:
                lock = LockedAt(path, "intend", 3, 10.0)
                lock.install(conductor._doors.store, monkeypatch)
                tasks.start_soon(lock.let_go)
                tasks.start_soon(stop, conductor, lock)

            async def stop(conductor: Conductor, lock: LockedAt) -> None:
                await lock.locked.wait()
                conductor.interrupt(Exit.SIGINT, 60.0)

            specs = [make_spec(f"k{number}", agents=agents) for number in range(TESTS)]
            found.append(await run_in_virtual_time(specs, service, path, at_start=begin))
        return found[0]

    agents = ("3", "4")
    ran = run_virtual(work)
    assert ran.outcome.exit_code is Exit.SIGINT
    assert len(ran.created_order) == 2
    assert ran.outcome.counts.tests == {SpecState.PLANNED: TESTS - 2, SpecState.COMPLETE: 2}


# The last two are locked while creations wait for their next window, and beyond its opening.
@pytest.mark.parametrize(
    ("method", "nth", "instant_limit"),
    [("intend", 3, 24), ("created", 3, 24), ("add_answers", 24, 6), ("close_test", 6, 6)],
)
def test_a_lock_that_is_waited_out_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, nth: int, instant_limit: int
) -> None:
    async def work() -> None:
        path = tmp_path / "o.db"
        world = World(seed=3, instant_limit=instant_limit)
        async with in_process(world, store=path, epoch=EPOCH + 7.0) as simulated:
            with closing(LockedAt(path, method, nth, 20.0)) as lock, monkeypatch.context() as patch:
                lock.install(simulated.session.doors.store, patch)
                ran = await locked_run(simulated, lock)
            assert not isinstance(ran, StoreProblem), ran
            assert ran.code == Exit.OK  # type: ignore[attr-defined] # what else is no run
            check_promises(ran)  # type: ignore[arg-type] # as above
            late = [seconds for seconds in lock.begun if OVERDUE < seconds < 20.0]
            assert not late, f"intended while a write was overdue: {late}"

    run_virtual(work)
