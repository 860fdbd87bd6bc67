"""Writes that share a commit: each caller's word is its own, whatever becomes of the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from orchestrator.store.sqlite.database import Database
from orchestrator.store.sqlite.group import GroupCommit


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    def work(db: sqlite3.Connection) -> int:
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


async def test_a_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    database, gate = Database(tmp_path / "runs.db"), Gate()
    group = GroupCommit(database, gate)
    outcomes: dict[int, object] = {}

    async def write(number: int, work: Callable[[sqlite3.Connection], int]) -> None:
        try:
            outcomes[number] = await group.write(work)
        except ValueError as error:
            outcomes[number] = str(error)

    def fails(db: sqlite3.Connection) -> int:
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
