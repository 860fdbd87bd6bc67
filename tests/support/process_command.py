"""The command line as its own process, on a fast clock, and killed where a test wants it.

``python process_command.py ARGUMENTS``: as ``orchestrator ARGUMENTS``, with these environment variables:

==================  ==========================================================================
PROCESS_CLOCK       the shared clock (see ``process_clock``)
PROCESS_KILL        ``POINT:N``: SIGKILL to itself at the N-th time that it comes to that point
PROCESS_STOP        ``POINT:N``: as PROCESS_KILL, but SIGSTOP, until the test lets it go on
PROCESS_TIMEOUT     ``SECONDS`` (real) until a request is given up; ``SECONDS:read``: a read;
                    ``SECONDS:post:N``: the N-th creation, if nothing comes for so long
PROCESS_BUSY        how long a write waits for another process's lock, real seconds
PROCESS_HASTE       ``SECONDS``: a lease on a run lasts so long, and workers look at everything more often;
                    ``SECONDS fence``: the mutant that writes whatever has become of its lease
PROCESS_PAGES       SQLite may use so many pages (4 KiB) of the store more than it has: a full disk
==================  ==========================================================================

Points: ``METHOD.before``, ``METHOD.inside`` (written, not committed) and ``METHOD.after`` for every writing
method of the store, ``write.*`` for any of them, ``commit.during``; ``post.before``, ``post.during`` and
``post.after``, ``read.before`` and ``read.after`` for requests; ``migration.inside``; ``notice.before``,
``notice.during`` and ``notice.after`` for a try to deliver a notice.

The product has no hooks for this: its methods are wrapped here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Self

import process_start  # noqa: F401 - turns the collector off while all of this is loaded
from process_clock import VARIABLE, Pace, ProcessClock

from orchestrator import app
from orchestrator.addresses import Address
from orchestrator.courier.base import Parcel, Receipt
from orchestrator.courier.couriers import Couriers
from orchestrator.runner.doors import Pacing
from orchestrator.schedule.backoff import Patience
from orchestrator.store.sql.engine import Db
from orchestrator.store.sql.journal import SqlJournal
from orchestrator.store.sqlite import database
from orchestrator.thousandeyes.client import HttpTransport, Timeouts
from orchestrator.thousandeyes.protocol import Reply, Request


def die() -> None:
    """No cleanup, no flush, nothing: what a power cut leaves of a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def replace(where: object, name: str, by: object) -> None:
    """Put something else in the place of a name of the product."""
    assert hasattr(where, name), f"{where} has no {name} any more"
    setattr(where, name, by)


def stop() -> None:
    """Stand still in the middle."""
    os.kill(os.getpid(), signal.SIGSTOP)


class Countdown:
    """Dies, or stops, at the ``times``-th hit of ``point``."""

    def __init__(self, wanted: str, act: Callable[[], None] = die) -> None:
        self._act = act
        self.point, _, times = wanted.partition(":")
        self._left = int(times or 1)

    def hits(self, *points: str) -> bool:
        """Whether this is the moment."""
        if self.point not in points:
            return False
        self._left -= 1
        return self._left == 0

    def hit(self, *points: str) -> None:
        if self.hits(*points):
            self._act()


def wrap_store(countdown: Countdown) -> None:
    write = SqlJournal._write

    async def counted(self: SqlJournal, work: Callable[[Db], Any]) -> Any:
        method = work.__qualname__.split(".")[1]

        def inside(db: Db) -> Any:
            result = work(db)
            countdown.hit(f"{method}.inside", "write.inside")
            if countdown.hits("commit.during"):
                # A commit takes about a millisecond: somewhere in it.
                wait = int.from_bytes(os.urandom(2)) / 65536 * 0.003
                threading.Timer(wait, die).start()
            return result

        countdown.hit(f"{method}.before", "write.before")
        result = await write(self, inside)
        countdown.hit(f"{method}.after", "write.after")
        return result

    replace(SqlJournal, "_write", counted)


def wrap_transport(countdown: Countdown) -> None:
    send: Callable[[HttpTransport, Request], Awaitable[Reply]] = HttpTransport.send

    async def counted(self: HttpTransport, request: Request) -> Reply:
        kind = "post" if request.instant else "read"
        countdown.hit(f"{kind}.before")
        if countdown.hits(f"{kind}.during"):
            # Long enough to arrive, shorter than the simulated network's way there and back.
            asyncio.get_running_loop().call_later(0.02, die)
        reply = await send(self, request)
        countdown.hit(f"{kind}.after")
        return reply

    replace(HttpTransport, "send", counted)


def wrap_courier(countdown: Countdown) -> None:
    carry: Callable[[Couriers, Address, Parcel], Awaitable[Receipt]] = Couriers.carry

    async def counted(self: Couriers, address: Address, parcel: Parcel) -> Receipt:
        countdown.hit("notice.before")
        if countdown.hits("notice.during"):
            asyncio.get_running_loop().call_later(0.01, die)
        receipt = await carry(self, address, parcel)
        countdown.hit("notice.after")
        return receipt

    replace(Couriers, "carry", counted)


def wrap_migrations(countdown: Countdown) -> None:
    split = database.statements

    def counted(script: str) -> Iterator[str]:
        for statement in split(script):
            countdown.hit("migration.inside")
            yield statement

    replace(database, "statements", counted)


def limit_pages(more: int) -> None:
    prepare = database.Database._prepare

    def limited(self: database.Database) -> None:
        prepare(self)
        used = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count = {used + more}")

    replace(database.Database, "_prepare", limited)


class Hasty:
    """Sends what it is told by a transport with short time-outs, all else by the usual one.

    A short time-out of a request that is answered would be a bet on the machine's speed.
    """

    def __init__(self, quick: Timeouts, kind: str, nth: int, *arguments: Any, **options: Any) -> None:
        self._usual = HttpTransport(*arguments, **options)
        self._quick = HttpTransport(*arguments, **options, timeouts=quick)
        self._kind, self._nth, self._seen = kind, nth, 0

    async def __aenter__(self) -> Self:
        await self._usual.__aenter__()
        await self._quick.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._quick.__aexit__(*error)
        await self._usual.__aexit__(*error)

    async def send(self, request: Request) -> Reply:
        if self._kind != ("post" if request.instant else "read"):
            return await self._usual.send(request)
        self._seen += 1
        return await (self._quick if self._nth in {0, self._seen} else self._usual).send(request)


def give_up(after: str, kind: str = "", nth: str = "0") -> None:
    seconds = float(after)
    if kind == "post":
        # A creation that was not sent for want of a connection would be another case.
        quick = Timeouts(connect=60.0, read=seconds, total=60.0)
    else:
        quick = Timeouts(connect=seconds, read=seconds, total=seconds)
    if kind:
        replace(app, "HttpTransport", partial(Hasty, quick, kind, int(nth)))
        return
    replace(app, "HttpTransport", partial(HttpTransport, timeouts=quick))
    for limit in ("FIRST", "LONGEST"):
        replace(Patience, limit, seconds)


def hasten(tenure: str, mutant: str = "") -> None:
    """Workers whose times are those of a test: real seconds, because a database has no other."""
    from orchestrator.store.postgres import queue  # noqa: PLC0415 - only workers have a server
    from orchestrator.store.postgres.engine import PostgresEngine  # noqa: PLC0415 - as above
    from orchestrator.worker import engine, service  # noqa: PLC0415 - as above

    os.environ["ORCHESTRATOR_STORE_TENURE"] = tenure
    replace(queue, "HANDED", float(tenure))
    replace(queue, "SEEN", float(tenure))
    replace(engine, "EACH_15_SECONDS", "* * * * * */2")
    replace(engine, "POLL", 0.3)
    replace(engine, "STALLED", 2 * float(tenure))
    replace(service, "SHOWN", 0.5)
    if mutant == "fence":

        def unfenced(self: PostgresEngine, db: Any, run: str) -> int | None:
            row = db.execute("SELECT n FROM runs WHERE id = ?", (run,)).fetchone()
            return None if row is None else int(row[0])

        replace(PostgresEngine, "run_number", unfenced)


def install(environ: os._Environ[str]) -> None:
    """Patch what the environment asks for."""
    pace = Pace.parse(environ[VARIABLE])
    replace(app, "LoopClock", partial(ProcessClock, pace))
    # The pacers follow the event loop.
    replace(app, "Pacing", partial(Pacing, speed=pace.speed))
    if "PROCESS_TIMEOUT" in environ:
        give_up(*environ["PROCESS_TIMEOUT"].split(":"))
    if "PROCESS_BUSY" in environ:
        replace(database, "BUSY_SECONDS", float(environ["PROCESS_BUSY"]))
    if "PROCESS_PAGES" in environ:
        limit_pages(int(environ["PROCESS_PAGES"]))
    if "PROCESS_HASTE" in environ:
        hasten(*environ["PROCESS_HASTE"].split())
    if "PROCESS_STOP" in environ:
        wrap_store(Countdown(environ["PROCESS_STOP"], stop))
    if "PROCESS_KILL" in environ:
        countdown = Countdown(environ["PROCESS_KILL"])
        wrap_store(countdown)
        wrap_transport(countdown)
        wrap_courier(countdown)
        wrap_migrations(countdown)


if __name__ == "__main__":
    install(os.environ)
    from orchestrator.__main__ import main

    main()
