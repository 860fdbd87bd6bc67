"""The server's time, known from its answers and never from our wall clock.

An answer that was asked at ``sent``, came at ``received`` (both our monotonic seconds) and carries
``Date: d`` (whole seconds, truncated) proves::

    d - received  <=  offset  <  d + 1 - sent          where server time = our time + offset

Intersecting these intervals soon leaves little more than one network delay. The lower end is what the
budgets live by: a window is over when the server's time has *certainly* reached its end, however wrong the
clock of this host may be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.budget.state import seconds

# The tightest bound is kept for 5 to 10 minutes: long enough to profit from it, short enough to forget a
# server's clock that was slewed, and our own drift (200 ppm in 10 minutes is 0.12 s).
HALF_LIFE = 300.0

_Interval = tuple[float, float]
_NOTHING: _Interval = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a :class:`ServerClock` knows, as values: two generations of bounds and a doubted interval."""

    young: _Interval
    old: _Interval
    since: float
    suspect: _Interval | None
    dated: bool

    def dump(self) -> dict[str, Any]:
        """As JSON values; an end that is infinite is ``None``."""
        return {
            "young": _told(self.young),
            "old": _told(self.old),
            "since": None if self.since == -math.inf else self.since,
            "suspect": None if self.suspect is None else _told(self.suspect),
            "dated": self.dated,
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> ClockState:
        """What :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError`` on anything else."""
        since, suspect = data["since"], data["suspect"]
        return cls(
            young=_interval(data["young"]),
            old=_interval(data["old"]),
            since=-math.inf if since is None else seconds(since),
            suspect=None if suspect is None else _interval(suspect),
            dated=bool(data["dated"]),
        )


def _told(interval: _Interval) -> list[float | None]:
    return [end if math.isfinite(end) else None for end in interval]


def _interval(data: Sequence[Any]) -> _Interval:
    low, high = data
    return (-math.inf if low is None else seconds(low), math.inf if high is None else seconds(high))


class ServerClock:
    """An interval for the offset between our monotonic clock and the server's epoch seconds."""

    def __init__(self) -> None:
        self._young: _Interval = _NOTHING
        self._old: _Interval = _NOTHING
        self._bounds: _Interval = _NOTHING  # where young and old meet; asked for dozens of times per request
        self._since = -math.inf
        self._suspect: _Interval | None = None
        self._dated = False

    def observe(self, date: float | None, sent: float, received: float) -> None:
        """Learn from the ``Date`` (epoch seconds) of an answer. ``None`` teaches nothing."""
        if date is None or not math.isfinite(date):
            return
        if not self._dated:
            # A Date is worth more than anything that was guessed from Reset values.
            self._forget(received)
            self._dated = True
        self._learn((date - received, date + 1.0 - sent), received)

    def observe_reset(self, reset: float, window: float, sent: float, received: float) -> None:
        """Learn from a Reset (epoch seconds, truncated) while no answer ever had a ``Date``.

        A window that ends at ``reset`` has begun, and is not over, when the answer is made:
        ``reset - window <= server time < reset + 1``.
        """
        if not self._dated and math.isfinite(reset):
            self._learn((reset - window - received, reset + 1.0 - sent), received)

    def at_least(self, now: float) -> float:
        """Server epoch seconds that are certainly reached at our ``now``; ``-inf`` before any answer."""
        return now + self._bounds[0]

    def at_most(self, now: float) -> float:
        """Server epoch seconds that are certainly not exceeded at our ``now``; ``inf`` before any answer."""
        return now + self._bounds[1]

    def when(self, server: float) -> float:
        """Our monotonic second at which :meth:`at_least` reaches ``server``; ``inf`` before any answer."""
        return server - self._bounds[0]

    def _learn(self, seen: _Interval, received: float) -> None:
        low, high = _meet(self._bounds, seen)
        if low > high:
            self._step(seen, received)
            return
        self._suspect = None
        if received - self._since > HALF_LIFE:
            self._old, self._young, self._since = self._young, _NOTHING, received
        self._young = _meet(self._young, seen)
        self._bounds = _meet(self._young, self._old)

    def _step(self, seen: _Interval, received: float) -> None:
        """The bounds contradict each other: the server's clock stepped, or one answer had a wrong Date.

        Back is believed at once, because it only makes us wait; forward only from two answers, because it
        would make us declare windows over.
        """
        forward = seen[0] > self._bounds[1]
        if forward:
            doubt = _meet(self._suspect, seen) if self._suspect is not None else None
            if doubt is None or doubt[0] > doubt[1]:
                self._suspect = seen
                return
            seen = doubt
        self._forget(received)
        self._young = self._bounds = seen

    def _forget(self, received: float) -> None:
        self._young = self._old = self._bounds = _NOTHING
        self._suspect = None
        self._since = received

    def state(self) -> ClockState:
        """What is known, to be stored."""
        return ClockState(self._young, self._old, self._since, self._suspect, self._dated)

    def restore(self, state: ClockState) -> None:
        """Take over what :meth:`state` gave, here or in another process of this host."""
        self._young, self._old = state.young, state.old
        self._bounds = _meet(self._young, self._old)
        self._since, self._suspect, self._dated = state.since, state.suspect, state.dated


def _meet(one: _Interval, other: _Interval) -> _Interval:
    return max(one[0], other[0]), min(one[1], other[1])
