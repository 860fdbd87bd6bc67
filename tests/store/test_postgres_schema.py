"""The tables of a database: made once, known by their migrations, with parts for the days to come."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import psycopg
import pytest
from stores import POSTGRES, RUN, stored_run

from orchestrator.errors import StoreProblem, UsageProblem
from orchestrator.events import Event, Polled
from orchestrator.store.opening import maintain_store, migrate_store, open_store
from orchestrator.store.postgres import schema
from orchestrator.store.postgres.link import Link, Session


@contextmanager
def connected(url: str) -> Iterator[Session]:
    link = Link(url, url)
    with link.explained():
        yield link.session()
    link.drop()


async def test_a_database_without_tables_is_no_store_and_gets_none_by_being_opened(database: str) -> None:
    with pytest.raises(StoreProblem, match="holds no store yet") as caught:
        async with open_store(database):
            raise AssertionError("opened")
    assert "orchestrator store migrate" in str(caught.value.hint)
    with connected(database) as db:
        assert db.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'orchestrator'").fetchone() == (
            0,
        )


async def test_migrating_makes_the_tables_and_the_parts_of_the_next_days_once(database: str) -> None:
    made = await migrate_store(database)
    assert made[: len(schema.migrations())] == [one.name for one in schema.migrations()]
    with connected(database) as db:
        assert schema.days_ahead(db) == schema.DAYS_AHEAD
    assert await migrate_store(database) == []
    assert await maintain_store(database) == []
    async with open_store(database, make=False) as opened:
        assert await opened.store.runs() == []


async def test_several_who_migrate_at_once_make_everything_once(database: str) -> None:
    made: list[list[str]] = []

    async def migrate() -> None:
        made.append(await migrate_store(database))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(migrate)
    names = [name for one in made for name in one]
    assert len(names) == len(set(names))
    async with open_store(database):
        pass


async def test_a_migration_that_fails_leaves_nothing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = schema.Migration("9999_broken", "CREATE TABLE seen (x int); SELECT 1 / 0", "0001_journal", True)
    known = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: (*known, broken))
    with pytest.raises(StoreProblem, match="division by zero"):
        await migrate_store(database)
    with connected(database) as db:
        assert schema.applied(db) == {}


async def test_a_database_of_a_newer_version_is_used_as_long_as_that_one_allows(database: str) -> None:
    await migrate_store(database)
    with psycopg.connect(database) as db:
        db.execute("INSERT INTO orchestrator.migrations VALUES ('9998_more', '0001_journal')")
    async with open_store(database) as opened:
        await stored_run(opened.store)
    with psycopg.connect(database) as db:
        db.execute("INSERT INTO orchestrator.migrations VALUES ('9999_less', '9999_less')")
    with pytest.raises(StoreProblem, match="written by a newer version"):
        async with open_store(database):
            raise AssertionError("opened")


async def test_a_day_without_a_part_is_told_with_what_makes_it(database: str) -> None:
    await migrate_store(database)
    async with open_store(database) as opened:
        with connected(database) as db:
            for one in schema.parts(db):
                db.execute(f"DROP TABLE {one.name}")
        with pytest.raises(StoreProblem, match="no partition") as caught:
            await stored_run(opened.store)
        assert "orchestrator store maintain" in str(caught.value.hint)
        assert await maintain_store(database) != []
        await stored_run(opened.store)
        assert (await opened.store.run(RUN)).id == RUN


async def test_the_database_makes_the_parts_that_this_version_looks_for(database: str) -> None:
    await migrate_store(database)
    with connected(database) as db:
        wanted = {
            schema.part(table, schema.today(db) + n)
            for table in schema.PARTS
            for n in range(schema.DAYS_AHEAD + 1)
        }
        assert set(schema.parts(db)) == wanted
        bounds = {
            name: tuple(int(n) for n in re.findall(r"'(\d+)'", told))
            for name, told in db.execute(
                "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class "
                "WHERE relispartition AND relkind = 'r'"
            )
        }
    assert bounds == {one.name: one.bounds for one in wanted}


async def test_room_is_made_beside_those_who_read_and_write(database: str) -> None:
    await migrate_store(database)
    with connected(database) as db, psycopg.connect(database, options="-c search_path=orchestrator") as other:
        for one in schema.parts(db):
            db.execute(f"DROP TABLE {one.name}")
        for table in schema.PARTS:
            other.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE".encode())
        db.execute("SET lock_timeout = '200ms'")
        assert schema.maintain(db) != []
        other.rollback()
    async with open_store(database) as opened:
        await stored_run(opened.store)
        await opened.store.add_events(RUN, [Event(1.0, RUN, "k0", Polled("network", 0, 1))])
        assert len(await opened.store.events(RUN)) == 1


async def test_who_owns_the_tables_makes_the_parts_that_are_missing_when_it_opens_them(database: str) -> None:
    await migrate_store(database)
    with connected(database) as db:
        for one in schema.parts(db):
            db.execute(f"DROP TABLE {one.name}")
        assert schema.days_ahead(db) == -1
        async with open_store(database):
            assert schema.days_ahead(db) == schema.DAYS_AHEAD


async def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("orchestrator.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageProblem, match="needs the extra 'postgres'") as caught:
        async with open_store("postgresql://localhost/orchestrator"):
            raise AssertionError("opened")
    assert caught.value.hint == "pip install 'orchestrator[postgres]'"
    assert POSTGRES == "postgres"


async def test_no_parts_are_made_while_somebody_gives_rights_to_their_tables(database: str) -> None:
    """At once one of both would fail: "tuple concurrently updated"."""
    await migrate_store(database)
    with psycopg.connect(database) as other, connected(database) as db:
        other.execute(schema._LOCK.encode())
        db.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            schema.maintain(db)
        other.rollback()
        assert schema.maintain(db) == []
