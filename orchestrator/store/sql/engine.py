"""What a database must do for the statements of this room: a connection, transactions, and rows in bulk.

Statements are written once, with ``?`` for values, in what every engine understands. What engines do each in
its own way is a method here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from orchestrator.errors import StoreProblem
from orchestrator.store.sql.rows import Row

T = TypeVar("T")
Busy = Callable[[], AbstractContextManager[None]]
Pause = Callable[[float], Awaitable[None]]


class Cursor(Protocol):
    """The outcome of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any: ...  # noqa: ANN401 - a row, or nothing
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Db(Protocol):
    """A connection in the middle of a transaction, or of reading."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor: ...


class Engine(Protocol):
    """A database. Everything raises :class:`StoreProblem` only.

    ``place`` and ``kind`` say for people where and what it is. A write waits for ``patience`` seconds while
    nothing can be written, and fails then.
    """

    place: str

    @property
    def kind(self) -> str: ...
    @property
    def schema(self) -> str:
        """The newest migration that this version knows."""

    @property
    def patience(self) -> float: ...

    def transaction(self) -> AbstractContextManager[Db]:
        """A write transaction; it is on the disk at the end of the block, or certainly not.

        It does not wait for others: what may be tried again is :meth:`passing`.
        """

    def reading(self) -> AbstractContextManager[Db]:
        """A place for SELECT statements."""

    def passing(self, problem: StoreProblem) -> bool:
        """Whether nothing was written or read, and the same may succeed in a moment."""

    def of_one(self, problem: StoreProblem) -> bool:
        """Whether it is about what was written, and another write may succeed at once."""

    def run_number(self, db: Db, run: str) -> int | None:
        """The number of a run that is about to be written, ``None`` where there is none.

        Raises :class:`orchestrator.errors.LostRun` where somebody else goes on with it.
        """

    def load(self, db: Db, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert rows, which may be many."""

    def add_answers(self, db: Db, columns: str, rows: Sequence[Row]) -> int:
        """Insert those answers that are not there yet; how many there were."""

    def set_cells(self, db: Db, spec_n: int, cells: Sequence[Row]) -> None:
        """Write state, verdict, reasons of the cells of a spec, each row with its agent."""

    def unhurried(self, db: Db) -> None:
        """This transaction may take long."""

    def prove_writable(self, db: Db) -> None:
        """Write something and take it back."""

    def close(self) -> None:
        """Let go of it."""


class Offload(Protocol):
    """Carries out work where it holds up nobody."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


async def in_place(work: Callable[[], T]) -> T:
    """Do the work at once, in the event loop: for a clock that jumps, which would be wrong in a thread."""
    return work()


class InThread:
    """Do the work in a thread, one at a time: connections are not for two threads at once.

    ``busy`` is entered while it waits and works: a clock may be held.
    """

    def __init__(self, busy: Busy) -> None:
        self._one = anyio.CapacityLimiter(1)
        self._busy = busy

    async def __call__(self, work: Callable[[], T]) -> T:
        """What the work returned."""
        with self._busy():
            return await anyio.to_thread.run_sync(work, limiter=self._one)


def marks(values: Sequence[object]) -> str:
    """So many ``?`` as there are values, at least one that equals nothing."""
    return ",".join("?" * len(values)) or "NULL"
