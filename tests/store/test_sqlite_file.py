"""The store in a SQLite file: what is true of the file itself, and of no other kind of store."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from random import Random

import anyio
import pytest
from builders import make_answer
from filelock import FileLock
from stores import RUN, stored_run

from orchestrator.clock import LoopClock
from orchestrator.errors import PlanBusy, StoreProblem
from orchestrator.events import untold
from orchestrator.lifecycle import SpecState
from orchestrator.store.opening import open_store
from orchestrator.store.sqlite import database
from orchestrator.store.sqlite.database import Database, journal_mode, migrations
from orchestrator.store.sqlite.store import SqliteStore


async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "store" / "orchestrator.db")):
        pass
    mode = stat.S_IMODE((tmp_path / "store" / "orchestrator.db").stat().st_mode)
    assert mode == 0o600


async def test_two_names_of_one_file_are_one_store_to_a_lease(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "o.db")
    async with (
        open_store(str(tmp_path / "o.db")) as one,
        open_store(str(tmp_path / "link.db")) as same,
        open_store(str(tmp_path / "other.db")) as other,
        one.lease.hold("sweep", LoopClock(), wait=False, told=print),
        other.lease.hold("sweep", LoopClock(), wait=False, told=print),
    ):
        with pytest.raises(PlanBusy):
            async with same.lease.hold("sweep", LoopClock(), wait=False, told=print):
                raise AssertionError("held by two")


async def test_who_looks_whether_a_plan_is_held_refuses_no_run_of_it(tmp_path: Path) -> None:
    """A look takes a free lock for an instant; a run that begins just then asks again."""

    class Asking(LoopClock):
        async def sleep(self, seconds: float) -> None:
            looks.release()

    async with open_store(str(tmp_path / "o.db")) as opened:
        async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
            [lock] = (tmp_path / "locks").glob("*.lock")
        looks = FileLock(lock)
        looks.acquire()
        async with opened.lease.hold("sweep", Asking(), wait=False, told=print):
            assert await opened.lease.is_held("sweep")


async def test_the_budgets_of_all_stores_of_a_folder_are_in_one_file_of_its_own(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        ledger = opened.ledger(
            "https://api.example.com", "", rng=Random(1), reserve=0.0, urgent=False, tell=untold
        )
        assert ledger.try_reserve(0.5, instant=True) is not None
        ledger.close()
    assert (tmp_path / "budget.db").is_file()


def test_the_journal_mode_depends_on_the_version_of_sqlite() -> None:
    assert journal_mode((3, 51, 2)) == "TRUNCATE"
    assert journal_mode((3, 51, 3)) == "WAL"


def test_every_commit_is_synchronous(tmp_path: Path) -> None:
    opened = Database(tmp_path / "a.db")
    assert opened.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    opened.close()


def test_a_store_of_a_newer_version_is_refused_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened = Database(path)
    opened.connection.execute("INSERT INTO migrations (name) VALUES ('9999_future')")
    opened.close()
    before = path.read_bytes()
    with pytest.raises(StoreProblem, match="newer version"):
        Database(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreProblem, match="something else"):
        Database(path)
    assert path.read_bytes() == before


def test_a_damaged_file_is_told_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is no database, it only has its name" * 100)
    with pytest.raises(StoreProblem, match="not a database") as caught:
        Database(path)
    assert caught.value.hint is not None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreProblem):
        Database(tmp_path / "file" / "a.db")


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    good = migrations()
    broken = [*good, ("0002_broken", "CREATE TABLE half (x);\nCREATE TABLE half (x);\n")]
    monkeypatch.setattr(database, "migrations", lambda: broken)
    with pytest.raises(StoreProblem):
        Database(path)
    monkeypatch.setattr(database, "migrations", lambda: good)
    opened = Database(path)
    tables = {row[0] for row in opened.connection.execute("SELECT name FROM sqlite_master")}
    assert "half" not in tables
    assert "runs" in tables
    opened.close()


def test_a_full_disk_is_told_and_what_was_stored_is_kept(tmp_path: Path) -> None:
    opened = Database(tmp_path / "a.db")
    with opened.transaction() as db:
        db.execute("INSERT INTO latencies VALUES ('o', 't', '[]')")
    pages = opened.connection.execute("PRAGMA page_count").fetchone()[0]
    opened.connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with opened.transaction() as db:
            db.execute("INSERT INTO latencies VALUES ('o', 'big', ?)", ("x" * 1_000_000,))

    with pytest.raises(StoreProblem, match="full") as caught:
        fill()
    assert "resume" in (caught.value.hint or "")
    assert opened.connection.execute("SELECT count(*) FROM latencies").fetchone() == (1,)
    opened.close()


async def test_damaged_answers_of_one_test_fail_their_reader_and_no_write_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    store = await SqliteStore.open(path)
    await stored_run(store, 3)
    for key, test_id in (("k0", "77"), ("k1", ""), ("k2", "")):
        await store.intend(RUN, key, "name", 1.0)
        if test_id:
            await store.created(RUN, key, test_id, {}, 2.0)
    await store.add_answers(RUN, "k0", [make_answer("network", "1")])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE answers SET metrics = '{\"loss\": '")

    async def read() -> None:
        with pytest.raises(StoreProblem, match="cannot be understood"):
            await store.answers(RUN, "k0")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.created, RUN, "k1", "78", {}, 3.0)
        tasks.start_soon(read)
        tasks.start_soon(store.created, RUN, "k2", "79", {}, 3.0)
    states = [(test.state, test.test_id) for test in await store.tests(RUN)]
    assert states == [(SpecState.WAITING, "77"), (SpecState.WAITING, "78"), (SpecState.WAITING, "79")]
    await store.close()
