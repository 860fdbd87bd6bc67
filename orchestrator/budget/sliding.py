"""A limit of so many in any span of time, of which no header tells: counted by what was sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The server may hear of one later than we sent it (seconds).
_LATE = 2.0


@dataclass(frozen=True, slots=True)
class Sliding:
    """``most`` in any ``span`` seconds; so it holds wherever the server's own windows begin."""

    most: int
    span: float

    def opens_in(self, spent: Iterable[float], now: float) -> float:
        """In how many seconds there is room for one more; 0.0 for at once, never more than a span.

        ``spent`` is when others were sent, in any order. What lies in the future is from a clock that was
        set back: it counts as sent now.
        """
        held = sorted(min(one, now) for one in spent if one > now - self.span - _LATE)
        if len(held) < self.most:
            return 0.0
        return held[-self.most] + self.span + _LATE - now
