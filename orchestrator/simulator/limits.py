"""The two windows: what has been used of a limit, and when it begins anew."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ORGANIZATION: Final = "Organization"
INSTANT: Final = "Instant-Test"


@dataclass(slots=True)
class Window:
    """One limit. Aligned windows change at multiples of their length, others begin at a request."""

    limit: int
    length: float
    aligned: bool
    used: int = 0
    ends: float = -math.inf

    def roll(self, now: float) -> None:
        """Begin a new window if the last one is over."""
        if now < self.ends:
            return
        self.used = 0
        self.ends = (math.floor(now / self.length) + 1) * self.length if self.aligned else now + self.length

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(slots=True)
class Others:
    """The organization's other tools: calls at random times, whatever we do."""

    rate: float  # calls per simulated second
    rng: random.Random
    next: float | None = None
    taken: int = 0
    refused: int = 0

    def pass_time(self, windows: Sequence[Window], now: float) -> None:
        """Let them make their calls up to ``now``; each costs one call in each of ``windows``."""
        if self.rate <= 0:
            return
        # Calls of windows that are long over cannot be seen any more.
        horizon = now - 2 * windows[0].length
        if self.next is None or self.next < horizon:
            self.next = max(now if self.next is None else horizon, horizon) + self.rng.expovariate(self.rate)
        while self.next <= now:
            for window in windows:
                window.roll(self.next)
            if all(window.remaining for window in windows):
                for window in windows:
                    window.used += 1
                self.taken += 1
            else:
                self.refused += 1
            self.next += self.rng.expovariate(self.rate)


@dataclass(slots=True)
class Limits:
    """Both limits of one organization; a creation or a re-run costs one call in each."""

    organization: Window
    instant: Window
    others: Others
    others_instant: Others

    def take(self, now: float, *, instant: bool) -> bool:
        """Count one call, or count nothing and return False if a limit that it needs is exhausted."""
        self.others.pass_time([self.organization], now)
        self.others_instant.pass_time([self.organization, self.instant], now)
        windows = [self.organization, self.instant] if instant else [self.organization]
        for window in windows:
            window.roll(now)
        if any(window.remaining < 1 for window in windows):
            return False
        for window in windows:
            window.used += 1
        return True

    def exhaust(self, *, instant: bool) -> None:
        """Leave nothing of the limit that a call needs, as if others had just taken it all."""
        window = self.instant if instant else self.organization
        window.used = window.limit

    def headers(self, *, instant: bool) -> dict[str, str]:
        """What the answer says: after counting, with the end of the window as a whole epoch second."""
        families = [(ORGANIZATION, self.organization)]
        if instant:
            families.append((INSTANT, self.instant))
        return {
            f"X-{family}-Rate-Limit-{name}": str(value)
            for family, window in families
            for name, value in (
                ("Limit", window.limit),
                ("Remaining", window.remaining),
                ("Reset", int(window.ends)),
            )
        }
