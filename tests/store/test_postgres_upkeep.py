"""Days that have gone: what nobody keeps goes as a whole, beside others who write, and nothing else goes."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import anyio.lowlevel
import psycopg
import pytest
from builders import make_answer
from kept_runs import ended_run
from postgres_server import PostgresServer
from stores import RUN, migrated, sent, stored_run

from orchestrator.records import RunFacts, RunState
from orchestrator.store.base import WholeStore
from orchestrator.store.opening import open_store
from orchestrator.store.postgres import schema
from orchestrator.store.postgres.link import Link

EARLIER = 20
NUMBERS = """
    CREATE OR REPLACE FUNCTION orchestrator.new_number() RETURNS bigint LANGUAGE sql VOLATILE AS
    $$ SELECT (orchestrator.day_today() - {days} << 40) + nextval('orchestrator.numbers') $$
"""
EXCLUSIVE = """
    SELECT 1 FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE mode = 'AccessExclusiveLock' AND relname IN ('answers', 'events', 'cells')
"""
DETACH = "ALTER TABLE orchestrator.answers DETACH PARTITION orchestrator.{} CONCURRENTLY"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%DETACH PARTITION%' AND wait_event_type = 'Lock'"


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.create(migrated, named="store")
    yield url
    postgres.drop(url)


def days_ago(url: str, days: int) -> None:
    """Whatever is stored from now on was stored so many days ago."""
    link = Link(url, url)
    db = link.session()
    db.raw.execute(NUMBERS.format(days=days).encode())
    there = {one.name for one in schema.parts(db)}
    for table in schema.PARTS:
        one = schema.part(table, schema.today(db) - days)
        low, high = one.bounds
        if one.name not in there:
            db.execute(f"CREATE TABLE {one.name} PARTITION OF {table} FOR VALUES FROM ({low}) TO ({high})")
    link.drop()


def names(url: str) -> set[str]:
    link = Link(url, url)
    found = {one.name for one in schema.parts(link.session())}
    link.drop()
    return found


async def cleared(store: WholeStore) -> None:
    while await store.clear():
        pass


async def rows_of(store: WholeStore, run: str) -> int:
    return len([row async for row in store.results(run)])


async def test_the_parts_of_a_day_whose_runs_have_gone_go_as_a_whole(url: str) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened:
        store = opened.store
        await ended_run(store, "aa01")
        before = names(url)
        days_ago(url, 0)
        await ended_run(store, "aa02")
        kept = await rows_of(store, "aa02")
        await store.condemn(["aa01"])
        await cleared(store)
        assert len(before - names(url)) == len(schema.PARTS)
        assert [run.id for run in await store.runs()] == ["aa02"]
        assert await rows_of(store, "aa02") == kept > 0
        holds = (await store.holdings()).total
        assert holds.runs == 1


async def test_the_parts_of_a_day_on_which_somebody_else_has_a_run_stay(url: str) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened:
        store = opened.store
        await ended_run(store, "aa01")
        await ended_run(store, "aa02")
        before, kept = names(url), await rows_of(store, "aa02")
        await store.condemn(["aa01"])
        await cleared(store)
        assert names(url) == before
        assert await rows_of(store, "aa02") == kept > 0


async def test_a_day_of_which_nobody_keeps_answers_loses_them_as_a_whole(url: str) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened:
        store = opened.store
        await ended_run(store, "aa01")
        await ended_run(store, "aa02")
        before, day = names(url), await _today(url) - EARLIER
        await store.forget_answers(["aa01"], 9.0)
        await cleared(store)
        assert names(url) == before, "another run has answers of that day"
        assert (await rows_of(store, "aa01"), await rows_of(store, "aa02")) == (0, 8)
        await store.forget_answers(["aa02"], 9.0)
        await cleared(store)
        assert before - names(url) == {f"answers_{day}"}
        assert len([cell async for cell in store.cells("aa02")]) == 4
        assert (await store.run("aa02")).answers_pruned == 9.0
        assert (await store.outlines())[0].answers_pruned == 9.0, "it is no more under way"


async def test_a_run_that_may_go_on_has_a_place_for_the_answers_to_come(url: str) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened:
        store = opened.store
        await ended_run(store, "aa01")
        await ended_run(store, "aa02", state=RunState.INCOMPLETE)
        await ended_run(store, "aa03", state=RunState.INCOMPLETE)
        before = names(url)
        assert await store.forget_answers(["aa01", "aa02"], 9.0) == ["aa01", "aa02"]
        await store.condemn(["aa03"])
        assert await store.claim("aa02", "resumes it"), "and has not begun yet"
        await cleared(store)
        assert names(url) == before
        assert (await rows_of(store, "aa01"), await rows_of(store, "aa02")) == (0, 8)
        await store.update_run(
            "aa02", state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts()
        )
        await store.add_answers("aa02", "k0", [make_answer("dns-server", "1")])
        assert await rows_of(store, "aa02") == 9


async def _today(url: str) -> int:
    with psycopg.connect(url) as db:
        [(day,)] = db.execute("SELECT orchestrator.day_today()").fetchall()
    return int(day)


async def test_nobody_who_writes_waits_for_a_part_that_goes(url: str, postgres: PostgresServer) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened, open_store(url) as other, anyio.create_task_group() as tasks:
        await ended_run(opened.store, "aa01")
        days_ago(url, 0)
        await stored_run(other.store, count=3)
        await opened.store.condemn(["aa01"])
        with psycopg.connect(url) as slow:
            slow.execute("SELECT count(*) FROM orchestrator.answers")  # a transaction that goes on
            tasks.start_soon(cleared, opened.store)
            while not postgres.execute(WAITING):
                await anyio.lowlevel.checkpoint()
            with psycopg.connect(url) as looks:
                assert looks.execute(EXCLUSIVE.encode()).fetchall() == []
            await sent(other.store, "k0", "k1")
            await other.store.intend(RUN, "k2", "name", 1.0)
            slow.rollback()
    async with open_store(url) as again:
        assert (await again.store.counts(RUN)).created == 2
        assert [run.id for run in await again.store.runs()] == [RUN]


async def test_a_part_that_was_half_taken_away_is_taken_away_by_the_next_prune(url: str) -> None:
    days_ago(url, EARLIER)
    async with open_store(url) as opened:
        await ended_run(opened.store, "aa01")
        before = names(url)
        days_ago(url, 0)
        await opened.store.condemn(["aa01"])
        one = next(name for name in sorted(before) if name.startswith("answers"))
        with psycopg.connect(url) as slow, psycopg.connect(url, autocommit=True) as killed:
            slow.execute("SELECT count(*) FROM orchestrator.answers")
            killed.execute("SET statement_timeout = '200ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                killed.execute(DETACH.format(one).encode())
        await cleared(opened.store)
        assert one not in names(url)
        assert len(before - names(url)) == len(schema.PARTS)
        assert await opened.store.runs() == []


async def test_what_should_be_put_right_is_told(url: str) -> None:
    async with open_store(url) as opened:
        before = (await opened.store.about()).caution or ""
        assert "maintain" not in before
        link = Link(url, url)
        db = link.session()
        for one in schema.parts(db):
            db.execute(f"DROP TABLE {one.name}")
        link.drop()
        told = (await opened.store.about()).caution
        assert told is not None
        assert "orchestrator store maintain" in told
