"""The journal: what a method returned from is there, once, and moves are legal."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests

from orchestrator.errors import StoreProblem, UsageProblem
from orchestrator.events import CircuitOpened, Event, Intended, Polled, kind_of
from orchestrator.lifecycle import IllegalMove, SpecState
from orchestrator.model import AnswerStatus, CellResult, CellState, NotRun, Verdict
from orchestrator.records import BudgetSeen, Planned, Requests, RunFacts, RunState
from orchestrator.store.sqlite import database
from orchestrator.store.sqlite.database import Database, journal_mode, migrations
from orchestrator.store.sqlite.journal import SqliteStore

RUN = "65000000deadbeef"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "store" / "orchestrator.db")
    yield opened
    await opened.close()


async def stored_run(store: SqliteStore, count: int = 2) -> None:
    specs = [make_spec(f"k{n}") for n in range(count)]
    left_out = [NotRun("web", "http-server", "https://example.com", "9", "the agent is offline")]
    await store.create_run(make_run(RUN), make_tests(specs), left_out, [make_agent("1"), make_agent("2")])


async def test_a_creation_goes_from_intention_to_closed_cells(store: SqliteStore) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "name [orc]", 1.0)
    assert (await store.test(RUN, "k0")).state is SpecState.CREATING
    await store.created(RUN, "k0", "77", {"network": "/v7/x"}, 2.0)
    ends = [
        CellResult("1", CellState.ANSWERED, Verdict.PASS),
        CellResult("2", CellState.MISSING, Verdict.NO_ANSWER, ("no answer",)),
    ]
    await store.close_test(RUN, "k0", SpecState.PARTIAL, ends, 3.0, "incomplete")
    test = await store.test(RUN, "k0")
    assert (test.state, test.test_id, test.name, test.links) == (
        SpecState.PARTIAL,
        "77",
        "name [orc]",
        {"network": "/v7/x"},
    )
    counts = await store.counts(RUN)
    assert counts.created == 1
    assert counts.left_out == 1
    assert counts.cells == {
        CellState.ANSWERED: 1,
        CellState.MISSING: 1,
        CellState.PENDING: 2,
        CellState.NOT_RUN: 1,
    }


async def test_an_illegal_move_is_refused_and_changes_nothing(store: SqliteStore) -> None:
    await stored_run(store)
    with pytest.raises(IllegalMove):
        await store.created(RUN, "k0", "77", {}, 1.0)
    assert (await store.test(RUN, "k0")).state is SpecState.PLANNED
    await store.intend(RUN, "k0", "n", 1.0)
    with pytest.raises(IllegalMove):
        await store.intend(RUN, "k0", "n", 2.0)


async def test_the_same_answer_is_kept_once(store: SqliteStore) -> None:
    await stored_run(store)
    answer = make_answer()
    assert await store.add_answers(RUN, "k0", [answer, answer]) == 1
    assert await store.add_answers(RUN, "k0", [answer]) == 0
    assert await store.answers(RUN, "k0") == [answer]


async def test_answers_with_hostile_text_come_back_unchanged_in_their_metrics_and_error(
    store: SqliteStore,
) -> None:
    await stored_run(store)
    nasty = "<b>\x00\x1b[31m=cmd()\ud800\u202e|`" + "x" * 100_000
    answer = make_answer(
        status=AnswerStatus.ERROR, error=nasty, metrics={"errorType": nasty}, agent="a\x00\u202eb"
    )
    await store.add_answers(RUN, "k0", [answer])
    [kept] = await store.answers(RUN, "k0")
    assert kept.error == nasty
    assert kept.metrics == {"errorType": nasty}
    assert kept.agent == "a\x00\u202eb"


async def test_a_run_is_found_by_prefix_and_by_last_but_not_by_an_ambiguous_one(
    store: SqliteStore,
) -> None:
    await store.create_run(make_run("aa01"), [], [], [])
    await store.create_run(make_run("aa02"), [], [], [])
    assert (await store.run("last")).id == "aa02"
    assert (await store.run("aa01")).id == "aa01"
    with pytest.raises(UsageProblem, match="more than one run"):
        await store.run("aa")
    with pytest.raises(UsageProblem, match="no run"):
        await store.run("zz")


async def test_cells_and_results_are_paged_without_loss_or_repetition(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.sqlite.archive.PAGE", 3)
    await stored_run(store, count=4)
    for n in range(4):
        rows = [make_answer(layer, agent) for layer in ("network", "http-server") for agent in ("1", "2")]
        await store.add_answers(RUN, f"k{n}", rows)
    cells = [(cell.spec, cell.agent_id) async for cell in store.cells(RUN)]
    assert cells == [(f"k{n}", agent) for n in range(4) for agent in ("1", "2")] + [(None, "9")]
    found = [(row.spec, row.answer.agent_id, row.answer.layer) async for row in store.results(RUN)]
    wanted = [
        (f"k{n}", agent, layer)
        for n in range(4)
        for agent in ("1", "2")
        for layer in ("http-server", "network")
    ]
    assert found == wanted


async def test_a_moved_back_spec_has_open_cells_again(store: SqliteStore) -> None:
    await stored_run(store)
    ends = [CellResult(agent, CellState.NOT_RUN, Verdict.NOT_RUN) for agent in ("1", "2")]
    await store.close_test(RUN, "k0", SpecState.NOT_RUN, ends, 1.0, "the deadline")
    await store.move(RUN, "k0", SpecState.PLANNED, 2.0)
    assert (await store.counts(RUN)).cells[CellState.PENDING] == 4


async def test_an_adopted_creation_waits_with_open_cells(store: SqliteStore) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "n", 5.0)
    ends = [CellResult(agent, CellState.MISSING, Verdict.NO_ANSWER) for agent in ("1", "2")]
    await store.close_test(RUN, "k0", SpecState.UNKNOWN, ends, 6.0, "lost")
    await store.adopt(RUN, "k0", "4711", 7.0)
    test = await store.test(RUN, "k0")
    assert (test.state, test.test_id, test.created) == (SpecState.WAITING, "4711", 5.0)
    counts = await store.counts(RUN)
    assert (counts.cells[CellState.PENDING], counts.pending_sent) == (4, 2)


async def test_events_are_read_back_in_order(store: SqliteStore) -> None:
    await stored_run(store)
    await store.add_events(
        RUN, [Event(1.0, RUN, "k0", Polled("network", 0, 1)), Event(2.0, RUN, None, CircuitOpened(5, 1.0))]
    )
    await store.intend(RUN, "k1", "n", 3.0, [Event(3.0, RUN, "k1", Intended("n"))])
    assert [kind_of(event.fact) for event in await store.events(RUN)] == [
        "polled",
        "circuit_opened",
        "intended",
    ]
    assert [kind_of(event.fact) for event in await store.events(RUN, "k0")] == ["polled"]


async def test_newest_rounds_are_those_of_the_same_test_at_the_same_origin(store: SqliteStore) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "n", 1.0)
    await store.created(RUN, "k0", "77", {}, 1.0)
    await store.add_answers(RUN, "k0", [make_answer(round_id=5), make_answer("network", round_id=9)])
    assert await store.newest_rounds("https://api.thousandeyes.com", "77") == {"1": 9}
    assert await store.newest_rounds("https://elsewhere.example", "77") == {}


async def test_the_file_is_for_its_owner_only(store: SqliteStore, tmp_path: Path) -> None:
    mode = stat.S_IMODE((tmp_path / "store" / "orchestrator.db").stat().st_mode)
    assert mode == 0o600


async def test_run_facts_are_updated(store: SqliteStore) -> None:
    await stored_run(store)
    facts = RunFacts(
        planned=Planned(2, 4),
        units=1.5,
        requests=Requests(creations=2, reads=9),
        organization=BudgetSeen(limit=240, remaining=7, reset=1_700_000_060.0, others=0.5),
        waits={"pacer": 1.5},
        stopped="the deadline",
    )
    await store.update_run(RUN, state=RunState.COMPLETE, finished=9.0, exit_code=0, facts=facts)
    run = await store.run(RUN)
    assert (run.state, run.finished, run.exit_code, run.facts) == (RunState.COMPLETE, 9.0, 0, facts)


# -- the file itself --------------------------------------------------------------------------------


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
