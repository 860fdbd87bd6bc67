"""Reset is exact only where windows end with the clock's minute, and that must be seen, not guessed."""

from __future__ import annotations

import math

from orchestrator.budget.budget import Budget
from orchestrator.budget.clock import ServerClock
from orchestrator.budget.readings import LimitReading
from orchestrator.budget.windows import ALIGNED_SEEN

SERVER = 1_700_000_040.0  # server epoch seconds at our monotonic second 0; a multiple of 60
DELAY = 0.1
LIMIT = 5


class Alone:
    """A budget that meets one new window after the other, each with its first request."""

    def __init__(self) -> None:
        self.clock = ServerClock()
        self.budget = Budget(self.clock, share=0.0, floor=0)
        self.requests = 0

    def meet(self, at: float, end: float, remaining: int = LIMIT - 1) -> None:
        """A request that arrives at server second ``at``, in a window that ends at ``end``."""
        self.requests += 1
        sent, now = at - SERVER - DELAY / 2, at - SERVER + DELAY / 2
        self.budget.reserve(self.requests, sent)
        self.clock.observe(float(math.floor(at)), sent, now)
        reading = LimitReading(LIMIT, remaining, float(math.floor(end)))
        self.budget.settle(self.requests, reading, sent=sent, now=now, status=200)

    @property
    def exact(self) -> bool:
        """Whether the budget believes that Reset is the very end, and not up to a second before it."""
        end, reset = self.budget.ends_by(), self.budget.state.reset
        assert end is not None
        assert reset is not None
        return end < reset + 0.5


def test_windows_that_end_with_the_minute_whoever_began_them_are_exact() -> None:
    alone = Alone()
    believed = []
    for window in range(ALIGNED_SEEN):
        begin = SERVER + 60.0 * window
        alone.meet(begin + 3.3, begin + 60.0)
        believed.append(alone.exact)
    assert believed == [False] * (ALIGNED_SEEN - 1) + [True]


def test_windows_that_begin_with_our_requests_are_not_exact_while_they_drift_over_a_full_minute() -> None:
    alone = Alone()
    at = SERVER + 0.02
    for _ in range(9):
        assert math.floor(at + 60.0) % 60 == 0, "the example has drifted out of its second"
        alone.meet(at, at + 60.0)
        assert not alone.exact, "a probe would go out before the window has ended"
        at += 60.1


def test_windows_that_others_began_say_nothing() -> None:
    alone = Alone()
    for window in range(2 * ALIGNED_SEEN):
        begin = SERVER + 60.0 * window
        alone.meet(begin + 20.0, begin + 60.0, remaining=LIMIT - 2)
        assert not alone.exact


def test_one_window_that_ends_elsewhere_ends_the_belief() -> None:
    alone = Alone()
    begins = [SERVER + 60.0 * window for window in range(ALIGNED_SEEN)]
    for begin in begins:
        alone.meet(begin + 3.3, begin + 60.0)
    assert alone.exact
    alone.meet(begins[-1] + 61.0, begins[-1] + 121.0)
    assert not alone.exact
