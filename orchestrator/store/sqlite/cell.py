"""The cell of a shared ledger in a small SQLite file of its own, for the processes of one host.

To see that nobody else has changed it takes no transaction: SQLite tells. The file is a cache, so it is never
synced. It may be deleted or damaged at any time; a damaged one is replaced.

Processes of one host share the monotonic clock; a reboot restarts it, so what another boot left is not found.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.budget.cell import CellFailed, Turn
from orchestrator.events import Tell, untold
from orchestrator.events.limits import BudgetRecreated
from orchestrator.store.sqlite.database import journal_mode
from orchestrator.store.sqlite.files import foreign_link, make_file
from orchestrator.store.sqlite.host import boot_id, is_alive, process_namespace

BUSY_TIMEOUT = 0.25  # seconds; the event loop stands still meanwhile, a transaction takes about a millisecond


class _Turn:
    def __init__(self, db: sqlite3.Connection, key: str, boot: str, *, unchanged: bool) -> None:
        self._db, self._key, self._boot, self.unchanged = db, key, boot, unchanged

    def load(self) -> str | None:
        row = self._db.execute("SELECT boot, body FROM budget WHERE key = ?", (self._key,)).fetchone()
        return None if row is None or row[0] != self._boot else str(row[1])

    def store(self, body: str) -> None:
        self._db.execute(
            "INSERT INTO budget (key, boot, body) VALUES (?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET boot = excluded.boot, body = excluded.body",
            (self._key, self._boot, body),
        )


class SqliteCell:
    """Implements :class:`orchestrator.budget.cell.Cell`. One thread only.

    ``key`` tells apart the cells of one file. ``boot``, ``pid`` and ``alive`` are this host's unless given.
    """

    def __init__(
        self,
        path: Path,
        key: str,
        *,
        tell: Tell = untold,
        boot: str | None = None,
        pid: int | None = None,
        alive: Callable[[int], bool] = is_alive,
    ) -> None:
        self._path, self._key, self._tell = path, key, tell
        self._boot = boot_id() if boot is None else boot
        self._namespace, self._alive = process_namespace(), alive
        self.place = str(path)
        self.process = f"{self._namespace}|{os.getpid() if pid is None else pid}"
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None
        # SQLite's number for "another process changed it", as it was in our last transaction.
        self._version: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[Turn]:
        try:
            db = self._connect()
            db.execute("BEGIN IMMEDIATE")
            try:
                version = _data_version(db)
                yield _Turn(db, self._key, self._boot, unchanged=version == self._version)
                db.execute("COMMIT")
                self._version = version
            except BaseException:
                self._version = None
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as problem:
            raise self._failed(problem) from problem

    def unchanged(self) -> bool:
        try:
            version = _data_version(self._connect())
        except (sqlite3.Error, OSError):
            return False  # the transaction that follows will tell
        return version == self._version

    def is_dead(self, process: str) -> bool:
        namespace, _, pid = process.rpartition("|")
        # A number that is none was damaged; who it was is forgotten in time.
        return namespace == self._namespace and pid.isascii() and pid.isdigit() and not self._alive(int(pid))

    def close(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = self._version = None

    def _connect(self) -> sqlite3.Connection:
        if self._db is not None and self._inode == _inode(self._path):
            return self._db
        self.close()
        if (link := foreign_link(self._path)) is not None:
            raise OSError(errno.ELOOP, f"{link} is a link of another user")
        make_file(self._path)
        db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and "budget" not in tables:
                raise sqlite3.OperationalError("this is a database of something else")
            db.execute(f"PRAGMA journal_mode = {journal_mode()}")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("CREATE TABLE IF NOT EXISTS budget (key TEXT PRIMARY KEY, boot TEXT, body TEXT)")
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._inode = db, _inode(self._path)
        return db

    def _failed(self, problem: sqlite3.Error | OSError) -> CellFailed:
        if _is_corrupt(problem):
            self._tell(BudgetRecreated(self.place, str(problem)))
            self._discard()
        elif not _is_busy(problem):
            self.close()
        return CellFailed(str(problem), heals=_may_heal(problem))

    def _discard(self) -> None:
        """Remove the damaged file, unless another process has replaced it already."""
        inode, damaged = self._inode, _inode(self._path)
        connected = self._db is not None
        self.close()
        if connected and inode != damaged:
            return
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()


def _data_version(db: sqlite3.Connection) -> int:
    """Changes when another connection has committed; our own commits leave it."""
    version: int = db.execute("PRAGMA data_version").fetchone()[0]
    return version


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - asked before every request, and half the price
    except OSError:
        return None


def _is_corrupt(problem: Exception) -> bool:
    """Damaged, or not a database at all: SQLite reports both as plain ``DatabaseError``."""
    return type(problem) is sqlite3.DatabaseError


def _is_busy(problem: Exception) -> bool:
    return "locked" in str(problem) or "busy" in str(problem)


def _may_heal(problem: Exception) -> bool:
    return _is_corrupt(problem) or _is_busy(problem) or "no such table" in str(problem)
