"""The one clock. Wall time is stored and shown; monotonic time is waited on.

Every part that needs the time takes it as an argument or receives a :class:`Clock`; no other module
reads a clock or sleeps.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from anyio import CancelScope


class Clock(Protocol):
    """Seconds, as floats."""

    def now(self) -> float:
        """Monotonic seconds from an arbitrary start."""

    def wall(self) -> float:
        """Seconds since the epoch, for records and people; it may step."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a negative wait is none."""

    def move_on_after(self, seconds: float) -> CancelScope:
        """A cancel scope that ends after ``seconds`` of this clock."""


class LoopClock:
    """Follows the event loop, optionally ``speed`` times faster than it.

    ``speed`` other than 1 is for the built-in simulator, whose world runs on the same clock, so that an
    hour of limits can pass in a minute. Under a virtual-time loop the same class gives virtual time,
    because it reads the loop's clock and no other.
    """

    def __init__(self, *, speed: float = 1.0, epoch: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.speed = speed
        self._epoch = epoch
        self._started: float | None = None

    def now(self) -> float:
        return asyncio.get_running_loop().time() * self.speed

    def wall(self) -> float:
        if self.speed == 1.0 and self._epoch is None:
            return time.time()
        if self._started is None:
            self._started = self.now()
            if self._epoch is None:
                self._epoch = time.time()
        assert self._epoch is not None  # noqa: S101 - set together with _started
        return self._epoch + self.now() - self._started

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(0.0, seconds) / self.speed)

    def move_on_after(self, seconds: float) -> CancelScope:
        return anyio.move_on_after(max(0.0, seconds) / self.speed)
