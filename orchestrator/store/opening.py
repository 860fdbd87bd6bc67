"""Where runs are kept, by a URL: opens the store, the budgets that its runs share, and the lease on a plan.

The only place that knows which kinds of store there are: ``sqlite:///path`` or a plain path is a file, and
``postgresql://host/database`` a database that several hosts share.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

from orchestrator.clock import Clock, boot_seconds
from orchestrator.errors import MissingExtra, UsageProblem
from orchestrator.settings import PATIENCE, STORE, TENURE, Setting, settle

if TYPE_CHECKING:
    from random import Random

    from orchestrator.budget.permits import Ledger
    from orchestrator.events import Tell
    from orchestrator.store.base import Lease, WholeStore
    from orchestrator.store.listing import Agenda
    from orchestrator.store.operating import Keeper, Measures
    from orchestrator.store.organizations import Organizations
    from orchestrator.store.queue import Queue, Schedules

# Beside the store; all runs whose stores are in one folder share it.
SHARED_BUDGET = "budget.db"
_URL = "sqlite:///"
_SERVERS = ("postgresql", "postgres")


class MakeLedger(Protocol):
    """Makes the ledger of one process; ``reserve``, ``urgent`` and ``tell`` are those of ``SharedLedger``.

    All processes that name the same origin and organization share their budgets through it.
    """

    def __call__(
        self,
        origin: str,
        organization: str,
        *,
        rng: Random,
        reserve: float,
        urgent: bool,
        tell: Tell,
        clock: Clock | None = None,
    ) -> Ledger: ...


class Peek(Protocol):
    """A look at the budgets of an origin and organization, which changes nothing.

    Gives what :meth:`orchestrator.budget.ledger.LocalLedger.dump` and the holders' gave, as JSON text, and
    the time by the clock of those values, whose time on this host is ``now`` (monotonic seconds); ``None``
    where nobody shares such budgets, or they cannot be read just now.
    """

    async def __call__(self, origin: str, organization: str, now: float) -> tuple[str, float] | None: ...


async def nothing_shared(origin: str, organization: str, now: float) -> tuple[str, float] | None:
    """A store whose budgets cannot be looked at."""
    del origin, organization, now
    return None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a run needs of its store. Whoever makes a ledger closes it.

    A store that several hosts share has a ``queue``, ``schedules``, and leases of each organization.
    ``stands`` raises ``StoreProblem`` where what was opened is no longer at its place.
    """

    url: str
    store: WholeStore
    ledger: MakeLedger
    lease: Lease
    peek: Peek = nothing_shared
    agenda: Agenda | None = None  # only where several hosts share the store
    queue: Queue | None = None
    schedules: Schedules | None = None
    lease_of: Callable[[str], Lease] | None = None
    organizations: Organizations | None = None
    stands: Callable[[], None] = lambda: None
    keeper: Keeper | None = None

    def of(self, organization: str) -> Opened:
        """The same for the plans of an organization."""
        return self if self.lease_of is None else replace(self, lease=self.lease_of(organization))


def pick_store(flag: str | None, environ: Mapping[str, str]) -> str:
    """The URL of the store: from a flag, the environment, or the default.

    Raises :class:`UsageProblem` for what can be no store.
    """
    text = str(settle(STORE, flag=flag, environ=environ).value or "")
    if is_server(text):
        from orchestrator.store.postgres.address import address  # noqa: PLC0415 - start-up stays light

        address(text, environ)
        return text.strip()
    if not text:
        import platformdirs  # noqa: PLC0415 - start-up stays light

        try:
            return str(_file(str(platformdirs.user_state_path("orchestrator") / "orchestrator.db")))
        except RuntimeError as error:  # no HOME, and a user whom this host does not know
            raise UsageProblem(
                "there is no home directory to keep runs in", hint="name a place with --store, or set HOME"
            ) from error
    return str(_file(text))


def is_server(url: str) -> bool:
    """Whether a URL is that of a database server, and no file."""
    scheme, colon, _ = url.strip().partition("://")
    return bool(colon) and scheme.lower() in _SERVERS


def server_url(url: str) -> str:
    """A database's URL as its driver takes it. Raises :class:`UsageProblem` for one that may not be used."""
    from orchestrator.store.postgres.address import address  # noqa: PLC0415 - start-up stays light

    return address(url, os.environ).url


async def store_exists(url: str) -> bool:
    """Whether there is a store. It makes none. Raises :class:`UsageProblem` for a URL that means none.

    A database is never made by opening it, so one that is named is there.
    """
    return is_server(url) or _is_there(_file(url))


@asynccontextmanager
async def open_store(
    url: str,
    *,
    make: bool = True,
    organization: str = "",
    virtual: bool = False,
    busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    measures: Measures | None = None,
) -> AsyncIterator[Opened]:
    """Open a store, and close it at the end of the block.

    Without ``make`` there must be one already; where it may not be written it can still be read, and its
    writes raise :class:`orchestrator.errors.StoreProblem`. A database must have its tables: ``orchestrator
    store migrate``.

    ``organization``: whose the runs are that begin now. ``virtual``: for a clock that jumps while a thread
    works, so the work is done in the event loop. ``busy``: for a clock that can be held, entered while the
    store works. ``measures`` hears of a database how long it was away, and what turns at the shared budgets
    take. Raises :class:`UsageProblem` for a URL that means no store, or one that is not there, and
    :class:`orchestrator.errors.StoreProblem` where it cannot be opened.
    """
    if is_server(url):
        database = _database(url, organization=organization, virtual=virtual, busy=busy, measures=measures)
        async with database as opened:
            yield opened
        return
    from orchestrator.store.sqlite.lease import FileLease  # noqa: PLC0415 - start-up stays light
    from orchestrator.store.sqlite.store import SqliteStore  # noqa: PLC0415 - as above

    path = _file(url)
    if not make and not _is_there(path):
        raise UsageProblem(
            f"there is no store at {path}, so there is no run yet",
            hint="run a plan, or name another store with --store",
        )
    store = await SqliteStore.open(path, make=make, virtual=virtual, busy=busy)
    try:
        ledger, peek = partial(_shared_ledger, path), partial(_peek, path)
        yield Opened(url, store, ledger, FileLease(path), peek, stands=store.stands)
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


async def migrate_store(url: str) -> list[str]:
    """Make the tables of a database, or bring them to this version; the names of what was made.

    Files are brought up to date when they are opened. Raises as :func:`open_store`.
    """
    return await _prepare(url, tables=True)


async def maintain_store(url: str) -> list[str]:
    """Make the parts of a database's tables for the next days; the names of what was made."""
    return await _prepare(url, tables=False)


async def _prepare(url: str, *, tables: bool) -> list[str]:
    if not is_server(url):
        async with open_store(url):
            return []
    with _driver():
        from orchestrator.store.postgres import upkeep  # noqa: PLC0415 - its driver is an extra
    return await anyio.to_thread.run_sync(partial(upkeep.prepare, url, tables=tables))


@contextmanager
def _driver() -> Iterator[None]:
    """Say which extra has the driver, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("psycopg"):
            raise
        raise MissingExtra("a store in PostgreSQL", "postgres") from error


@asynccontextmanager
async def _database(
    url: str,
    *,
    organization: str,
    virtual: bool,
    busy: Callable[[], AbstractContextManager[None]],
    measures: Measures | None,
) -> AsyncIterator[Opened]:
    with _driver():
        from orchestrator.store.postgres import cell  # noqa: PLC0415 - as below
        from orchestrator.store.postgres.agenda import PostgresAgenda  # noqa: PLC0415 - as below
        from orchestrator.store.postgres.lease import PostgresLease  # noqa: PLC0415 - its driver is an extra
        from orchestrator.store.postgres.link import Link  # noqa: PLC0415 - as above
        from orchestrator.store.postgres.organizations import (  # noqa: PLC0415 - as above
            PostgresOrganizations,
        )
        from orchestrator.store.postgres.queue import PostgresQueue  # noqa: PLC0415 - as above
        from orchestrator.store.postgres.schedules import PostgresSchedules  # noqa: PLC0415 - as above
        from orchestrator.store.postgres.store import PostgresStore  # noqa: PLC0415 - as above
    from orchestrator.store.postgres.address import address  # noqa: PLC0415 - as below

    where = address(url, os.environ)
    store = await PostgresStore.open(
        where,
        organization=organization,
        patience=_seconds(PATIENCE),
        tenure=_seconds(TENURE),
        virtual=virtual,
        busy=busy,
        measures=measures,
    )
    couriers = cell.Couriers(
        lambda made: Link(where.url, where.place, made).session().raw,
        boot_seconds,
        cell.untimed if measures is None else measures.turn,
    )
    try:
        queue, schedules = PostgresQueue(store), PostgresSchedules(store)
        yield Opened(
            where.url,
            store,
            partial(cell.host_ledger, couriers),
            PostgresLease(store),
            partial(cell.peek, store),
            agenda=PostgresAgenda(queue, schedules),
            queue=queue,
            schedules=schedules,
            lease_of=partial(PostgresLease, store),
            organizations=PostgresOrganizations(store),
            keeper=store,
        )
    finally:
        couriers.close()
        with anyio.CancelScope(shield=True):
            await store.close()


def _seconds(setting: Setting) -> float | None:
    """A number of seconds that the environment names, if it does. Raises :class:`UsageProblem`."""
    found = settle(setting, environ=os.environ)
    if (text := found.text) is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < 1e6:
        raise UsageProblem(
            f"{found.place} is {text!r}, and no number of seconds", hint="leave it out, or give one"
        )
    return seconds


def _shared_ledger(
    path: Path,
    origin: str,
    organization: str,
    *,
    rng: Random,
    reserve: float,
    urgent: bool,
    tell: Tell,
    clock: Clock | None = None,
) -> Ledger:
    del clock  # it is asked with its times
    from orchestrator.budget.shared import SharedLedger, budget_key  # noqa: PLC0415 - start-up stays light
    from orchestrator.store.sqlite.cell import SqliteCell  # noqa: PLC0415 - as above

    cell = SqliteCell(path.parent / SHARED_BUDGET, budget_key(origin, organization), tell=tell)
    later = asyncio.get_running_loop().call_later
    return SharedLedger(cell, urgent=urgent, reserve=reserve, rng=rng, tell=tell, later=later)


async def _peek(path: Path, origin: str, organization: str, now: float) -> tuple[str, float] | None:
    from orchestrator.budget.shared import budget_key  # noqa: PLC0415 - start-up stays light
    from orchestrator.store.sqlite.peek import peek  # noqa: PLC0415 - as above

    shared, key = path.parent / SHARED_BUDGET, budget_key(origin, organization)
    found = await anyio.to_thread.run_sync(peek, shared, key)
    return None if found is None else (found, now)


def _file(url: str) -> Path:
    """The file that a URL means. Raises :class:`UsageProblem`."""
    path = Path(_path_of(url))
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise UsageProblem(
            f"store {url}: there is no such home folder ({error})", hint="give a path without ~"
        ) from error
    if path.name == SHARED_BUDGET:
        raise UsageProblem(
            f"store {path}: this name is for the budget that runs share", hint="choose another name"
        )
    return path


def _is_there(path: Path) -> bool:
    """Also what may not be looked at: to open it tells why."""
    try:
        return path.exists()
    except OSError:
        return True


def _path_of(url: str) -> str:
    """What names a file. Some names of SQLite keep nothing, or mean something else than they say."""
    plain, asked = url.strip().lower(), url
    if plain.startswith(_URL):
        asked = url.strip()[len(_URL) :]
    if ":memory:" in plain or "mode=memory" in plain:
        refused = f"store {url}: what is only in memory is gone when the command ends"
    elif "://" in plain and not plain.startswith((_URL, "file:")):
        refused = f"store {plain.partition('://')[0]}://…: only a file or postgresql:// is supported"
    elif plain.startswith(("file:", "sqlite:")) and not plain.startswith(_URL):
        refused = f"store {url}: a URL of this kind would be taken for the name of a file"
    elif plain.startswith(_URL) and "?" in asked:
        refused = f"store {url}: a URL with options is not supported"
    elif not asked.strip() or "\0" in asked or asked.endswith("/") or Path(asked).name in {"", ".."}:
        refused = f"store {url!r}: this names no file"
    else:
        return asked
    raise UsageProblem(refused, hint="give a path, sqlite:///path or postgresql://host/database")
