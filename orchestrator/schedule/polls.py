"""Tests that wait for their answers: which layer to poll, when, and when to stop. Pure.

One *sentinel* layer per test, the one that tends to finish last, is polled until every agent has its
row; the other layers are then most likely complete too and cost one poll each. When to poll a sentinel
is a matter of constant risk: as soon as the chance that the rows came since the last poll reaches ``p``.
Times are monotonic seconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from orchestrator.model import Spec
from orchestrator.schedule.backoff import backoff
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.pace import Pace
from orchestrator.schedule.policy import brought_forward, lagging_poll
from orchestrator.schedule.progress import Harvest, Progress
from orchestrator.schedule.steps import Candidate, Detail, Poll, Purpose, Step

# By this part of its type's latencies a test is late, and its other layers are read with what is there.
LATE = 0.95
# Last polls and details are tried this often before a test is closed with what is there.
LAST_TRIES = 3
# A test is closed this long after its deadline even if its last poll could not be afforded: two windows.
CLOSING_GRACE = 120.0
SENTINEL = "path-vis"

_Heap = list[tuple[float, int, Poll | Detail]]


@dataclass(slots=True)
class _Open:
    """A test that waits for its answers. Its ages count from ``created``."""

    spec: Spec
    progress: Progress
    created: float
    deadline: float
    sentinel: str
    done: set[str] = field(default_factory=set)
    polls: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    last_no: float = 0.0
    first_done: bool = False
    siblings_asked: bool = False
    details: int = 0
    under_way: int = 0  # polls and details that were sent and have not returned
    closing: bool = False
    last_polls: set[str] = field(default_factory=set)  # layers whose last poll is still to be answered


class Polls:
    """The open tests and the polls of them. :attr:`pace` is set anew before every choice."""

    def __init__(self, latencies: Mapping[str, LatencyModel], rng: Random) -> None:
        self._latencies = latencies
        self._rng = rng
        self.pace = Pace(risk=0.33, may_create=True, set_aside=0)
        self._open: dict[str, _Open] = {}
        self._open_layers = 0
        self._last: deque[Poll] = deque()
        self._deadlines: list[tuple[float, int, str]] = []
        self._ready: _Heap = []
        self._due: _Heap = []
        self._order = itertools.count()
        self._closable: deque[str] = deque()
        self._closing: set[str] = set()
        self._planned_at: tuple[float, float] | None = None

    def opened(
        self,
        spec: Spec,
        progress: Progress,
        *,
        created: float,
        deadline: float,
        now: float,
        details: Iterable[tuple[str, int]] = (),
    ) -> None:
        """A test exists and its answers are to be collected. A deadline in the past allows one last poll.

        ``details`` are those that an earlier session of the run still owes: agent and round.
        """
        layers = spec.layers
        done = {layer for layer in layers if progress.complete(layer)}
        left = [layer for layer in layers if layer not in done]
        sentinel = SENTINEL if SENTINEL in left else (left or layers)[-1]
        # The time for the last poll counts from now if the deadline passed while nobody looked.
        test = _Open(spec, progress, created, max(deadline, now), sentinel, done=done)
        self._open[spec.key] = test
        self._open_layers += len(left)
        self.want_details(spec.key, details, now)
        heapq.heappush(self._deadlines, (max(deadline, now), next(self._order), spec.key))
        if left:
            self._plan_sentinel(test, max(0.0, now - created) if done else 0.0, now)
        else:
            self._check_closable(test)

    def hasten(self, now: float) -> None:
        """Have a last poll of every open test now (the run's deadline, or a stop)."""
        for key, test in self._open.items():
            if not test.closing:
                heapq.heappush(self._deadlines, (now, next(self._order), key))
                test.deadline = min(test.deadline, now)

    def give_up(self) -> None:
        """Close every open test with what is there."""
        self._closable.extend(key for key in self._open if self._may_close(key))

    # -- choice -------------------------------------------------------------------------------------

    def urgent(self, now: float) -> Iterator[Candidate]:
        """The next of the last polls, at a test whose deadline has come."""
        self._begin_closing(now)
        # A test is closed with what is there when its last polls could not be afforded in time.
        while self._last and self._last[0].key not in self._open:
            self._last.popleft()
        if self._last:
            yield Candidate(self._last[0], instant=False, spare=0)

    def candidates(self, now: float) -> Iterator[Candidate]:
        """What is expected ready, then the sentinel that is due first."""
        for heap in (self._ready, self._due):
            self._drop_stale(heap)
            if heap and heap[0][0] <= now:
                yield Candidate(heap[0][2], instant=False, spare=self.pace.set_aside)

    def take(self, step: Step) -> None:
        """A candidate is on its way: it leaves its queue."""
        if isinstance(step, Poll | Detail) and step.key in self._open:
            self._open[step.key].under_way += 1
        if self._last and self._last[0] is step:
            self._last.popleft()
            return
        for heap in (self._ready, self._due):
            if heap and heap[0][2] is step:
                heapq.heappop(heap)
                return

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        if any(self._may_close(key) for key in self._closable):
            yield float("-inf")
        yield from (heap[0][0] for heap in (self._ready, self._due, self._deadlines) if heap)
        yield from (self._open[key].deadline + CLOSING_GRACE for key in self._closing)

    def closable(self) -> str | None:
        """The next test that is to be closed, if any; it leaves the schedule.

        One with polls under way waits for them: their rows would be stored after the verdict.
        """
        for _ in range(len(self._closable)):
            key = self._closable.popleft()
            if not self._may_close(key):
                self._closable.append(key)
                continue
            test = self._open.pop(key, None)
            self._closing.discard(key)
            if test is not None:
                self._open_layers -= len(self._left(test))
                return key
        return None

    def _may_close(self, key: str) -> bool:
        return key not in self._open or not self._open[key].under_way

    def bring_forward(self, now: float) -> None:
        """Nothing is left to create, so more may be spent on the tests that are open: poll sooner.

        Done when the pace has changed since; at the same pace every poll stands where it was planned.
        """
        eagerness = (self.pace.risk, self.pace.longest_gap)
        if eagerness == self._planned_at:
            return
        self._planned_at = eagerness
        due, self._due = self._due, []
        for when, order, step in due:
            test = self._open.get(step.key)
            if test is None:
                continue
            wanted = when
            if isinstance(step, Poll) and step.purpose is Purpose.SENTINEL and step.tries == 0:
                age = max(test.last_no, now - test.created - 0.5)
                wanted = self._sentinel_due(test, max(0.0, age), now)
            heapq.heappush(self._due, (brought_forward(when, wanted), order, step))

    # -- what came of it ----------------------------------------------------------------------------

    def polled(self, poll: Poll, harvest: Harvest, next_href: str | None, asked: float, now: float) -> None:
        """A poll brought rows (or none). ``asked`` is when it was sent."""
        test = self._returned(poll)
        if test is None:
            return
        test.failures = 0
        following = None if next_href is None else poll.following(next_href)
        if test.progress.complete(poll.layer):
            self._layer_done(test, poll.layer, asked, now)
        elif following is not None:
            if poll.purpose is Purpose.LAST:
                self._last.appendleft(following)
                return
            heapq.heappush(self._ready, (now, next(self._order), following))
        elif poll.purpose is not Purpose.LAST:
            self._poll_again(test, poll, harvest, asked, now)
        if poll.purpose is Purpose.LAST:
            test.last_polls.discard(poll.layer)
        self._check_closable(test)

    def poll_failed(self, poll: Poll, now: float, *, again: bool, limited: bool = False) -> None:
        """A poll brought nothing. Not ``again``: it was refused. ``limited``: a 429, which spends no try."""
        test = self._returned(poll)
        if test is None:
            return
        if limited and poll.purpose is Purpose.LAST:
            self._last.append(poll)
            return
        if limited:
            self._later(now, poll)
            return
        tries, refusals = poll.tries + 1, poll.refusals + (not again)
        test.failures += 1
        # Where the next page cannot be had, the layer may still be read from its beginning.
        begun = poll if poll.page == 1 else Poll(poll.key, poll.layer, poll.purpose)
        retry = replace(begun, tries=tries, refusals=refusals)
        due = now + backoff(max(test.failures, tries), self._rng.random())
        if poll.purpose is Purpose.LAST:
            if tries < LAST_TRIES:
                self._later(due, retry)
                return
            test.last_polls.discard(poll.layer)
        # One odd answer, of a replica that lags or of a gateway, is not the end of a layer.
        elif refusals >= LAST_TRIES:
            self._layer_failed(test, poll.layer, now)
        else:
            self._later(due, retry)
        self._check_closable(test)

    def _returned(self, step: Poll | Detail) -> _Open | None:
        """The test of a step that is no longer under way, if it is still open."""
        test = self._open.get(step.key)
        if test is not None:
            test.under_way = max(0, test.under_way - 1)
        return test

    def want_details(self, key: str, rounds: Iterable[tuple[str, int]], now: float) -> None:
        """Hop details to fetch: agent and round."""
        test = self._open.get(key)
        if test is None:
            return
        for agent_id, round_id in rounds:
            test.details += 1
            self._later(now, Detail(key, agent_id, round_id))

    def detail_ended(self, detail: Detail, now: float, *, again: bool, limited: bool = False) -> None:
        """A detail came, or failed and may be tried ``again``."""
        test = self._returned(detail)
        if test is None:
            return
        tries = detail.tries if limited else detail.tries + 1
        if again and tries < LAST_TRIES:
            wait = 0.0 if limited else backoff(tries, self._rng.random())
            retry = Detail(detail.key, detail.agent_id, detail.round_id, tries)
            self._later(now + wait, retry)
            return
        test.details -= 1
        self._check_closable(test)

    @property
    def tests(self) -> int:
        """Tests that wait for answers."""
        return len(self._open)

    @property
    def layers(self) -> int:
        """Layers that are not read to the end."""
        return self._open_layers

    # -- within -------------------------------------------------------------------------------------

    def _later(self, due: float, step: Poll | Detail) -> None:
        sentinel = isinstance(step, Poll) and step.purpose is Purpose.SENTINEL
        heapq.heappush(self._due if sentinel else self._ready, (due, next(self._order), step))

    def _left(self, test: _Open) -> list[str]:
        return [layer for layer in test.spec.layers if layer not in test.done]

    def _drop_stale(self, heap: _Heap) -> None:
        while heap:
            step = heap[0][2]
            test = self._open.get(step.key)
            stale = test is None or (
                isinstance(step, Poll)
                and (step.layer in test.done or (test.closing and step.purpose is not Purpose.LAST))
            )
            if not stale:
                return
            heapq.heappop(heap)

    def _begin_closing(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            key = heapq.heappop(self._deadlines)[2]
            test = self._open.get(key)
            if test is None or test.closing:
                continue
            test.closing = True
            self._closing.add(key)
            left = self._left(test)
            test.last_polls = set(left)
            self._last.extend(Poll(key, layer, Purpose.LAST) for layer in left)
            self._check_closable(test)
        self._closable.extend(
            key
            for key in self._closing
            if now >= self._open[key].deadline + CLOSING_GRACE and self._may_close(key)
        )

    def _check_closable(self, test: _Open) -> None:
        if test.details == 0 and (not self._left(test) or (test.closing and not test.last_polls)):
            self._closable.append(test.spec.key)

    def _layer_done(self, test: _Open, layer: str, asked: float, now: float) -> None:
        if layer in test.done:
            return
        test.done.add(layer)
        test.last_polls.discard(layer)
        self._open_layers -= 1
        if layer == test.sentinel and not test.first_done:
            test.first_done = True
            self._latencies[test.spec.type].seen(test.last_no, asked - test.created, self._rng)
        if layer == test.sentinel:
            self._ask_siblings(test, now)

    def _layer_failed(self, test: _Open, layer: str, now: float) -> None:
        if layer in test.done:
            return
        test.done.add(layer)
        test.last_polls.discard(layer)
        self._open_layers -= 1
        left = self._left(test)
        if layer == test.sentinel and left:
            test.sentinel = left[-1]
            self._plan_sentinel(test, now - test.created, now)

    def _ask_siblings(self, test: _Open, now: float) -> None:
        test.siblings_asked = True
        for layer in self._left(test):
            if layer != test.sentinel:
                self._later(now, Poll(test.spec.key, layer, Purpose.READY))

    def _plan_sentinel(self, test: _Open, age: float, now: float) -> None:
        poll = Poll(test.spec.key, test.sentinel, Purpose.SENTINEL)
        self._later(self._sentinel_due(test, age, now), poll)

    def _sentinel_due(self, test: _Open, age: float, now: float) -> float:
        model = self._latencies[test.spec.type]
        return max(now, test.created + model.next_age(age, self.pace.risk, self.pace.longest_gap))

    def _poll_again(self, test: _Open, poll: Poll, harvest: Harvest, asked: float, now: float) -> None:
        age = asked - test.created
        if poll.purpose is Purpose.SENTINEL and poll.layer == test.sentinel:
            test.last_no = max(test.last_no, age)
            # One agent that lags, or never answers, must not keep back what the others have: when most
            # tests of this type would be complete, read the other layers once with what is there.
            late = self._latencies[test.spec.type].quantile(LATE)
            if not test.siblings_asked and harvest.kept and age >= late:
                self._ask_siblings(test, now)
            self._plan_sentinel(test, age, now)
            return
        if not test.first_done:
            return  # read early; its turn comes with the sentinel or at the deadline
        polls = test.polls[poll.layer] = test.polls.get(poll.layer, 0) + 1
        self._later(now + lagging_poll(polls), Poll(poll.key, poll.layer, Purpose.READY))
