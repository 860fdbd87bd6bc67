"""Writes that share a commit: each caller's word is its own, whatever becomes of the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from stores import RUN, stored_run
from virtual_time import run_virtual

from orchestrator.errors import StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.store.opening import open_store
from orchestrator.store.sql.engine import Db, in_place
from orchestrator.store.sql.group import GroupCommit
from orchestrator.store.sqlite.database import Database


def insert(number: int) -> Callable[[Db], int]:
    def work(db: Db) -> int:
        db.execute("INSERT INTO latencies (origin, type, samples) VALUES (?, 'x', '[]')", (str(number),))
        return number

    return work


def committed(path: Path) -> set[int]:
    db = sqlite3.connect(path)
    found = {int(row[0]) for row in db.execute("SELECT origin FROM latencies")}
    db.close()
    return found


class Gate:
    """Carries work out in place, one call at a time as it is opened; before that, a cancellation can come."""

    def __init__(self) -> None:
        self.calls: list[anyio.Event] = []
        self._always = False

    async def __call__(self, work: Callable[[], None]) -> None:
        event = anyio.Event()
        self.calls.append(event)
        if not self._always:
            await event.wait()
        work()

    def stay_open(self) -> None:
        """From now on nobody waits."""
        self._always = True
        for event in self.calls:
            event.set()


def test_how_long_a_lock_keeps_writes_waiting_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        path, waited = tmp_path / "runs.db", list[float]()
        database = Database(path)
        group = GroupCommit(database, in_place, anyio.sleep, waited.append)
        await group.write(insert(1))
        assert waited == []
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(group.write, insert(2))
            tasks.start_soon(group.write, insert(3))
            await anyio.sleep(5.0)
            other.execute("ROLLBACK")
        assert sum(waited) == pytest.approx(anyio.current_time() - began)
        other.close()
        database.close()

    run_virtual(work)


async def test_a_write_that_is_cancelled_before_its_commit_takes_no_other_with_it(tmp_path: Path) -> None:
    database, gate = Database(tmp_path / "runs.db"), Gate()
    group = GroupCommit(database, gate)
    returned: list[int] = []

    async def write(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            returned.append(await group.write(insert(number)))

    leads = anyio.CancelScope()
    with anyio.fail_after(5.0):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, 1, anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()
            # The next three gather behind the first; the second will carry out theirs with its own.
            for number, scope in ((2, leads), (3, anyio.CancelScope()), (4, anyio.CancelScope())):
                tasks.start_soon(write, number, scope)
            await anyio.wait_all_tasks_blocked()
            gate.calls[0].set()
            await anyio.wait_all_tasks_blocked()
            assert len(gate.calls) == 2
            leads.cancel()
            gate.stay_open()
    assert sorted(returned) == [1, 3, 4]
    assert committed(tmp_path / "runs.db") == {1, 3, 4}, "returned, but not on the disk"
    database.close()


async def test_a_write_whose_caller_left_is_not_written_with_those_it_had_gathered_with(
    tmp_path: Path,
) -> None:
    database, gate = Database(tmp_path / "runs.db"), Gate()
    group = GroupCommit(database, gate)
    returned: list[int] = []

    async def write(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            returned.append(await group.write(insert(number)))

    leaves = anyio.CancelScope()
    with anyio.fail_after(5.0):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, 1, anyio.CancelScope())
            await anyio.wait_all_tasks_blocked()
            for number, scope in ((2, anyio.CancelScope()), (3, leaves), (4, anyio.CancelScope())):
                tasks.start_soon(write, number, scope)
            await anyio.wait_all_tasks_blocked()
            gate.calls[0].set()
            await anyio.wait_all_tasks_blocked()
            # The second leads; the third follows it, and leaves before the transaction has begun.
            leaves.cancel()
            await anyio.wait_all_tasks_blocked()
            gate.stay_open()
    assert sorted(returned) == [1, 2, 4]
    assert committed(tmp_path / "runs.db") == {1, 2, 4}, "written for a caller who had left"
    database.close()


def test_a_write_that_gave_up_waiting_for_a_lock_is_not_made_when_the_lock_goes(tmp_path: Path) -> None:
    """Those that were asked for later wait on, each as long as the first."""
    path, outcomes, told = tmp_path / "runs.db", dict[int, object](), list[str]()
    database = Database(path)
    other = sqlite3.connect(path, isolation_level=None)
    group = GroupCommit(database, in_place)

    async def write(number: int, delay: float) -> None:
        await anyio.sleep(delay)
        asked = anyio.current_time()
        try:
            await group.write(insert(number))
            outcomes[number] = round(anyio.current_time() - asked)
        except StoreProblem as problem:
            outcomes[number] = round(anyio.current_time() - asked)
            told.append(problem.message)

    async def work() -> None:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as tasks:
            for number, delay in enumerate((0.0, 1.0, 29.0)):
                tasks.start_soon(write, number, delay)
            await anyio.sleep(40.0)
            other.execute("ROLLBACK")

    run_virtual(work)
    assert outcomes == {0: 30, 1: 30, 2: 11}
    assert told == [f"store {path}: database is locked"] * 2
    assert committed(path) == {2}
    other.close()
    database.close()


async def test_reads_go_on_while_a_write_waits_for_a_lock(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened, anyio.create_task_group() as tasks:
        await stored_run(opened.store)
        with closing(sqlite3.connect(tmp_path / "o.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            tasks.start_soon(opened.store.intend, RUN, "k0", "name", 1.0)
            for _ in range(20):
                assert (await opened.store.test(RUN, "k0")).state is SpecState.PLANNED
        await opened.store.intend(RUN, "k1", "name", 1.0)
        assert (await opened.store.test(RUN, "k0")).state is SpecState.CREATING


async def test_a_commit_waits_for_whoever_is_reading(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    database = Database(path)

    async def in_thread(work: Callable[[], None]) -> None:
        attempts.append(1)
        if len(attempts) == 2:
            reader.execute("COMMIT")
        await anyio.to_thread.run_sync(work)

    attempts: list[int] = []
    group = GroupCommit(database, in_thread)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM latencies").fetchone() == (0,)
        assert await group.write(insert(7)) == 7
    assert committed(path) == {7}
    database.close()


async def test_a_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    database, gate = Database(tmp_path / "runs.db"), Gate()
    group = GroupCommit(database, gate)
    outcomes: dict[int, object] = {}

    async def write(number: int, work: Callable[[Db], int]) -> None:
        try:
            outcomes[number] = await group.write(work)
        except ValueError as error:
            outcomes[number] = str(error)

    def fails(db: Db) -> int:
        insert(9)(db)
        raise ValueError("no")

    with anyio.fail_after(5.0):
        async with anyio.create_task_group() as tasks:
            for number, work in enumerate((insert(0), insert(1), fails, insert(3))):
                tasks.start_soon(write, number, work)
            await anyio.wait_all_tasks_blocked()
            gate.stay_open()
    assert outcomes == {0: 0, 1: 1, 2: "no", 3: 3}
    assert committed(tmp_path / "runs.db") == {0, 1, 3}
    database.close()


@pytest.mark.parametrize("writers", [2, 30])
async def test_whoever_returned_is_on_the_disk_at_that_moment(tmp_path: Path, writers: int) -> None:
    path = tmp_path / "runs.db"
    database = Database(path)

    async def in_thread(work: Callable[[], None]) -> None:
        await anyio.to_thread.run_sync(work)

    group = GroupCommit(database, in_thread)

    async def write(number: int) -> None:
        assert await group.write(insert(number)) == number
        assert number in committed(path)

    async with anyio.create_task_group() as tasks:
        for number in range(writers):
            tasks.start_soon(write, number)
    database.close()
