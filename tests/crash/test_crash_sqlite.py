"""A store file that fails: a clear error, exit code 3, nothing created without a journal, nothing lost."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from process_world import Ended, World, damaged, ended, plan_text, states, stored_rows, until

from orchestrator.store.sqlite.database import Database, migrations, statements

MIGRATION_STATEMENTS = sum(len(list(statements(script))) for _, script in migrations())
# linux/prctl.h, linux/capability.h: root may write what is read-only unless it gives these up.
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def begin_with_a_store(world: World) -> None:
    """An empty one, as after a first run was deleted."""
    Database(world.store).close()


def told(done: Ended, *words: str, code: int = 3) -> None:
    """The error is for people: what happened, and what to do."""
    assert done.code == code, str(done)
    assert "Traceback" not in done.err
    assert "defect" not in done.err
    assert "hint: " in done.err
    for word in words:
        assert word in done.err, str(done)


def journaled(world: World) -> None:
    """What exists was intended first, by its name, which is in the store."""
    copy = sqlite3.connect(f"file:{world.store}?mode=ro", uri=True)
    names = {row[0] for row in copy.execute("SELECT name FROM specs WHERE name IS NOT NULL")}
    copy.close()
    created = {creation["name"] for creation in world.creations()}
    assert created <= names, "created without a journaled intention"


def finished(world: World) -> None:
    """A resume ends the run, and nothing was paid for twice."""
    kept = set(stored_rows(world.store))
    done = world.do("resume", "last", "--json")
    tests = done.document["tests"]
    assert tests["complete"] + tests["unknown"] == 4, str(done)
    assert done.code == (3 if tests["unknown"] else 0), str(done)
    assert kept <= set(stored_rows(world.store)), "answers were lost"
    assert world.duplicates() == []
    assert damaged(world.store) == ""


def test_a_run_that_does_not_fit_on_the_disk_creates_nothing(world: World) -> None:
    plan = world.plan(plan_text(sites=40))
    begin_with_a_store(world)
    told(world.do("run", plan, PROCESS_PAGES=0), "database or disk is full", "free some space")
    assert world.creations() == []
    assert world.do("runs", "--json").document["runs"] == []


@pytest.mark.parametrize("pages", [3, 5, 8])
def test_a_full_disk_stops_the_run_and_keeps_what_was_collected(world: World, pages: int) -> None:
    begin_with_a_store(world)
    told(
        world.do("run", world.plan(plan_text()), PROCESS_PAGES=pages),
        "database or disk is full",
        "free some space",
    )
    journaled(world)
    finished(world)


def test_a_file_that_may_not_grow_is_like_a_full_disk(world: World) -> None:
    plan = world.plan(plan_text())
    begin_with_a_store(world)
    most = world.store.stat().st_size + 28 * 1024
    limits = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    done = world.do("run", plan, preexec_fn=limits)
    told(done)
    journaled(world)
    finished(world)


def test_a_test_whose_id_cannot_be_stored_is_named_so_that_it_can_be_adopted(
    make_world: Callable[..., World],
) -> None:
    # The creation is taken at once, and its answer comes a real second later.
    world = make_world(faults=[{"kind": "slow-headers", "match": "create", "value": 40.0}])
    plan = world.plan(plan_text(sites=1))
    # The lock is taken by somebody else while the answer of the creation is on its way.
    process = world.start("run", plan, PROCESS_BUSY=0.3)
    until(lambda: states_if_any(world) == {"creating": 1}, "an intention")
    with closing(sqlite3.connect(world.store, isolation_level=None, timeout=5.0)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = ended(process)
    (created,) = world.creations()
    told(done, "database is locked", "first say which test it was: orchestrator reconcile ")
    command = done.err[done.err.index("orchestrator reconcile ") :].split()[1:5]
    assert command[-1].strip(";").endswith(f"={created['test_id']}")
    assert world.do(*command[:-1], command[-1].strip(";")).code == 0, command
    assert world.do("resume").code == 0
    assert world.duplicates() == []


def states_if_any(world: World) -> dict[str, int]:
    try:
        return states(world.store)
    except sqlite3.OperationalError:
        return {}


def test_a_locked_store_is_told_and_nothing_is_created(world: World) -> None:
    plan = world.plan(plan_text())
    begin_with_a_store(world)
    with closing(sqlite3.connect(world.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = world.do("run", plan, PROCESS_BUSY=0.2)
    told(done, "locked", "another process")
    assert world.creations() == []
    assert world.do("run", plan).code == 0


def without_override() -> None:
    """In the child: root is held to permissions like everybody else."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        os._exit(99)


@pytest.fixture
def read_only(world: World) -> Callable[[], None]:
    """Makes the store and its folder read-only; skips where this user cannot be held to that."""

    def protect() -> None:
        for path in (world.store, *world.store.parent.rglob("*"), world.store.parent):
            path.chmod(0o500 if path.is_dir() else 0o400)
        probe = world.start("show", preexec_fn=without_override)
        if ended(probe).code == 99:
            pytest.skip("root cannot give up its right to write here")

    return protect


def test_a_read_only_store_can_be_read_but_nothing_is_created(
    world: World, read_only: Callable[[], None]
) -> None:
    plan = world.plan(plan_text(sites=1))
    assert world.do("run", plan).code == 0
    before = world.creations()
    read_only()
    shown = world.do("show", "last", preexec_fn=without_override)
    assert shown.code == 0, str(shown)
    for arguments in (["run", plan], ["rerun", "last"]):
        done = world.do(*arguments, preexec_fn=without_override)
        told(done)
        assert world.creations() == before
    assert world.witness()["reruns"] == []


@pytest.mark.parametrize("killed", [False, True], ids=["ended", "killed"])
def test_every_command_that_reads_works_on_a_read_only_store(
    world: World, read_only: Callable[[], None], killed: bool
) -> None:
    kill = {"PROCESS_KILL": "close_test.after:1"} if killed else {}
    world.do("run", world.plan(plan_text(sites=2)), **kill)
    read_only()
    before = {path: path.read_bytes() for path in world.store.parent.rglob("*") if path.is_file()}
    for arguments in (["show"], ["results"], ["report"], ["runs"], ["explain", "last", "site-0"]):
        done = world.do(*arguments, preexec_fn=without_override)
        assert done.code == 0, f"{arguments}: {done}"
        assert done.err == "", arguments
    listed = world.do("runs", "--json", preexec_fn=without_override).document["runs"]
    assert [run["state"] for run in listed] == ["interrupted" if killed else "complete"]
    told(world.do("resume", "last", preexec_fn=without_override), "may not be written")
    assert {path: path.read_bytes() for path in before} == before


def test_a_store_and_a_token_that_others_can_read_are_cautioned_about_once(
    world: World, open_folder: Path
) -> None:
    token, world.store, plan = open_folder / "token", open_folder / "runs.db", world.plan(plan_text(sites=1))
    token.write_text("sesame-0123456789abcdef-0123456789abcdef")
    token.chmod(0o600)
    asked = ["--token-file", str(token)]
    assert "warning" not in world.do("run", plan, *asked).err
    token.chmod(0o644)
    world.store.chmod(0o644)
    done = world.do("run", plan, *asked)
    for path in (token, world.store):
        said = f"warning: every user of this host can read {path}; for you alone: chmod 600 {path}"
        assert done.err.splitlines().count(said) == 1, str(done)
    assert done.code == 0
    assert "warning" not in world.do("run", plan, *asked, "--quiet").err
    assert "warning" not in world.do("show").err
    document = world.do("doctor", "--base-url", world.origin, *asked, "--json").document
    found = {one["what"]: one for one in document["findings"]}
    assert [found["token"]["state"], found["store"]["state"]] == ["warning", "warning"]
    assert str(token) in found["token"]["text"]
    assert str(world.store) in found["store"]["text"]
    assert document["exit_code"] == 0


def test_a_place_that_is_no_place_for_a_store_is_told(world: World) -> None:
    plan = world.plan(plan_text())
    for store in ("/proc/orchestrator/runs.db", str(world.folder), "/dev/full"):
        told(world.do("run", plan, "--store", store), f"store {store}: ")
    assert world.witness()["requests"] == {}, "asked the API before it was known where to keep the answers"


def test_a_store_of_a_newer_version_is_left_alone(world: World) -> None:
    plan = world.plan(plan_text(sites=1))
    assert world.do("run", plan).code == 0
    with sqlite3.connect(world.store) as db:
        db.execute("INSERT INTO migrations (name) VALUES ('9999_from_the_future')")
    db.close()
    before = world.store.read_bytes()
    for arguments in (["run", plan], ["resume", "last"], ["show", "last"], ["reconcile"]):
        told(world.do(*arguments), "newer version", "upgrade orchestrator")
    assert world.store.read_bytes() == before
    assert len(world.creations()) == 1


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no database at all": lambda store: store.write_bytes(b"not a database, but long enough" * 200),
    "the first page": lambda store: _overwrite(store, 100, b"\xff" * 3000),
    "the end cut off": lambda store: os.truncate(store, store.stat().st_size // 2),
    "garbage in the middle": lambda store: _overwrite(store, 4096, b"\xa5" * (store.stat().st_size - 8192)),
    "a spec that is no JSON": lambda store: _execute(store, "UPDATE specs SET content = '{'"),
    "a spec of another shape": lambda store: _execute(store, "UPDATE specs SET content = '[]'"),
    "a state that does not exist": lambda store: _execute(store, "UPDATE specs SET state = 'wild'"),
    "settings that are no JSON": lambda store: _execute(store, "UPDATE runs SET settings = 'x'"),
}


def _overwrite(store: Path, start: int, by: bytes) -> None:
    with store.open("r+b") as file:
        file.seek(start)
        file.write(by)


def _execute(store: Path, statement: str) -> None:
    with sqlite3.connect(store) as db:
        db.execute(statement)
    db.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_told_and_nothing_is_created(world: World, damage: str) -> None:
    assert world.do("run", world.plan(plan_text()), PROCESS_KILL="created.after:2").code == -9
    before = world.creations()
    DAMAGES[damage](world.store)
    done = world.do("resume", "last")
    told(done, str(world.store), "another --store")
    assert world.creations() == before


@pytest.mark.parametrize("statement", [1, 2, MIGRATION_STATEMENTS // 2, MIGRATION_STATEMENTS])
def test_a_kill_in_a_migration_leaves_a_store_that_the_next_command_can_use(
    world: World, statement: int
) -> None:
    plan = world.plan(plan_text(sites=1))
    killed = world.do("run", plan, PROCESS_KILL=f"migration.inside:{statement}")
    assert killed.code == -9, str(killed)
    assert world.creations() == []
    done = world.do("run", plan)
    assert done.code == 0, str(done)
    assert damaged(world.store) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="a copy taken under a writer needs Linux's cache")
def test_a_store_that_was_copied_while_it_was_written_resumes(world: World, tmp_path: Path) -> None:
    process = world.start("run", world.plan(plan_text()))
    until(lambda: "waiting" in states_if_any(world), "an open test")
    process.kill()
    ended(process)
    folder = tmp_path / "restored"
    shutil.copytree(world.store.parent, folder)
    done = world.do("resume", "last", "--json", store=folder / world.store.name)
    tests = done.document["tests"]
    assert tests["complete"] + tests["unknown"] == 4, str(done)
    assert world.duplicates() == []
