"""The windows of one limit: which one a Reset names, when it is over, how long they are. Pure.

The rules that are named here stand in ``orchestrator.budget.budget``.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.budget.clock import ServerClock
    from orchestrator.budget.readings import LimitReading
    from orchestrator.budget.state import BudgetState

LONGEST_WINDOW = 300.0  # seconds; a Reset that is farther ahead (and than two windows) is garbage
TRUNCATED = 1.0  # seconds by which a Reset may be too small, and two of one window may differ
ALIGNED_GUARD = 0.25  # seconds after Reset where it is exact; for limiters that tick a little apart
ALIGNED_SEEN = 3  # windows that cannot have begun with our request, until Reset is believed to be exact
LARGEST_GUARD = 5.0
TICK = 0.001  # seconds; epoch seconds are floats of 0.2 us, and who wakes a hair too early would spin


class Heard(Enum):
    """What an answer was to the budget."""

    NEW_WINDOW = "new window"
    SAME_WINDOW = "same window"
    OLD_WINDOW = "old window"
    NOTHING = "nothing"


class Windows:
    """What is known of the windows of a limit. ``window`` is how long they are supposed to be, in seconds."""

    clock: ServerClock
    state: BudgetState
    window: float

    def fraction_left(self, now: float) -> float:
        """Part of the window still to come, 0 to 1."""
        if self.state.reset is None:
            return 1.0
        return min(1.0, max(0.0, (self.state.reset - self.clock.at_least(now)) / self.length()))

    def _rollover_at(self) -> float:
        end = self.ends_by()
        return math.inf if end is None else self.clock.when(end) + self.state.jitter + TICK

    def _over(self, now: float) -> bool:
        end = self.ends_by()
        return end is not None and self.clock.at_least(now) >= end + self.state.jitter

    def ends_by(self) -> float | None:
        """Server second by which this window has certainly ended (I6), with the guard."""
        state = self.state
        if state.reset is None:
            return None
        if state.aligned >= ALIGNED_SEEN:
            return state.reset + max(ALIGNED_GUARD, state.guard)
        latest = state.reset + 1.0
        if state.began is not None:
            latest = max(state.reset, min(latest, self.clock.at_most(state.began) + self._longest()))
        return latest + state.guard

    def forgiven_after(self) -> float:
        """Seconds after which whatever a lost request was counted by is over (I8)."""
        return self._longest() + 1.0

    def _plausible(self, reading: LimitReading, sent: float, now: float) -> bool:
        """I9. A window that is over when asked, or ends two windows ahead, is no window of this server."""
        if reading.limit < 1 or reading.remaining < 0:
            return False
        asked, answered = self.clock.at_least(sent), self.clock.at_most(now)
        slack = 1.0 + LARGEST_GUARD  # truncation, and a limiter whose clock is behind that of the Date
        farthest = max(2 * self.window, LONGEST_WINDOW + slack)
        return asked - slack < reading.reset <= answered + farthest

    def _place(self, reset: float, sent: float) -> Heard:
        """I4: which window a Reset belongs to. The first value seen names a window that slides its Reset."""
        current = self.state.reset
        if current is None or reset > current + self.window / 2 or self._follows(current, reset, sent):
            return Heard.NEW_WINDOW
        apart = min(self.window, self.length()) / 2
        return Heard.SAME_WINDOW if reset >= current - apart else Heard.OLD_WINDOW

    def _follows(self, current: float, reset: float, sent: float) -> bool:
        """I14: whether a window that ends at ``reset`` can only have begun after the known one."""
        end = self.ends_by()
        over = current + TRUNCATED if end is None else min(end, current + TRUNCATED)
        return reset > current + TRUNCATED and self.clock.at_least(sent) >= over

    def length(self) -> float:
        """Seconds of a window, for planning: as supposed, unless they are seen to be otherwise."""
        state = self.state
        if state.shortest is not None and state.shortest < self.window - 2 * TRUNCATED:
            return max(1.0, state.shortest)
        return self._longest()

    def _longest(self) -> float:
        """Seconds that a window may last."""
        longer = self.state.span > self.window + 2 * TRUNCATED
        return self.state.span + TRUNCATED if longer else self.window

    def _learn_span(self, reading: LimitReading, now: float) -> None:
        """A window is at least as long as what is left of it."""
        latest = self.clock.at_most(now)
        if math.isfinite(latest):
            self.state.span = max(self.state.span, reading.reset - latest)

    def _learn_alignment(self, reading: LimitReading, sent: float) -> None:
        """Whether windows end with the clock's minute, so that Reset is exact.

        A multiple of the window's length is not enough: windows that begin with their first request drift by
        a fraction of a second each, and a dozen in a row are truncated to the same full minute. What such a
        window cannot do is to be begun by our request and yet end sooner than its length after it.
        """
        length = self.length()
        if abs(reading.reset - round(reading.reset / length) * length) > 1e-6:
            self.state.aligned = 0
        elif reading.remaining == reading.limit - 1 and reading.reset <= self._soonest_end(sent):
            self.state.aligned += 1

    def _soonest_end(self, sent: float) -> float:
        """The least Reset, truncated, of a window that began with a request of ours."""
        return self.clock.at_least(sent) + self.length() - TRUNCATED
