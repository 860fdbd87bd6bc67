"""When to stop reading a test: its phases, its last polls, and when it may be closed. Pure.

::

    SENTINEL ──> EARLY ──> SIBLINGS    (EARLY is left out where the sentinel comes in time)
    SIBLINGS <───────────> PARKED      (only silent agents are missing; back when one of them wakes up)
    any of the first three > SETTLED   (every layer is complete or was refused)
    any of these five ───> CLOSING     (the deadline has come: a last poll of each layer that is missing)
    any of these six ────> ENDED       (closed with what is there, once nothing is under way)

A table like that of :mod:`orchestrator.lifecycle`: any other move raises. Times are monotonic seconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from orchestrator.lifecycle import IllegalMove
from orchestrator.model import Spec
from orchestrator.schedule.hops import Choices
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.quiet import Wait
from orchestrator.schedule.steps import Poll, Purpose, Step

# Last polls and details are tried this often before a test is closed with what is there.
LAST_TRIES = 3
# A test is closed this long after its deadline even if its last poll could not be afforded: two windows.
CLOSING_GRACE = 120.0
# Where only hop details are left, so long after the last detail of any test: ten windows without one.
DETAILS_GRACE = 600.0
# An agent without any row is late at so many times the age at which the others were complete (more where
# there are few others, who tell less), and so many seconds after it.
LATER, LATER_OF_ONE, LATER_BY = 1.4, 1.6, 15.0


class Phase(Enum):
    """How far the reading of an open test has come."""

    SENTINEL = auto()  # one layer is polled, the one that tends to finish last
    EARLY = auto()  # it is late: the other layers were polled once, for what is there
    SIBLINGS = auto()  # it is complete: each other layer is polled until it is complete too
    PARKED = auto()  # only silent agents are missing; nothing is polled until the end
    SETTLED = auto()  # every layer is complete or was refused; hop details may still come
    CLOSING = auto()  # the deadline has come: one last poll of each layer that is not complete
    ENDED = auto()  # it is closed with what is there as soon as nothing is under way


_P = Phase
READING: frozenset[Phase] = frozenset({_P.SENTINEL, _P.EARLY, _P.SIBLINGS})
OVER: frozenset[Phase] = frozenset({_P.CLOSING, _P.ENDED})
MOVES: frozenset[tuple[Phase, Phase]] = frozenset(
    {
        (_P.SENTINEL, _P.EARLY),
        (_P.SENTINEL, _P.SIBLINGS),
        (_P.EARLY, _P.SIBLINGS),
        (_P.SIBLINGS, _P.PARKED),
        (_P.PARKED, _P.SIBLINGS),
        *((phase, _P.SETTLED) for phase in READING),
        *((phase, _P.CLOSING) for phase in (*READING, _P.PARKED, _P.SETTLED)),
        *((phase, _P.ENDED) for phase in (*READING, _P.PARKED, _P.SETTLED, _P.CLOSING)),
    }
)


@dataclass(slots=True)
class OpenTest:
    """A test that waits for its answers. Its ages count from ``created``."""

    spec: Spec
    progress: Progress
    created: float
    deadline: float
    sentinel: str
    read: set[str]  # layers that are complete, or were refused for good
    kind: str  # what its latencies are learned by
    phase: Phase = Phase.SENTINEL
    last_no: float = 0.0  # the age at which the sentinel was last seen incomplete
    failures: int = 0  # polls in a row that brought nothing
    # The age at which the sentinel was first seen complete but for agents that had given no row at all.
    others_at: float | None = None
    heard: set[str] = field(default_factory=set)  # agents that have given a row
    aside: set[str] = field(default_factory=set)  # layers in which only silent agents are missing
    turn: int = 0  # of the other layers, while the sentinel explores
    lagging: dict[str, int] = field(default_factory=dict)  # polls of a layer since its sentinel is complete
    waits: dict[str, Wait] = field(
        default_factory=dict
    )  # layers in which every agent has a row, and more may come
    details: int = 0  # hop details that are still to come
    failing: bool = False  # a cell of it fails
    under_way: int = 0  # polls and details that were sent and have not returned
    last_polls: set[str] = field(default_factory=set)  # layers whose last poll is still to be answered

    @property
    def patience(self) -> float | None:
        """The age at which an agent without any row is late, if all others are complete."""
        if self.others_at is None:
            return None
        times = LATER + LATER_OF_ONE / max(1, len(self.spec.agents) - 1)
        return max(self.others_at * times, self.others_at + LATER_BY)

    @property
    def left(self) -> list[str]:
        """Layers that are still to be read, in the order of the spec."""
        return [layer for layer in self.spec.layers if layer not in self.read]

    def move(self, phase: Phase) -> None:
        """Raise ``IllegalMove`` unless the table has the move."""
        if (self.phase, phase) not in MOVES:
            raise IllegalMove(f"an open test cannot move from {self.phase.name} to {phase.name}")
        self.phase = phase


class Closing:
    """Deadlines, last polls, and tests that are to be closed. ``tests`` are the open ones, by key."""

    def __init__(self, tests: Mapping[str, OpenTest], choices: Choices) -> None:
        self._tests = tests
        self._choices = choices
        self._order = itertools.count()
        self._deadlines: list[tuple[float, int, str]] = []
        self._last: deque[Poll] = deque()
        self._closing: list[OpenTest] = []
        self._ended: deque[OpenTest] = deque()
        self._detail_at = float("-inf")

    def watch(self, test: OpenTest) -> None:
        """The test is open; its deadline counts."""
        self._push(test.deadline, test)

    def hasten(self, test: OpenTest, now: float) -> None:
        """The test's deadline is now, if it has not come yet."""
        if test.phase not in OVER:
            test.deadline = min(test.deadline, now)
            self._push(now, test)

    def _push(self, when: float, test: OpenTest) -> None:
        heapq.heappush(self._deadlines, (when, next(self._order), test.spec.key))

    def check(self, test: OpenTest) -> None:
        """End the test if there is nothing left to ask, and nothing to choose."""
        if test.phase in READING and not test.left:
            test.move(Phase.SETTLED)
        if self._nothing_left(test) and not self._waits_for_a_choice(test):
            self.end(test)

    def _waits_for_a_choice(self, test: OpenTest) -> bool:
        last = test.phase is Phase.CLOSING
        return self._choices.holds(test.spec.key, failing=test.failing, last=last)

    def _nothing_left(self, test: OpenTest) -> bool:
        settled = test.phase is Phase.SETTLED or (test.phase is Phase.CLOSING and not test.last_polls)
        return settled and test.details == 0

    def end(self, test: OpenTest) -> None:
        """The test is to be closed, whatever is missing."""
        if test.phase is not Phase.ENDED:
            test.move(Phase.ENDED)
            self._ended.append(test)

    def next(self) -> OpenTest | None:
        """The next test that is to be closed, if any; it is handed out once.

        One with polls under way waits for them: their rows would be stored after the verdict.
        """
        for test in self._ended:
            if self._free(test):
                self._ended.remove(test)
                return test
        return None

    def _free(self, test: OpenTest) -> bool:
        return test.under_way == 0

    def detail_returned(self, now: float) -> None:
        """Hop details are being read: those that wait for their turn are not given up for a while."""
        self._detail_at = now

    def _late(self, test: OpenTest) -> float:
        """When the test is closed with what is there although something was still to be asked."""
        if test.details > 0 and not test.last_polls:
            return max(test.deadline, self._detail_at) + DETAILS_GRACE
        return test.deadline + CLOSING_GRACE

    # -- last polls ---------------------------------------------------------------------------------

    def last_poll(self, now: float) -> Poll | None:
        """The next last poll, of a test whose deadline has come by now."""
        self._begin(now)
        self._end_late(now)
        while self._last and self._last[0].key not in self._tests:
            self._last.popleft()
        return self._last[0] if self._last else None

    def take(self, step: Step) -> bool:
        """Whether the step was the next last poll; it leaves its queue."""
        if self._last and self._last[0] is step:
            self._last.popleft()
            return True
        return False

    def last_again(self, poll: Poll, *, first: bool) -> None:
        """A last poll goes back to its queue, or its next page follows as the ``first``."""
        if first:
            self._last.appendleft(poll)
        else:
            self._last.append(poll)

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        if any(self._free(test) for test in self._ended):
            yield float("-inf")
        if self._deadlines:
            yield self._deadlines[0][0]
        yield from map(self._late, self._closing)

    def _begin(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            test = self._tests.get(heapq.heappop(self._deadlines)[2])
            if test is None or test.phase in OVER:
                continue
            # Of silent agents one layer tells whether they have woken up.
            layers = [test.sentinel] if test.phase is Phase.PARKED else test.left
            test.move(Phase.CLOSING)
            self._closing.append(test)
            self.last_polls_of(test, layers)
            self.check(test)

    def last_polls_of(self, test: OpenTest, layers: Iterable[str]) -> None:
        """Poll these layers of a test in its closing once more."""
        wanted = [layer for layer in layers if layer not in test.last_polls and layer in test.left]
        test.last_polls.update(wanted)
        self._last.extend(Poll(test.spec.key, layer, Purpose.LAST) for layer in wanted)

    def _end_late(self, now: float) -> None:
        """A test is closed with what is there when its last polls could not be afforded in time.

        Hop details are as many as there are agents and wait for each other; they are given up when none
        could be afforded for as long.
        """
        for test in self._closing:
            if now >= self._late(test):
                self.end(test)
        self._closing = [test for test in self._closing if test.phase is Phase.CLOSING]
