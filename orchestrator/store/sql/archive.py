"""What is read from a store that speaks SQL: statements that every engine understands.

Every call runs its SQL where its offload says: in a worker thread, one at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import anyio

from orchestrator.errors import StoreProblem, UsageProblem
from orchestrator.events import Event
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, Answer, CellResult
from orchestrator.records import (
    Baseline,
    CellRecord,
    Collected,
    Counts,
    RunRecord,
    SpecName,
    StoredAnswer,
    TestRecord,
)
from orchestrator.store.base import About
from orchestrator.store.sql import collected, counting, pinned, rows
from orchestrator.store.sql.counting import OF_RUN
from orchestrator.store.sql.engine import Db, Engine, Offload, Pause, marks
from orchestrator.testtypes import DETAILS

T = TypeVar("T")

# Rows read at once: a long report must not hold writers back, nor fill the memory.
PAGE = 500
# What could not be read because the database is away is asked for again after so many seconds.
RETRIED = 0.25
# Specs whose cells and answers are gone through at once, for the same reason; and what a database must sort.
SPECS = 20


class Damaged(Exception):
    """What is stored is no JSON, or no state of ours: not every database has checksums."""

    def told(self, place: str) -> StoreProblem:
        """In words for people."""
        return StoreProblem(
            f"store {place}: what is stored cannot be understood ({self})",
            hint="it is damaged: move it away, or use another --store",
        )


@contextmanager
def decoding() -> Iterator[None]:
    """Raise :class:`Damaged` for what cannot be decoded."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(str(error)) from error


def spec_number(db: Db, run: str, key: str) -> int:
    """The row number of a spec. Raises ``UsageProblem`` if there is no such spec."""
    row = db.execute(
        "SELECT specs.n FROM specs JOIN runs ON runs.n = run_n WHERE runs.id = ? AND key = ?",
        (run, key),
    ).fetchone()
    if row is None:
        raise no_spec(run, key)
    return int(row[0])


def no_spec(run: str, key: str) -> UsageProblem:
    """A run has no such spec."""
    return UsageProblem(f"run {run} has no spec {key}")


def no_run(run: str) -> UsageProblem:
    """There is no such run."""
    return UsageProblem(f"there is no run {run!r}", hint="`orchestrator runs` lists them")


class SqlArchive:
    """Implements :class:`orchestrator.store.base.Archive`; what the methods promise is said there."""

    def __init__(self, engine: Engine, offload: Offload, pause: Pause = anyio.sleep) -> None:
        self._engine = engine
        self._offload = offload
        self._pause = pause

    async def _read(self, work: Callable[[Db], T]) -> T:
        def reading() -> T:
            with self._engine.reading() as db, decoding():
                return work(db)

        until: float | None = None
        while True:
            try:
                return await self._offload(reading)
            except Damaged as error:
                raise error.told(self._engine.place) from error
            except StoreProblem as problem:
                if not self._engine.passing(problem):
                    raise
                until = until or anyio.current_time() + self._engine.patience
                if anyio.current_time() >= until:
                    raise
            await self._pause(RETRIED)

    async def run(self, name: str) -> RunRecord:
        def work(db: Db) -> list[RunRecord]:
            if name == "last":
                found = db.execute(
                    # Compact JSON; in a value of a user's its quotes would be escaped.
                    f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE NOT condemned "
                    """AND settings NOT LIKE '%"confirms":true%' ORDER BY n DESC LIMIT 1"""
                )
            else:
                found = db.execute(
                    # Ids are hexadecimal: nothing that begins so goes behind it, and an index can be used.
                    f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE id >= ? AND id < ? AND NOT condemned "
                    "ORDER BY n DESC LIMIT 2",
                    (rows.safe(name), f"{rows.safe(name)}g"),
                )
            return [rows.run_record(row) for row in found]

        found = await self._read(work) if name else []
        exact = [record for record in found if record.id == name]
        if exact or len(found) == 1:
            return (exact or found)[0]
        if found:
            raise UsageProblem(f"more than one run begins with {name!r}", hint="give more of the id")
        raise UsageProblem(
            "there is no run yet" if name == "last" else f"there is no run {name!r}",
            hint="`orchestrator runs` lists them",
        )

    async def runs(self, limit: int = 50, plan: str | None = None) -> list[RunRecord]:
        which, of_plan = ("", ()) if plan is None else ("plan = ? AND ", (rows.safe(plan),))

        def work(db: Db) -> list[RunRecord]:
            found = db.execute(
                f"SELECT {rows.RUN_COLUMNS} FROM runs WHERE {which}NOT condemned ORDER BY n DESC LIMIT ?",
                (*of_plan, limit),
            )
            return [rows.run_record(row) for row in found]

        return await self._read(work)

    async def good_runs(self, before: str, most: int = 1) -> list[RunRecord]:
        def work(db: Db) -> list[RunRecord]:
            columns = rows.RUN_COLUMNS
            row = db.execute(f"SELECT {columns} FROM runs WHERE id = ?", (before,)).fetchone()
            if row is None:
                return []
            run = rows.run_record(row)
            found = db.execute(
                f"SELECT {columns} FROM runs WHERE plan = ? AND exit_code = 0 AND NOT condemned "
                "AND n < (SELECT n FROM runs WHERE id = ?) ORDER BY n DESC",
                (rows.safe(run.plan), run.id),
            )
            good = map(rows.run_record, found)
            alike = (one for one in good if one.world == run.world and not one.settings.partial)
            return list(itertools.islice(alike, most))

        return await self._read(work)

    async def agents(self, run: str) -> dict[str, Agent]:
        def work(db: Db) -> dict[str, Agent]:
            found = db.execute(
                f"SELECT {rows.AGENT_COLUMNS} FROM agents WHERE run_n = (SELECT n FROM runs WHERE id = ?)",
                (run,),
            )
            return {row[0]: rows.agent_record(row) for row in found}

        return await self._read(work)

    async def tests(self, run: str, states: Sequence[SpecState] | None = None) -> list[TestRecord]:
        return [test async for test in self.each_test(run, states)]

    async def each_test(
        self, run: str, states: Sequence[SpecState] | None = None
    ) -> AsyncIterator[TestRecord]:
        wanted = None if states is None else [state.value for state in states]
        which = OF_RUN if wanted is None else f"{OF_RUN} AND state IN ({marks(wanted)})"
        after = -1
        while True:

            def page(db: Db, after: int = after) -> list[TestRecord]:
                found = db.execute(
                    f"SELECT {rows.TEST_COLUMNS} FROM specs WHERE {which} AND position > ? "
                    "ORDER BY position LIMIT ?",
                    (run, *(wanted or ()), after, PAGE),
                )
                return [rows.test_record(run, row) for row in found]

            tests = await self._read(page)
            for test in tests:
                yield test
            if len(tests) < PAGE:
                return
            after = tests[-1].position

    async def test(self, run: str, key: str) -> TestRecord:
        def work(db: Db) -> TestRecord:
            spec_n = spec_number(db, run, key)
            row = db.execute(f"SELECT {rows.TEST_COLUMNS} FROM specs WHERE n = ?", (spec_n,)).fetchone()
            return rows.test_record(run, row)

        return await self._read(work)

    async def spec_names(self, run: str) -> list[SpecName]:
        def work(db: Db) -> list[SpecName]:
            found = db.execute(
                f"SELECT key, test, target FROM specs WHERE {OF_RUN} ORDER BY position", (run,)
            )
            return list(map(SpecName._make, found))

        return await self._read(work)

    async def newest_rounds(self, origin: str, test_id: str) -> dict[str, int]:
        def work(db: Db) -> dict[str, int]:
            found = db.execute(
                "SELECT agent_id, max(round_id) FROM answers JOIN specs ON specs.n = spec_n "
                "JOIN runs ON runs.n = run_n WHERE test_id = ? AND origin = ? GROUP BY agent_id",
                (test_id, origin),
            )
            return {row[0]: row[1] for row in found}

        return await self._read(work)

    async def answers(self, run: str, key: str) -> list[Answer]:
        def work(db: Db) -> list[Answer]:
            spec_n = spec_number(db, run, key)
            found = db.execute(
                f"SELECT {rows.ANSWER_COLUMNS} FROM answers WHERE spec_n = ? "
                "ORDER BY agent_id, layer, server, direction, round_id",
                (spec_n,),
            )
            return [rows.answer_record(row) for row in found]

        return await self._read(work)

    async def judged(self, run: str, key: str) -> list[CellResult]:
        def work(db: Db) -> list[CellResult]:
            spec_n = spec_number(db, run, key)
            found = db.execute(
                "SELECT agent_id, state, verdict, reasons FROM cells "
                "WHERE spec_n = ? AND verdict IS NOT NULL ORDER BY agent_id",
                (spec_n,),
            )
            return [rows.cell_result(row) for row in found]

        return await self._read(work)

    async def open_answers(
        self, run: str, keys: Sequence[str]
    ) -> dict[str, tuple[list[Answer], list[CellResult]]]:
        def work(db: Db) -> dict[str, tuple[list[Answer], list[CellResult]]]:
            which = f"{OF_RUN} AND key IN ({marks(keys)})"
            numbers = dict(db.execute(f"SELECT n, key FROM specs WHERE {which}", (run, *keys)))
            found: dict[str, tuple[list[Answer], list[CellResult]]] = {
                key: ([], []) for key in numbers.values()
            }
            # By their numbers: where they lie in parts, only the parts that hold them are looked at.
            some = tuple(numbers)
            for row in db.execute(
                f"SELECT {rows.ANSWER_COLUMNS}, spec_n FROM answers WHERE spec_n IN ({marks(some)}) "
                "ORDER BY spec_n, agent_id, layer, server, direction, round_id",
                some,
            ):
                found[numbers[row[-1]]][0].append(rows.answer_record(row))
            for row in db.execute(
                "SELECT agent_id, state, verdict, reasons, spec_n FROM cells "
                f"WHERE spec_n IN ({marks(some)}) AND verdict IS NOT NULL ORDER BY spec_n, agent_id",
                some,
            ):
                found[numbers[row[-1]]][1].append(rows.cell_result(row))
            return found

        return await self._read(work)

    async def told(self, run: str, kind: str) -> int:
        def work(db: Db) -> int:
            found = db.execute(f"SELECT count(*) FROM events WHERE {OF_RUN} AND kind = ?", (run, kind))
            return int(found.fetchone()[0])

        return await self._read(work)

    async def events(self, run: str, spec: str | None = None, kind: str | None = None) -> list[Event]:
        # A condition for each that is asked for: one that may be nothing would leave the index unused.
        asked = [(name, value) for name, value in (("spec", spec), ("kind", kind)) if value is not None]
        which = "".join(f" AND {name} = ?" for name, _ in asked)

        def work(db: Db) -> list[Event]:
            found = db.execute(
                f"SELECT spec, at, kind, facts FROM events WHERE {OF_RUN}{which} ORDER BY n",
                (run, *(value for _, value in asked)),
            )
            return [rows.event_record(run, row) for row in found]

        return await self._read(work)

    async def counts(self, run: str) -> Counts:
        return await self._read(lambda db: counting.counts(db, run))

    async def cells(self, run: str, *, passing: bool = True) -> AsyncIterator[CellRecord]:
        agents = await self.agents(run)
        sql, start = _CELLS if passing else _NOT_PASSING, (-1, "")
        async for cell in self._of_specs(sql, run, start, lambda row: rows.cell_record(row, agents)):
            yield cell
        async for cell in self.left_out(run):
            yield cell

    async def cells_of(self, run: str, keys: Sequence[str]) -> AsyncIterator[CellRecord]:
        agents = await self.agents(run)
        for key in keys:

            def of_spec(db: Db, key: str = key) -> list[CellRecord]:
                return [rows.cell_record(row, agents) for row in db.execute(_CELLS_OF, (run, key))]

            for cell in await self._read(of_spec):
                yield cell

    async def left_out(self, run: str) -> AsyncIterator[CellRecord]:
        agents = await self.agents(run)

        def decoded(row: rows.Row) -> CellRecord:
            return rows.cell_record((*row[:7], rows.dump([row[7]])), agents)

        async for cell in self._pages(_LEFT_OUT, (run,), (-1,), decoded):
            yield cell

    async def results(self, run: str) -> AsyncIterator[StoredAnswer]:
        async for row in self._of_specs(_RESULTS, run, (-1, "", "", "", "", -1), rows.stored_answer):
            yield row

    async def traced(self, run: str) -> AsyncIterator[StoredAnswer]:
        async for row in self._of_specs(_TRACED, run, (-1, "", "", "", "", -1), rows.stored_answer):
            yield row

    async def collected(self, run: str) -> AsyncIterator[Collected]:
        agents = await self.agents(run)
        after = -1
        while found := await self._read(lambda db, at=after: collected.page(db, run, at, PAGE, agents)):  # type: ignore[misc] # a default has no type
            for one in found:
                yield one
            after = found[-1].test.position

    async def _spec_numbers(self, run: str) -> list[tuple[int, ...]]:
        """The numbers of the specs of a run in the order of the plan, so many at once."""

        def work(db: Db) -> list[int]:
            found = db.execute(f"SELECT n FROM specs WHERE {OF_RUN} ORDER BY position", (run,))
            return [row[0] for row in found]

        every = await self._read(work)
        return [tuple(every[first : first + SPECS]) for first in range(0, len(every), SPECS)]

    async def _of_specs(
        self, sql: str, run: str, start: rows.Row, decoded: Callable[[rows.Row], T]
    ) -> AsyncIterator[T]:
        """All rows of a query over the specs of a run, decoded, a few specs at once."""
        for some in await self._spec_numbers(run):
            async for value in self._pages(sql.format(specs=marks(some)), some, start, decoded):
                yield value

    async def _pages(
        self, sql: str, which: Sequence[object], start: rows.Row, decoded: Callable[[rows.Row], T]
    ) -> AsyncIterator[T]:
        """All rows of a query, decoded; their last columns are the key to go on after."""
        after = start
        while True:

            def page(db: Db, after: rows.Row = after) -> tuple[list[T], rows.Row]:
                found = db.execute(sql, (*which, *after, PAGE)).fetchall()
                return [decoded(row) for row in found], found[-1][-len(start) :] if found else ()

            found, last = await self._read(page)
            for value in found:
                yield value
            if len(found) < PAGE:
                return
            after = last

    async def metric_names(self, run: str) -> set[str]:
        names: set[str] = set()
        for some in await self._spec_numbers(run):

            def names_of(db: Db, some: Sequence[int] = some) -> None:
                for (text,) in db.execute(
                    f"SELECT metrics FROM answers WHERE spec_n IN ({marks(some)})", some
                ):
                    names.update(rows.load(text))

            await self._read(names_of)
        return names

    async def latencies(self, origin: str) -> dict[str, list[float]]:
        def work(db: Db) -> dict[str, list[float]]:
            found = db.execute("SELECT type, samples FROM latencies WHERE origin = ?", (origin,))
            return {row[0]: [float(value) for value in rows.load(row[1])] for row in found}

        return await self._read(work)

    async def baselines(self) -> dict[str, Baseline]:
        return await self._read(pinned.baselines)

    async def about(self) -> About:
        return About(self._engine.place, self._engine.kind)


_CELLS = """
    SELECT key, test, type, target, agent_id, cells.state, verdict, reasons, position, agent_id
    FROM specs JOIN cells ON spec_n = specs.n
    WHERE cells.spec_n IN ({specs}) AND (position, agent_id) > (?, ?)
    ORDER BY position, agent_id LIMIT ?
"""
_NOT_PASSING = _CELLS.replace("WHERE ", "WHERE coalesce(verdict, '') <> 'pass' AND ")
_CELLS_OF = f"""
    SELECT key, test, type, target, agent_id, cells.state, verdict, reasons
    FROM specs JOIN cells ON spec_n = specs.n WHERE {OF_RUN} AND key = ? ORDER BY agent_id
"""
_LEFT_OUT = f"""
    SELECT NULL, test, type, target, agent_id, 'not_run', 'not-run', reason, n
    FROM left_out WHERE {OF_RUN} AND n > ? ORDER BY n LIMIT ?
"""
_ANSWER = ", ".join(f"answers.{column.strip()}" for column in rows.ANSWER_COLUMNS.split(","))
_KEY = "position, answers.agent_id, layer, server, direction, round_id"
_RESULTS = f"""
    SELECT key, test, test_id, type, target, verdict, {_ANSWER}, {_KEY}
    FROM specs JOIN answers ON answers.spec_n = specs.n
    LEFT JOIN cells ON cells.spec_n = answers.spec_n AND cells.agent_id = answers.agent_id
    WHERE answers.spec_n IN ({{specs}}) AND ({_KEY}) > (?, ?, ?, ?, ?, ?)
    ORDER BY {_KEY} LIMIT ?
"""
_TRACED = _RESULTS.replace("WHERE ", f"WHERE layer = '{DETAILS}' AND ")
