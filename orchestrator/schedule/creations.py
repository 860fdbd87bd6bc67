"""Tests that are still to be created or run again. Pure; times are monotonic seconds."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from orchestrator.model import Spec
from orchestrator.schedule.backoff import backoff
from orchestrator.schedule.breaker import Breaker, Circuit, Quarantine
from orchestrator.schedule.feedback import BaselineRead, PageMissed
from orchestrator.schedule.kinds import Kinds
from orchestrator.schedule.lanes import Lanes
from orchestrator.schedule.slots import Slots
from orchestrator.schedule.steps import Candidate, Create, Poll, Probe, Purpose, Step
from orchestrator.schedule.turns import Turns

# How many re-runs may be prepared (their newest rounds read) ahead of the budget.
PREPARED_RERUNS = 40


class Creations:
    """The queue of creations, and for re-runs the polls that must come first: their newest rounds are read.

    Types in quarantine are in the slow lane, unless the run is to create ``in_order``. With ``slots`` each
    waits for room at its hosts and agents.
    """

    def __init__(
        self,
        breaker: Breaker,
        rng: Random,
        kinds: Kinds | None = None,
        *,
        in_order: bool = False,
        slots: Slots | None = None,
    ) -> None:
        self._kind_of = (kinds or Kinds()).of
        self._breaker = breaker
        self._rng = rng
        self._in_order = in_order
        self._quarantine = Quarantine()
        self._order = itertools.count()
        self._types: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._slots = slots
        self._queue: Lanes[str] | Turns
        self._queue = Lanes(self._is_slow) if slots is None else Turns(self._is_slow, slots)
        self._reruns: Lanes[Poll] = Lanes(lambda poll: self._types.get(poll.key) in self._quarantine)
        self._baselines: list[tuple[float, int, Poll]] = []
        self._preparing = 0
        self._specs = self._layers = 0

    def _is_slow(self, key: str) -> bool:
        return self._types.get(key) in self._quarantine

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
        self._kinds[spec.key] = self._kind_of(spec)
        self._specs += 1
        self._layers += len(spec.layers)
        if isinstance(self._queue, Turns):
            self._queue.know(spec)

    def stop(self) -> list[str]:
        """Create no more. Returns the keys that will not be created; polls under way tell their own end."""
        self._preparing -= len(self._baselines)
        prepared = [poll.key for _, _, poll in self._baselines]
        self._baselines.clear()
        return [*self._queue.clear(), *(poll.key for poll in self._reruns.clear()), *prepared]

    # -- choice -------------------------------------------------------------------------------------

    def candidates(self, now: float, *, allowed: bool, set_aside: int) -> Iterator[Candidate]:
        """The next creation, or the probe that must come first; the next re-run to prepare, and one whose
        preparation goes on. Re-runs are prepared while creations pause: those are reads."""
        if self._slots is not None:
            self._slots.pass_time(now)
        if self._quarantine.expire(now):
            self._reassign()
        if allowed:
            yield from self._creation(now)
        rerun = self._reruns.first
        if allowed and rerun is not None and self._preparing + self._queue.in_fast_lane < PREPARED_RERUNS:
            yield Candidate(rerun, instant=False, spare=set_aside)
        if self._baselines and self._baselines[0][0] <= now:
            yield Candidate(self._baselines[0][2], instant=False, spare=set_aside)

    def _creation(self, now: float) -> Iterator[Candidate]:
        circuit = self._breaker.creations(now)
        key = self._queue.first
        if circuit is Circuit.HALF_OPEN:
            unanswered = self._breaker.next_probe()
            if self.left and unanswered is not None:
                yield Candidate(Probe(unanswered), instant=False, spare=0)
        elif circuit is Circuit.CLOSED and key is not None:
            yield Candidate(Create(key), instant=True, spare=0)

    def take(self, step: Step, now: float) -> bool:
        """Whether the step was one of these; it leaves its queue."""
        if isinstance(step, Create):
            self._breaker.sent(self._pop(now), now)
        elif isinstance(step, Probe):
            self._breaker.probe_sent()
        elif self._reruns.first is step:
            self._reruns.popleft()
            self._preparing += 1
        elif self._baselines and self._baselines[0][2] is step:
            heapq.heappop(self._baselines)
        else:
            return False
        return True

    def _pop(self, now: float) -> str:
        queue = self._queue
        return queue.popleft(now) if isinstance(queue, Turns) else queue.popleft()

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        yield self._breaker.not_before
        if self._slots is not None and self._queue:
            yield from self._slots.wakes()
        if self._baselines:
            yield self._baselines[0][0]

    # -- what came of a creation --------------------------------------------------------------------

    def answered(self, key: str, now: float) -> None:
        """A creation was answered as it should be."""
        if self._slots is not None:
            self._slots.begun(key, now)
        self._breaker.created(key, now)
        if self._quarantine.created(self._types.get(key, "")):
            self._reassign()

    def undone(self, key: str, now: float, *, unreached: bool) -> None:
        """A creation certainly did not happen: it goes back, first in its lane."""
        if self._slots is not None:
            self._slots.over(key, now)
        self._queue.appendleft(key)
        if unreached:
            self._breaker.not_sent(key, now)
        else:
            self._breaker.ended(key, now)

    def ambiguous(self, key: str, now: float) -> None:
        """A creation may or may not have been taken."""
        if self._slots is not None:
            self._slots.begun(key, now)
        kind = self._types.get(key)
        if not self._breaker.ambiguous(key, now) or self._in_order or kind is None:
            return
        if self._quarantine.ambiguous(kind, now):
            self._reassign()

    def _reassign(self) -> None:
        self._queue.reassign()
        self._reruns.reassign()

    # -- what came of a poll before a re-run --------------------------------------------------------

    def baseline_read(self, read: BaselineRead) -> None:
        """One more page before a re-run; after the last one its newest rounds are known, and it may go."""
        if read.following is not None:
            heapq.heappush(self._baselines, (0.0, next(self._order), read.following))
            return
        self._preparing -= 1
        self._queue.append(read.key)

    def baseline_missed(self, missed: PageMissed, now: float) -> None:
        """A poll before a re-run failed."""
        if missed.forbids_rerun:
            self._preparing -= 1
            return
        due = now if missed.limited else now + backoff(missed.tries, self._rng.random())
        again = replace(missed.poll, tries=missed.tries)
        heapq.heappush(self._baselines, (due, next(self._order), again))

    # -- how it stands ------------------------------------------------------------------------------

    def held_back(self, now: float) -> bool:
        """Whether creations wait because one of them went wrong, or takes long."""
        return self.left > 0 and self._breaker.creations(now) is not Circuit.CLOSED

    @property
    def without_room(self) -> bool:
        """Whether creations wait for room at their hosts and agents alone."""
        return self._slots is not None and len(self._queue) > 0 and self._queue.first is None

    @property
    def left(self) -> int:
        """Creations that are still to come."""
        return len(self._queue) + len(self._reruns) + self._preparing

    @property
    def next_kind(self) -> str | None:
        """The kind of test that is created next, if that is known."""
        rerun = self._reruns.first
        key = self._queue.first or (rerun.key if rerun is not None else None)
        return None if key is None else self._kinds.get(key)

    @property
    def layers_per_test(self) -> float:
        """Layers that a test of this run has on average; 1 where none was to be created."""
        return self._layers / self._specs if self._specs else 1.0
