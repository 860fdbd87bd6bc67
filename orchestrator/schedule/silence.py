"""Agents that answer nothing are waited for once, not by every test. Pure; times are monotonic seconds.

An agent that has answered nothing in :data:`TESTS` tests in a row whose other agents are complete, a good
while after those, is *silent*. A test that waits for silent agents alone is *parked*: it is polled no more,
and gets a last poll when nothing else is left to do, or at its deadline. A row of a silent agent, in whatever
poll, wakes it up: it is waited for again, in every test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from orchestrator.schedule.closing import READING, Closing, OpenTest, Phase
from orchestrator.schedule.feedback import PageRead
from orchestrator.schedule.sentinels import Sentinels

# Tests in a row.
TESTS = 3
# At the end so many parked tests are polled once more, spread over all of them: a window has calls for that.
LAST_LOOKS = 60


class Silence:
    """Who is silent, and which tests are parked. ``ask`` has a layer of a test polled at once; ``measured``
    is told of a test that only silent agents have not measured."""

    def __init__(
        self,
        tests: Mapping[str, OpenTest],
        closing: Closing,
        sentinels: Sentinels,
        ask: Callable[[OpenTest, str, float], None],
        measured: Callable[[str], None],
    ) -> None:
        self._tests = tests
        self._closing = closing
        self._sentinels = sentinels
        self._ask = ask
        self._measured = measured
        self._late: dict[str, set[str]] = {}  # tests in a row, by agent
        self._silent: set[str] = set()
        self._nothing: Counter[str] = Counter()  # closed tests in which the agent answered nothing
        self._parked: dict[str, OpenTest] = {}
        self._looked = False

    @property
    def parked(self) -> int:
        """Tests that wait for silent agents alone."""
        return len(self._parked)

    @property
    def parked_layers(self) -> int:
        """Layers of those that are not read to the end."""
        return sum(len(test.left) for test in self._parked.values())

    def silent(self) -> dict[str, int]:
        """Tests in which each silent agent answered nothing, of those that are closed."""
        return {agent: self._nothing[agent] for agent in sorted(self._silent) if self._nothing[agent]}

    # -- what came ----------------------------------------------------------------------------------

    def heard(self, came: PageRead, now: float) -> None:
        """Rows came: who gave one is silent no more."""
        test = self._tests[came.poll.key]
        # Rows that were there before say nothing new.
        for agent in {row.agent_id for row in came.harvest.kept} - test.heard:
            test.heard.add(agent)
            self._late.pop(agent, None)
            if agent in self._silent:
                self._silent.discard(agent)
                self._wake(now)

    def set_aside(self, test: OpenTest, came: PageRead, now: float) -> bool:
        """Whether the layer needs no more polls for now: who is missing in it is silent.

        Learns from it who is. Of the agents only those count that have given no row at all.
        """
        layer, age = came.poll.layer, came.asked - test.created
        quiet = test.progress.quiet()
        if not quiet or not test.progress.complete(layer, but=quiet):
            return False
        if layer == test.sentinel and test.others_at is None:
            test.others_at = age
        if test.patience is not None and age >= test.patience:
            self._count(test, quiet, now)
        if test.phase not in READING or not quiet <= self._silent:
            return layer in test.aside
        self._aside(test, layer, now)
        return True

    def _count(self, test: OpenTest, quiet: Collection[str], now: float) -> None:
        """The others of this test are complete, and a while ago: who is quiet in it may be silent."""
        if not all(test.progress.complete(layer, but=quiet) for layer in test.spec.layers):
            return
        fresh = False
        for agent in quiet:
            late = self._late.setdefault(agent, set())
            late.add(test.spec.key)
            if len(late) >= TESTS and agent not in self._silent:
                self._silent.add(agent)
                fresh = True
        if fresh:
            for other in list(self._tests.values()):
                self._reconsider(other, now)

    def _reconsider(self, test: OpenTest, now: float) -> None:
        quiet = test.progress.quiet()
        if test.phase not in READING or not quiet or not quiet <= self._silent:
            return
        # The sentinel first: what is left is asked for when it is set aside.
        for layer in sorted(test.left, key=lambda one: one != test.sentinel):
            if test.phase in READING and test.progress.complete(layer, but=quiet):
                self._aside(test, layer, now)

    def _aside(self, test: OpenTest, layer: str, now: float) -> None:
        test.aside.add(layer)
        if layer == test.sentinel and test.phase is not Phase.SIBLINGS:
            if test.others_at is not None:
                self._sentinels.seen(test, test.others_at, now)
            self._measured(test.spec.key)
            test.move(Phase.SIBLINGS)
            for other in test.left:
                if other not in test.aside and other not in test.waits:
                    self._ask(test, other, now)
        if test.aside.issuperset(test.left):
            test.move(Phase.PARKED)
            self._parked[test.spec.key] = test

    # -- what becomes of parked tests ---------------------------------------------------------------

    def _wake(self, now: float) -> None:
        """An agent is silent no more: what was set aside is read as usual."""
        self._looked = False
        for test in self._tests.values():
            aside = [layer for layer in test.left if layer in test.aside]
            test.aside.clear()
            if test.phase is Phase.PARKED:
                test.move(Phase.SIBLINGS)
                del self._parked[test.spec.key]
            if test.phase in READING:
                for layer in aside:
                    self._ask(test, layer, now)
            elif test.phase is Phase.CLOSING:
                self._closing.last_polls_of(test, aside)

    def end(self, now: float) -> None:
        """Nothing is left to create: have the last polls when nothing else is left to read."""
        if not self._parked or any(test.phase is not Phase.PARKED for test in self._tests.values()):
            return
        parked = list(self._parked.values())
        if self._looked:
            for test in parked:
                self._closing.end(test)
            return
        self._looked = True
        every = max(1, -(-len(parked) // LAST_LOOKS))
        for test in {test.spec.key: test for test in (*parked[::every], parked[-1])}.values():
            self._closing.hasten(test, now)

    def closed(self, test: OpenTest) -> None:
        """The test is closed."""
        self._parked.pop(test.spec.key, None)
        for agent in test.progress.quiet():
            self._nothing[agent] += 1
