"""What keeps a store small: runs and raw rows go in short transactions.

A write of another process waits for each of them, so none does more than a few hundred rows. Whatever is
killed in between, the store is sound: a run that is to go is gone for everybody in the first transaction, and
the rest is clearing up, which whoever prunes next goes on with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.errors import UsageProblem
from orchestrator.holdings import Holding, Holdings, RunOutline, Size, by_plan
from orchestrator.records import FINISHED, RunState
from orchestrator.store.base import Exchange
from orchestrator.store.sql import copying, rows
from orchestrator.store.sql.engine import Db, marks
from orchestrator.store.sql.journal import SqlJournal
from orchestrator.store.sql.listing import SqlListing

# Rows of one transaction: some ten milliseconds of work, a few megabytes at most.
ROWS = 2000
# Answers of a run whose size is looked at for what it takes.
SAMPLE = 100
# A row in its page and the entry of its key: headers, row id, numbers (bytes).
ROW_OVERHEAD = 70

_FINISHED = tuple(state.value for state in FINISHED)
_IS_FINISHED = f"state IN ({marks(_FINISHED)}) AND NOT condemned"
_IS_PINNED = "n IN (SELECT run_n FROM baselines)"
PINNED = "pinned as a baseline"
HAS_FORGOTTEN = "answers_pruned IS NOT NULL"
_OUTLINE = (
    "id, plan, started, finished, state, exit_code, parent, origin, account, settings, raw_pruned, thinning, "
    "answers_pruned"
)


class _Spec(NamedTuple):
    n: int
    position: int


class SqlUpkeep(SqlJournal, SqlListing):
    """Implements most of :class:`orchestrator.store.base.WholeStore`; what the methods promise is said there.

    How large a store is and how its space is given back is each database's own, and so is what else must be
    true of a run that may go (``_may_go``).
    """

    _may_go = "TRUE"
    # An expression: whose a run is.
    _whose = "''"

    async def outlines(self) -> list[RunOutline]:
        def work(db: Db) -> list[RunOutline]:
            found = db.execute(
                f"SELECT {_OUTLINE}, {self._whose} FROM runs WHERE NOT condemned ORDER BY n DESC"
            )
            return [_outline(row) for row in found]

        return await self._read(work)

    async def must_stay(self) -> dict[str, str]:
        def work(db: Db) -> dict[str, str]:
            found = db.execute(f"SELECT id FROM runs WHERE {_IS_PINNED}")
            return {row[0]: PINNED for row in found}

        return await self._read(work)

    async def condemn(self, runs: Sequence[str]) -> list[str]:
        def work(db: Db) -> list[str]:
            # By its number it is found no more, whatever part of its name is asked for.
            return [
                run
                for run in runs
                if db.execute(
                    f"UPDATE runs SET condemned = TRUE, id = '-' || n WHERE id = ? "
                    f"AND {_IS_FINISHED} AND NOT {_IS_PINNED} AND {self._may_go}",
                    (run, *_FINISHED),
                ).rowcount
            ]

        return await self._write(work)

    async def forget_answers(self, runs: Sequence[str], at: float) -> list[str]:
        def work(db: Db) -> list[str]:
            return [
                run
                for run in runs
                if db.execute(
                    "UPDATE runs SET answers_pruned = ?, raw_pruned = coalesce(raw_pruned, ?), "
                    f"thinning = TRUE WHERE id = ? AND {_IS_FINISHED} AND NOT {_IS_PINNED} "
                    f"AND {self._may_go}",
                    (at, at, run, *_FINISHED),
                ).rowcount
            ]

        return await self._write(work)

    async def clear(self) -> bool:
        def work(db: Db) -> bool:
            found = db.execute("SELECT n FROM runs WHERE condemned ORDER BY n LIMIT 1").fetchone()
            if found is not None:
                _clear(db, int(found[0]))
                return True
            forgets = f"{HAS_FORGOTTEN} AND thinning AND {_IS_FINISHED} AND {self._may_go}"
            found = db.execute(f"SELECT n FROM runs WHERE {forgets} ORDER BY n LIMIT 1", _FINISHED).fetchone()
            # Written, so that nobody goes on with it before this is committed.
            if (
                found is not None
                and db.execute(
                    f"UPDATE runs SET thinning = TRUE WHERE n = ? AND {forgets}", (found[0], *_FINISHED)
                ).rowcount
            ):
                _clear_answers(db, int(found[0]))
            return found is not None

        return await self._write(work)

    async def thin(self, run: str, at: float, after: int = -1) -> int | None:
        def work(db: Db) -> int | None:
            begun = db.execute(
                "UPDATE runs SET raw_pruned = ?, thinning = TRUE "
                f"WHERE id = ? AND {_IS_FINISHED} AND NOT {_IS_PINNED} AND NOT {HAS_FORGOTTEN} "
                f"AND {self._may_go}",
                (at, run, *_FINISHED),
            )
            if not begun.rowcount:
                return None  # it goes on, it has gone, or all of its answers have
            run_n, done = self._run(db, run), 0
            for spec in _specs(db, run_n, after):
                done += 1 + _thin(db, spec.n)
                if done >= ROWS:
                    return spec.position
            db.execute("UPDATE runs SET thinning = FALSE WHERE n = ?", (run_n,))
            return None

        return await self._write(work)

    async def size(self) -> Size:
        """How large the store is."""
        raise NotImplementedError

    async def holding(self, runs: Sequence[str]) -> Holding:
        return sum([await self._held(run) for run in runs], Holding())

    async def holdings(self) -> Holdings:
        about, size = await self.about(), await self.size()
        runs = [(run, await self._held(run.id)) for run in await self.outlines()]
        plans = by_plan(runs, size.bytes - size.free)
        return Holdings(about.place, about.engine, self._engine.schema, size, plans)

    async def take_from(self, source: Exchange, run: str) -> bool:
        """Take a run of another store as it is there, in one transaction."""
        if not isinstance(source, SqlUpkeep):
            raise UsageProblem("runs cannot be copied out of a store of this kind")
        there = source._engine  # noqa: SLF001 - it is one of us

        def work(db: Db) -> bool:
            self._engine.unhurried(db)
            with there.reading() as old:
                known = copying.digest(db, run)
                if known is not None and known != copying.digest(old, run):
                    raise UsageProblem(
                        f"{self._engine.place} has another run {run}",
                        hint="it went on there, or it went on here: look at both with `orchestrator show`",
                    )
                copying.add_learned(db, copying.learned(old))
                if known is None:
                    copying.copy_run(old, db, self._engine, run)
            return known is None

        return await self._write(work)

    async def _held(self, run: str) -> Holding:
        return await self._read(lambda db: _holding(db, run))


def _outline(row: rows.Row) -> RunOutline:
    settings = rows.settings(row[9])
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
        simulated=settings.simulated,
        raw_pruned=None if row[11] else row[10],
        partial=settings.partial,
        answers_pruned=None if row[11] else row[12],
        organization=row[13],
    )


def _specs(db: Db, run_n: int, after: int = -1) -> Iterator[_Spec]:
    found = db.execute(
        "SELECT n, position FROM specs WHERE run_n = ? AND position > ? ORDER BY position", (run_n, after)
    ).fetchall()
    return map(_Spec._make, found)


def _clear(db: Db, run_n: int) -> None:
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
            f"DELETE FROM {table} WHERE run_n = ? AND {key} IN "
            f"(SELECT {key} FROM {table} WHERE run_n = ? LIMIT ?)",
            (run_n, run_n, left),
        ).rowcount
        if left <= 0:
            return
    db.execute("DELETE FROM runs WHERE n = ?", (run_n,))


def _clear_answers(db: Db, run_n: int) -> None:
    """Take away so many answers of a run that forgets them; it has none any more when that is noted."""
    left = ROWS
    for spec in _specs(db, run_n):
        left -= db.execute("DELETE FROM answers WHERE spec_n = ?", (spec.n,)).rowcount
        if left <= 0:
            return
    db.execute("UPDATE runs SET thinning = FALSE WHERE n = ?", (run_n,))


def _thin(db: Db, spec_n: int) -> int:
    """Write the answers of a spec anew without their raw rows; returns how many. Rows that only shrank where
    they are would leave every page half empty."""
    found = db.execute(
        f"SELECT spec_n, {rows.ANSWER_COLUMNS} FROM answers WHERE spec_n = ? AND raw <> ''", (spec_n,)
    ).fetchall()
    if found:
        db.execute("DELETE FROM answers WHERE spec_n = ? AND raw <> ''", (spec_n,))
        columns = f"spec_n, {rows.ANSWER_COLUMNS}".split(", ")
        raw = columns.index("raw")
        db.executemany(
            f"INSERT INTO answers ({', '.join(columns)}) VALUES ({marks(columns)})",
            ((*row[:raw], "", *row[raw + 1 :]) for row in found),
        )
    return len(found)


def _holding(db: Db, run: str) -> Holding:
    """What a run holds; its bytes by the mean size of answers from all over it."""
    found = db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()
    if found is None:
        return Holding()
    specs = [spec.n for spec in _specs(db, found[0])]
    cells = answers = 0
    for spec_n in specs:
        cells += db.execute("SELECT count(*) FROM cells WHERE spec_n = ?", (spec_n,)).fetchone()[0]
        answers += db.execute("SELECT count(*) FROM answers WHERE spec_n = ?", (spec_n,)).fetchone()[0]
    texts = " + ".join(
        f"coalesce(length(CAST({column} AS TEXT)), 0)" for column in rows.ANSWER_COLUMNS.split(", ")
    )
    sampled: list[int] = []
    for spec_n in specs[:: max(1, len(specs) // SAMPLE)]:
        found = db.execute(f"SELECT {texts} FROM answers WHERE spec_n = ? LIMIT 20", (spec_n,)).fetchall()
        sampled += [row[0] for row in found]
    mean = sum(sampled) / len(sampled) + ROW_OVERHEAD if sampled else 0.0
    # A cell, a spec and its events weigh about as much as two short rows more.
    weight = answers * mean + cells * ROW_OVERHEAD + len(specs) * 10 * ROW_OVERHEAD + 10 * ROW_OVERHEAD
    return Holding(1, len(specs), cells, answers, round(weight))
