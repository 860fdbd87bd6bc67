"""A run goes from one store into another as it is, in one transaction, and is proved to be the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import StoreProblem
from orchestrator.records import RunState
from orchestrator.store.sql import rows, snapshots
from orchestrator.store.sql.counting import OF_RUN
from orchestrator.store.sql.engine import Db, Engine, marks

# Specs whose cells and answers are in memory at once.
SPECS = 20
_RUN = f"{rows.RUN_COLUMNS}, thinning"
# Columns that are numbers in one database and truth values in another.
_TRUTHS = frozenset({"target_only", "given_up", "thinning"})
_CELL = "agent_id, state, verdict, reasons"
_LEFT_OUT = "test, type, target, agent_id, reason"
_EVENT = "spec, at, kind, facts"


@dataclass(frozen=True, slots=True)
class Digest:
    """What tells whether two stores have the same of a run."""

    specs: str
    cells: int
    answers: int
    events: int


def digest(db: Db, run: str) -> Digest | None:
    """Of a run, if it is there."""
    found = db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()
    if found is None:
        return None
    told = hashlib.sha256()
    cells = answers = 0
    for n, *known in db.execute(
        f"SELECT n, key, test_id, state FROM specs WHERE {OF_RUN} ORDER BY position", (run,)
    ).fetchall():
        told.update(json.dumps(known).encode())
        cells += db.execute("SELECT count(*) FROM cells WHERE spec_n = ?", (n,)).fetchone()[0]
        answers += db.execute("SELECT count(*) FROM answers WHERE spec_n = ?", (n,)).fetchone()[0]
    events = db.execute("SELECT count(*) FROM events WHERE run_n = ?", (found[0],)).fetchone()[0]
    return Digest(told.hexdigest(), cells, answers, events)


def copy_run(source: Db, db: Db, engine: Engine, run: str) -> int:
    """Insert a run of ``source`` that is not there yet; its number.

    One that went on there is interrupted here: nobody goes on with it. Raises ``StoreProblem`` if it did not
    arrive as it is.
    """
    names = _RUN.split(", ")
    [whole] = _clean(source, f"SELECT {_RUN} FROM runs WHERE id = ?", (run,), names)
    state = names.index("state")
    if whole[state] == RunState.RUNNING.value:
        whole = (*whole[:state], RunState.INTERRUPTED.value, *whole[state + 1 :])
    db.execute(f"INSERT INTO runs ({_RUN}) VALUES ({marks(whole)})", whole)
    run_n = int(db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()[0])
    for table, columns, order in (
        ("agents", rows.AGENT_COLUMNS, "id"),
        ("specs", rows.TEST_COLUMNS, "position"),
        ("left_out", _LEFT_OUT, "n"),
        ("events", _EVENT, "n"),
    ):
        sql = f"SELECT {columns} FROM {table} WHERE {OF_RUN} ORDER BY {order}"
        found = _clean(source, sql, (run,), columns.split(", "))
        engine.load(db, table, f"run_n, {columns}", ((run_n, *row) for row in found))
    _copy_of_specs(source, db, engine, run, run_n)
    if digest(source, run) != digest(db, run):
        raise StoreProblem(f"run {run} did not arrive as it is", hint="nothing of it was kept; try again")
    return run_n


def _copy_of_specs(source: Db, db: Db, engine: Engine, run: str, run_n: int) -> None:
    here = dict(db.execute("SELECT key, n FROM specs WHERE run_n = ?", (run_n,)))
    there = dict(source.execute(f"SELECT n, key FROM specs WHERE {OF_RUN} ORDER BY position", (run,)))
    numbers = [*there]
    for first in range(0, len(numbers), SPECS):
        some = numbers[first : first + SPECS]
        for table, columns in (
            ("cells", _CELL),
            ("answers", rows.ANSWER_COLUMNS),
            ("snapshots", snapshots.COLUMNS),
        ):
            sql = f"SELECT spec_n, {columns} FROM {table} WHERE spec_n IN ({marks(some)}) ORDER BY spec_n"
            found = _clean(source, sql, some, ["spec_n", *columns.split(", ")])
            moved = ((here[there[row[0]]], *row[1:]) for row in found)
            engine.load(db, table, f"spec_n, {columns}", moved)


def _clean(db: Db, sql: str, values: Sequence[object], columns: Sequence[str]) -> Iterator[rows.Row]:
    """Rows as every database can hold them."""
    truths = [name.strip() in _TRUTHS for name in columns]
    for row in db.execute(sql, values):
        yield tuple(
            bool(value) if truth else rows.safe(value) if isinstance(value, str) else value
            for value, truth in zip(row, truths, strict=True)
        )


def learned(db: Db) -> list[rows.Row]:
    """What was learned of latencies: origin, type, samples."""
    return [tuple(row) for row in db.execute("SELECT origin, type, samples FROM latencies")]


def add_learned(db: Db, known: Sequence[rows.Row]) -> None:
    """Keep what was learned elsewhere, of what nothing is known here."""
    db.executemany(
        "INSERT INTO latencies (origin, type, samples) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", known
    )
