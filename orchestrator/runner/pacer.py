"""Gaps between sends, by aiolimiter. It never counts a quota: that is what the budgets are for.

An ``AsyncLimiter(1, gap)`` admits one at once and then one per gap, without a burst. When a proxy strips
the limit headers the budgets are blind, and pacing at 80 % of the documented limits is all that is left.
The gap between creations is not a limiter: it shrinks at the end of a window, and a limiter's cannot.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from orchestrator.budget.readings import INSTANT_LIMIT, ORGANIZATION_LIMIT, WINDOW
from orchestrator.clock import Clock
from orchestrator.schedule.policy import creation_gap

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
        self._wire = AsyncLimiter(1, gaps.wire / speed) if gaps.wire > 0 else None
        self._blind = {
            False: AsyncLimiter(1, WINDOW / (BLIND_SHARE * ORGANIZATION_LIMIT) / speed),
            True: AsyncLimiter(1, WINDOW / (BLIND_SHARE * INSTANT_LIMIT) / speed),
        }
        self._last_creation = float("-inf")

    async def slot(self) -> None:
        """Wait until the wire is free. Choose what to send after this, or the choice is stale."""
        if self._wire is not None:
            await self._wire.acquire()

    def creation_opens_at(self, creations: int, seconds_left: float, *, last: bool) -> float:
        """When the next of ``creations`` in this window may go (monotonic); it ends in ``seconds_left``.

        ``last``: no later window will have any.
        """
        return self._last_creation + creation_gap(self._gaps.creation, creations, seconds_left, last=last)

    def open(self, *, instant: bool, blind: bool) -> bool:
        """Whether such a request may go now, as far as blind mode is concerned."""
        return not blind or self._blind[instant].has_capacity()

    async def sent(self, *, instant: bool, blind: bool) -> None:
        """Take note of a send that was allowed; returns at once."""
        if instant:
            self._last_creation = self._clock.now()
        if blind:
            await self._blind[instant].acquire()
