"""One connection that is made anew when it broke, and that can be cut from another thread when it hangs."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg

from orchestrator import jsontext
from orchestrator.errors import NoRight, StoreProblem
from orchestrator.store.sql.engine import Cursor, marks
from orchestrator.store.sql.rows import Row, safe

# A peer that is silent is asked whether it is there (seconds); a connection takes at most so long.
SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
    "application_name": "orchestrator",
    "client_encoding": "UTF8",
}
# That of the engine of workers is in the path too: a pool of connections hands one of its to us and back.
SCHEMA = "orchestrator"
PATH = f"{SCHEMA}, orchestrator_engine"
# Roles have these too (docs/store.md): behind a pool of connections what a session sets is not kept. That
# nobody stays idle in a transaction is part of the fencing: a stopped writer holds up who takes over so long.
SESSION = (
    f"SET search_path = {PATH}; SET statement_timeout = '20s'; SET lock_timeout = '10s'; "
    "SET idle_in_transaction_session_timeout = '10s'; SET timezone = 'UTC'; "
    "SET default_transaction_isolation = 'read committed'; SET standard_conforming_strings = on"
)
# No transaction takes so long, whatever it does; since version 17.
WHOLE = "SET transaction_timeout = '60s'"
WHOLE_SINCE = 170000
# What may succeed in a moment: no connection, shutting down or starting, too many connections, cancelled or
# timed out, a lock not got, a deadlock, a standby that is not the primary yet.
_PASSING = frozenset({"57014", "57P01", "57P02", "57P03", "57P05", "40001", "40P01", "55P03", "53300"})
_READ_ONLY = "25006"
_IDLE = "25P03"
_NO_RIGHT = "42501"
# From so many rows on they are copied: more ways there and back, and less work for each row. Of answers, that
# are copied to another table first, more are one statement with one value: their JSON.
COPIED, COPIED_ANSWERS = 64, 256
# After so many copied rows it is told that it goes on.
TOLD_ROWS = 1000
# One statement takes so many rows, of at most 20 columns: it has at most 65,535 parameters.
MOST_ROWS = 2000
# Columns of answers that are no texts.
NUMBERS = frozenset({"spec_n", "round_id"})
_VALUES = re.compile(r"^INSERT INTO [^?]* VALUES (\([?, ]+\))")


class Away(StoreProblem):
    """The database cannot be reached or used just now, and nothing of the transaction is kept."""


class Session:
    """A connection in a transaction, or while it is read from; implements ``Db``.

    ``went_on`` is called with every step: whoever looks on tells work that is long from work that hangs.
    """

    def __init__(self, raw: psycopg.Connection, went_on: Callable[[], None]) -> None:
        self.raw = raw
        self._went_on = went_on
        # Runs whose row is locked in this transaction, so that nobody takes them over, by id.
        self.fenced: dict[str, int] = {}
        self.has_incoming = False
        # Whether the work of this transaction may have been done before, and nobody can say.
        self.doubtful = False

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """One statement, with ``?`` for values."""
        self._went_on()
        try:
            return self.raw.execute(translated(sql), parameters)
        except (UnicodeError, psycopg.DataError) as error:
            if isinstance(error, psycopg.DataError) and error.sqlstate is not None:
                raise  # the server's word
            cleaned = [safe(one) if isinstance(one, str) else one for one in parameters]
            return self.raw.execute(translated(sql), cleaned)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """The same statement for each; rows to insert are one statement, and one way there and back.

        Others are sent at once. After several statements sent so the server does not notice that a client
        stays idle in its transaction; after one more that it answers, it does.
        """
        every = list(parameters)
        if len(every) == 1:
            return self.execute(sql, every[0])
        if every and (found := _VALUES.search(sql)) is not None and len(every) <= MOST_ROWS:
            values = ", ".join([found[1]] * len(every))
            whole = f"{sql[: found.start(1)]}{values}{sql[found.end(1) :]}"
            return self.execute(whole, [value for row in every for value in row])
        cursor = self.raw.cursor()
        self._went_on()
        if every:
            cursor.executemany(translated(sql), every)
            self.raw.execute("SELECT 1")
        return cursor

    def load(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert rows: copied where they are many."""
        every = rows if isinstance(rows, list) else list(rows)
        if len(every) < COPIED:
            values = marks(columns.split(","))
            self.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", every)
            return
        statement = f"COPY {table} ({columns}) FROM STDIN"
        with self.raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for number, row in enumerate(every):
                if number % TOLD_ROWS == 0:
                    self._went_on()
                copy.write_row(row)

    def add_answers(self, columns: str, rows: Sequence[Row]) -> int:
        """Insert those that are not there yet, and return how many."""
        if not rows:
            return 0
        if len(rows) < COPIED_ANSWERS:
            return self._add_few(columns, rows)
        if self.has_incoming:
            self.execute("TRUNCATE incoming")
        else:
            self.execute("CREATE TEMPORARY TABLE incoming (LIKE answers) ON COMMIT DROP")
            self.has_incoming = True
        self.load("incoming", columns, list(rows))
        sql = f"INSERT INTO answers ({columns}) SELECT {columns} FROM incoming ON CONFLICT DO NOTHING"
        return self.execute(sql).rowcount

    def _add_few(self, columns: str, rows: Sequence[Row]) -> int:
        """As JSON, which takes half as long as three hundred values of their own; some texts have none."""
        names = columns.split(", ")
        told = jsontext.write_plain([dict(zip(names, row, strict=True)) for row in rows])
        if told is None:
            values = marks(columns.split(","))
            sql = f"INSERT INTO answers ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"
            return self.executemany(sql, rows).rowcount
        return self.execute(_from_json(columns), (told,)).rowcount


@lru_cache(maxsize=16)
def _from_json(columns: str) -> str:
    """The statement that adds answers that come as one JSON array of objects."""
    types = ", ".join(f"{name} {'bigint' if name in NUMBERS else 'text'}" for name in columns.split(", "))
    return (
        f"INSERT INTO answers ({columns}) SELECT {columns} FROM json_to_recordset(CAST(? AS json)) AS new "
        f"({types}) ON CONFLICT DO NOTHING"
    )


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """A statement with psycopg's marks for values."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


class Link:
    """A connection for one thread at a time, made when it is needed. ``turns`` counts what it began.

    ``made`` is called with a new connection before its first statement.
    """

    def __init__(
        self, url: str, place: str, made: Callable[[psycopg.Connection], None] = lambda _: None
    ) -> None:
        self._url, self._place, self._made = url, place, made
        self._raw: psycopg.Connection | None = None
        self._closing = threading.Lock()
        self.turns = 0

    def session(self) -> Session:
        """A connection that works, as far as is known."""
        self._went_on()
        raw = self._raw
        if raw is None or raw.closed or raw.broken:
            self.drop()
            raw = self._connect()
        return Session(raw, self._went_on)

    def _went_on(self) -> None:
        self.turns += 1

    def _connect(self) -> psycopg.Connection:
        with self.explained():
            raw = psycopg.connect(
                self._url, autocommit=True, prepare_threshold=None, **_unless_said(self._url)
            )
            self._went_on()
            # It can be cut from here on: nothing limits its first statement, which sets the limits.
            self._raw = raw
            self._made(raw)
            try:
                raw.execute(SESSION.encode())
                if raw.info.server_version >= WHOLE_SINCE:
                    raw.execute(WHOLE.encode())
            except BaseException:
                self.drop()
                raise
        return raw

    def drop(self) -> None:
        """Let go of the connection."""
        with self._closing:
            raw, self._raw = self._raw, None
            if raw is not None:
                raw.close()

    def cut(self) -> None:
        """End whatever waits for the server, from another thread.

        Keep-alives, time-outs of TCP and of statements do not end the wait for a server that hangs while its
        kernel answers; this does.
        """
        with self._closing, suppress(OSError, psycopg.Error):
            if self._raw is not None and not self._raw.closed:
                with socket.socket(fileno=os.dup(self._raw.fileno())) as held:
                    held.shutdown(socket.SHUT_RDWR)

    @property
    def is_broken(self) -> bool:
        """Whether the connection ended."""
        return self._raw is None or self._raw.closed or self._raw.broken

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn psycopg's errors into :class:`StoreProblem`, :class:`Away` if the same may succeed later."""
        try:
            yield
        except psycopg.Error as error:
            raise self._problem(error) from error
        except UnicodeError as error:
            raise StoreProblem(f"store {self._place}: a text cannot be stored ({error})") from error

    def _problem(self, error: psycopg.Error) -> StoreProblem:
        told = f"store {self._place}: {_line(error)}"
        state = error.sqlstate or ""
        # Another host may be the primary by now. And what the server said nothing about is the matter of this
        # connection, which may be in the middle of a statement whose answer nobody has taken.
        if state in (_READ_ONLY, _IDLE) or (not state and isinstance(error, psycopg.OperationalError)):
            self.drop()
        passes = state in _PASSING or state.startswith("08") or state in (_READ_ONLY, _IDLE)
        if passes or (not state and isinstance(error, psycopg.OperationalError)) or self._has_ended(error):
            hint = "see that the database runs and can be reached; what was stored is safe, then go on with "
            return Away(told, hint=f"{hint}`orchestrator resume`")
        return (NoRight if state == _NO_RIGHT else StoreProblem)(told, hint=_hint(state))

    def _has_ended(self, error: psycopg.Error) -> bool:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and (
            self._raw is not None and (self._raw.closed or self._raw.broken)
        )


def _unless_said(url: str) -> dict[str, Any]:
    said = psycopg.conninfo.conninfo_to_dict(url)
    return {name: value for name, value in SETTINGS.items() if name not in said}


def _line(error: psycopg.Error) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]


_HINTS: Sequence[tuple[Callable[[str], bool], str]] = (
    (
        lambda state: state == "23514",
        "run `orchestrator store maintain`: it makes the parts of the tables for the next days",
    ),
    (lambda state: state == _NO_RIGHT, "this role lacks a right: docs/store.md says which roles have which"),
    (lambda state: state in {"42P01", "3F000"}, "run `orchestrator store migrate`"),
    (lambda state: state.startswith("53"), "the server is short of space or memory; what was stored is safe"),
    (lambda state: state.startswith("58"), "check the disk of the database; what was committed is kept"),
)


def _hint(state: str) -> str:
    return next(
        (hint for fits, hint in _HINTS if fits(state)), "this store cannot be used; see its server's log"
    )
