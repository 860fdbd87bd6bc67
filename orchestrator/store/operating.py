"""What whoever operates a shared store asks of it, and what it tells of itself."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Standing(NamedTuple):
    """How a store stands: for how many days after today it has room (-1 where today has none), and how many
    ids of paid tests came late and were adopted by nobody."""

    days_ahead: int
    late_ids: int


class Keeper(Protocol):
    """Looks after a store. Both methods raise :class:`orchestrator.errors.StoreProblem`."""

    async def standing(self) -> Standing:
        """How it stands. Raises also where this version cannot use it any more."""

    async def make_room(self) -> list[str]:
        """Make room for the days to come; the names of what was made."""


class Measures(Protocol):
    """Hears how long something took, in seconds, in whatever thread that was. No method may wait or raise."""

    def away(self, seconds: float) -> None:
        """Writes waited so long for a store that was away."""

    def turn(self, seconds: float) -> None:
        """A turn at the budgets that hosts share took so long."""


class Unmeasured:
    """Hears it and does nothing."""

    def away(self, seconds: float) -> None: ...
    def turn(self, seconds: float) -> None: ...
