"""The store in one SQLite file: the shared statements, and what only a file has."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import anyio

from orchestrator.errors import StoreProblem
from orchestrator.exposed import caution
from orchestrator.holdings import Size
from orchestrator.records import RunRecord
from orchestrator.store.base import About, LateTest
from orchestrator.store.sql.engine import Busy, Db, InThread, in_place
from orchestrator.store.sql.upkeep import SqlUpkeep
from orchestrator.store.sqlite.database import Database, explained
from orchestrator.store.sqlite.lease import FileLease

# Pages of one transaction: some ten milliseconds of work, a few megabytes at most.
PAGES = 1000
# What is rebuilt as a whole keeps everybody else waiting: a larger file is left as it is (bytes).
REBUILT = 1_000_000_000


class SqliteStore(SqlUpkeep):
    """Implements :class:`orchestrator.store.base.WholeStore`; what the methods promise is said there."""

    _engine: Database

    @classmethod
    async def open(
        cls, path: Path, *, make: bool = True, virtual: bool = False, busy: Busy = nullcontext
    ) -> Self:
        """Open the store, or ``make`` it; without ``make`` reading is enough.

        ``busy`` is entered while its thread works. Raises ``StoreProblem``.
        """
        if virtual:
            database = Database(path, make=make)
            # Virtual time has no power cuts; waiting for a real disk would only make it slow.
            database.connection.execute("PRAGMA synchronous = OFF")
            return cls(database, in_place)
        offload = InThread(busy)

        async def pause(seconds: float) -> None:
            with busy():
                await anyio.sleep(seconds)

        return cls(await offload(lambda: Database(path, make=make)), offload, pause=pause)

    # -- whose a run is: on one host the lease on its plan says so -------------------------------------

    @property
    def tenure(self) -> float:
        """A claim ends with its process."""
        return math.inf

    async def claim(self, run: str, owner: str) -> bool:
        """Always granted."""
        del run, owner
        return True

    async def renew(self, runs: Collection[str]) -> Mapping[str, bool]:
        """All are still ours."""
        return dict.fromkeys(runs, False)

    async def let_go(self, run: str) -> None:
        """Nothing was held."""

    def forget(self, run: str) -> None:
        """Nothing was known."""

    async def goes_on(self, run: RunRecord) -> bool:
        """Whether a run of its plan is alive on this host."""
        return await FileLease(self._engine.path).is_held(run.plan)

    async def late(self, run: str, key: str, test_id: str, links: Mapping[str, str], at: float) -> None:
        """Nobody takes a run over, so nothing comes late."""

    async def late_tests(self, run: str) -> list[LateTest]:
        """None."""
        del run
        return []

    async def adopt_late(self, run: str) -> list[LateTest]:
        """None."""
        del run
        return []

    def stands(self) -> None:
        """Raise ``StoreProblem`` if the file is not at its place any more, or another one is."""
        self._engine.stands()

    # -- space ------------------------------------------------------------------------------------------

    async def about(self) -> About:
        """What this store is."""
        return About(self._engine.place, self._engine.kind, caution(self._engine.path))

    async def give_back(self) -> bool:
        """Give a part of the free space back; whether there is more that can be given back so."""

        def work(db: Db) -> bool:
            if _pragma(db, "auto_vacuum") == 0:
                return False
            db.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
            return _pragma(db, "freelist_count") > 0

        return await self._write(work)

    async def rebuild(self) -> bool:
        """Give all free space back at once, where nobody else uses the store; whether that was done."""
        size = await self.size()
        return size.bytes - size.free <= REBUILT and await self._offload(lambda: _rebuild(self._engine))

    async def size(self) -> Size:
        """How large the store is."""

        def work(db: Db) -> Size:
            page = _pragma(db, "page_size")
            return Size(page * _pragma(db, "page_count"), page * _pragma(db, "freelist_count"))

        return await self._read(work)


def _pragma(db: Db, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _rebuild(database: Database) -> bool:
    """Write the file anew, so that it can give back what is free from then on, unless somebody uses it."""
    db = database.connection
    db.execute("PRAGMA busy_timeout = 0")
    try:
        with explained(database.path):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
    except StoreProblem:
        return False  # it is used, or the disk has no room for a second one: it stays as it is
    finally:
        database.wait_for_locks()
    return True
