"""The one clock. Wall time is stored and shown; monotonic time is waited on.

Every part that needs the time takes it as an argument or receives a :class:`Clock`; no other module
reads a clock or sleeps.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from anyio import CancelScope

# A chain of steps that nobody holds a clock for (a task wakes another, which wakes a third) takes a few turns
# of the event loop. So many turns in which nobody touches the clock are taken for rest.
QUIET_TURNS = 12
# How far (real seconds) a held clock that fell behind its speed may catch up by going from timer to timer.
CATCH_UP = 0.25
# Seconds; a sleep that is shorter than the resolution of the time would be no step at all, for ever.
LEAST_STEP = 1e-6


def boot_seconds() -> float:
    """Seconds that go on while the host is suspended, where it can tell: for how old something is.

    Of one host only. Where only a monotonic clock is known, as that.
    """
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


def suspended_seconds() -> float:
    """For how long this host has been suspended since it started; it only grows. Zero where nothing tells."""
    return boot_seconds() - time.monotonic()


def monotonic_seconds() -> float:
    """Seconds that only go forward, outside an event loop: for how long something took."""
    return time.monotonic()


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """Seconds, as floats."""

    def now(self) -> float:
        """Monotonic seconds from an arbitrary start."""

    def wall(self) -> float:
        """Seconds since the epoch, for records and people; it may step."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a negative wait is none."""

    def move_on_after(self, seconds: float) -> AbstractContextManager[CancelScope]:
        """A cancel scope that ends after ``seconds`` of this clock."""


class LoopClock:
    """Follows the event loop, optionally ``speed`` times faster than it.

    It goes on while the process works, so a fast one lets deadlines pass that the world would have kept: a
    world in the same event loop has :class:`HeldClock`. Under a virtual-time loop this class gives virtual
    time, because it reads the loop's clock and no other.
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


class _Timer:
    """What happens at a moment of a held clock, unless it is cancelled before."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class HeldClock:
    """At most ``speed`` times faster than life, and never faster than the process can follow.

    The clock of a simulated world and of the run that asks it, both in this event loop. If it went on while
    the process works (a request on its way through sockets, a commit waiting for the disk, other processes
    that have the CPU), a deadline would pass although the world had answered in time: a minute of its
    deadline is 30 ms of this machine at a speed of 2,000. So its time stands still and passes only by steps
    to the next moment that somebody sleeps until, and a step is taken only when

    * its share of real time is over,
    * nobody holds the clock (:meth:`hold`), and
    * the event loop has come to rest: for :data:`QUIET_TURNS` of it nobody has touched the clock.

    What a run comes to is therefore the same on a busy machine and on an idle one; it only takes longer.
    Without anybody who sleeps, time does not pass at all. Not for several threads or event loops.
    """

    def __init__(self, *, speed: float = 1.0, epoch: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.speed = speed
        self._now = self._started = 1000.0  # so that zero is nobody's special value
        self._epoch = time.time() if epoch is None else epoch
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = count()
        self._holds = self._touched = 0
        self._stepped_at: float | None = None  # the loop's time of the last step
        self._waking: asyncio.Handle | None = None

    def now(self) -> float:
        self._touched += 1
        return self._now

    def wall(self) -> float:
        return self._epoch + self.now() - self._started

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        over = anyio.Event()
        timer = self._at(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @contextmanager
    def move_on_after(self, seconds: float) -> Iterator[CancelScope]:
        with anyio.CancelScope() as scope:
            timer = self._at(max(0.0, seconds), scope.cancel)
            try:
                yield scope
            finally:
                timer.cancel()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """No time passes during the block: something real is under way, and its end will tell."""
        self._holds += 1
        self._touched += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._touched += 1
            self._arm()

    async def rest(self, seconds: float) -> None:
        """Sleep on behalf of somebody who holds the clock for us: the world, before it answers a request."""
        self._holds -= 1
        self._arm()
        try:
            await self.sleep(seconds)
        finally:
            self._holds += 1
            self._touched += 1

    # -- steps ------------------------------------------------------------------------------------------

    def _at(self, seconds: float, call: Callable[[], object]) -> _Timer:
        timer = _Timer(call)
        self._touched += 1
        heappush(self._timers, (self._now + max(LEAST_STEP, seconds), next(self._order), timer))
        self._arm()
        return timer

    def _arm(self) -> None:
        """See to it that the next step is taken when its share of real time is over."""
        while self._timers and self._timers[0][2].call is None:
            heappop(self._timers)
        if not self._timers or math.isinf(self._timers[0][0]) or self._holds > 0:
            return
        loop = asyncio.get_running_loop()
        if self._waking is not None:
            self._waking.cancel()
        self._waking = loop.call_at(self._due(loop.time()), self._settle, QUIET_TURNS, self._touched)

    def _due(self, real: float) -> float:
        if self._stepped_at is None:
            self._stepped_at = real
        return self._stepped_at + (self._timers[0][0] - self._now) / self.speed

    def _settle(self, turns: int, touched: int) -> None:
        """Take the step after so many quiet turns of the loop; begin anew if this one was none."""
        self._waking = None
        if self._holds > 0:
            return  # whoever holds the clock will arm it again
        if self._touched != touched:
            self._arm()
        elif turns > 0:
            loop = asyncio.get_running_loop()
            self._waking = loop.call_soon(self._settle, turns - 1, touched)
        else:
            self._step()

    def _step(self) -> None:
        real = asyncio.get_running_loop().time()
        self._stepped_at = max(self._due(real), real - CATCH_UP)
        self._now = self._timers[0][0]
        while self._timers and self._timers[0][0] <= self._now:
            call = heappop(self._timers)[2].call
            if call is not None:
                call()
        self._touched += 1
        self._arm()
