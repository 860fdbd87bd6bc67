"""PostgreSQL under the shared statements: transactions that survive an outage, fencing, migrations known.

A write is never done blindly a second time. Where the answer to a COMMIT is lost, the server is asked what
became of that transaction, by its number, before anything else; only one that left nothing is done again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psycopg

from orchestrator import jsontext
from orchestrator.errors import LostRun, StoreProblem
from orchestrator.store.postgres.address import Address
from orchestrator.store.postgres.link import WHOLE_SINCE, Away, Link, Session
from orchestrator.store.postgres.schema import migrations
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.rows import Row

# While it is not known what became of a transaction, the server is asked so often (seconds).
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
# Classes of errors that are about what was written: data, constraints.
REFUSED = frozenset({"22", "23"})
# Cells that are written at once.
CELLS = 1000
_CELL = ("state", "verdict", "reasons", "agent_id")
_CELL_TYPES = ", ".join(f"{name} text" for name in _CELL)
_AS_VALUES = "(CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS text))"
_AS_JSON = "json_to_recordset(CAST(? AS json))"
# Which of its histories a server writes: names of its log begin with it. It is another one after a failover.
_TIMELINE = "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
# What fences a run in: with it nobody takes the run over while this transaction is under way. A weaker lock
# (KEY SHARE) would let them.
_FENCE = "SELECT n, epoch, leased_until > clock_timestamp(), owner FROM runs WHERE id = ? FOR SHARE"


class Claim(NamedTuple):
    """Whose a run is. Epochs alone would do, but that a failover may forget one: then two have the same."""

    epoch: int
    owner: str | None


class PostgresEngine:
    """Implements :class:`orchestrator.store.sql.engine.Engine`: one thread may write and another one read."""

    def __init__(self, where: Address, patience: float) -> None:
        self.place = where.place
        self.patience = patience
        self.writer, self.reader = Link(where.url, where.place), Link(where.url, where.place)
        # The claims of this process on runs.
        self.claims: dict[str, Claim] = {}
        # Where what is written now is kept.
        self.timeline = ""
        # Does what comes first in a transaction. What it returns is called once that is kept.
        self.first: Callable[[Session], Callable[[], None]] = _nothing
        self._doubtful = False
        self._version = ""
        self._pause = threading.Event()

    @property
    def kind(self) -> str:
        """For people."""
        return f"PostgreSQL {self._version}".strip()

    @property
    def schema(self) -> str:
        """The newest migration that this version knows."""
        return migrations()[-1].name

    def knows(self, version: str) -> None:
        """Of which version the server is."""
        self._version = version

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A write transaction, as the protocol says. An outage before its COMMIT raises :class:`Away`."""
        session = self.writer.session()
        with self.writer.explained():
            number, self.timeline = _begin(session.raw)
            session.doubtful = self._doubtful
            try:
                written = self.first(session)
                yield session
            except BaseException:
                with suppress(psycopg.Error):
                    session.raw.execute("ROLLBACK")
                raise
            ended = self._commit(session.raw)
        if not ended:
            self._find_out(number)
        self._doubtful = False
        written()

    def _commit(self, raw: psycopg.Connection) -> bool:
        """Whether the transaction is certainly kept; raises where it certainly is not."""
        try:
            done = raw.execute("COMMIT")
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if raw.closed or raw.broken:
                return False
            raise
        if done.statusmessage != "COMMIT":
            raise StoreProblem(f"store {self.place}: the transaction was rolled back by the server")
        return True

    def _find_out(self, number: str) -> None:
        """Ask what became of a transaction whose COMMIT has no answer; :class:`Away` if it left nothing.

        Until that is known nothing else is written, and nobody may leave.
        """
        waited, pause = 0.0, FIRST_PAUSE
        while waited <= self.patience:
            try:
                state = self._state_of(number)
            except Away:
                pass
            else:
                if state == "committed":
                    return
                if state != "in progress":
                    raise Away(f"store {self.place}: the connection broke, and the transaction left nothing")
            self._pause.wait(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)
        raise StoreProblem(
            f"store {self.place}: nobody said for {self.patience:.0f} s whether a transaction was kept",
            hint="see that the database runs and can be reached, then go on with `orchestrator resume`",
        )

    def _state_of(self, number: str) -> str:
        """``aborted`` also where the server knows no such transaction: another one, after a failover, that
        never saw it. On another timeline one with this number is somebody else's: it is done again, and what
        finds itself done is not taken for a mistake."""
        session = self.writer.session()
        with self.writer.explained():
            # In one statement: behind a pool of connections the next one may go to another server.
            asked = f"SELECT pg_xact_status(CAST(? AS xid8)), {_TIMELINE}"
            try:
                state, timeline = session.execute(asked, (number,)).fetchone()
            except psycopg.errors.InvalidParameterValue:
                state, timeline = None, ""
        if timeline != self.timeline:
            self._doubtful = True
            return "aborted"
        return str(state or "aborted")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A place for SELECT statements."""
        session = self.reader.session()
        with self.reader.explained():
            yield session

    def passing(self, problem: StoreProblem) -> bool:
        """Whether nothing was written or read, and the same may succeed in a moment."""
        return isinstance(problem, Away)

    def of_one(self, problem: StoreProblem) -> bool:
        """Whether the server refused what was written: data, a key that is there, a day without a part."""
        cause = problem.__cause__
        return isinstance(cause, UnicodeError) or (
            isinstance(cause, psycopg.Error) and (cause.sqlstate or "")[:2] in REFUSED
        )

    def run_number(self, db: Db, run: str) -> int | None:
        """The number of a run; from here to the end of the transaction nobody can take it over.

        Raises :class:`LostRun` where its claim is not ours any more, or it has gone, and where it is not ours
        and somebody else's lease on it has not ended.
        """
        session = _session(db)
        if run in session.fenced:
            return session.fenced[run]
        row = session.execute(_FENCE, (run,)).fetchone()
        mine = self.claims.get(run)
        if row is None and mine is not None:
            raise LostRun(
                f"run {run} was taken away while it went on",
                hint="its tests are on ThousandEyes still; `orchestrator runs` lists the runs that there are",
            )
        if row is None:
            return None
        number, epoch, leased, owner = row
        if Claim(epoch, owner) != mine and (mine is not None or leased):
            raise lost(run, owner)
        session.fenced[run] = int(number)
        return int(number)

    def load(self, db: Db, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert rows: copied where they are many."""
        _session(db).load(table, columns, rows)

    def add_answers(self, db: Db, columns: str, rows: Sequence[Row]) -> int:
        """Insert those answers that are not there yet; how many there were."""
        return _session(db).add_answers(columns, rows)

    def set_cells(self, db: Db, spec_n: int, cells: Sequence[Row]) -> None:
        """Write the cells of a spec, in one statement."""
        for first in range(0, len(cells), CELLS):
            some = cells[first : first + CELLS]
            told = jsontext.write_plain([dict(zip(_CELL, cell, strict=True)) for cell in some])
            values = [told] if told is not None else [value for cell in some for value in cell]
            new = _AS_JSON if told is not None else f"(VALUES {', '.join([_AS_VALUES] * len(some))})"
            db.execute(
                "UPDATE cells SET state = new.state, verdict = new.verdict, reasons = new.reasons "
                f"FROM {new} AS new ({_CELL_TYPES if told is not None else ', '.join(_CELL)}) "
                "WHERE cells.spec_n = ? AND cells.agent_id = new.agent_id",
                [*values, spec_n],
            )

    def unhurried(self, db: Db) -> None:
        """This transaction may take long."""
        db.execute("SET LOCAL statement_timeout = 0")
        if _session(db).raw.info.server_version >= WHOLE_SINCE:
            db.execute("SET LOCAL transaction_timeout = 0")

    def prove_writable(self, db: Db) -> None:
        """Write a row and take it back."""
        db.execute("INSERT INTO probe (x) VALUES (1)")
        db.execute("DELETE FROM probe")

    def close(self) -> None:
        """Let go of both connections."""
        self.writer.drop()
        self.reader.drop()


def lost(run: str, owner: str | None) -> LostRun:
    """Somebody else goes on with a run."""
    who = f" ({owner})" if owner else ""
    return LostRun(
        f"run {run} was taken over: another process goes on with it{who}",
        hint=f"`orchestrator show {run}` says how it stands",
    )


def _begin(raw: psycopg.Connection) -> tuple[str, str]:
    """Begin a transaction; its number, by which the server can say what became of it, and its timeline."""
    cursor = raw.execute(f"BEGIN; SELECT pg_current_xact_id()::text, {_TIMELINE}".encode())
    cursor.nextset()
    found = cursor.fetchone()
    assert found is not None  # noqa: S101 - this SELECT has a row
    return str(found[0]), str(found[1])


def _nothing(_session: Session) -> Callable[[], None]:
    """Nothing comes first."""
    return lambda: None


def _session(db: Db) -> Session:
    assert isinstance(db, Session)  # noqa: S101 - each engine is given its own
    return db
