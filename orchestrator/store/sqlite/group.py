"""Writes that wait for the disk together: while one commit is under way, the next ones gather for the next.

Each caller still returns only when its own write is on the disk. A commit costs the same for one write as
for twenty, in time (the disk's sync) and in CPU (the thread, the journal), so a burst of answers pays once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from orchestrator.errors import StoreProblem
from orchestrator.store.sqlite.database import Database

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
                    await self._together()
        finally:
            if mine in self._waiting:  # cancelled before its turn
                self._waiting.remove(mine)
        if mine.error is not None:
            raise mine.error
        value: T = mine.value
        return value

    async def _together(self) -> None:
        """Everything that waits. A cancellation before the commit has begun is for its own caller only."""
        together, self._waiting = self._waiting, []
        try:
            await self._offload(lambda: self._commit(together))
        finally:
            self._waiting[:0] = [each for each in together if not each.done]

    def _commit(self, together: list[_Write]) -> None:
        """All in one transaction. Where one's work fails, each in its own, so that each has its own outcome.

        Where the store fails it fails for all: each alone would wait for the same lock or disk again.
        """
        if len(together) > 1:
            try:
                with self._database.transaction() as db:
                    for each in together:
                        each.value = each.work(db)
            except StoreProblem as problem:
                for each in together:
                    each.error, each.done = problem, True
                return
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
