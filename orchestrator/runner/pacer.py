"""Gaps between sends, by aiolimiter. It never counts a quota: that is what the budgets are for.

An ``AsyncLimiter(1, gap)`` admits one at once and then one per gap, without a burst. When a proxy strips
the limit headers the budgets are blind, and pacing at 80 % of the documented limits is all that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from orchestrator.clock import Clock
from orchestrator.pace import PLANNED_INSTANT, PLANNED_ORGANIZATION

BLIND_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds. Only the count in a window matters to the limits, so half a second between creations costs
    nothing and is easy on agents and on whatever short-term limits there may be."""

    wire: float = 0.05
    creation: float = 0.5


class Pacer:
    """One slot for the wire at a time; creations and blind mode have gaps of their own."""

    def __init__(self, clock: Clock, gaps: Gaps, *, speed: float = 1.0) -> None:
        self._clock = clock
        self._gaps = gaps
        self._wire = _limiter(gaps.wire / speed)
        self._creation = _limiter(gaps.creation / speed)
        self._blind = {
            False: _limiter(60.0 / (BLIND_SHARE * PLANNED_ORGANIZATION) / speed),
            True: _limiter(60.0 / (BLIND_SHARE * PLANNED_INSTANT) / speed),
        }
        self._last_creation = float("-inf")

    async def slot(self) -> None:
        """Wait until the wire is free. Choose what to send after this, or the choice is stale."""
        if self._wire is not None:
            await self._wire.acquire()

    def creation_opens_at(self) -> float:
        """When the next creation may go (monotonic)."""
        return self._last_creation + self._gaps.creation

    def open(self, *, instant: bool, blind: bool) -> bool:
        """Whether such a request may go now as far as gaps are concerned."""
        limiters = [self._creation if instant else None, self._blind[instant] if blind else None]
        return all(limiter is None or limiter.has_capacity() for limiter in limiters)

    async def sent(self, *, instant: bool, blind: bool) -> None:
        """Take note of a send that :meth:`open` allowed; returns at once."""
        if instant:
            self._last_creation = self._clock.now()
        for limiter in (self._creation if instant else None, self._blind[instant] if blind else None):
            if limiter is not None:
                await limiter.acquire()


def _limiter(gap: float) -> AsyncLimiter | None:
    return AsyncLimiter(1, gap) if gap > 0 else None
