"""What keeps the file small: runs and raw rows go in short transactions, and their space is given back.

A write of another process waits for each of them, so none does more than a few hundred rows. Whatever is
killed in between, the store is sound: a run that is to go is gone for everybody in the first transaction, and
the rest is clearing up, which whoever prunes next goes on with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.errors import StoreProblem
from orchestrator.holdings import Holding, Holdings, RunOutline, Size, by_plan
from orchestrator.records import FINISHED, RunState
from orchestrator.store.sqlite import rows
from orchestrator.store.sqlite.archive import run_number
from orchestrator.store.sqlite.database import Database, explained, migrations
from orchestrator.store.sqlite.journal import SqliteStore

# Rows and pages of one transaction: some ten milliseconds of work, a few megabytes at most.
ROWS = 2000
PAGES = 1000
# Answers of a run whose size is looked at for what it takes.
SAMPLE = 100
# A row in its page and the entry of its key: headers, row id, numbers (bytes).
ROW_OVERHEAD = 70
# What is rebuilt as a whole keeps everybody else waiting: a larger file is left as it is (bytes).
REBUILT = 1_000_000_000

_FINISHED = tuple(state.value for state in FINISHED)
_IS_FINISHED = f"state IN ({','.join('?' * len(_FINISHED))}) AND NOT condemned"
_IS_PINNED = "n IN (SELECT run_n FROM baselines)"
PINNED = "pinned as a baseline"
_OUTLINE = (
    "id, plan, started, finished, state, exit_code, parent, origin, account, "
    "json_extract(settings, '$.simulated'), raw_pruned, thinning, json_extract(settings, '$.partial')"
)


class _Spec(NamedTuple):
    n: int
    position: int


class SqliteUpkeep(SqliteStore):
    """Implements :class:`orchestrator.store.base.WholeStore`; what the methods promise is said there."""

    async def outlines(self) -> list[RunOutline]:
        def work(db: sqlite3.Connection) -> list[RunOutline]:
            found = db.execute(f"SELECT {_OUTLINE} FROM runs WHERE NOT condemned ORDER BY n DESC")
            return [_outline(row) for row in found]

        return await self._read(work)

    async def must_stay(self) -> dict[str, str]:
        def work(db: sqlite3.Connection) -> dict[str, str]:
            found = db.execute(f"SELECT id FROM runs WHERE {_IS_PINNED}")
            return {row[0]: PINNED for row in found}

        return await self._read(work)

    async def condemn(self, runs: Sequence[str]) -> list[str]:
        def work(db: sqlite3.Connection) -> list[str]:
            # By its number it is found no more, whatever part of its name is asked for.
            return [
                run
                for run in runs
                if db.execute(
                    f"UPDATE runs SET condemned = 1, id = '-' || n WHERE id = ? "
                    f"AND {_IS_FINISHED} AND NOT {_IS_PINNED}",
                    (run, *_FINISHED),
                ).rowcount
            ]

        return await self._write(work)

    async def clear(self) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            found = db.execute("SELECT n FROM runs WHERE condemned ORDER BY n LIMIT 1").fetchone()
            if found is None:
                return False
            _clear(db, int(found[0]))
            return True

        return await self._write(work)

    async def thin(self, run: str, at: float, after: int = -1) -> int | None:
        def work(db: sqlite3.Connection) -> int | None:
            begun = db.execute(
                f"UPDATE runs SET raw_pruned = ?, thinning = 1 WHERE id = ? AND {_IS_FINISHED}",
                (at, run, *_FINISHED),
            )
            if not begun.rowcount:
                return None  # it goes on, or has gone
            run_n, done = run_number(db, run), 0
            for spec in _specs(db, run_n, after):
                done += 1 + _thin(db, spec.n)
                if done >= ROWS:
                    return spec.position
            db.execute("UPDATE runs SET thinning = 0 WHERE n = ?", (run_n,))
            return None

        return await self._write(work)

    async def give_back(self) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            if _pragma(db, "auto_vacuum") == 0:
                return False
            db.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
            return _pragma(db, "freelist_count") > 0

        return await self._write(work)

    async def rebuild(self) -> bool:
        size = await self.size()
        return size.bytes - size.free <= REBUILT and await self._do(lambda: _rebuild(self._database))

    async def size(self) -> Size:
        def work(db: sqlite3.Connection) -> Size:
            page = _pragma(db, "page_size")
            return Size(page * _pragma(db, "page_count"), page * _pragma(db, "freelist_count"))

        return await self._read(work)

    async def holding(self, runs: Sequence[str]) -> Holding:
        return sum([await self._held(run) for run in runs], Holding())

    async def holdings(self) -> Holdings:
        about, size = await self.about(), await self.size()
        runs = [(run, await self._held(run.id)) for run in await self.outlines()]
        plans = by_plan(runs, size.bytes - size.free)
        return Holdings(about.place, about.engine, migrations()[-1][0], size, plans)

    async def _held(self, run: str) -> Holding:
        return await self._read(lambda db: _holding(db, run))


def _outline(row: rows.Row) -> RunOutline:
    return RunOutline(
        id=row[0],
        plan=row[1],
        started=row[2],
        finished=row[3],
        state=RunState(row[4]),
        exit_code=row[5],
        parent=row[6],
        origin=row[7],
        account=row[8],
        simulated=bool(row[9]),
        raw_pruned=None if row[11] else row[10],
        partial=bool(row[12]),
    )


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _specs(db: sqlite3.Connection, run_n: int, after: int = -1) -> Iterator[_Spec]:
    found = db.execute(
        "SELECT n, position FROM specs WHERE run_n = ? AND position > ? ORDER BY position", (run_n, after)
    ).fetchall()
    return map(_Spec._make, found)


def _clear(db: sqlite3.Connection, run_n: int) -> None:
    """Take away so many rows of a condemned run, at last the run itself."""
    left = ROWS
    for spec in _specs(db, run_n):
        left -= db.execute("DELETE FROM answers WHERE spec_n = ?", (spec.n,)).rowcount
        left -= db.execute("DELETE FROM cells WHERE spec_n = ?", (spec.n,)).rowcount
        db.execute("DELETE FROM specs WHERE n = ?", (spec.n,))
        if left <= 0:
            return
    for table, key in (("events", "n"), ("left_out", "n")):
        left -= db.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE run_n = ? LIMIT ?)",
            (run_n, left),
        ).rowcount
        if left <= 0:
            return
    db.execute("DELETE FROM runs WHERE n = ?", (run_n,))


def _thin(db: sqlite3.Connection, spec_n: int) -> int:
    """Write the answers of a spec anew without their raw rows; returns how many. Rows that only shrank where
    they are would leave every page half empty."""
    found = db.execute(
        f"SELECT spec_n, {rows.ANSWER_COLUMNS} FROM answers WHERE spec_n = ? AND raw <> ''", (spec_n,)
    ).fetchall()
    if found:
        db.execute("DELETE FROM answers WHERE spec_n = ? AND raw <> ''", (spec_n,))
        columns = f"spec_n, {rows.ANSWER_COLUMNS}".split(", ")
        raw = columns.index("raw")
        marks = ",".join("?" * len(columns))
        db.executemany(
            f"INSERT INTO answers ({', '.join(columns)}) VALUES ({marks})",
            ((*row[:raw], "", *row[raw + 1 :]) for row in found),
        )
    return len(found)


def _holding(db: sqlite3.Connection, run: str) -> Holding:
    """What a run holds; its bytes by the mean size of answers from all over it."""
    found = db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()
    if found is None:
        return Holding()
    specs = [spec.n for spec in _specs(db, found[0])]
    cells = answers = 0
    for spec_n in specs:
        cells += db.execute("SELECT count(*) FROM cells WHERE spec_n = ?", (spec_n,)).fetchone()[0]
        answers += db.execute("SELECT count(*) FROM answers WHERE spec_n = ?", (spec_n,)).fetchone()[0]
    texts = " + ".join(f"coalesce(length({column}), 0)" for column in rows.ANSWER_COLUMNS.split(", "))
    sampled: list[int] = []
    for spec_n in specs[:: max(1, len(specs) // SAMPLE)]:
        found = db.execute(f"SELECT {texts} FROM answers WHERE spec_n = ? LIMIT 20", (spec_n,)).fetchall()
        sampled += [row[0] for row in found]
    mean = sum(sampled) / len(sampled) + ROW_OVERHEAD if sampled else 0.0
    # A cell, a spec and its events weigh about as much as two short rows more.
    weight = answers * mean + cells * ROW_OVERHEAD + len(specs) * 10 * ROW_OVERHEAD + 10 * ROW_OVERHEAD
    return Holding(1, len(specs), cells, answers, round(weight))


def _rebuild(database: Database) -> bool:
    """Write the file anew, so that it can give back what is free from then on, unless somebody uses it."""
    db = database.connection
    db.execute("PRAGMA busy_timeout = 0")
    try:
        with explained(database.path):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
    except StoreProblem:
        return False  # it is used, or the disk has no room for a second one: it stays as it is
    finally:
        database.wait_for_locks()
    return True
