"""Space in a file of SQLite: who can give pages back one by one, and what is written anew as a whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from kept_runs import ended_run

from orchestrator.actions.prune import Rule, prune
from orchestrator.clock import LoopClock
from orchestrator.store.base import WholeStore
from orchestrator.store.opening import open_store

RULE = Rule(keep=1)


async def filled(path: Path, *, earlier: bool) -> None:
    """A store of five runs; of an ``earlier`` version it cannot give back pages."""
    async with open_store(str(path)) as opened:
        for number in range(5):
            await ended_run(opened.store, f"aa0{number}", specs=20)
    if earlier:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA auto_vacuum = NONE")
            db.execute("VACUUM")


def auto_vacuum(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA auto_vacuum").fetchone()[0])


async def test_a_new_file_can_give_back_pages_one_by_one(tmp_path: Path) -> None:
    await filled(tmp_path / "o.db", earlier=False)
    assert auto_vacuum(tmp_path / "o.db") == 2


async def test_space_is_given_back(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        await given_back(opened.store)


async def given_back(store: WholeStore) -> None:
    for number in range(10):
        await ended_run(store, f"aa0{number}", specs=20)
    before = await store.size()
    await store.condemn([f"aa0{number}" for number in range(9)])
    while await store.clear():
        pass
    while await store.give_back():
        pass
    after = await store.size()
    assert after.bytes < before.bytes / 3
    assert after.free == 0
    assert len([row async for row in store.results("aa09")]) == 80


async def test_a_file_of_an_earlier_version_is_written_anew_once(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    await filled(path, earlier=True)
    assert auto_vacuum(path) == 0
    before = path.stat().st_size
    async with open_store(str(path)) as opened:
        done = await prune(opened, RULE, LoopClock())
        assert [row.spec async for row in opened.store.results("aa04")]
    assert auto_vacuum(path) == 2
    assert path.stat().st_size == done.after.bytes < before / 2
    assert done.after.free == 0


async def test_a_file_that_somebody_uses_is_not_written_anew_and_nobody_is_kept_waiting(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.db"
    await filled(path, earlier=True)
    async with open_store(str(path)) as opened:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchone()
            assert not await opened.store.rebuild()
        assert await opened.store.rebuild()


async def test_a_large_file_is_not_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.store.sqlite.store.REBUILT", 1000)
    path = tmp_path / "o.db"
    await filled(path, earlier=True)
    async with open_store(str(path)) as opened:
        done = await prune(opened, RULE, LoopClock())
    assert auto_vacuum(path) == 0
    assert done.after.free > 0
    assert "of it free for what comes" in done.lines()[-1]
