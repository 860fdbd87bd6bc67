"""Writes that wait for the disk together: while one commit is under way, the next ones gather for the next.

Each caller still returns only when its own write is on the disk. A commit costs the same for one write as
for twenty, in time (the disk's sync) and in CPU (the thread, the journal), so a burst of answers pays once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from orchestrator.store.database import Database

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class _Write:
    """One caller's work and what came of it."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None


class GroupCommit:
    """Carries out writes in transactions, in the order in which they came."""

    def __init__(self, database: Database, offload: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        self._database = database
        self._offload = offload
        self._waiting: list[_Write] = []
        self._turn = anyio.Lock(fast_acquire=True)

    async def write(self, work: Work[T]) -> T:
        """What ``work`` returned, once it is on the disk. Raises what it raised, and ``StoreProblem``."""
        mine = _Write(work)
        self._waiting.append(mine)
        try:
            async with self._turn:
                if not mine.done:
                    together, self._waiting = self._waiting, []
                    await self._offload(lambda: self._commit(together))
        finally:
            if mine in self._waiting:  # cancelled before its turn
                self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error
        value: T = mine.value
        return value

    def _commit(self, together: list[_Write]) -> None:
        """All in one transaction; where that fails, each in its own, so that each gets its own outcome."""
        if len(together) > 1:
            try:
                with self._database.transaction() as db:
                    for each in together:
                        each.value = each.work(db)
            except Exception:  # noqa: S110 - all is rolled back, and told by the second try
                pass
            else:
                for each in together:
                    each.done = True
                return
        for each in together:
            self._commit_one(each)

    def _commit_one(self, each: _Write) -> None:
        try:
            with self._database.transaction() as db:
                each.value = each.work(db)
        except BaseException as error:
            each.error = error
        each.done = True
