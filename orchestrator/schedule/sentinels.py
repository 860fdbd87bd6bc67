"""When the sentinel layers of the open tests are polled. Pure; times are monotonic seconds.

A poll is planned when the one before it came back, by what is known of the kind of test then. It is planned
anew when an answer teaches how long the kind takes, and sooner when calls have become cheaper, or the end of
the run has come. A poll is put off only where its kind turns out to be slower, by a factor, than was believed
when it was planned; whatever puts polls off more often starves them.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping
from random import Random

from orchestrator.schedule.closing import READING, OpenTest, Phase
from orchestrator.schedule.latency import SHORTEST_GAP, LatencyModel
from orchestrator.schedule.pace import Pace
from orchestrator.schedule.policy import brought_forward
from orchestrator.schedule.scouts import Scouts, exploring_age
from orchestrator.schedule.steps import Detail, Poll, Purpose
from orchestrator.schedule.worth import price_of_a_call

# A call is never worth less than this (seconds of delay): nobody notices a shorter one.
LEAST_PRICE = 0.1
# Part of the calls that are left over in a window which is planned to be spent.
SPENT = 0.9
# What is created in this window is created so soon (seconds), on average.
SOON = 5.0
# How often the price is reckoned anew (seconds), and how much cheaper calls must be for planning anew.
REPRICE_EVERY = 1.0
CHEAPER = 0.8
# Answers of a kind after which everything of it is planned anew: a later one changes little.
TELLING = frozenset({1, 3, 8, 20})


# A poll that waits for a certain age must not be early by a rounding error (seconds).
SOONEST = 0.01

Heap = list[tuple[float, int, Poll | Detail]]


class Sentinels:
    """Planned polls of sentinels. ``tests`` are the open ones, by key."""

    def __init__(
        self, tests: Mapping[str, OpenTest], latencies: Mapping[str, LatencyModel], rng: Random
    ) -> None:
        self._tests = tests
        self._latencies = latencies
        self._rng = rng
        self._scouts = Scouts()
        # When each is due; whoever chooses takes the first.
        self.heap: Heap = []
        self._order = itertools.count()
        self.pace = Pace(risk=0.33, may_create=True, set_aside=0)
        self._price = self._planned_price = math.inf
        self._priced_at = -math.inf
        self._factors: dict[str, float] = {}  # by kind, when it was planned anew
        self._eagerness: tuple[float, float] | None = None
        self._explored = self._idle = False

    # -- what is planned ----------------------------------------------------------------------------

    def opened(self, test: OpenTest, age: float, now: float) -> None:
        """A test is open; ``age`` is that of its last poll in an earlier session, or 0."""
        self._scouts.join(test.kind, test.spec.key)
        self.plan(test, age, now)

    def plan(self, test: OpenTest, age: float, now: float) -> None:
        """Poll the test's sentinel again, after a poll of ``age`` that did not complete it."""
        wanted = self._wanted(test, age)
        if self._unseen(test):
            wanted = self._scouts.next_age(test.kind, test.spec.key, age, wanted)
        poll = Poll(test.spec.key, test.sentinel, Purpose.SENTINEL)
        self.put(max(now, test.created + wanted), poll)

    def put(self, due: float, poll: Poll) -> None:
        """Poll at a time that was decided elsewhere."""
        heapq.heappush(self.heap, (due, next(self._order), poll))

    def _wanted(self, test: OpenTest, age: float) -> float:
        """The age of the next poll after one of ``age``."""
        model, pace = self._latencies[test.kind], self.pace
        wanted = model.next_age(age, pace.risk, pace.longest_gap, self._price)
        if self.explores(test):
            wanted = min(wanted, exploring_age(age, max(SHORTEST_GAP, pace.spare.even_gap)))
        if test.patience is not None and age < test.patience:
            wanted = min(wanted, test.patience + SOONEST)
        return wanted

    def explores(self, test: OpenTest) -> bool:
        """Whether the test is polled as often as idle calls allow, to see the first answer of its kind."""
        return self._unseen(test) and self.pace.spare.few

    def _unseen(self, test: OpenTest) -> bool:
        """Whether nothing of its kind has answered yet, and calls are idle to find out."""
        return self._latencies[test.kind].seen_now == 0 and self.pace.spare.even_gap < math.inf

    # -- planning anew ------------------------------------------------------------------------------

    def missed(self, test: OpenTest, age: float) -> None:
        """The test was not complete at this age."""
        # That only agents are missing which have given nothing at all says nothing of how long answers take.
        if test.others_at is None:
            self._latencies[test.kind].missed(test.last_no, age)
        test.last_no = max(test.last_no, age)

    def seen(self, test: OpenTest, age: float, now: float) -> None:
        """The test's sentinel was complete at this age; the others of its kind are planned by that."""
        model = self._latencies[test.kind]
        model.seen(test.last_no, age, self._rng)
        if model.seen_now not in TELLING:
            return
        slower = model.factor > self._factors.get(test.kind, 1.0)
        self._factors[test.kind] = model.factor

        def anew(one: OpenTest, when: float) -> float:
            wanted = max(now, one.created + self._wanted(one, one.last_no))
            return wanted if slower else brought_forward(when, wanted)

        self._plan_anew(anew, kind=test.kind)

    def refresh(self, now: float, *, ending: bool, coming: str | None) -> None:
        """The pace was set: poll sooner where calls have become cheaper, or nothing is left to create.

        At the same pace every poll stands where it was planned. ``ending``: nothing is left to create, else
        ``coming`` is the kind that is created next, if known.
        """
        pace = self.pace
        if now >= self._priced_at + REPRICE_EVERY or not pace.spare.priced:
            self._priced_at = now
            self._price = self._price_now(now, coming)
        eagerness = (pace.risk, pace.longest_gap) if ending else None
        idle = pace.spare.even_gap < math.inf
        woken, self._idle = idle and not self._idle, idle
        explores = pace.spare.few
        cheaper = woken or self._price < CHEAPER * self._planned_price or (explores and not self._explored)
        self._planned_price = max(self._planned_price, self._price)
        self._explored = explores
        if eagerness == self._eagerness and not cheaper:
            return
        self._eagerness, self._planned_price = eagerness, self._price

        def sooner(test: OpenTest, when: float) -> float:
            wanted = test.created + self._wanted(test, test.last_no) if cheaper else when
            if woken and self._unseen(test) and not self._scouts.under_way(test.kind):
                # They were opened while no call was idle.
                age = self._scouts.next_age(test.kind, test.spec.key, test.last_no, wanted - test.created)
                wanted = test.created + age
            if ending:
                age = max(test.last_no, now - test.created - 0.5, 0.0)
                wanted = min(wanted, test.created + self._wanted(test, age))
            return brought_forward(when, max(now, wanted))

        self._plan_anew(sooner)

    def _plan_anew(self, due: Callable[[OpenTest, float], float], *, kind: str | None = None) -> None:
        planned = self.heap[:]
        self.heap.clear()
        for when, order, step in planned:
            test = self._tests.get(step.key)
            if test is None:
                continue
            # One that failed comes back when it was said to.
            plain = step.tries == 0 and kind in {None, test.kind}
            heapq.heappush(self.heap, (due(test, when) if plain else when, order, step))

    # -- the price of a call ------------------------------------------------------------------------

    def _price_now(self, now: float, coming: str | None) -> float:
        """At which the calls that are left in this window are spent on the tests that are open in it."""
        spare = self.pace.spare
        if not spare.priced:
            return math.inf
        efforts = certain = 0.0
        if coming is not None:
            effort = self._latencies[coming].effort(0.0, spare.seconds_left - SOON)
            efforts += spare.coming * effort.polls
            certain += spare.coming * effort.done * (spare.layers - 0.5)
        for test in self._tests.values():
            certain += test.details
            if test.phase is Phase.SIBLINGS:
                certain += len(test.left)
            elif test.phase in READING:
                until = now + spare.seconds_left - test.created
                effort = self._latencies[test.kind].effort(test.last_no, until)
                efforts += effort.polls
                certain += effort.done * (0.5 + self._further(test))
        return price_of_a_call(efforts, certain, SPENT * spare.calls, least=LEAST_PRICE)

    def _further(self, test: OpenTest) -> float:
        """Calls that follow a sentinel's last poll. Hops that are left to us come after all else."""
        hops = len(test.spec.agents) if test.spec.path_details is True else 0
        return len(test.left) - 1 + hops
