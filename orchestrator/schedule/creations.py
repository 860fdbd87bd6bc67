"""Tests that are still to be created or run again. Pure; times are monotonic seconds."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from orchestrator.model import Spec
from orchestrator.schedule.backoff import backoff
from orchestrator.schedule.breaker import Caution
from orchestrator.schedule.lanes import Line
from orchestrator.schedule.steps import Candidate, Create, Poll, Probe, Purpose, Step

# A poll before a re-run is tried this often.
TRIES = 3
# After this many incidents in a row a type lets the others go first, for so long (seconds): it may be what
# the API cannot create now.
SUSPECT_AFTER, SUSPECTED_FOR = 2, 120.0
# How many re-runs may be prepared (their newest rounds read) ahead of the budget.
PREPARED_RERUNS = 40


class Creations:
    """A line, and for re-runs the polls that must come first: their newest rounds are read."""

    def __init__(self, rng: Random, *, in_order: bool = False) -> None:
        self._rng = rng
        self._in_order = in_order
        self._caution = Caution(rng)
        self._order = itertools.count()
        self._types: dict[str, str] = {}
        self._incidents: dict[str, int] = {}  # in a row, by type
        self._suspects: dict[str, float] = {}  # types that go last, until when
        self._queue: Line[str] = Line(lambda key: self._types.get(key) in self._suspects)
        self._reruns: Line[Poll] = Line(lambda poll: self._types.get(poll.key) in self._suspects)
        self._baselines: list[tuple[float, int, Poll]] = []
        self._preparing = 0
        self._specs = self._layers = 0

    def add(self, spec: Spec) -> None:
        """A spec to create, behind those that are there."""
        self._count(spec)
        self._queue.append(spec.key)

    def add_rerun(self, spec: Spec, *, layer: str) -> None:
        """A test to run again: first its newest rounds are read in ``layer``."""
        self._count(spec)
        self._reruns.append(Poll(spec.key, layer, Purpose.BASELINE))

    def _count(self, spec: Spec) -> None:
        self._types[spec.key] = spec.type
        self._specs += 1
        self._layers += len(spec.layers)

    def stop(self) -> list[str]:
        """Create no more. Returns the keys that will not be created; polls under way tell their own end."""
        self._preparing -= len(self._baselines)
        prepared = [poll.key for _, _, poll in self._baselines]
        self._baselines.clear()
        return [*self._queue.clear(), *(poll.key for poll in self._reruns.clear()), *prepared]

    def candidates(self, now: float, *, allowed: bool, set_aside: int) -> Iterator[Candidate]:
        """The next creation, or the probe that must come first; the next re-run to prepare, and one whose
        preparation goes on. Re-runs are prepared while creations pause: those are reads."""
        self._acquit(*[suspect for suspect, until in self._suspects.items() if until <= now])
        if allowed and self._caution.allows(now):
            yield from self._creation()
        rerun = self._reruns.first
        if allowed and rerun is not None and self._preparing + self._queue.in_front < PREPARED_RERUNS:
            yield Candidate(rerun, instant=False, spare=set_aside)
        if self._baselines and self._baselines[0][0] <= now:
            yield Candidate(self._baselines[0][2], instant=False, spare=set_aside)

    def _creation(self) -> Iterator[Candidate]:
        key = self._queue.first
        if self._caution.wants_probe:
            before = self._caution.next_probe()
            if self.left and before is not None:
                yield Candidate(Probe(before), instant=False, spare=0)
        elif key is not None:
            yield Candidate(Create(key), instant=True, spare=0)

    def take(self, step: Step, now: float) -> bool:
        """Whether the step was one of these; it leaves its queue."""
        if isinstance(step, Create):
            self._caution.sent(self._queue.popleft(), now)
        elif isinstance(step, Probe):
            self._caution.probe_sent()
        elif self._reruns.first is step:
            self._reruns.popleft()
            self._preparing += 1
        elif self._baselines and self._baselines[0][2] is step:
            heapq.heappop(self._baselines)
        else:
            return False
        return True

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        yield self._caution.not_before
        if self._baselines:
            yield self._baselines[0][0]

    # -- what came of a creation --------------------------------------------------------------------

    def not_created(self, key: str, now: float, *, wait: float = 0.0) -> None:
        """A creation certainly did not happen: it goes back, first in line."""
        self._queue.appendleft(key)
        self.ended(key, now, wait=wait)

    def ended(self, key: str, now: float, *, wait: float = 0.0) -> None:
        """A creation came to an end. After one that failed or was lost the others ``wait`` a little."""
        self._caution.ended(key, now, wait)

    def created(self, key: str, now: float) -> None:
        """A creation was answered as it should be, so whatever was wrong is over."""
        self._caution.created(key, now)
        self._incidents.pop(self._types.get(key, ""), None)
        self._acquit(self._types.get(key, ""))

    def doubted(self, key: str, now: float) -> None:
        """A creation may or may not have been taken."""
        suspect = self._types.get(key)
        if not self._caution.doubted(key, now) or self._in_order or suspect is None:
            return
        self._incidents[suspect] = self._incidents.get(suspect, 0) + 1
        if self._incidents[suspect] >= SUSPECT_AFTER:
            self._suspects[suspect] = now + SUSPECTED_FOR
            self._sort_out()

    def heard(self) -> None:
        """The API has answered something."""
        self._caution.heard()

    def probed(self, now: float, *, wait: float) -> None:
        """A probe came to an end; if it was not :meth:`heard`, the next waits a little."""
        self._caution.probed(now, wait)

    def _acquit(self, *types: str) -> None:
        acquitted = [self._suspects.pop(name) for name in types if name in self._suspects]
        if acquitted:
            self._sort_out()

    def _sort_out(self) -> None:
        self._queue.sort_out()
        self._reruns.sort_out()

    # -- what came of a poll before a re-run --------------------------------------------------------

    def baselined(self, key: str) -> None:
        """The newest rounds before a re-run are known: it may go."""
        self._preparing -= 1
        self._queue.append(key)

    def baseline_page(self, poll: Poll) -> None:
        """One more page before a re-run."""
        heapq.heappush(self._baselines, (0.0, next(self._order), poll))

    def baseline_failed(self, poll: Poll, now: float, *, limited: bool = False) -> bool:
        """A poll before a re-run failed. Returns whether it will be tried again."""
        tries = poll.tries if limited else poll.tries + 1
        if tries < TRIES:
            due = now if limited else now + backoff(tries, self._rng.random())
            heapq.heappush(self._baselines, (due, next(self._order), replace(poll, tries=tries)))
            return True
        self._preparing -= 1
        return False

    # -- how it stands ------------------------------------------------------------------------------

    def hesitates(self, now: float) -> bool:
        """Whether creations wait because one of them went wrong, or takes long."""
        return self.left > 0 and self._caution.hesitates(now)

    @property
    def left(self) -> int:
        """Creations that are still to come."""
        return len(self._queue) + len(self._reruns) + self._preparing

    @property
    def under_way(self) -> int:
        """Creations that were sent and have no outcome yet."""
        return self._caution.under_way

    @property
    def layers_per_test(self) -> float:
        """Layers that a test of this run has on average; 1 where none was to be created."""
        return self._layers / self._specs if self._specs else 1.0
