"""The writes of a store in SQL: each is one transaction that is on the disk when the call returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import anyio

from orchestrator.errors import UsageProblem
from orchestrator.events import Adopted, Event, GivenUp
from orchestrator.lifecycle import MOVES, SpecState, check_move
from orchestrator.model import COLLECTED, Agent, Answer, CellResult, CellState, JsonObject, NotRun
from orchestrator.records import RunFacts, RunRecord, RunState, TestEnd, TestRecord
from orchestrator.store.facts import dump_facts
from orchestrator.store.sql import pinned, rows
from orchestrator.store.sql.archive import SqlArchive, no_run, no_spec
from orchestrator.store.sql.engine import Db, Engine, Offload, marks
from orchestrator.store.sql.group import Away, GroupCommit, Pause, unheard
from orchestrator.store.sql.outbox import KeepsNotices
from orchestrator.store.sql.snapshots import KeepsSnapshots

T = TypeVar("T")

# Numbers of specs that are remembered: of two large runs.
NUMBERS = 20_000
# Numbers of specs, by the number of their run and by their key.
Numbers = dict[tuple[int, str], int]


def _move(db: Db, spec_n: int, state: SpecState, columns: Mapping[str, object]) -> None:
    """Change the state by the table of moves, whatever other process may have done meanwhile."""
    legal = [old.value for old, new in MOVES if new is state]
    assignments = "".join(f", {name} = ?" for name in columns)
    changed = db.execute(
        f"UPDATE specs SET state = ?{assignments} WHERE n = ? AND state IN ({marks(legal)})",
        (state.value, *columns.values(), spec_n, *legal),
    )
    if changed.rowcount != 1:
        current = db.execute("SELECT state FROM specs WHERE n = ?", (spec_n,)).fetchone()[0]
        if current == state.value and getattr(db, "doubtful", False):
            return  # it was done before, and the database that said so is gone
        check_move(SpecState(current), state)


def _move_back(db: Db, spec_n: int, state: SpecState, error: str | None = None) -> None:
    """A move that is no end, with what it means for the cells."""
    _move(db, spec_n, state, {"closed": None, "error": rows.safe(error)})
    if state is SpecState.PLANNED:
        _reopen_cells(db, spec_n)
    elif state is SpecState.WAITING:
        _reopen_cells(db, spec_n, but=COLLECTED)


def _close(engine: Engine, db: Db, spec_n: int, end: TestEnd, at: float) -> None:
    _move(db, spec_n, end.state, {"closed": at, "error": rows.safe(end.error)})
    engine.set_cells(db, spec_n, _cell_rows(end.cells))


def _reopen_cells(db: Db, spec_n: int, *, but: Collection[CellState] = ()) -> None:
    kept = [state.value for state in but]
    others = f" AND state NOT IN ({marks(kept)})" if kept else ""
    db.execute(
        f"UPDATE cells SET state = 'pending', verdict = NULL, reasons = NULL WHERE spec_n = ?{others}",
        (spec_n, *kept),
    )


def _cell_rows(cells: Iterable[CellResult]) -> list[rows.Row]:
    return [
        (
            cell.state.value,
            cell.verdict.value,
            rows.dump(cell.reasons) if cell.reasons else None,
            rows.safe(cell.agent_id),
        )
        for cell in cells
    ]


def _add_events(db: Db, run_n: int, events: Sequence[Event]) -> None:
    if events:
        db.executemany(
            "INSERT INTO events (run_n, spec, at, kind, facts) VALUES (?, ?, ?, ?, ?)",
            rows.event_rows(run_n, events),
        )


class SqlJournal(SqlArchive, KeepsNotices, KeepsSnapshots):
    """Implements :class:`orchestrator.store.base.Store`; what the methods promise is said there."""

    def __init__(
        self,
        engine: Engine,
        offload: Offload,
        *,
        writes: Offload | None = None,
        pause: Pause = anyio.sleep,
        away: Away = unheard,
    ) -> None:
        """``writes`` carries out what writes, where that is not what reads; ``pause`` waits for so many
        seconds; ``away`` hears for how long writes waited."""
        super().__init__(engine, offload, pause)
        self._group = GroupCommit(engine, writes or offload, pause, away)
        self._numbers: Numbers = {}

    @property
    def patience(self) -> float:
        """How many seconds a write waits for a store that is away or locked."""
        return self._engine.patience

    async def _write(self, work: Callable[[Db], T]) -> T:
        return await self._group.write(work)

    def _run(self, db: Db, run: str) -> int:
        """The number of a run that is written now."""
        run_n = self._engine.run_number(db, run)
        if run_n is None:
            raise no_run(run)
        return run_n

    def _spec(self, db: Db, run: str, key: str) -> tuple[int, int]:
        """The numbers of a spec that is written now, and of its run."""
        run_n = self._engine.run_number(db, run)
        if run_n is None:
            raise no_spec(run, key)
        return self._spec_number(db, run_n, run, key), run_n

    def _spec_number(self, db: Db, run_n: int, run: str, key: str) -> int:
        """The number of a spec. It never changes: it is asked for once, as long as there is room for it."""
        known = self._numbers.get((run_n, key))
        if known is not None:
            return known
        row = db.execute("SELECT n FROM specs WHERE run_n = ? AND key = ?", (run_n, key)).fetchone()
        if row is None:
            raise no_spec(run, key)
        if len(self._numbers) >= NUMBERS:
            self._numbers.clear()
        self._numbers[run_n, key] = int(row[0])
        return int(row[0])

    async def create_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        def work(db: Db) -> Numbers:
            return self._fill_run(db, self._insert_record(db, run), specs, not_run, agents)

        self._know(await self._write(work))

    async def begin_run(
        self, run: RunRecord, specs: Sequence[TestRecord], not_run: Sequence[NotRun], agents: Sequence[Agent]
    ) -> None:
        def work(db: Db) -> Numbers:
            run_n = self._run(db, run.id)
            if db.execute("SELECT 1 FROM specs WHERE run_n = ? LIMIT 1", (run_n,)).fetchone():
                raise UsageProblem(f"run {run.id} has begun already")
            columns = " = ?, ".join(rows.RUN_COLUMNS.split(", "))
            db.execute(f"UPDATE runs SET {columns} = ? WHERE n = ?", (*rows.run_row(run), run_n))
            return self._fill_run(db, run_n, specs, not_run, agents)

        self._know(await self._write(work))

    def _know(self, numbers: Numbers) -> None:
        """Numbers of specs that are kept: they need not be asked for."""
        if len(self._numbers) + len(numbers) <= NUMBERS:
            self._numbers |= numbers

    def _insert_record(self, db: Db, run: RunRecord, more: Mapping[str, object] | None = None) -> int:
        """Write a run's own row, with what else a kind of store keeps in it; its number."""
        row = (*rows.run_row(run), *(more or {}).values())
        columns = ", ".join((rows.RUN_COLUMNS, *(more or {})))
        done = db.execute(f"INSERT INTO runs ({columns}) VALUES ({marks(row)}) RETURNING n", row)
        return int(done.fetchone()[0])

    def _fill_run(
        self,
        db: Db,
        run_n: int,
        specs: Sequence[TestRecord],
        not_run: Sequence[NotRun],
        agents: Sequence[Agent],
    ) -> Numbers:
        load = self._engine.load
        load(
            db,
            "agents",
            f"run_n, {rows.AGENT_COLUMNS}",
            ((run_n, *rows.agent_row(agent)) for agent in agents),
        )
        numbers = self._insert_specs(db, run_n, specs)
        left_out = ((n.test, n.type, n.target, n.agent, n.reason) for n in not_run)
        load(
            db,
            "left_out",
            "run_n, test, type, target, agent_id, reason",
            ((run_n, *map(rows.safe, one)) for one in left_out),
        )
        return numbers

    def _insert_specs(self, db: Db, run_n: int, specs: Sequence[TestRecord]) -> Numbers:
        load = self._engine.load
        load(db, "specs", f"run_n, {rows.TEST_COLUMNS}", ((run_n, *rows.test_row(test)) for test in specs))
        numbers = dict(db.execute("SELECT key, n FROM specs WHERE run_n = ?", (run_n,)))
        cells = (
            (numbers[test.spec.key], agent_id, "pending") for test in specs for agent_id in test.spec.agents
        )
        load(db, "cells", "spec_n, agent_id, state", cells)
        return {(run_n, key): int(n) for key, n in numbers.items()}

    async def add_specs(self, run: str, specs: Sequence[TestRecord], facts: RunFacts) -> None:
        def work(db: Db) -> None:
            run_n = self._run(db, run)
            behind = db.execute("SELECT coalesce(max(position) + 1, 0) FROM specs WHERE run_n = ?", (run_n,))
            first = int(behind.fetchone()[0])
            self._insert_specs(db, run_n, [replace(test, position=first + n) for n, test in enumerate(specs)])
            db.execute("UPDATE runs SET facts = ? WHERE n = ?", (rows.dump(dump_facts(facts)), run_n))

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
        def work(db: Db) -> None:
            db.execute(
                "UPDATE runs SET state = ?, finished = ?, exit_code = ?, facts = ? WHERE n = ?",
                (state.value, finished, exit_code, rows.dump(dump_facts(facts)), self._run(db, run)),
            )
            if state is RunState.RUNNING:
                # It was resumed after its answers or their raw rows were taken away: what comes now is to
                # stay until somebody prunes again.
                db.execute(
                    "UPDATE runs SET thinning = FALSE, raw_pruned = NULL, answers_pruned = NULL "
                    "WHERE n = ? AND raw_pruned IS NOT NULL",
                    (self._run(db, run),),
                )

        await self._write(work)

    async def set_question(self, run: str, question: JsonObject) -> None:
        def work(db: Db) -> None:
            run_n = self._run(db, run)
            (old,) = db.execute("SELECT settings FROM runs WHERE n = ?", (run_n,)).fetchone()
            new = {**rows.load(old), "question": question}
            db.execute("UPDATE runs SET settings = ? WHERE n = ?", (rows.dump(new), run_n))

        await self._write(work)

    async def intend(self, run: str, key: str, name: str, at: float, events: Sequence[Event] = ()) -> None:
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
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
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
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
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
            _move_back(db, spec_n, state, error)
            _add_events(db, run_n, events)

        await self._write(work)

    async def move_all(self, run: str, keys: Sequence[str], state: SpecState) -> None:
        def work(db: Db) -> None:
            run_n = self._run(db, run)
            for key in keys:
                _move_back(db, self._spec_number(db, run_n, run, key), state)

        await self._write(work)

    async def adopt(self, run: str, key: str, test_id: str, at: float) -> None:
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
            sent, state = db.execute("SELECT intended, state FROM specs WHERE n = ?", (spec_n,)).fetchone()
            if state == SpecState.WAITING.value:  # adopted before, under an id that was wrong
                db.execute("UPDATE specs SET test_id = ? WHERE n = ?", (test_id, spec_n))
                _reopen_cells(db, spec_n)
            else:
                self._adopt(db, spec_n, test_id, None, sent)
            _add_events(db, run_n, [Event(at, run, key, Adopted(test_id))])

        await self._write(work)

    def _adopt(
        self, db: Db, spec_n: int, test_id: str, links: Mapping[str, str] | None, sent: float | None
    ) -> None:
        # Its deadline counts from when it was sent: the resume has one poll, not a new deadline.
        columns: dict[str, object] = {"test_id": test_id, "created": sent, "closed": None, "error": None}
        if links is not None:
            columns["links"] = rows.dump(dict(links))
        _move(db, spec_n, SpecState.WAITING, columns)
        _reopen_cells(db, spec_n)

    def _tell(self, db: Db, run_n: int, events: Sequence[Event]) -> None:
        _add_events(db, run_n, events)

    async def give_up(self, run: str, key: str, at: float) -> None:
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
            db.execute("UPDATE specs SET given_up = TRUE WHERE n = ?", (spec_n,))
            _add_events(db, run_n, [Event(at, run, key, GivenUp())])

        await self._write(work)

    async def set_baseline(self, run: str, key: str, baseline: Mapping[str, int]) -> None:
        def work(db: Db) -> None:
            spec_n, _ = self._spec(db, run, key)
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
        def work(db: Db) -> None:
            spec_n, run_n = self._spec(db, run, key)
            _close(self._engine, db, spec_n, TestEnd(key, state, tuple(cells), error), at)
            _add_events(db, run_n, events)

        await self._write(work)

    async def close_tests(
        self, run: str, ends: Sequence[TestEnd], at: float, events: Sequence[Event] = ()
    ) -> None:
        def work(db: Db) -> None:
            run_n = self._run(db, run)
            for end in ends:
                _close(self._engine, db, self._spec_number(db, run_n, run, end.key), end, at)
            _add_events(db, run_n, events)

        await self._write(work)

    async def add_answers(
        self,
        run: str,
        key: str,
        answers: Sequence[Answer],
        events: Sequence[Event] = (),
        cells: Sequence[CellResult] = (),
    ) -> int:
        def work(db: Db) -> int:
            spec_n, run_n = self._spec(db, run, key)
            added = self._engine.add_answers(
                db,
                f"spec_n, {rows.ANSWER_COLUMNS}",
                [(spec_n, *rows.answer_row(answer)) for answer in answers],
            )
            self._engine.set_cells(db, spec_n, _cell_rows(cells))
            _add_events(db, run_n, events)
            return added

        return await self._write(work)

    async def pin(self, name: str, run: str, note: str | None, at: float) -> None:
        await self._write(lambda db: pinned.pin(db, name, self._run(db, run), note, at))

    async def unpin(self, name: str) -> bool:
        return await self._write(lambda db: pinned.unpin(db, name))

    async def add_events(self, run: str, events: Sequence[Event]) -> None:
        def work(db: Db) -> None:
            _add_events(db, self._run(db, run), events)

        await self._write(work)

    async def save_latencies(self, origin: str, samples: Mapping[str, Sequence[float]]) -> None:
        def work(db: Db) -> None:
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

        await self._write(self._engine.prove_writable)

    async def close(self) -> None:
        """Let go of the database."""
        await self._offload(self._engine.close)
