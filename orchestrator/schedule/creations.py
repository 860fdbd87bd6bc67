"""Tests that are still to be created or run again. Pure; times are monotonic seconds.

A creation whose answer was lost is in doubt for ever, so no more are risked than must be. After one of them
the next waits until the API has answered something harmless, and each further one in a row waits longer. And
while a creation is under way for much longer than they usually take, no other is sent after it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from orchestrator.model import Spec
from orchestrator.outcomes import backoff
from orchestrator.schedule.steps import Candidate, Create, Look, Probe, Purpose, Step

T = TypeVar("T")

# A look before a re-run is tried this often.
TRIES = 3
# A creation is late after this many seconds, or this many times the slowest of the last ones.
LATE, TIMES = 5.0, 2.0
FORGET = 0.95
# The longest pause between two creations while each is left in doubt (seconds): about one in a window.
LONGEST_PAUSE = 60.0
# After this many incidents in a row a type lets the others go first, for so long (seconds).
SUSPECT_AFTER, SUSPECTED_FOR = 2, 120.0
# How many re-runs may be prepared (their newest rounds read) ahead of the budget.
PREPARED_RERUNS = 40


class Creations:
    """A queue, and for re-runs the looks that must come first: their newest rounds are read."""

    def __init__(self, rng: Random, *, in_order: bool = False) -> None:
        self._rng = rng
        self._in_order = in_order
        self._order = itertools.count()
        self._queue: deque[str] = deque()
        self._reruns: deque[Look] = deque()
        self._baselines: list[tuple[float, int, Look]] = []
        self._preparing = 0
        self._under_way: dict[str, float] = {}
        self._slowest = 0.0
        self._types: dict[str, str] = {}
        self._suspicions: dict[str, int] = {}  # incidents in a row, by type
        self._suspects: dict[str, float] = {}  # types that go last, until when
        self._behind: deque[str] = deque()  # keys of those types
        self._reruns_behind: deque[Look] = deque()
        self._doubts = 0  # incidents in a row that left creations in doubt
        self._doubted_at = -math.inf
        self._unheard = False  # nothing was answered since the last of them
        self._probing = False
        self._probes = 0  # in a row that were not answered
        self._not_before = 0.0
        self._specs = self._layers = 0

    def add(self, spec: Spec) -> None:
        """A spec to create, behind those that are there."""
        self._queue.append(spec.key)
        self._types[spec.key] = spec.type
        self._count(spec)

    def add_rerun(self, spec: Spec, *, layer: str) -> None:
        """A test to run again: first its newest rounds are read in ``layer``."""
        self._reruns.append(Look(spec.key, layer, Purpose.BASELINE))
        self._types[spec.key] = spec.type
        self._count(spec)

    def _count(self, spec: Spec) -> None:
        self._specs += 1
        self._layers += len(spec.layers)

    def stop(self) -> list[str]:
        """Create no more. Returns the keys that will not be created; looks under way tell their own end."""
        left = [
            *self._queue,
            *self._behind,
            *(look.key for look in (*self._reruns, *self._reruns_behind)),
            *(entry[2].key for entry in self._baselines),
        ]
        self._preparing -= len(self._baselines)
        for queue in (self._queue, self._behind, self._reruns, self._reruns_behind):
            queue.clear()
        self._baselines.clear()
        return left

    def candidates(self, now: float, *, allowed: bool, set_aside: int) -> Iterator[Candidate]:
        """The next creation, the next re-run to prepare, a preparation that goes on.

        Re-runs are prepared while creations pause: those are reads, and tell whether the API answers.
        """
        self._acquit([suspect for suspect, until in self._suspects.items() if until <= now])
        ready = self._queue or self._behind
        if allowed and now >= self._not_before and not self._late(now):
            if self._unheard:
                if self.left and not self._probing:
                    yield Candidate(Probe(self._probes), instant=False, spare=0)
            elif ready:
                yield Candidate(Create(ready[0]), instant=True, spare=0)
        reruns = self._reruns or self._reruns_behind
        if allowed and reruns and self._preparing + len(self._queue) < PREPARED_RERUNS:
            yield Candidate(reruns[0], instant=False, spare=set_aside)
        if self._baselines and self._baselines[0][0] <= now:
            yield Candidate(self._baselines[0][2], instant=False, spare=set_aside)

    def _late(self, now: float) -> bool:
        """Whether a creation should have been answered by now. The first under way is the oldest."""
        sent = next(iter(self._under_way.values()), now)
        return now - sent > max(LATE, TIMES * self._slowest)

    def take(self, step: Step, now: float) -> bool:
        """Whether the step was one of these; it leaves its queue."""
        if isinstance(step, Create):
            (self._queue or self._behind).popleft()
            self._under_way[step.key] = now
        elif isinstance(step, Probe):
            self._probing = True
        elif (self._reruns and self._reruns[0] is step) or (
            not self._reruns and self._reruns_behind and self._reruns_behind[0] is step
        ):
            (self._reruns or self._reruns_behind).popleft()
            self._preparing += 1
        elif self._baselines and self._baselines[0][2] is step:
            heapq.heappop(self._baselines)
        else:
            return False
        return True

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        yield self._not_before
        if self._baselines:
            yield self._baselines[0][0]

    def not_created(self, key: str, now: float, *, wait: float = 0.0) -> None:
        """A creation certainly did not happen: it goes back, first in line."""
        (self._behind if self._types.get(key) in self._suspects else self._queue).appendleft(key)
        self.ended(key, now, wait=wait)

    def ended(self, key: str, now: float, *, wait: float = 0.0) -> None:
        """A creation came to an end. After one that failed or was lost the others ``wait`` a little."""
        self._under_way.pop(key, None)
        self._not_before = max(self._not_before, now + wait)

    def created(self, key: str, now: float) -> None:
        """A creation was answered as it should be, so whatever was wrong is over."""
        self._slowest = max(now - self._under_way.get(key, now), FORGET * self._slowest)
        self._doubts = 0
        self._not_before = min(self._not_before, now)
        suspect = self._types.get(key, "")
        self._suspicions.pop(suspect, None)
        self._acquit([suspect])
        self.heard()
        self.ended(key, now)

    def doubted(self, key: str, now: float) -> None:
        """A creation may or may not have been taken. Those that were under way together are one incident."""
        self._unheard = True
        if self._under_way.get(key, now) <= self._doubted_at:
            return
        pause = min(LONGEST_PAUSE, 2.0 * 2.0 ** min(self._doubts, 10)) * (0.5 + 0.5 * self._rng.random())
        self._doubts += 1
        self._doubted_at = now
        self._not_before = max(self._not_before, now + pause)
        if not self._in_order and (suspect := self._types.get(key)) is not None:
            self._suspicions[suspect] = self._suspicions.get(suspect, 0) + 1
            if self._suspicions[suspect] >= SUSPECT_AFTER:
                self._suspects[suspect] = now + SUSPECTED_FOR
                self._sort_out()

    def _sort_out(self) -> None:
        """Put what is suspect behind the rest: it may be a type that the API cannot create now."""
        self._queue, behind = self._parted(self._queue, lambda key: key)
        self._behind.extend(behind)
        self._reruns, reruns_behind = self._parted(self._reruns, lambda look: look.key)
        self._reruns_behind.extend(reruns_behind)

    def _acquit(self, types: Sequence[str]) -> None:
        """Give types their place in front back."""
        if not any(self._suspects.pop(suspect, None) is not None for suspect in types):
            return
        self._queue, self._behind = deque((*self._behind, *self._queue)), deque()
        self._reruns, self._reruns_behind = deque((*self._reruns_behind, *self._reruns)), deque()
        self._sort_out()

    def _parted(self, queue: Iterable[T], key: Callable[[T], str]) -> tuple[deque[T], deque[T]]:
        front: deque[T] = deque()
        behind: deque[T] = deque()
        for item in queue:
            (behind if self._types.get(key(item)) in self._suspects else front).append(item)
        return front, behind

    def heard(self) -> None:
        """The API has answered something."""
        self._unheard = False
        self._probes = 0

    def probed(self, now: float, *, wait: float) -> None:
        """A probe came to an end; if it was not :meth:`heard`, the next waits a little."""
        self._probing = False
        if self._unheard:
            self._probes += 1
            self._not_before = max(self._not_before, now + wait)

    def baselined(self, key: str) -> None:
        """The newest rounds before a re-run are known: it may go."""
        self._preparing -= 1
        (self._behind if self._types.get(key) in self._suspects else self._queue).append(key)

    def baseline_page(self, look: Look) -> None:
        """One more page before a re-run."""
        heapq.heappush(self._baselines, (0.0, next(self._order), look))

    def baseline_failed(self, look: Look, now: float, *, limited: bool = False) -> bool:
        """A look before a re-run failed. Returns whether it will be tried again."""
        tries = look.tries if limited else look.tries + 1
        if tries < TRIES:
            due = now if limited else now + backoff(tries, self._rng.random())
            heapq.heappush(self._baselines, (due, next(self._order), replace(look, tries=tries)))
            return True
        self._preparing -= 1
        return False

    def hesitates(self, now: float) -> bool:
        """Whether creations wait because one of them went wrong, or takes long."""
        return self.left > 0 and (self._unheard or now < self._not_before or self._late(now))

    @property
    def left(self) -> int:
        """Creations that are still to come."""
        queued = len(self._queue) + len(self._behind)
        return queued + len(self._reruns) + len(self._reruns_behind) + self._preparing

    @property
    def under_way(self) -> int:
        """Creations that were sent and have no outcome yet."""
        return len(self._under_way)

    @property
    def layers_per_test(self) -> float:
        """Layers that a test of this run has on average; 1 where none was to be created."""
        return self._layers / self._specs if self._specs else 1.0
