"""Writes that must outlive a cancellation: shielded, with a limit of real seconds."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from orchestrator.errors import StoreProblem

T = TypeVar("T")

# The store itself waits 30 s for another process's lock.
LIMIT = 40.0


async def durably(write: Awaitable[T]) -> T:
    """Await a write of the store under a shield. Raises :class:`StoreProblem` when it takes too long."""
    with anyio.CancelScope(deadline=anyio.current_time() + LIMIT, shield=True):
        return await write
    raise StoreProblem(
        f"the store did not answer for {LIMIT:.0f} s", hint="check its disk; the run can be resumed"
    )
