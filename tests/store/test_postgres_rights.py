"""Roles: who conducts runs changes no tables, who looks at the views sees no plan and no raw row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from documentation import ROOT
from postgres_server import PostgresServer
from queue_plans import SMALL_PLAN
from stores import RUN, answered, sent, stored_run

from orchestrator.actions.queueing import submit, watch
from orchestrator.actions.reading import summed_up
from orchestrator.clock import LoopClock
from orchestrator.errors import NoRight, StoreProblem
from orchestrator.lifecycle import SpecState
from orchestrator.plan.load import load_plan
from orchestrator.queueing.values import Here, Place
from orchestrator.records import RunFacts, RunState
from orchestrator.settings import Settings
from orchestrator.store.opening import migrate_store, open_store
from orchestrator.store.postgres import schema
from orchestrator.worker.engine import install, wake

T = TypeVar("T")
ROLES = (ROOT / "docs" / "deploy" / "roles.sql").read_text("utf-8")
OWNER, WORKER, READER = "orchestrator_owner", "orchestrator_worker", "orchestrator_reader"
SUBMIT = "orchestrator_submit"


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


async def test_who_may_only_submit_puts_a_run_into_the_queue_wakes_workers_and_watches_it_end(
    url: str, tmp_path: Path
) -> None:
    await install(as_role(url, OWNER))
    await migrate_store(as_role(url, OWNER))  # which gives the rights to the engine's tables
    (tmp_path / "plan.yaml").write_text(SMALL_PLAN, "utf-8")
    settings = Settings("https://api.example.com", store=url, organization="acme")
    async with open_store(as_role(url, SUBMIT), make=False) as mine:
        run = await submit(mine, load_plan(tmp_path / "plan.yaml", environ={}), settings, Place("acme"))
        assert await wake(as_role(url, SUBMIT))
        found = [one.run async for one in _once(watch(mine, run.id, LoopClock()))]
        assert [one.state for one in found] == [RunState.QUEUED]
        async with open_store(as_role(url, WORKER)) as theirs:
            assert await theirs.store.claim(run.id, "w")
            assert theirs.queue is not None
            assert await theirs.queue.take(run.id) is not None
            begun = replace(run, state=RunState.RUNNING)
            specs = make_tests([make_spec("k0")], run.id)
            await theirs.store.begin_run(begun, specs, (), [make_agent("1"), make_agent("2")])
            await sent(theirs.store, "k0", run=run.id)
            await theirs.store.add_answers(run.id, "k0", [make_answer()])
            await theirs.store.close_test(run.id, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
            await theirs.queue.over(run.id, RunState.COMPLETE, 0, None)
        *_, last = [one async for one in watch(mine, run.id, LoopClock())]
        assert last.over
        assert last.code == 0
        with pytest.raises(NoRight, match="answers"):
            await summed_up(mine.store, last.run, now=4.0)


async def _once(each: AsyncIterator[T]) -> AsyncIterator[T]:
    async for one in each:
        yield one
        return


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM answers",
        "SELECT * FROM budget",
        "UPDATE runs SET organization = 'other'",
        "UPDATE queue SET priority = 100",
        "DELETE FROM queue",
        "INSERT INTO schedules (organization) VALUES ('acme')",
        "INSERT INTO organizations (name, origin, changed) VALUES ('x', 'o', 0)",
        "INSERT INTO specs SELECT * FROM specs",
        "INSERT INTO late (run_n, key, test_id, links, at) VALUES (1, 'k', '1', '{}', 0)",
        "SELECT make_parts(14)",
        "CREATE TABLE x (n int)",
    ],
)
async def test_who_may_only_submit_changes_nothing_that_is_there_and_sees_no_answer(
    url: str, statement: str
) -> None:
    with psycopg.connect(as_role(url, SUBMIT)) as db:
        db.execute("SET search_path = orchestrator")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(statement.encode())


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


async def with_the_engine(url: str) -> None:
    """The database as one has it that was migrated before rights were given by name."""
    await install(as_role(url, OWNER))
    with psycopg.connect(as_role(url, OWNER)) as db:
        for kind in ("TABLES", "SEQUENCES"):
            for schema_name in ("orchestrator", "orchestrator_engine"):
                db.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA {schema_name} TO {WORKER}, {SUBMIT}".encode())
    await migrate_store(as_role(url, OWNER))


async def test_nobody_puts_a_function_where_the_owner_would_execute_it(url: str) -> None:
    await with_the_engine(url)
    with psycopg.connect(as_role(url, WORKER), autocommit=True) as db:
        db.execute(
            "CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(
                "CREATE TRIGGER mine BEFORE INSERT ON orchestrator_engine.procrastinate_jobs "
                "FOR EACH ROW EXECUTE FUNCTION pg_temp.mine()"
            )
    assert await wake(as_role(url, WORKER))


# What somebody has that would give the rights of others, or tables of one's own; and functions with the
# owner's rights that take names from who calls them.
TOO_MUCH = """
    WITH role AS (
        SELECT oid, rolname FROM pg_roles
        WHERE rolname IN ('orchestrator_worker', 'orchestrator_submit', 'orchestrator_reader')
    ),
    home AS (
        SELECT oid FROM pg_namespace
        WHERE nspname IN ('orchestrator', 'orchestrator_engine', 'report')
    ),
    thing AS (SELECT pg_class.oid, relkind FROM pg_class JOIN home ON home.oid = relnamespace)
    SELECT rolname, thing.oid::regclass::text, one
    FROM role, thing, unnest(ARRAY['TRIGGER', 'REFERENCES', 'TRUNCATE']) one
    WHERE relkind IN ('r', 'p', 'v') AND has_table_privilege(role.oid, thing.oid, one)
    UNION ALL SELECT rolname, thing.oid::regclass::text, 'UPDATE' FROM role, thing
    WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege(role.oid, thing.oid, 'UPDATE') END
    UNION ALL SELECT rolname, nspname, 'CREATE' FROM role, pg_namespace
    WHERE nspname !~ '^pg_' AND has_schema_privilege(role.oid, pg_namespace.oid, 'CREATE')
    UNION ALL SELECT 'everybody', pg_proc.oid::regprocedure::text, 'search_path'
    FROM pg_proc JOIN home ON home.oid = pronamespace
    WHERE prosecdef AND coalesce(array_to_string(proconfig, ' '), '') NOT LIKE '%search_path=%pg_temp'
"""


async def test_no_role_has_more_of_a_table_a_sequence_or_a_schema_than_its_rows(url: str) -> None:
    await with_the_engine(url)
    with psycopg.connect(url) as db:
        assert db.execute(TOO_MUCH).fetchall() == []


async def test_nothing_depends_on_temporary_tables_for_everybody(url: str) -> None:
    with psycopg.connect(url) as db:
        name = db.info.dbname
        db.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC'.encode())
    await conducted(as_role(url, WORKER))
    with psycopg.connect(as_role(url, OWNER)) as db:
        db.execute("CREATE TEMPORARY TABLE x (n int)")
    for role in (SUBMIT, READER):
        with psycopg.connect(as_role(url, role)) as db, pytest.raises(psycopg.Error):
            db.execute("CREATE TEMPORARY TABLE x (n int)")


@pytest.mark.parametrize(
    ("column", "error"),
    [
        ("not_before", psycopg.errors.CheckViolation),
        ("begun", psycopg.errors.InsufficientPrivilege),
    ],
)
async def test_who_may_only_submit_puts_no_run_into_the_queue_that_was_there(
    url: str, column: str, error: type[psycopg.Error]
) -> None:
    async with open_store(as_role(url, WORKER), organization="acme") as opened:
        await stored_run(opened.store)
        assert await opened.store.claim(RUN, "me")
        stopped = RunState.INTERRUPTED
        await opened.store.update_run(RUN, state=stopped, finished=None, exit_code=130, facts=RunFacts())
        await opened.store.let_go(RUN)
        put = b"INSERT INTO orchestrator.queue (run, organization, plan, priority, overlap, %s) VALUES "
        values = f"('{RUN}', 'acme', 'w', 1, 'queue', now())"
        with psycopg.connect(as_role(url, SUBMIT)) as db, pytest.raises(error):
            db.execute(put % column.encode() + values.encode())
        assert opened.queue is not None
        await opened.queue.here(Here("w", "h", "1", 2, 2, None))
        assert await opened.queue.feed(10, 2) == []


@pytest.mark.parametrize("role", [SUBMIT, WORKER])
async def test_a_run_waits_in_its_own_organization_and_in_no_slot_of_a_schedule_that_others_fire(
    url: str, role: str
) -> None:
    with psycopg.connect(as_role(url, OWNER)) as db:
        db.execute(
            "INSERT INTO orchestrator.schedules (organization, name, plan, bundle, cron, timezone, jitter, "
            "overlap, catch_up, within, priority, paused, last_slot, next_at) "
            "VALUES ('acme', 's', 'sweep', '{}', '* * * * *', 'UTC', 0, 'queue', 'latest', 1, 0, FALSE, 0, 0)"
        )
    async with open_store(as_role(url, role), make=False) as opened:
        assert opened.queue is not None
        await opened.queue.submit(make_run(state=RunState.QUEUED), Place("acme"))
    with psycopg.connect(url) as db:
        db.execute("DELETE FROM orchestrator.queue")
    put = (
        "INSERT INTO orchestrator.queue (run, organization, plan, priority, overlap, schedule, slot) VALUES "
    )
    with psycopg.connect(as_role(url, role), autocommit=True) as db:
        [(schedule,)] = db.execute("SELECT n FROM orchestrator.schedules").fetchall()
        with pytest.raises(psycopg.errors.CheckViolation, match="another organization"):
            db.execute(f"{put} ('{RUN}', 'other', 'sweep', 1, 'queue', NULL, NULL)".encode())
        fires = f"{put} ('{RUN}', 'acme', 'sweep', 1, 'queue', {schedule}, 60)".encode()
        if role == WORKER:
            db.execute(fires)
        else:
            with pytest.raises(psycopg.errors.CheckViolation, match="slot"):
                db.execute(fires)


@pytest.mark.parametrize("role", [READER, SUBMIT])
async def test_who_carries_nothing_out_stops_neither_the_queue_nor_the_making_of_tables(
    url: str, role: str
) -> None:
    held = ("orchestrator.feed", "orchestrator.migrations", "orchestrator.parts")
    with psycopg.connect(as_role(url, role), autocommit=True) as db:
        for lock in held:
            db.execute(b"SELECT pg_advisory_lock(hashtext('%s'))" % lock.encode())
        for statement in (
            "SELECT 1 FROM orchestrator.turns FOR SHARE",
            "LOCK TABLE orchestrator.migrations IN SHARE ROW EXCLUSIVE MODE",
        ):
            with db.transaction(), pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(statement.encode())
        async with open_store(as_role(url, WORKER)) as opened:
            assert opened.queue is not None
            assert opened.keeper is not None
            await opened.queue.submit(make_run(state=RunState.QUEUED), Place("acme"))
            await opened.queue.here(Here("w", "h", "1", 2, 2, None))
            assert [one.run for one in await opened.queue.feed(10, 2)] == [RUN]
            assert await opened.keeper.make_room() == []
        assert await migrate_store(as_role(url, OWNER)) == []


async def test_one_worker_hands_out_at_a_time_beside_those_of_an_earlier_version_too(url: str) -> None:
    async with open_store(as_role(url, WORKER)) as opened:
        assert opened.queue is not None
        await opened.queue.submit(make_run(state=RunState.QUEUED), Place("acme"))
        await opened.queue.here(Here("w", "h", "1", 2, 2, None))
        for turn in (
            "SELECT 1 FROM orchestrator.turns WHERE name = 'feed' FOR UPDATE",
            "SELECT pg_advisory_xact_lock(hashtext('orchestrator.feed'))",  # all an earlier version takes
        ):
            with psycopg.connect(as_role(url, WORKER)) as db:
                db.execute(turn.encode())
                assert await opened.queue.feed(10, 2) == []
        assert [one.run for one in await opened.queue.feed(10, 2)] == [RUN]
