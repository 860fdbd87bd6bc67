"""Writes that must outlive a cancellation: shielded, with a limit of real seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol, TypeVar

import anyio

from orchestrator.errors import StoreProblem

T = TypeVar("T")

# A backstop for a store that hangs: so much later than its own patience ends (seconds). A store gives up by
# itself before, and says why; what it has given up it never writes.
BEYOND = 10.0
PATIENCE = 30.0
# A write that has not returned after this waits for somebody: a commit takes milliseconds (real seconds).
OVERDUE = 2.0


class Patient(Protocol):
    """A store, as far as this room asks: how many seconds it waits by itself."""

    @property
    def patience(self) -> float: ...


async def durably(write: Awaitable[T], store: Patient | None = None) -> T:
    """Await a write of a store under a shield. Raises :class:`StoreProblem` when it takes too long."""
    limit = BEYOND + (PATIENCE if store is None else store.patience)
    with anyio.CancelScope(deadline=anyio.current_time() + limit, shield=True):
        return await write
    raise _hangs(limit)


def _hangs(limit: float) -> StoreProblem:
    return StoreProblem(
        f"the store did not answer for {limit:.0f} s", hint="see what keeps it; the run can be resumed"
    )


class Writes:
    """The writes of a run that are under way. One timer looks after all of them: they take milliseconds.

    ``patience`` is that of the store.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._limit = patience + BEYOND
        self._began: dict[anyio.CancelScope, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def durably(self, write: Awaitable[T]) -> T:
        """As :func:`durably`."""
        with anyio.CancelScope(shield=True) as scope:
            self._began[scope] = anyio.current_time()
            if self._timer is None:
                self._look_again(self._limit)
            try:
                return await write
            finally:
                del self._began[scope]
        raise _hangs(self._limit)

    def overdue(self) -> bool:
        """Whether one has not returned for so long that what comes next could not be kept either."""
        # In the order in which they began.
        oldest = next(iter(self._began.values()), None)
        return oldest is not None and anyio.current_time() - oldest > OVERDUE

    def _look_again(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        """End those that have taken too long; while any is under way there is a timer."""
        self._timer, now = None, anyio.current_time()
        for scope, began in self._began.items():
            if now - began >= self._limit:
                scope.cancel()
            elif self._timer is None:
                self._look_again(began + self._limit - now)
