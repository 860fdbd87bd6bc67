"""Whether another creation may be risked now. Pure; times are monotonic seconds.

A creation whose answer was lost is in doubt for ever, so no more are risked than must be. After one of them
the next waits until the API has answered something harmless, and after each further incident in a row it
waits longer. And while a creation is under way for much longer than they usually take, no other is sent.
"""

from __future__ import annotations

import math
from random import Random

from orchestrator.schedule.backoff import Slowest, backoff

# A creation is late after this many seconds, or this many times the slowest of the last ones.
LATE, TIMES = 5.0, 2.0
# The longest pause while each creation is left in doubt (seconds): about one in a window.
LONGEST_PAUSE = 60.0


class Caution:
    """What is known of the creations that were sent."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._under_way: dict[str, float] = {}
        self._slowest = Slowest()
        self._incidents = 0  # in a row
        self._last_incident = -math.inf
        self._unheard = False  # nothing was answered since the last of them
        self._probing = False
        self._probes = 0  # in a row that were not answered
        self.not_before = 0.0

    @property
    def under_way(self) -> int:
        """Creations that were sent and have no outcome yet."""
        return len(self._under_way)

    def allows(self, now: float) -> bool:
        """Whether something may be tried now: a creation, or first a probe."""
        return now >= self.not_before and not self._late(now)

    def hesitates(self, now: float) -> bool:
        """Whether creations wait because one of them went wrong, or takes long."""
        return self._unheard or not self.allows(now)

    @property
    def wants_probe(self) -> bool:
        """Whether the API must answer something before the next creation."""
        return self._unheard

    def next_probe(self) -> int | None:
        """How many probes before the next one were not answered; ``None`` while one is under way."""
        return None if self._probing else self._probes

    def _late(self, now: float) -> bool:
        """Whether a creation should have been answered by now. The first under way is the oldest."""
        sent = next(iter(self._under_way.values()), now)
        return now - sent > max(LATE, TIMES * self._slowest.seconds)

    def sent(self, key: str, now: float) -> None:
        """A creation is on its way."""
        self._under_way[key] = now

    def ended(self, key: str, now: float, wait: float) -> None:
        """A creation came to an end; the others ``wait`` a little."""
        self._under_way.pop(key, None)
        self.not_before = max(self.not_before, now + wait)

    def created(self, key: str, now: float) -> None:
        """A creation was answered as it should be, so whatever was wrong is over."""
        self._slowest.took(now - self._under_way.pop(key, now))
        self._incidents = 0
        self.not_before = min(self.not_before, now)
        self.heard()

    def doubted(self, key: str, now: float) -> bool:
        """A creation may or may not have been taken. Returns whether that is a new incident.

        Those that were under way together are one.
        """
        self._unheard = True
        if self._under_way.get(key, now) <= self._last_incident:
            return False
        self._incidents += 1
        self._last_incident = now
        pause = backoff(self._incidents, self._rng.random(), LONGEST_PAUSE)
        self.not_before = max(self.not_before, now + pause)
        return True

    def heard(self) -> None:
        """The API has answered something."""
        self._unheard = False
        self._probes = 0

    def probe_sent(self) -> None:
        """A probe is on its way."""
        self._probing = True

    def probed(self, now: float, wait: float) -> None:
        """A probe came to an end; if it was not :meth:`heard`, the next waits a little."""
        self._probing = False
        if self._unheard:
            self._probes += 1
            self.not_before = max(self.not_before, now + wait)
