"""The store in one SQLite file: each write is one transaction that is on the disk when the call returns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Self, TypeVar

import anyio

from orchestrator.events import Adopted, Event, GivenUp
from orchestrator.lifecycle import MOVES, SpecState, check_move
from orchestrator.model import COLLECTED, Agent, Answer, CellResult, CellState, NotRun
from orchestrator.records import RunFacts, RunRecord, RunState, TestEnd, TestRecord
from orchestrator.store.facts import dump_facts
from orchestrator.store.sqlite import pinned, rows
from orchestrator.store.sqlite.archive import (
    Busy,
    InThread,
    Offload,
    SqliteArchive,
    in_place,
    run_number,
    spec_number,
)
from orchestrator.store.sqlite.database import Database
from orchestrator.store.sqlite.group import GroupCommit

T = TypeVar("T")


def _move(db: sqlite3.Connection, spec_n: int, state: SpecState, columns: Mapping[str, object]) -> None:
    """Change the state by the table of moves, whatever other process may have done meanwhile."""
    legal = [old.value for old, new in MOVES if new is state]
    assignments = "".join(f", {name} = ?" for name in columns)
    marks = ",".join("?" * len(legal))
    changed = db.execute(
        f"UPDATE specs SET state = ?{assignments} WHERE n = ? AND state IN ({marks})",
        (state.value, *columns.values(), spec_n, *legal),
    )
    if changed.rowcount != 1:
        current = db.execute("SELECT state FROM specs WHERE n = ?", (spec_n,)).fetchone()[0]
        check_move(SpecState(current), state)


def _move_back(db: sqlite3.Connection, spec_n: int, state: SpecState, error: str | None = None) -> None:
    """A move that is no end, with what it means for the cells."""
    _move(db, spec_n, state, {"closed": None, "error": rows.safe(error)})
    if state is SpecState.PLANNED:
        _reopen_cells(db, spec_n)
    elif state is SpecState.WAITING:
        _reopen_cells(db, spec_n, but=COLLECTED)


def _close(db: sqlite3.Connection, run: str, end: TestEnd, at: float) -> None:
    spec_n, _ = spec_number(db, run, end.key)
    _move(db, spec_n, end.state, {"closed": at, "error": rows.safe(end.error)})
    _set_cells(db, spec_n, end.cells)


def _reopen_cells(db: sqlite3.Connection, spec_n: int, *, but: Collection[CellState] = ()) -> None:
    marks = ",".join("?" * len(but))
    db.execute(
        "UPDATE cells SET state = 'pending', verdict = NULL, reasons = NULL "
        f"WHERE spec_n = ? AND state NOT IN ({marks})",
        (spec_n, *(state.value for state in but)),
    )


def _set_cells(db: sqlite3.Connection, spec_n: int, cells: Iterable[CellResult]) -> None:
    db.executemany(
        "UPDATE cells SET state = ?, verdict = ?, reasons = ? WHERE spec_n = ? AND agent_id = ?",
        (
            (
                cell.state.value,
                cell.verdict.value,
                rows.dump(cell.reasons) if cell.reasons else None,
                spec_n,
                cell.agent_id,
            )
            for cell in cells
        ),
    )


def _add_events(db: sqlite3.Connection, run_n: int, events: Sequence[Event]) -> None:
    if events:
        db.executemany(
            "INSERT INTO events (run_n, spec, at, kind, facts) VALUES (?, ?, ?, ?, ?)",
            rows.event_rows(run_n, events),
        )


class SqliteStore(SqliteArchive):
    """Implements :class:`orchestrator.store.base.Store`; what the methods promise is said there."""

    def __init__(
        self, database: Database, offload: Offload[object] | None = None, busy: Busy = nullcontext
    ) -> None:
        super().__init__(database, offload)

        async def pause(seconds: float) -> None:
            with busy():
                await anyio.sleep(seconds)

        self._group = GroupCommit(database, self._do, pause)

    @classmethod
    async def open(
        cls, path: Path, *, make: bool = True, virtual: bool = False, busy: Busy = nullcontext
    ) -> Self:
        """Open the store, or ``make`` it; without ``make`` reading is enough.

        ``busy`` is entered while its thread works. Raises ``StoreProblem``.
        """
        if virtual:
            database = Database(path, make=make)
            # Virtual time has no power cuts; waiting for a real disk would only make it slow.
            database.connection.execute("PRAGMA synchronous = OFF")
            return cls(database, offload=in_place)
        offload = InThread(busy)
        return cls(await offload(lambda: Database(path, make=make)), offload=offload, busy=busy)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._group.write(work)

    async def create_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            marks = ",".join("?" * len(rows.run_row(run)))
            run_n = db.execute(
                f"INSERT INTO runs ({rows.RUN_COLUMNS}) VALUES ({marks})",
                rows.run_row(run),
            ).lastrowid
            db.executemany(
                f"INSERT INTO agents (run_n, {rows.AGENT_COLUMNS}) VALUES (?{',?' * 12})",
                ((run_n, *rows.agent_row(agent)) for agent in agents),
            )
            for test in specs:
                spec_n = db.execute(
                    f"INSERT INTO specs (run_n, {rows.TEST_COLUMNS}) VALUES (?{',?' * 16})",
                    (run_n, *rows.test_row(test)),
                ).lastrowid
                db.executemany(
                    "INSERT INTO cells (spec_n, agent_id) VALUES (?, ?)",
                    ((spec_n, agent_id) for agent_id in test.spec.agents),
                )
            db.executemany(
                "INSERT INTO left_out (run_n, test, type, target, agent_id, reason) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                ((run_n, *map(rows.safe, (n.test, n.type, n.target, n.agent, n.reason))) for n in not_run),
            )

        await self._write(work)

    async def update_run(
        self,
        run: str,
        *,
        state: RunState,
        finished: float | None,
        exit_code: int | None,
        facts: RunFacts,
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE runs SET state = ?, finished = ?, exit_code = ?, facts = ? WHERE n = ?",
                (state.value, finished, exit_code, rows.dump(dump_facts(facts)), run_number(db, run)),
            )

        await self._write(work)

    async def intend(self, run: str, key: str, name: str, at: float, events: Sequence[Event] = ()) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, run_n = spec_number(db, run, key)
            _move(db, spec_n, SpecState.CREATING, {"name": rows.safe(name), "intended": at, "error": None})
            _add_events(db, run_n, events)

        await self._write(work)

    async def created(
        self,
        run: str,
        key: str,
        test_id: str,
        links: Mapping[str, str],
        at: float,
        events: Sequence[Event] = (),
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, run_n = spec_number(db, run, key)
            columns = {"test_id": test_id, "links": rows.dump(dict(links)), "created": at, "error": None}
            _move(db, spec_n, SpecState.WAITING, columns)
            _add_events(db, run_n, events)

        await self._write(work)

    async def move(
        self,
        run: str,
        key: str,
        state: SpecState,
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, run_n = spec_number(db, run, key)
            _move_back(db, spec_n, state, error)
            _add_events(db, run_n, events)

        await self._write(work)

    async def move_all(self, run: str, keys: Sequence[str], state: SpecState) -> None:
        def work(db: sqlite3.Connection) -> None:
            for key in keys:
                _move_back(db, spec_number(db, run, key)[0], state)

        await self._write(work)

    async def adopt(self, run: str, key: str, test_id: str, at: float) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, run_n = spec_number(db, run, key)
            sent, state = db.execute("SELECT intended, state FROM specs WHERE n = ?", (spec_n,)).fetchone()
            # Its deadline counts from when it was sent: the resume has one poll, not a new deadline.
            columns = {"test_id": test_id, "created": sent, "closed": None, "error": None}
            if state == SpecState.WAITING.value:  # adopted before, under an id that was wrong
                db.execute("UPDATE specs SET test_id = ? WHERE n = ?", (test_id, spec_n))
            else:
                _move(db, spec_n, SpecState.WAITING, columns)
            _reopen_cells(db, spec_n)
            _add_events(db, run_n, [Event(at, run, key, Adopted(test_id))])

        await self._write(work)

    async def give_up(self, run: str, key: str, at: float) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, run_n = spec_number(db, run, key)
            db.execute("UPDATE specs SET given_up = 1 WHERE n = ?", (spec_n,))
            _add_events(db, run_n, [Event(at, run, key, GivenUp())])

        await self._write(work)

    async def set_baseline(self, run: str, key: str, baseline: Mapping[str, int]) -> None:
        def work(db: sqlite3.Connection) -> None:
            spec_n, _ = spec_number(db, run, key)
            db.execute("UPDATE specs SET baseline = ? WHERE n = ?", (rows.dump(dict(baseline)), spec_n))

        await self._write(work)

    async def close_test(
        self,
        run: str,
        key: str,
        state: SpecState,
        cells: Sequence[CellResult],
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            _close(db, run, TestEnd(key, state, tuple(cells), error), at)
            _add_events(db, run_number(db, run), events)

        await self._write(work)

    async def close_tests(
        self, run: str, ends: Sequence[TestEnd], at: float, events: Sequence[Event] = ()
    ) -> None:
        def work(db: sqlite3.Connection) -> None:
            for end in ends:
                _close(db, run, end, at)
            _add_events(db, run_number(db, run), events)

        await self._write(work)

    async def add_answers(
        self,
        run: str,
        key: str,
        answers: Sequence[Answer],
        events: Sequence[Event] = (),
        cells: Sequence[CellResult] = (),
    ) -> int:
        def work(db: sqlite3.Connection) -> int:
            spec_n, run_n = spec_number(db, run, key)
            before = db.total_changes
            db.executemany(
                f"INSERT INTO answers (spec_n, {rows.ANSWER_COLUMNS}) VALUES (?{',?' * 15}) "
                "ON CONFLICT DO NOTHING",
                ((spec_n, *rows.answer_row(answer)) for answer in answers),
            )
            added = db.total_changes - before
            _set_cells(db, spec_n, cells)
            _add_events(db, run_n, events)
            return added

        return await self._write(work)

    async def pin(self, name: str, run: str, note: str | None, at: float) -> None:
        await self._write(lambda db: pinned.pin(db, name, run_number(db, run), note, at))

    async def unpin(self, name: str) -> bool:
        return await self._write(lambda db: pinned.unpin(db, name))

    async def add_events(self, run: str, events: Sequence[Event]) -> None:
        def work(db: sqlite3.Connection) -> None:
            _add_events(db, run_number(db, run), events)

        await self._write(work)

    async def save_latencies(self, origin: str, samples: Mapping[str, Sequence[float]]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT INTO latencies (origin, type, samples) VALUES (?, ?, ?) "
                "ON CONFLICT (origin, type) DO UPDATE SET samples = excluded.samples",
                (
                    (origin, kind, rows.dump([round(v, 2) for v in values]))
                    for kind, values in samples.items()
                ),
            )

        await self._write(work)

    async def probe(self) -> None:
        """Write to the disk and take it back. Raises :class:`StoreProblem` where a run could not write."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("CREATE TABLE probe (x)")
            db.execute("DROP TABLE probe")

        await self._write(work)

    async def close(self) -> None:
        await self._do(self._database.close)
