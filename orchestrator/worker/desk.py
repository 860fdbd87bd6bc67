"""What a worker needs of the store, and of the room that carries out runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

from orchestrator.errors import Exit
from orchestrator.queueing.attempts import Ending
from orchestrator.queueing.values import Taken

# So many signs of life in the time after which a run without any is free.
BEATS = 4


class Leases(Protocol):
    """The leases on runs: that part of :class:`orchestrator.store.base.Tenure` that a pool needs."""

    async def claim(self, run: str, owner: str) -> bool:
        """Take a run that nobody holds; whether it is ours now."""

    async def renew(self, runs: Collection[str]) -> Mapping[str, bool]:
        """Those that are still ours, each with whether its end was asked for."""

    async def let_go(self, run: str) -> None:
        """Somebody else may go on with it at once."""

    def forget(self, run: str) -> None:
        """Nothing more is written of it here; where it is still ours, its lease runs out."""


class Stops(Protocol):
    """Stops of one run as they are asked for: the first ends creations, the second leaves at once."""

    def __aiter__(self) -> Stops: ...
    async def __anext__(self) -> Exit: ...
    def lapsed(self) -> bool:
        """Whether this host was suspended for so long that the run may be another one's."""


# Carries out a run that was taken, until it ends or is stopped.
Carry = Callable[[Taken, Stops], Awaitable[Ending]]
