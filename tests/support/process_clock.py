"""A clock that several processes share and that runs faster than life.

All that they need is in one environment variable, because the processes of a test are started one by one: the
speed, and the moment at which wall time and monotonic time were read together. Processes of one host share
the monotonic clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from orchestrator.clock import LoopClock

VARIABLE = "PROCESS_CLOCK"


@dataclass(frozen=True, slots=True)
class Pace:
    """``speed`` times faster than life since ``monotonic`` (seconds), which was ``wall`` (epoch seconds)."""

    speed: float
    monotonic: float
    wall: float

    @classmethod
    def from_now(cls, speed: float) -> Pace:
        return cls(speed, time.monotonic(), time.time())

    @classmethod
    def parse(cls, text: str) -> Pace:
        return cls(*(float(part) for part in text.split(" ")))

    def now(self) -> float:
        """Its epoch seconds."""
        return self.wall + (time.monotonic() - self.monotonic) * self.speed

    def __str__(self) -> str:
        return f"{self.speed!r} {self.monotonic!r} {self.wall!r}"


class ProcessClock(LoopClock):
    """The clock of :class:`Pace`; the event loop's time is the monotonic clock."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(speed=pace.speed)
        self._pace = pace

    def wall(self) -> float:
        return self._pace.wall + self.now() - self._pace.monotonic * self._pace.speed
