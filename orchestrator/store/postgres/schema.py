"""The tables of the database: migrations, and the parts of tables for the days to come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from orchestrator.errors import StoreProblem
from orchestrator.records import RunState
from orchestrator.store.postgres.link import SCHEMA, Session
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.upkeep import HAS_FORGOTTEN

# Numbers of rows begin with a day; a part of a table takes those of so many days. The database's function
# that makes them (0012_turns.sql) has these too; a test holds both together.
PARTS = {"answers": 1, "events": 1, "cells": 7}
DAY_BITS = 40
# Parts are made for so many days to come; who writes is told when fewer than the second number are left.
DAYS_AHEAD, FEW_DAYS = 14, 2
# The oldest server whose statements these are: parts are detached beside others who write.
OLDEST = 140000
_OUTSIDE = "-- outside a transaction"
# An advisory lock anybody may take, and hold up who waits for it: only where there is no table to lock yet.
_FIRST_LOCK = "SELECT pg_advisory_xact_lock(hashtext('orchestrator.migrations'))"
# Whoever reads it goes on. The database's function that makes parts takes it too (0012_turns.sql).
_LOCK = f"LOCK TABLE {SCHEMA}.migrations IN SHARE ROW EXCLUSIVE MODE"
# A run that may be resumed needs its part of the table for the answers to come: what it forgets goes by rows.
_FORGETS_FOR_GOOD = f"{HAS_FORGOTTEN} AND runs.state = '{RunState.COMPLETE.value}'"
_KEPT = f"""
    CREATE TABLE IF NOT EXISTS {SCHEMA}.migrations (
        name text COLLATE "C" PRIMARY KEY,
        min_reader text COLLATE "C" NOT NULL,
        applied timestamptz NOT NULL DEFAULT now()
    )
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """``min_reader`` is the newest migration that a version must know to use a database that has this one."""

    name: str
    script: str
    min_reader: str
    transactional: bool


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations, in the order in which they are applied."""
    folder = resources.files("orchestrator.store.postgres") / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return tuple(_migration(entry.name.removesuffix(".sql"), entry.read_text("utf-8")) for entry in files)


def _migration(name: str, script: str) -> Migration:
    found = re.search(r"^-- min reader: (\S+)$", script, re.MULTILINE)
    first = script.partition("\n")[0]
    return Migration(name, script, found[1] if found else "0001_journal", first.strip() != _OUTSIDE)


def applied(db: Session) -> dict[str, str]:
    """The migrations that a database has, each with its least reader; none where there is no store."""
    if not _is_kept(db):
        return {}
    return dict(db.execute(f"SELECT name, min_reader FROM {SCHEMA}.migrations ORDER BY name"))


def _is_kept(db: Session) -> bool:
    """Whether there is a table of migrations."""
    there = db.execute("SELECT to_regclass(?)", (f"{SCHEMA}.migrations",)).fetchone()
    return there is not None and there[0] is not None


def check(db: Session, place: str) -> None:
    """Raise :class:`StoreProblem` unless this version can use the database as it is."""
    version = db.raw.info.server_version
    if version < OLDEST:
        raise StoreProblem(
            f"store {place}: PostgreSQL {version // 10000} is too old", hint=f"use {OLDEST // 10000} or newer"
        )
    has, known = applied(db), [one.name for one in migrations()]
    missing = [name for name in known if name not in has]
    if missing:
        what = "holds no store yet" if not has else f"lacks {missing[0]}, which this version needs"
        raise StoreProblem(
            f"store {place}: the database {what}",
            hint="run `orchestrator store migrate --store URL` once, as the role that owns the tables",
        )
    newer = max((least for name, least in has.items() if name not in known), default="")
    if newer > known[-1]:
        raise StoreProblem(
            f"store {place}: written by a newer version of orchestrator ({newer})",
            hint="upgrade orchestrator, or use another --store",
        )


def migrate(db: Session) -> list[str]:
    """Bring a database to this version, all or nothing; the names of what was applied.

    Several may do so at once: one does, the others wait and find nothing left to do.
    """
    done: list[str] = []
    with db.raw.transaction():
        if not _is_kept(db):
            db.execute(_FIRST_LOCK)
            # Not IF NOT EXISTS: who may make no schema may still use one that was made for it.
            if db.execute("SELECT to_regnamespace(?)", (SCHEMA,)).fetchone()[0] is None:
                db.execute(f"CREATE SCHEMA {SCHEMA}")
            db.execute(_KEPT)
        db.execute(_LOCK)
        has = applied(db)
        for one in migrations():
            if one.name not in has and one.transactional:
                db.raw.execute(one.script.encode())
                done.append(_remember(db, one))
    has = applied(db)
    for one in migrations():
        if one.name not in has:
            for statement in statements(one.script):
                db.raw.execute(statement.encode())
            done.append(_remember(db, one))
    give_rights(db)
    return done


def give_rights(db: Session) -> None:
    """Give the roles that there are what each of them may do."""
    script = (resources.files("orchestrator.store.postgres") / "rights.sql").read_text("utf-8")
    with db.raw.transaction():
        db.execute(_LOCK)  # two who change the rights of one table at once fail
        db.raw.execute(script.encode())


def _remember(db: Session, one: Migration) -> str:
    sql = f"INSERT INTO {SCHEMA}.migrations (name, min_reader) VALUES (?, ?) ON CONFLICT DO NOTHING"
    db.execute(sql, (one.name, one.min_reader))
    return one.name


def statements(script: str) -> Iterator[str]:
    """The statements of a script whose lines end with ``;`` where one ends."""
    part = ""
    for line in script.splitlines(keepends=True):
        if not line.startswith("--"):
            part += line
        if line.rstrip().endswith(";"):
            yield part
            part = ""


def is_owner(db: Session) -> bool:
    """Whether this role may take parts of tables away."""
    sql = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(?)"
    found = db.execute(sql, (f"{SCHEMA}.answers",)).fetchone()
    return found is not None and bool(found[0])


def may_make_room(db: Session) -> bool:
    """Whether this role may make parts of tables."""
    sql = "SELECT coalesce(has_function_privilege(to_regprocedure(?), 'EXECUTE'), FALSE)"
    return bool(db.execute(sql, (f"{SCHEMA}.make_parts(integer)",)).fetchone()[0])


def today(db: Db) -> int:
    """The day by the database's clock, counted from 1970."""
    return int(db.execute("SELECT day_today()").fetchone()[0])


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table, for the days from ``first`` up to ``end``."""

    table: str
    name: str
    first: int
    end: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The numbers of rows in it: from, and up to."""
        return self.first << DAY_BITS, self.end << DAY_BITS


def part(table: str, day: int) -> Part:
    """The part of a table that holds a day."""
    days = PARTS[table]
    first = day - day % days
    return Part(table, f"{table}_{first}", first, first + days)


def parts(db: Db, tables: Sequence[str] = tuple(PARTS)) -> list[Part]:
    """The parts that there are, oldest first."""
    found = db.execute(
        "SELECT parent.relname, child.relname FROM pg_inherits "
        "JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid "
        "JOIN pg_namespace ON pg_namespace.oid = parent.relnamespace WHERE nspname = ? "
        "AND child.relkind = 'r'",
        (SCHEMA,),
    )
    known = [
        part(table, int(name.rpartition("_")[2]))
        for table, name in found
        if table in tables and name.rpartition("_")[2].isdigit()
    ]
    return sorted(known, key=lambda one: (one.first, one.table))


def maintain(db: Session, ahead: int = DAYS_AHEAD) -> list[str]:
    """Make the parts that are missing from today on; their names."""
    return [str(name) for (name,) in db.execute("SELECT make_parts(?)", (ahead,))]


def days_ahead(db: Db) -> int:
    """For how many days after today every table has a part; -1 where today's is missing."""
    there, day = {one.name for one in parts(db)}, today(db)
    n = 0
    while all(part(table, day + n).name in there for table in PARTS):
        n += 1
    return n - 1


def cautions(db: Db) -> list[str]:
    """What of a database should be put right, in words."""
    told: list[str] = []
    ahead = days_ahead(db)
    if ahead < FEW_DAYS:
        told.append(
            f"its tables have parts for {max(0, ahead + 1)} days: run `orchestrator store maintain` daily"
        )
    standbys, safe = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) FROM pg_stat_replication"
    ).fetchone()
    if standbys and not safe:
        told.append(
            "no standby is synchronous: a failover may forget what was paid for (synchronous_standby_names)"
        )
    if db.execute("SHOW synchronous_commit").fetchone()[0] == "off":
        told.append("synchronous_commit is off: a crash may forget what was paid for")
    return told


def drop_one(db: Session) -> bool:
    """Take away the oldest part of a past day in which all rows are of condemned runs, or are forgotten
    answers of runs with which nobody goes on; whether there was one.

    Detached first, beside others who write: nobody has to wait for it. A kill between the two leaves a table
    that is no part of any other; the next call takes it away.
    """
    half = db.execute(
        "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits WHERE inhdetachpending"
    ).fetchone()
    if half is not None:
        db.execute(f"ALTER TABLE {half[0]} DETACH PARTITION {half[1]} FINALIZE")
    left = db.execute(
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = ? AND relkind = 'r' AND NOT relispartition AND relname ~ ?",
        (SCHEMA, f"^({'|'.join(PARTS)})_[0-9]+$"),
    ).fetchone()
    if left is not None:
        db.execute(f"DROP TABLE {left[0]}")
        return True
    going = f"SELECT 1 FROM runs WHERE condemned OR ({_FORGETS_FOR_GOOD} AND thinning) LIMIT 1"
    if db.execute(going).fetchone() is None:
        return False
    day = today(db)
    for one in parts(db):
        if one.end <= day and _is_droppable(db, one):
            db.execute(f"ALTER TABLE {one.table} DETACH PARTITION {one.name} CONCURRENTLY")
            db.execute(f"DROP TABLE {one.name}")
            return True
    return False


def _is_droppable(db: Session, one: Part) -> bool:
    """Whether all that is in it, or may still come, is of condemned runs, or forgotten."""
    key = "runs.n" if one.table == "events" else "specs.n"
    source = "runs" if one.table == "events" else "specs JOIN runs ON runs.n = specs.run_n"
    goes = f"condemned OR ({_FORGETS_FOR_GOOD})" if one.table == "answers" else "condemned"
    kept = db.execute(
        f"SELECT 1 FROM {source} WHERE {key} >= ? AND {key} < ? AND NOT ({goes}) LIMIT 1", one.bounds
    )
    return kept.fetchone() is None
