"""The files of a store among other users: what may only be read, what is another's, links that are traps."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from filelock import FileLock
from stores import RUN, sent, stored_run

from orchestrator.clock import LoopClock
from orchestrator.errors import PlanBusy, StoreProblem
from orchestrator.events import Fact
from orchestrator.exposed import caution
from orchestrator.store.opening import Opened, open_store
from orchestrator.store.sqlite import database, files
from orchestrator.store.sqlite.database import Database, migrations
from orchestrator.store.sqlite.files import denied, foreign_link, real_file

SOMEBODY = 54_321  # a user id that nobody has


@pytest.fixture
def protected(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing may be written; root is not held to permissions (the tests of processes give them up)."""
    del kept  # made before
    for module in (database, files):
        monkeypatch.setattr(module, "writable", lambda path: False)


@pytest.fixture
async def kept(tmp_path: Path) -> Path:
    """A store with a run."""
    path = tmp_path / "o.db"
    async with open_store(str(path)) as opened:
        await stored_run(opened.store)
        await sent(opened.store, "k0")
        async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
            pass
    return path


async def reads(opened: Opened) -> None:
    assert (await opened.store.run("last")).id == RUN
    assert len(await opened.store.tests(RUN)) == 2
    assert [cell.spec async for cell in opened.store.cells(RUN)][:1] == ["k0"]
    assert [row async for row in opened.store.results(RUN)] == []


# -- what may only be read ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("protected")
async def test_a_store_that_may_not_be_written_is_read_and_stays_as_it_is(kept: Path) -> None:
    before = kept.read_bytes()
    async with open_store(str(kept), make=False) as opened:
        await reads(opened)
        with pytest.raises(StoreProblem, match="readonly"):
            await opened.store.intend(RUN, "k1", "name", 1.0)
        with pytest.raises(StoreProblem, match="readonly"):
            await opened.store.probe()
    with pytest.raises(StoreProblem, match="may not be written"):
        async with open_store(str(kept)):
            raise AssertionError("opened for a run")
    assert kept.read_bytes() == before


@pytest.mark.usefixtures("protected")
async def test_a_store_in_wal_mode_is_read_where_nothing_may_be_made_beside_it(kept: Path) -> None:
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    async with open_store(str(kept), make=False) as opened:
        await reads(opened)


@pytest.mark.parametrize("damage", ["DELETE FROM migrations WHERE name > '0001z'", "DELETE FROM migrations"])
async def test_an_earlier_schema_that_may_not_be_changed_is_told_with_two_ways_out(
    kept: Path, protected: None, damage: str
) -> None:
    assert len(migrations()) > 1
    with closing(sqlite3.connect(kept, isolation_level=None)) as db:
        db.execute(damage)
    before = kept.read_bytes()
    with pytest.raises(StoreProblem, match="written by an earlier version") as caught:
        Database(kept, make=False)
    assert "copy it to a folder of yours" in (caught.value.hint or "")
    assert f"orchestrator runs --store {kept}" in (caught.value.hint or "")
    assert kept.read_bytes() == before


async def test_a_newer_schema_is_told_as_such_also_where_it_may_only_be_read(
    kept: Path, protected: None
) -> None:
    with closing(sqlite3.connect(kept, isolation_level=None)) as db:
        db.execute("INSERT INTO migrations (name) VALUES ('9999_future')")
    with pytest.raises(StoreProblem, match="newer version"):
        Database(kept, make=False)


async def test_a_write_that_was_killed_and_cannot_be_taken_back_is_told(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy of a store in the middle of a write: what a kill leaves."""
    (tmp_path / "copy").mkdir()
    with closing(sqlite3.connect(kept, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO latencies VALUES ('o', 't', ?)", ("x" * 200_000,))
        for name in ("o.db", "o.db-journal"):
            (tmp_path / "copy" / name).write_bytes((tmp_path / name).read_bytes())
    for module in (database, files):
        monkeypatch.setattr(module, "writable", lambda path: False)
    # Root could write: this is the way that SQLite tells of it.
    with pytest.raises(StoreProblem) as caught:
        Database(tmp_path / "copy" / "o.db", make=False)
    assert "-journal" in (caught.value.hint or "")


async def test_whether_a_run_goes_on_can_be_seen_where_the_lock_may_only_be_read(kept: Path) -> None:
    [lock] = (kept.parent / "locks").glob("*.lock")
    lock.chmod(0o400)
    async with open_store(str(kept), make=False) as opened:
        assert not await opened.lease.is_held("sweep")
        holder = FileLock(lock)
        holder.acquire()
        assert await opened.lease.is_held("sweep")
        holder.release()


# -- what is another's --------------------------------------------------------------------------------------


def given(*paths: Path, uid: int = SOMEBODY) -> None:
    """Give files to another user; only root can."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in paths:
        os.chown(path, uid, -1, follow_symlinks=False)


async def test_what_belongs_to_another_user_is_named_with_the_command_that_gives_it_back(kept: Path) -> None:
    budget = kept.with_name("budget.db")
    budget.touch()
    given(kept, budget, kept.parent / "locks", *(kept.parent / "locks").iterdir())
    hint = denied(kept)
    assert hint.startswith(f"it belongs to {SOMEBODY}: sudo chown -R ")
    assert f" {kept} {budget} {kept.parent / 'locks'}, or use another --store" in hint


async def test_after_a_run_as_root_a_folder_of_the_store_alone_is_given_back_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it's here"
    async with open_store(str(folder / "o.db")):
        pass
    if os.geteuid() != 0:
        pytest.skip("only root can be taken for root")
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    monkeypatch.setattr(os, "access", lambda *_: False)
    expected = (
        f"it belongs to root (after a run as root?): sudo chown -R {SOMEBODY} '{tmp_path}/it'\"'\"'s here'"
    )
    assert denied(folder / "o.db").startswith(expected)
    (folder / "something else").touch()
    assert f"{SOMEBODY} '{tmp_path}/it'\"'\"'s here/o.db'" in denied(folder / "o.db"), "not the whole folder"


def test_what_belongs_to_us_is_a_matter_of_permissions(tmp_path: Path) -> None:
    assert denied(tmp_path / "o.db").startswith("check the permissions")


# -- links --------------------------------------------------------------------------------------------------


async def test_a_link_of_another_user_is_not_followed_and_a_link_of_ours_is(kept: Path) -> None:
    mine, other, chain = (kept.with_name(name) for name in ("mine.db", "other.db", "chain.db"))
    mine.symlink_to("o.db")
    other.symlink_to(kept)
    chain.symlink_to("other.db")
    given(other)
    async with open_store(str(mine), make=False) as opened:
        await reads(opened)
    for trap in (other, chain):
        for make in (True, False):
            with pytest.raises(StoreProblem, match=f"{other} is a link of another user") as caught:
                async with open_store(str(trap), make=make):
                    raise AssertionError("followed")
            assert "name the file itself" in (caught.value.hint or "")


async def test_a_link_to_nothing_makes_no_file_where_another_user_wants_it(tmp_path: Path) -> None:
    (tmp_path / "o.db").symlink_to(tmp_path / "victim")
    given(tmp_path / "o.db")
    with pytest.raises(StoreProblem, match="link of another user"):
        Database(tmp_path / "o.db")
    assert not (tmp_path / "victim").exists()


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert foreign_link(tmp_path / "a") is not None
    with pytest.raises(StoreProblem):
        real_file(tmp_path / "a")


@pytest.mark.parametrize("plant", ["symlink_to", "hardlink_to"])
async def test_the_note_beside_a_lock_is_written_to_no_file_that_was_planted_there(
    kept: Path, plant: str
) -> None:
    [lock] = (kept.parent / "locks").glob("*.lock")
    victim = kept.with_name("victim")
    victim.write_text("precious")
    note = lock.with_suffix(".json")
    getattr(note, plant)(victim)
    async with (
        open_store(str(kept)) as opened,
        opened.lease.hold("sweep", LoopClock(), wait=False, told=print),
    ):
        assert json.loads(note.read_text())["pid"] == os.getpid()
        assert not note.is_symlink()
    assert victim.read_text() == "precious"


async def test_a_note_that_is_a_link_or_a_pipe_is_not_read(kept: Path) -> None:
    secret = kept.with_name("secret")
    secret.write_text('{"pid": 1, "host": "leaked"}')
    async with open_store(str(kept)) as other:
        async with other.lease.hold("another", LoopClock(), wait=False, told=print):
            pass
        async with (
            open_store(str(kept)) as opened,
            opened.lease.hold("sweep", LoopClock(), wait=False, told=print),
        ):
            [note] = (kept.parent / "locks").glob("*.json")
            for pipe in (False, True):
                note.unlink()
                os.mkfifo(note) if pipe else note.symlink_to(secret)
                with pytest.raises(PlanBusy, match=r"is going on$"):
                    async with other.lease.hold("sweep", LoopClock(), wait=False, told=print):
                        raise AssertionError("held by two")


async def test_a_lock_that_is_a_link_is_not_followed(kept: Path) -> None:
    [lock] = (kept.parent / "locks").glob("*.lock")
    lock.unlink()
    lock.symlink_to(kept.with_name("victim"))
    async with open_store(str(kept)) as opened:
        with pytest.raises(StoreProblem, match="it is a link") as caught:
            async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
                raise AssertionError("followed")
    assert caught.value.hint == "remove the link"
    assert not kept.with_name("victim").exists()


async def test_locks_and_budgets_are_not_kept_behind_a_link_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to("elsewhere")
    (tmp_path / "budget.db").symlink_to(tmp_path / "elsewhere" / "victim")
    given(tmp_path / "locks", tmp_path / "budget.db")
    told: list[Fact] = []

    def tell(fact: Fact, spec: str | None = None) -> None:
        told.append(fact)

    async with open_store(str(tmp_path / "o.db")) as opened:
        with pytest.raises(StoreProblem, match="link of another user"):
            async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
                raise AssertionError("followed")
        ledger = opened.ledger(
            "https://api.example.com",
            "",
            rng=Random(1),
            reserve=0.0,
            urgent=False,
            tell=tell,
        )
        permits = [ledger.try_reserve(0.5, instant=True) for _ in range(10)]
        assert any(permits), "it goes on with a budget of its own"
        ledger.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "link of another user" in str(told)


# -- what is no file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [(Path.mkdir, "this is a folder"), (os.mkfifo, "no file but a pipe")],
    ids=["folder", "pipe"],
)
def test_what_is_no_file_is_told_with_what_it_is(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    make(tmp_path / "x")
    with pytest.raises(StoreProblem, match=said):
        Database(tmp_path / "x")
    with pytest.raises(StoreProblem, match="no file but a device"):
        Database(Path(os.devnull))


# -- who else can read --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "folder", "told"),
    [
        (0o644, 0o755, True),
        (0o604, 0o711, True),
        (0o640, 0o755, False),
        (0o644, 0o700, False),
        (0o600, 0o755, False),
    ],
)
async def test_a_store_that_every_user_can_read_is_cautioned_about(
    open_folder: Path, mode: int, folder: int, told: bool
) -> None:
    path = open_folder / "o.db"
    async with open_store(str(path)) as opened:
        path.chmod(mode)
        open_folder.chmod(folder)
        found = (await opened.store.about()).caution
    assert (found is not None) == told
    if told:
        assert found == f"every user of this host can read {path}; for you alone: chmod 600 {path}"


def test_what_is_no_file_or_not_there_is_no_matter_of_caution(tmp_path: Path) -> None:
    assert caution(tmp_path / "missing") is None
    assert caution(tmp_path) is None
    os.mkfifo(tmp_path / "pipe", 0o644)
    assert caution(tmp_path / "pipe") is None
