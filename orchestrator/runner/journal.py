"""Writes that must outlive a cancellation: shielded, with a limit of real seconds."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from orchestrator.errors import StoreProblem

T = TypeVar("T")

# A backstop for a store that hangs. A store gives up by itself before, and says why; what it has given up it
# never writes.
LIMIT = 40.0
# A write that has not returned after this waits for somebody: a commit takes milliseconds (real seconds).
OVERDUE = 2.0


async def durably(write: Awaitable[T]) -> T:
    """Await a write of the store under a shield. Raises :class:`StoreProblem` when it takes too long."""
    with anyio.CancelScope(deadline=anyio.current_time() + LIMIT, shield=True):
        return await write
    raise StoreProblem(
        f"the store did not answer for {LIMIT:.0f} s", hint="check its disk; the run can be resumed"
    )


class Writes:
    """The writes of a run that are under way."""

    def __init__(self) -> None:
        self._began: dict[object, float] = {}

    async def durably(self, write: Awaitable[T]) -> T:
        """As :func:`durably`."""
        me = object()
        self._began[me] = anyio.current_time()
        try:
            return await durably(write)
        finally:
            del self._began[me]

    def overdue(self) -> bool:
        """Whether one has not returned for so long that what comes next could not be kept either."""
        # In the order in which they began.
        oldest = next(iter(self._began.values()), None)
        return oldest is not None and anyio.current_time() - oldest > OVERDUE
