"""Roles: who conducts runs changes no tables, who looks at the views sees no plan and no raw row."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from builders import make_answer
from documentation import ROOT
from postgres_server import PostgresServer
from stores import RUN, answered, sent, stored_run

from orchestrator.clock import LoopClock
from orchestrator.errors import StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.store.opening import migrate_store, open_store
from orchestrator.store.postgres import schema

ROLES = (ROOT / "docs" / "deploy" / "roles.sql").read_text("utf-8")
OWNER, WORKER, READER = "orchestrator_owner", "orchestrator_worker", "orchestrator_reader"


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@", 1)


@pytest.fixture
async def url(postgres: PostgresServer) -> AsyncIterator[str]:
    url = postgres.create()
    for _ in range(2):  # it may be given again
        with psycopg.connect(url) as db:
            db.execute(ROLES.encode())
    await migrate_store(as_role(url, OWNER))
    yield url
    postgres.drop(url)


async def conducted(url: str) -> None:
    async with open_store(url) as opened:
        store = opened.store
        async with opened.lease.hold("sweep", LoopClock(), wait=False, told=print):
            await stored_run(store)
            assert await store.claim(RUN, "me")
            await sent(store, "k0")
            answers = [make_answer(round_id=n) for n in range(30)]
            assert await store.add_answers(RUN, "k0", answers) == 30
            await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
            await store.late(RUN, "k1", "9", {}, 1.0)
            await store.save_latencies("o", {"t": [1.0]})
            await store.probe()
            await store.pin("b", RUN, None, 1.0)
            assert await store.unpin("b")
            await store.let_go(RUN)


async def test_a_worker_conducts_runs(url: str) -> None:
    await conducted(as_role(url, WORKER))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE orchestrator.x (n int)",
        "CREATE TABLE public.x (n int)",
        "DROP TABLE orchestrator.runs",
        "TRUNCATE orchestrator.answers",
        "DELETE FROM orchestrator.runs",
        "DELETE FROM orchestrator.answers",
        "INSERT INTO orchestrator.migrations VALUES ('x', 'x')",
        "ALTER TABLE orchestrator.runs ADD COLUMN x int",
    ],
)
async def test_a_worker_changes_no_tables_and_takes_nothing_away(url: str, statement: str) -> None:
    with psycopg.connect(as_role(url, WORKER)) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(statement.encode())


async def test_a_worker_makes_room_by_itself_and_nobody_else_does(url: str) -> None:
    with psycopg.connect(url, options="-c search_path=orchestrator") as db:
        for table, name in db.execute(
            "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits"
        ):
            if table in schema.PARTS:
                db.execute(f"DROP TABLE {name}".encode())
    async with open_store(as_role(url, WORKER)) as opened:
        assert opened.keeper is not None
        assert (await opened.keeper.standing()).days_ahead == schema.DAYS_AHEAD, "made when it was opened"
        with psycopg.connect(url, options="-c search_path=orchestrator") as db:
            [(today,)] = db.execute("SELECT day_today()").fetchall()
            db.execute(f"DROP TABLE answers_{today + 7}".encode())
        assert (await opened.keeper.standing()).days_ahead == 6
        assert await opened.keeper.make_room() == [f"answers_{today + 7}"]
        assert await opened.keeper.make_room() == []
    with psycopg.connect(as_role(url, READER)) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("SELECT orchestrator.make_parts(14)")


async def test_a_worker_that_would_migrate_is_told_that_it_may_not(
    url: str, postgres: PostgresServer
) -> None:
    empty = postgres.create()
    with pytest.raises(StoreProblem, match="permission denied") as caught:
        await migrate_store(as_role(empty, WORKER))
    assert "docs/store.md" in str(caught.value.hint)
    postgres.drop(empty)


async def test_a_reader_sees_the_views_and_no_plan(url: str) -> None:
    await conducted(as_role(url, WORKER))
    with psycopg.connect(as_role(url, READER), autocommit=True) as db:
        assert db.execute("SELECT run, plan, state FROM runs").fetchall() == [(RUN, "sweep", "running")]
        assert db.execute("SELECT count(*), count(verdict) FROM cells").fetchall() == [(4, 2)]
        [(metrics,)] = db.execute("SELECT metrics FROM answers WHERE round_id = 3").fetchall()
        assert metrics == make_answer().metrics
        assert db.execute("SELECT runs FROM spend_per_day").fetchall() == [(1,)]
        assert db.execute("SELECT * FROM worst_cells").fetchall() == []
        assert db.execute("SELECT count(*), sum(totalTime) FROM report_answers").fetchall() == [(30, 3600.0)]
        assert db.execute("SELECT spec, verdict FROM report_cells WHERE state = 'not_run'").fetchall() == [
            (None, "not-run")
        ]
        for table in ("runs", "specs", "answers"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(b"SELECT * FROM orchestrator." + table.encode())


async def test_what_jsonb_refuses_is_left_out_of_a_view_and_breaks_nothing(url: str) -> None:
    async with open_store(as_role(url, WORKER)) as opened:
        await stored_run(opened.store)
        odd = make_answer(metrics={"a": "\0"})
        await opened.store.add_answers(RUN, "k0", [odd, make_answer(round_id=7)])
    with psycopg.connect(as_role(url, READER)) as db:
        found = db.execute("SELECT metrics FROM answers ORDER BY round_id").fetchall()
        numbers = db.execute("SELECT totalTime FROM report_answers ORDER BY round_id").fetchall()
    assert sorted(row[0] is None for row in found) == [False, True]
    assert numbers == [(120.0,), (None,)]
