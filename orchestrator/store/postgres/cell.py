"""The row that all hosts of an organization share: one thread with a connection of its own takes the errands
of this process there and back.

A turn is one transaction of two round trips: the row is locked and the clock read, and what comes of it is
stored. A transaction that stands still (a stopped process, a network that swallows) is ended by the server
after :data:`IDLE`, so that the others wait no longer; a server that does not answer at all loses the
connection after :data:`LONGEST_TURN`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg

from orchestrator.budget.errands import Row, Trip
from orchestrator.budget.purse import PurseLedger
from orchestrator.budget.shared import budget_key
from orchestrator.budget.teller import ERA_PAUSE, UNSEEN, Teller
from orchestrator.clock import Clock, LoopClock, boot_seconds, monotonic_seconds
from orchestrator.errors import StoreProblem

if TYPE_CHECKING:
    from orchestrator.budget.errands import Brought, Take
    from orchestrator.budget.permits import Ledger
    from orchestrator.events import Tell
    from orchestrator.store.postgres.store import PostgresStore
    from orchestrator.store.sql.engine import Db

IDLE = 2.0  # seconds
LOCKED = 2.0  # seconds to wait for the row
STATEMENT = 4.0  # seconds
LONGEST_TURN = 5.0  # seconds
LAST = 2.0  # seconds that a process that ends waits for its last turn
CONNECT = 2  # seconds; the least that libpq knows

# It warns of every broken connection, on standard error where nobody has set up a log.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
# Makes a connection that commits by itself, and tells of it before its first statement.
Connect: TypeAlias = Callable[[Callable[[Connection], None]], Connection]

_LIMITS = (
    f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE * 1000:.0f}', true),"
    f" set_config('lock_timeout', '{LOCKED * 1000:.0f}', true),"
    f" set_config('statement_timeout', '{STATEMENT * 1000:.0f}', true)"
)
_LOCK = "SELECT era, updated, body FROM budget WHERE key = %s FOR UPDATE"
# After the lock is had: whoever waited for it must not bring an older time.
_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_MAKE = "INSERT INTO budget (key, era, updated, body) VALUES (%s, '', 0, '') ON CONFLICT (key) DO NOTHING"
_STORE = "UPDATE budget SET era = %s, updated = %s, body = %s WHERE key = %s"


def take_turn(db: Connection, key: str, take: Take, boot: Callable[[], float]) -> Trip:
    """One transaction; ``db`` commits by itself. Raises ``psycopg.Error``: then nothing is stored, or all."""
    with _together(db):
        db.execute("BEGIN")
        db.execute(_LIMITS)
        found, clock = db.execute(_LOCK, (key,)), db.execute(_CLOCK)
    row = found.fetchone()
    if row is None:
        # It is made before it is locked, so that of several who find none only one begins an era.
        with _together(db):
            db.execute(_MAKE, (key,))
            found, clock = db.execute(_LOCK, (key,)), db.execute(_CLOCK)
        row = found.fetchone()
    time_there = clock.fetchone()
    if row is None or time_there is None:
        raise psycopg.OperationalError("the budget's row is gone")
    brought: Brought = take(Row(*row) if row[0] else None, float(time_there[0]), boot())
    stored = brought.row
    began = monotonic_seconds()
    with _together(db):
        db.execute(_STORE, (stored.era, stored.updated, stored.body, key))
        db.execute("COMMIT")
    return Trip(brought, monotonic_seconds() - began)


def _together(db: Connection) -> AbstractContextManager[object]:
    """Statements of one round trip, where the client library can."""
    return db.pipeline() if psycopg.Pipeline.is_supported() else nullcontext()


def untimed(_seconds: float) -> None:
    """Nobody counts."""


@dataclass(slots=True)
class _Way:
    key: str
    take: Take
    done: Callable[[Trip | None], None]
    failed: Callable[[Exception], None]
    tries: int = 1


class Couriers:
    """The couriers of one process: for each ledger one, by one thread and one connection.

    ``connect`` as a :data:`Connect`, ``boot`` as in a ``PurseLedger``; ``timed`` hears in the thread how many
    seconds each turn took that was stored. The thread begins with the first errand.
    """

    def __init__(
        self, connect: Connect, boot: Callable[[], float], timed: Callable[[float], None] = untimed
    ) -> None:
        self._connect, self._boot, self._timed = connect, boot, timed
        # Each ledger has one errand under way, and one that is its last.
        self._ways: queue.SimpleQueue[_Way | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._db: Connection | None = None
        self._began: float | None = None

    def of(self, key: str, unit: float = 1.0) -> _Courier:
        """The courier to one organization's row. For the running event loop; ``unit`` as in a purse."""
        return _Courier(self, key, asyncio.get_running_loop(), unit)

    def close(self) -> None:
        """No more errands. The thread lets go of its connection once it is back."""
        if self._thread is not None:
            self._ways.put(None)
            self._thread.join(LAST)
            self._thread = None

    def send(self, way: _Way) -> None:
        """Let the thread go this way when it has gone those before."""
        if self._thread is None:
            # A server that hangs must not keep the process from ending.
            self._thread = threading.Thread(target=self._work, name="teller", daemon=True)
            self._thread.start()
        self._ways.put(way)

    def cut(self) -> None:
        """End a turn that lasts too long: nothing but the socket wakes who waits on it."""
        db, began = self._db, self._began
        if db is None or began is None or monotonic_seconds() - began < LONGEST_TURN:
            return
        with suppress(OSError, psycopg.Error), socket.socket(fileno=_copy_of(db)) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def _work(self) -> None:
        while (way := self._ways.get()) is not None:
            trip = None
            for _ in range(way.tries):
                trip = self._go(way)
                if trip is not None:
                    break
            way.done(trip)
        self._let_go()

    def _go(self, way: _Way) -> Trip | None:
        try:
            if self._db is None:
                self._db = self._connect(self._connected)
            began = self._began = monotonic_seconds()
            trip = take_turn(self._db, way.key, way.take, self._boot)
        except (psycopg.Error, OSError, StoreProblem):
            self._let_go()
            return None
        except Exception as defect:
            self._let_go()
            way.failed(defect)
            return None
        else:
            self._timed(monotonic_seconds() - began)
            return trip
        finally:
            self._began = None

    def _connected(self, db: Connection) -> None:
        """It can be cut from here on: what it is asked first may hang as well."""
        self._db, self._began = db, monotonic_seconds()

    def _let_go(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(psycopg.Error, OSError):
                db.close()


class _Courier:
    """Implements :class:`orchestrator.budget.errands.Courier`."""

    def __init__(self, couriers: Couriers, key: str, loop: asyncio.AbstractEventLoop, unit: float) -> None:
        self._couriers, self._key, self._loop, self._unit = couriers, key, loop, unit

    def go(self, take: Take, back: Callable[[Trip | None], None]) -> None:
        watch: list[asyncio.TimerHandle] = []

        def look() -> None:
            self._couriers.cut()
            watch[:] = [self._loop.call_later(1.0, look)]

        def home(trip: Trip | None) -> None:
            watch.pop().cancel()
            back(trip)

        def done(trip: Trip | None) -> None:
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                self._loop.call_soon_threadsafe(home, trip)

        watch.append(self._loop.call_later(LONGEST_TURN, look))
        self._couriers.send(_Way(self._key, self._hastened(take), done, self._failed))

    def _hastened(self, take: Take) -> Take:
        return lambda row, now, received: take(row, self._unit * now, self._unit * received)

    def _failed(self, defect: Exception) -> None:
        told = {"message": "a turn at the shared budgets failed", "exception": defect}
        with suppress(RuntimeError):  # as above
            self._loop.call_soon_threadsafe(self._loop.call_exception_handler, told)

    def last(self, take: Take) -> None:
        over = threading.Event()
        # A connection that has broken since is made anew once.
        self._couriers.send(_Way(self._key, self._hastened(take), lambda _: over.set(), self._failed, 2))
        over.wait(LAST)


def host_ledger(
    couriers: Couriers,
    origin: str,
    organization: str,
    *,
    rng: Random,
    reserve: float,
    urgent: bool,
    tell: Tell,
    clock: Clock | None = None,
) -> Ledger:
    """The ledger of one run over the row that all hosts share. For the running event loop."""
    loop = asyncio.get_running_loop()
    clock = LoopClock() if clock is None else clock
    unit = clock.speed if isinstance(clock, LoopClock) else 1.0
    teller = Teller(
        rng=Random(rng.getrandbits(64)),  # noqa: S311 - numbers of permits
        reserve=reserve,
        era_pause=unit * ERA_PAUSE,
        unseen=unit * UNSEEN,
    )
    return PurseLedger(
        teller,
        couriers.of(budget_key(origin, organization), unit),
        holder=f"{socket.gethostname()[:60]}|{os.getpid()}|{rng.getrandbits(32):08x}",
        now=clock.now,
        boot=lambda: unit * boot_seconds(),
        later=loop.call_later,
        urgent=urgent,
        tell=tell,
        unit=unit,
    )


async def peek(store: PostgresStore, origin: str, organization: str, now: float) -> tuple[str, float] | None:
    """What is shared, if anybody shares it, and the second of its clock."""
    del now  # that of this host

    def work(db: Db) -> tuple[str, float] | None:
        key = budget_key(origin, organization)
        row = db.execute(
            f"SELECT body, ({_CLOCK}) FROM budget WHERE key = ? AND era <> ''", (key,)
        ).fetchone()
        return None if row is None else (str(row[0]), float(row[1]))

    return await store.read(work)


def _copy_of(db: Connection) -> int:
    """A descriptor of the connection's socket that may be closed."""
    with socket.fromfd(db.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
        return copy.detach()
