"""Writes again what a failover has lost: after it, before anything else is written.

See :mod:`orchestrator.store.postgres.remembered` for what is worth it, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orchestrator.clock import monotonic_seconds
from orchestrator.errors import LostRun
from orchestrator.events import Event
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult
from orchestrator.records import TestEnd
from orchestrator.store.postgres.engine import PostgresEngine
from orchestrator.store.postgres.link import Session
from orchestrator.store.postgres.remembered import AGAIN, Known, Remembered
from orchestrator.store.sql import rows
from orchestrator.store.sql.engine import Db, Offload, Pause, marks
from orchestrator.store.sql.group import Away
from orchestrator.store.sql.upkeep import SqlUpkeep

LATE = "INSERT INTO late (run_n, key, test_id, links, at) SELECT n, ?, ?, ?, ? FROM runs WHERE id = ?"


class WritesAgain(SqlUpkeep):
    """The writes of a store that remember what they wrote. What they promise is said in the protocol."""

    _engine: PostgresEngine

    def __init__(
        self, engine: PostgresEngine, offload: Offload, *, writes: Offload, pause: Pause, away: Away
    ) -> None:
        super().__init__(engine, offload, writes=writes, pause=pause, away=away)
        self._remembered = Remembered()
        engine.first = self._write_again

    # What is written is on the timeline that was known before, or on a later one: then it is written again.

    async def intend(self, run: str, key: str, name: str, at: float, events: Sequence[Event] = ()) -> None:
        where = self._engine.timeline
        await super().intend(run, key, name, at, events)
        now = monotonic_seconds()
        self._remembered.intended(Known(run, key, SpecState.CREATING, where, now, name, at))

    async def created(
        self,
        run: str,
        key: str,
        test_id: str,
        links: Mapping[str, str],
        at: float,
        events: Sequence[Event] = (),
    ) -> None:
        where = self._engine.timeline
        await super().created(run, key, test_id, links, at, events)
        known = Known(run, key, SpecState.WAITING, where, monotonic_seconds())
        known.test_id, known.links, known.created = test_id, links, at
        self._remembered.created(known)

    async def move(
        self,
        run: str,
        key: str,
        state: SpecState,
        at: float,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        where = self._engine.timeline
        await super().move(run, key, state, at, error, events)
        self._remembered.moved(run, key, state, where, monotonic_seconds())

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
        where = self._engine.timeline
        await super().close_test(run, key, state, cells, at, error, events)
        self._remembered.moved(run, key, state, where, monotonic_seconds())

    async def close_tests(
        self, run: str, ends: Sequence[TestEnd], at: float, events: Sequence[Event] = ()
    ) -> None:
        where = self._engine.timeline
        await super().close_tests(run, ends, at, events)
        for end in ends:
            self._remembered.moved(run, end.key, end.state, where, monotonic_seconds())

    def _write_again(self, session: Session) -> Callable[[], None]:
        """In a transaction: what this timeline may lack. Returns what is to be done once that is kept."""
        timeline = self._engine.timeline
        found = self._remembered.elsewhere(timeline)
        for known in found:
            try:
                run_n = self._engine.run_number(session, known.run)
            except LostRun:
                _keep_late(session, known)
            else:
                if run_n is not None:
                    _write_known(session, run_n, known)
        return lambda: self._remembered.told(found, timeline)


def _write_known(db: Db, run_n: int, known: Known) -> None:
    earlier = [state.value for state in AGAIN[known.state]]
    columns = {
        "state": known.state.value,
        "name": rows.safe(known.name),
        "intended": known.intended,
        "test_id": known.test_id,
        "links": rows.dump(dict(known.links)),
        "created": known.created,
    }
    assignments = ", ".join(f"{name} = ?" for name in columns)
    db.execute(
        f"UPDATE specs SET {assignments} WHERE run_n = ? AND key = ? AND state IN ({marks(earlier)})",
        (*columns.values(), run_n, known.key, *earlier),
    )


def _keep_late(db: Db, known: Known) -> None:
    """Somebody else has the run: its id is for whoever that is."""
    if known.test_id is not None:
        links = rows.dump(dict(known.links))
        db.execute(LATE, (known.key, rows.safe(known.test_id), links, known.created, known.run))
