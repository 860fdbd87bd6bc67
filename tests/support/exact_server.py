"""The smallest exact server of limits; it shares nothing with the client's side."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from orchestrator.budget.readings import LimitReading, Limits


@dataclass
class Window:
    """A fixed window: aligned to the multiples of its length, or begun by the first request after its end."""

    limit: int
    aligned: bool
    length: float
    end: float = -math.inf
    count: int = 0
    taken_by_others: int = 0

    def turn(self, now: float) -> None:
        if now >= self.end:
            begin = math.floor(now / self.length) * self.length if self.aligned else now
            self.end, self.count, self.taken_by_others = begin + self.length, 0, 0

    @property
    def full(self) -> bool:
        return self.count >= self.limit

    def reading(self) -> LimitReading:
        return LimitReading(self.limit, self.limit - self.count, float(math.floor(self.end)))


@dataclass
class Server:
    """Counts a request when it arrives; a refused one costs nothing. Times are server epoch seconds."""

    limit: int
    instant_limit: int
    aligned: bool
    length: float = 60.0
    organization: Window = field(init=False)
    instant: Window = field(init=False)

    def __post_init__(self) -> None:
        self.organization = Window(self.limit, self.aligned, self.length)
        self.instant = Window(self.instant_limit, self.aligned, self.length)

    def take(self, now: float, *, instant: bool) -> tuple[int, Limits]:
        """The status and the headers of the answer to a request that arrives now."""
        windows = [self.organization, self.instant] if instant else [self.organization]
        for window in windows:
            window.turn(now)
        refused = any(window.full for window in windows)
        if not refused:
            for window in windows:
                window.count += 1
        return (429 if refused else 200), Limits(
            self.organization.reading(),
            self.instant.reading() if instant else None,
            float(math.floor(now)),
            None,
        )

    def taken_by_another(self, now: float, *, instant: bool) -> None:
        """Somebody else of the organization sends a request."""
        windows = [self.organization, self.instant] if instant else [self.organization]
        for window in windows:
            window.turn(now)
        if not any(window.full for window in windows):
            for window in windows:
                window.count += 1
                window.taken_by_others += 1
