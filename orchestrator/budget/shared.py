"""Both budgets shared by all processes of one host that talk to the same organization.

The same values as in :mod:`orchestrator.budget.ledger`, loaded, changed and stored in one transaction of a
small SQLite file of its own; they are loaded again only when SQLite tells that another process has changed
them, and to look at them takes no transaction. Requests are few (four a second), so single requests are
reserved, not blocks: a process that is killed owes only what it had in flight, and gives that back by doing
nothing. The file is a cache: it may be lost or deleted at any time, after which one probe learns everything
again. It is never synced, and never in WAL mode on an SQLite that can corrupt it (before 3.51.3, two writers
at one instant).

Processes of one host share the monotonic clock; a reboot restarts it, so a state of another boot is dropped.
When the file cannot be used at all, this process goes on alone with what the headers tell it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orchestrator.budget.holders import Holders
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import LedgerView, Note, Permit, Refusals, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from orchestrator.budget.readings import Limits

BUSY_TIMEOUT = 0.25  # seconds; the event loop stands still meanwhile, a transaction takes about a millisecond
FAILURES_IN_A_ROW = 8  # busy or failed transactions until this process goes on alone
SAFE_WAL = (3, 51, 3)  # since this version two connections cannot corrupt a WAL database
SCHEMA = 1

T = TypeVar("T")


def budget_key(origin: str, account: str) -> str:
    """Which budget a process shares: a hash, so that the file names neither. Never derived from the token."""
    return hashlib.sha256(f"{origin}\n{account}".encode()).hexdigest()[:32]


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """What changes when the host's monotonic clock restarts; empty where the system does not tell."""
    with suppress(OSError):
        return path.read_text().strip()
    # The BSDs and macOS have no such file, but a time of the boot that does not move with the clock.
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.boottime"], capture_output=True, text=True, timeout=5, check=True
        )
        return told.stdout.strip()
    return ""


def process_namespace() -> str:
    """Where process ids have a meaning: the host, or one container of it."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "host"


def is_alive(pid: int) -> bool:
    """Whether a process of this host (and container) exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class SharedLedger:
    """A :class:`~orchestrator.budget.ledger.Ledger` in a file. Real time only, one event loop or thread.

    ``reserve`` and ``instant_reserve`` are those of a :class:`LocalLedger`. ``urgent`` runs go before the
    others, which still get every fifth token. A ``None`` from :meth:`try_reserve` while the budgets have room
    means that another process goes first: ask again after
    :data:`~orchestrator.budget.holders.ASK_AGAIN` seconds.
    """

    def __init__(
        self,
        path: Path,
        key: str,
        *,
        rng: Random,
        reserve: float = 0.1,
        instant_reserve: float = 0.0,
        window: float = 60.0,
        urgent: bool = False,
        note: Note = silent,
        boot: str | None = None,
        pid: int | None = None,
        alive: Callable[[int], bool] = is_alive,
    ) -> None:
        self._path, self._key, self._note = path, key, note
        self._boot = boot_id() if boot is None else boot
        self._rng, self._window = rng, window
        self._reserves = (reserve, instant_reserve)
        pid = os.getpid() if pid is None else pid
        self._place = process_namespace()
        self._holder = f"{self._place}|{pid}|{rng.getrandbits(32):08x}"
        self._urgent, self._alive = urgent, alive
        self._db: sqlite3.Connection | None = None
        self._inode: int | None = None
        # What the file held after our last transaction, and SQLite's number for "another process changed it".
        self._mirror: tuple[LocalLedger, Holders] | None = None
        self._version = 0
        self._alone: LocalLedger | None = None
        self._failures = 0
        self._late: list[Callable[[LocalLedger, Holders], None]] = []
        self._refused = Refusals()

    def _fresh(self, *, peers: bool = False) -> LocalLedger:
        reserve, instant = self._reserves
        return LocalLedger(
            rng=self._rng,
            reserve=reserve,
            instant_reserve=instant,
            window=self._window,
            peers=peers,
            note=self._note,
            # A state that begins anew must not take an old one's permits for its own.
            first=self._rng.getrandbits(48),
        )

    def _is_dead(self, holder: str) -> bool:
        """Whether a holder was a process here and is no more. Elsewhere (a container) its expiry tells."""
        place, pid, _ = holder.split("|")
        return place == self._place and holder != self._holder and not self._alive(int(pid))

    # The ledger's face.

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        if self._alone is not None:
            return self._alone.try_reserve(now, instant=instant, spare=spare)

        def reserve(ledger: LocalLedger, holders: Holders) -> Permit | None:
            holders.bury(ledger, now, self._is_dead)
            opens = ledger.opens_at(now, instant=instant, spare=spare)
            holders.wants(self._holder, now, opens, instant=instant, urgent=self._urgent)
            windows = (ledger.organization.state.reset, ledger.instant_test.state.reset)
            if not holders.may_take(self._holder, now, windows, instant=instant):
                return None
            permit = ledger.try_reserve(now, instant=instant, spare=spare)
            if permit is not None:
                holders.took(self._holder, permit)
            return permit

        return self._change(reserve, None)

    def settle(self, permit: Permit, limits: Limits, now: float, *, status: int) -> None:
        def settle(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.settle(permit, limits, now, status=status)

        self._surely(settle)

    def lost(self, permit: Permit, now: float) -> None:
        def lose(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.lost(permit, now)

        self._surely(lose)

    def release(self, permit: Permit, now: float) -> None:
        def release(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.release(permit, now)

        self._surely(release)

    def opens_at(self, now: float, *, instant: bool, spare: int = 0) -> float:
        """As in the ledger, but never ``inf``: another process may have its answer, or die, at any moment."""
        if self._alone is not None:
            return self._alone.opens_at(now, instant=instant, spare=spare)
        opens = self._look(lambda ledger: ledger.opens_at(now, instant=instant, spare=spare))
        return now + 1.0 if opens == math.inf else opens

    def view(self, now: float) -> LedgerView:
        return self._look(lambda ledger: ledger.view(now))

    def refused(self) -> Refusals:
        return self._refused if self._alone is None else self._refused + self._alone.refused()

    @property
    def shared(self) -> bool:
        """Whether the budgets are shared; ``False`` once this process had to go on alone."""
        return self._alone is None

    def close(self) -> None:
        """Leave: no more demand of this process. What is in flight stays counted until it expires."""
        if self._alone is None:
            self._change(lambda _, holders: holders.leave(self._holder), None)
        self._disconnect()

    # One transaction each.

    def _surely(self, change: Callable[[LocalLedger, Holders], None]) -> None:
        """Do it now, or with the next transaction that succeeds: a reservation must end."""
        if self._alone is not None:
            change(self._alone, Holders())
            return
        self._late.append(change)
        self._change(lambda _ledger, _holders: None, None)

    def _look(self, read: Callable[[LocalLedger], T]) -> T:
        if self._alone is not None:
            return read(self._alone)
        if (unchanged := self._unchanged()) is not None:
            return read(unchanged)
        found: list[T] = []
        self._change(lambda ledger, _: found.append(read(ledger)), None)
        return found[0] if found else read(self._fresh())

    def _unchanged(self) -> LocalLedger | None:
        """The values of our last transaction, if no other process has changed them since.

        Looking at them may roll a window over, which is a matter of time alone and needs no transaction.
        """
        if self._mirror is None or self._late:
            return None
        try:
            version = _data_version(self._connect())
        except (sqlite3.Error, OSError):
            return None  # the transaction that follows will tell
        # Connecting again forgets the mirror.
        mirror: tuple[LocalLedger, Holders] | None = self._mirror
        return mirror[0] if mirror is not None and version == self._version else None

    def _change(self, change: Callable[[LocalLedger, Holders], T], busy: T) -> T:
        """The result of ``change`` on the shared values, or ``busy`` when it could not be done now."""
        try:
            with self._transaction() as (ledger, holders):
                late, refused = list(self._late), ledger.refused()
                for each in late:
                    each(ledger, holders)
                result = change(ledger, holders)
            # Only now: a transaction that failed is done again.
            del self._late[: len(late)]
            self._refused += ledger.refused() - refused
        except (sqlite3.Error, OSError) as problem:
            self._failed(problem)
            return busy
        self._failures = 0
        return result

    @contextmanager
    def _transaction(self) -> Iterator[tuple[LocalLedger, Holders]]:
        db = self._connect()
        db.execute("BEGIN IMMEDIATE")
        try:
            version = _data_version(db)
            if self._mirror is None or version != self._version:
                self._mirror, self._version = self._read(db), version
            ledger, holders = self._mirror
            yield ledger, holders
            body = json.dumps({"ledger": ledger.dump(), "holders": holders.dump()})
            db.execute(
                "INSERT INTO budget (key, boot, body) VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET boot = excluded.boot, body = excluded.body",
                (self._key, self._boot, body),
            )
            db.execute("COMMIT")
        except BaseException:
            self._mirror = None  # it has what the file has not
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _read(self, db: sqlite3.Connection) -> tuple[LocalLedger, Holders]:
        row = db.execute("SELECT boot, body FROM budget WHERE key = ?", (self._key,)).fetchone()
        ledger, holders = self._fresh(), Holders()
        if row is None or row[0] != self._boot:
            return ledger, holders
        try:
            data: dict[str, Any] = json.loads(row[1])
            ledger.load(data["ledger"])
            holders.load(data["holders"])
        except (ValueError, KeyError, TypeError):
            self._note("budget.reset", {"reason": "the shared budget cannot be read"})
            return self._fresh(), Holders()
        return ledger, holders

    def _connect(self) -> sqlite3.Connection:
        if self._db is not None and self._inode == _inode(self._path):
            return self._db
        self._disconnect()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            mode = "WAL" if sqlite3.sqlite_version_info >= SAFE_WAL else "TRUNCATE"
            db.execute(f"PRAGMA journal_mode = {mode}")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("CREATE TABLE IF NOT EXISTS budget (key TEXT PRIMARY KEY, boot TEXT, body TEXT)")
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._inode = db, _inode(self._path)
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = self._mirror = None

    # When the file fails.

    def _failed(self, problem: sqlite3.Error | OSError) -> None:
        self._failures += 1
        if _is_corrupt(problem):
            self._note("budget.recreated", {"path": str(self._path), "error": str(problem)})
            self._discard()
        elif not _is_busy(problem):
            self._disconnect()
        if self._failures >= FAILURES_IN_A_ROW or not _may_heal(problem):
            self._go_on_alone(problem)

    def _discard(self) -> None:
        """Remove the damaged file, unless another process has replaced it already."""
        inode, damaged = self._inode, _inode(self._path)
        connected = self._db is not None
        self._disconnect()
        if connected and inode != damaged:
            return
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()

    def _go_on_alone(self, problem: Exception) -> None:
        self._note("budget.alone", {"path": str(self._path), "error": str(problem)})
        self._disconnect()
        self._alone = self._fresh(peers=True)
        for each in self._late:
            each(self._alone, Holders())
        self._late.clear()


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
