"""When to hold back because the API does not answer as it should: a circuit breaker. Pure.

It has two circuits, for two things that go wrong:

* Of *all requests*, :data:`OPENS_AT` failures in a row open the circuit: everybody pauses, longer with each
  further failure, instead of each request on its own. After the pause requests go again, and the first good
  answer forgets the failures.
* An *ambiguous creation* (its answer was lost) may have been taken and is never repeated, so no more are
  risked than must be. One of them opens the circuit of the creations for a pause, which grows with each
  further incident in a row. Then it is half-open: a probe, or any poll that is answered meanwhile, closes it.
  It is open, too, while a creation that is under way takes much longer than they usually do.

A type of test whose creations stay ambiguous goes into *quarantine*: it lets the others go first.
Times are monotonic seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from orchestrator.schedule.backoff import Slowest, backoff

# Failures in a row before all requests pause.
OPENS_AT = 5
# A creation is late after this many seconds, or this many times the slowest of the last ones.
LATE, TIMES = 5.0, 2.0
# The longest pause while each creation stays ambiguous (seconds): about one in a window.
LONGEST_PAUSE = 60.0
# After this many incidents in a row a type is in quarantine for so long (seconds): it may be what the API
# cannot create now.
QUARANTINE_AFTER, QUARANTINED_FOR = 2, 120.0


class Circuit(Enum):
    """The circuit of the creations."""

    CLOSED = auto()  # a creation may go
    OPEN = auto()  # neither a creation nor a probe may go
    HALF_OPEN = auto()  # something must be answered first; a probe may go


@dataclass(frozen=True, slots=True)
class Pause:
    """All requests pause for so many seconds after so many failures in a row."""

    failures: int
    seconds: float


class Breaker:
    """What is known of the requests that failed and of the creations that were sent."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._failures = 0  # of all requests, in a row
        self._opened_at = 0  # the failures at which the circuit opened last
        self.paused_until = 0.0
        self.not_before = 0.0  # the next creation or probe
        self._sent: dict[str, float] = {}  # creations under way; the first is the oldest
        self._waits: dict[str, float] = {}  # seconds that follow the end of an ambiguous one
        self._slowest = Slowest()
        self._incidents = 0  # in a row
        self._last_incident = -math.inf
        self._unheard = False  # nothing was answered since the last incident
        self._probing = False
        self._probes = 0  # in a row that were not answered

    # -- all requests -------------------------------------------------------------------------------

    def failed(self) -> None:
        """A request brought no answer, or one that is none."""
        self._failures += 1

    def answered(self, *, good: bool) -> None:
        """A request was answered; ``good``: with what it asked for."""
        self._unheard = False
        self._probes = 0
        if good:
            self._failures = 0

    def trip(self, now: float) -> Pause | None:
        """Open the circuit of all requests if more failed since it was opened last. Returns the pause."""
        if self._failures < OPENS_AT:
            self._opened_at = 0
        if self._failures <= max(self._opened_at, OPENS_AT - 1):
            return None
        self._opened_at = self._failures
        seconds = backoff(self._failures - OPENS_AT + 1, self._rng.random())
        self.paused_until = now + seconds
        return Pause(self._failures, seconds)

    def _backoff(self) -> float:
        return backoff(self._failures, self._rng.random())

    # -- creations ----------------------------------------------------------------------------------

    def creations(self, now: float) -> Circuit:
        """Whether something may be tried now: a creation, or first a probe."""
        if now < self.not_before or self._late(now):
            return Circuit.OPEN
        return Circuit.HALF_OPEN if self._unheard else Circuit.CLOSED

    @property
    def under_way(self) -> int:
        """Creations that were sent and have no outcome yet."""
        return len(self._sent)

    def _late(self, now: float) -> bool:
        """Whether a creation should have been answered by now."""
        sent = next(iter(self._sent.values()), now)
        return now - sent > max(LATE, TIMES * self._slowest.seconds)

    def sent(self, key: str, now: float) -> None:
        """A creation is on its way."""
        self._sent[key] = now

    def created(self, key: str, now: float) -> None:
        """A creation was answered as it should be, so whatever was wrong is over."""
        self._slowest.took(now - self._sent.pop(key, now))
        self._incidents = 0
        self.not_before = min(self.not_before, now)
        self.answered(good=True)

    def not_sent(self, key: str, now: float) -> None:
        """A creation never left, because the API could not be reached: the next waits a little."""
        self.failed()
        self._wait(now, self._backoff())
        self.ended(key, now)

    def ambiguous(self, key: str, now: float) -> bool:
        """A creation may or may not have been taken. Returns whether that is a new incident.

        Those that were under way together are one.
        """
        self.failed()
        self._waits[key] = self._backoff()
        self._unheard = True
        if self._sent.get(key, now) <= self._last_incident:
            return False
        self._incidents += 1
        self._last_incident = now
        self._wait(now, backoff(self._incidents, self._rng.random(), LONGEST_PAUSE))
        return True

    def collected(self, key: str) -> None:
        """A creation has a test to read: also an ambiguous re-run, which a newer round will show."""
        self._sent.pop(key, None)
        self._waits.pop(key, None)

    def ended(self, key: str, now: float) -> None:
        """A creation came to its end without a test."""
        self._sent.pop(key, None)
        self._wait(now, self._waits.pop(key, 0.0))

    def _wait(self, now: float, seconds: float) -> None:
        self.not_before = max(self.not_before, now + seconds)

    # -- probes -------------------------------------------------------------------------------------

    def next_probe(self) -> int | None:
        """How many probes before the next one were not answered; ``None`` while one is under way."""
        return None if self._probing else self._probes

    def probe_sent(self) -> None:
        """A probe is on its way."""
        self._probing = True

    def probe_ended(self, now: float) -> None:
        """A probe came to its end; if nothing was answered, the next waits a little."""
        self._probing = False
        seconds = self._backoff()
        if self._unheard:
            self._probes += 1
            self._wait(now, seconds)


class Quarantine:
    """Types of tests that let the others go first."""

    def __init__(self) -> None:
        self._incidents: dict[str, int] = {}  # in a row, by type
        self._until: dict[str, float] = {}

    def __contains__(self, kind: object) -> bool:
        return kind in self._until

    def ambiguous(self, kind: str, now: float) -> bool:
        """A creation of the type was an incident. Returns whether the type is in quarantine."""
        self._incidents[kind] = self._incidents.get(kind, 0) + 1
        if self._incidents[kind] >= QUARANTINE_AFTER:
            self._until[kind] = now + QUARANTINED_FOR
        return kind in self._until

    def created(self, kind: str) -> bool:
        """A creation of the type came. Returns whether that ended its quarantine."""
        self._incidents.pop(kind, None)
        return self._until.pop(kind, None) is not None

    def expire(self, now: float) -> bool:
        """End what has lasted long enough. Returns whether there was any."""
        over = [kind for kind, until in self._until.items() if until <= now]
        for kind in over:
            del self._until[kind]
        return bool(over)
