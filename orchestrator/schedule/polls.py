"""When to poll which layer of the tests that wait for their answers. Pure; times are monotonic seconds.

One *sentinel* layer per test, the one that tends to finish last, is polled until every agent has its row;
the other layers are then most likely complete too and cost one poll each. When to poll a sentinel is a
matter of constant risk: as soon as the chance that the rows came since the last poll reaches ``risk``.
Where an agent may give several rows, and how many is not known, a layer is polled on until it is quiet
(:mod:`orchestrator.schedule.quiet`). When to stop is decided in :mod:`orchestrator.schedule.closing`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from random import Random

from orchestrator.model import Spec
from orchestrator.schedule.backoff import backoff
from orchestrator.schedule.closing import LAST_TRIES, OVER, Closing, OpenTest, Phase
from orchestrator.schedule.feedback import DetailEnded, HopsToRead, PageMissed, PageRead
from orchestrator.schedule.hops import Choices
from orchestrator.schedule.kinds import Kinds
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.pace import Pace
from orchestrator.schedule.policy import lagging_poll
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.quiet import QuietTimes, Wait
from orchestrator.schedule.sentinels import Sentinels
from orchestrator.schedule.silence import Silence
from orchestrator.schedule.steps import Candidate, Detail, Poll, Purpose, Step
from orchestrator.testtypes import LAYERS

_Heap = list[tuple[float, int, Poll | Detail]]


class Polls:
    """The open tests and the polls of their layers. The pace is set anew before every choice."""

    def __init__(
        self,
        latencies: Mapping[str, LatencyModel],
        rng: Random,
        quiet: QuietTimes | None = None,
        kinds: Kinds | None = None,
    ) -> None:
        self._kinds = kinds or Kinds()
        self._latencies = latencies
        self._quiet = QuietTimes() if quiet is None else quiet
        self._rng = rng
        self._open: dict[str, OpenTest] = {}
        self._open_layers = 0
        self.choices = Choices()
        self._closing = Closing(self._open, self.choices)
        self._sentinels = Sentinels(self._open, latencies, rng)
        self._measured: list[str] = []
        self._silence = Silence(self._open, self._closing, self._sentinels, self._ask, self._measured.append)
        # Hops that the plan leaves to us: what else there is to read comes first.
        self._hops: _Heap = []
        self._ready: _Heap = []
        self._order = itertools.count()

    def opened(
        self,
        spec: Spec,
        progress: Progress,
        *,
        created: float,
        deadline: float,
        now: float,
        details: Iterable[tuple[str, int]] = (),
        failing: bool = False,
        chosen: bool = False,
    ) -> None:
        """A test exists and its answers are to be collected. A deadline in the past allows one last poll.

        ``details`` are those that an earlier session of the run still owes: agent and round. ``failing``: a
        cell of it does; ``chosen``: whose hops to read was chosen before.
        """
        layers = spec.layers
        read = {layer for layer in layers if progress.complete(layer)}
        left = [layer for layer in layers if layer not in read]
        last = [layer for layer in left if LAYERS[layer].finishes_last]
        sentinel = (last or left or layers)[-1]
        if progress.everyone(([one for one in layers if LAYERS[one].finishes_last] or layers)[-1]):
            self._measured.append(spec.key)
        # The time for the last poll counts from now if the deadline passed while nobody was there to poll.
        test = OpenTest(
            spec, progress, created, max(deadline, now), sentinel, read, self._kinds.of(spec), failing=failing
        )
        if chosen:
            self.choices.over(spec.key)
        else:
            self.choices.expect(spec)
        self._open[spec.key] = test
        self._open_layers += len(left)
        self._want_details(test, details, now)
        self._closing.watch(test)
        if left:
            self._sentinels.opened(test, max(0.0, now - created) if read else 0.0, now)
        else:
            self._closing.check(test)

    def hasten(self, now: float) -> None:
        """Have a last poll of every open test now (the run's deadline, or a stop)."""
        for test in self._open.values():
            self._closing.hasten(test, now)

    def give_up(self) -> None:
        """Close every open test with what is there."""
        for test in self._open.values():
            self._closing.end(test)

    def closable(self) -> str | None:
        """The next test that is to be closed, if any; it leaves the schedule."""
        test = self._closing.next()
        if test is None:
            return None
        del self._open[test.spec.key]
        self._silence.closed(test)
        self.choices.over(test.spec.key)
        self._open_layers -= len(test.left)
        return test.spec.key

    @property
    def tests(self) -> int:
        """Tests that wait for answers."""
        return len(self._open)

    @property
    def layers(self) -> int:
        """Layers that are not read to the end, without those that wait for silent agents alone."""
        return self._open_layers - self._silence.parked_layers

    @property
    def reading(self) -> int:
        """Tests that do not wait for silent agents alone."""
        return len(self._open) - self._silence.parked

    def measured(self) -> list[str]:
        """Tests of which every agent but silent ones has measured; each is told once.

        A row of each is in the layer that tends to finish last.
        """
        measured, self._measured[:] = list(self._measured), []
        return measured

    def silent(self) -> dict[str, int]:
        """See :meth:`orchestrator.schedule.silence.Silence.silent`."""
        return self._silence.silent()

    def end_parked(self, now: float) -> None:
        """Nothing is to be created any more: see :meth:`orchestrator.schedule.silence.Silence.end`."""
        self._silence.end(now)

    # -- choice -------------------------------------------------------------------------------------

    def urgent(self, now: float) -> Iterator[Candidate]:
        """The next of the last polls, of a test whose deadline has come."""
        poll = self._closing.last_poll(now)
        if poll is not None:
            yield Candidate(poll, instant=False, spare=0)

    def candidates(self, now: float) -> Iterator[Candidate]:
        """What is expected ready, then the sentinel that is due first."""
        for heap in (self._ready, self._sentinels.heap, self._hops):
            while heap and self._stale(heap[0][2]):
                heapq.heappop(heap)
            if heap and heap[0][0] <= now:
                yield Candidate(heap[0][2], instant=False, spare=self.pace.set_aside)

    def take(self, step: Step) -> None:
        """A candidate is on its way: it leaves its queue."""
        if isinstance(step, Poll | Detail) and step.key in self._open:
            self._open[step.key].under_way += 1
        if self._closing.take(step):
            return
        for heap in (self._ready, self._sentinels.heap, self._hops):
            if heap and heap[0][2] is step:
                heapq.heappop(heap)
                return

    def wakes(self) -> Iterator[float]:
        """Times at which something here becomes due by itself."""
        yield from (heap[0][0] for heap in (self._ready, self._sentinels.heap, self._hops) if heap)
        if self.choices.waiting:
            yield float("-inf")
        yield from self._closing.wakes()

    @property
    def pace(self) -> Pace:
        """How eagerly to poll now."""
        return self._sentinels.pace

    def set_pace(self, pace: Pace, now: float, *, ending: bool, coming: str | None) -> None:
        """The pace for now. ``ending``: nothing is left to create; ``coming`` is the kind created next."""
        self._sentinels.pace = pace
        self._sentinels.refresh(now, ending=ending, coming=coming)

    # -- what came of it ----------------------------------------------------------------------------

    def read(self, came: PageRead, now: float) -> None:
        """A poll brought rows, or none yet."""
        poll = came.poll
        test = self._returned(poll)
        if test is None:
            return
        self._silence.heard(came, now)
        self._want_details(test, came.details, now)
        test.failing = test.failing or came.failing
        test.failures = 0
        following = None if came.next_href is None else poll.following(came.next_href)
        self._note_news(test, came)
        if test.progress.complete(poll.layer):
            self._layer_complete(test, poll.layer, came.asked, now)
        elif following is not None:
            self._next_page(following, now)
            return
        elif test.progress.everyone(poll.layer):
            self._wait_for_quiet(test, came, now)
        elif poll.purpose is not Purpose.LAST and not self._silence.set_aside(test, came, now):
            self._poll_again(test, came, now)
        if poll.purpose is Purpose.LAST:
            test.last_polls.discard(poll.layer)
        self._closing.check(test)

    def missed(self, came: PageMissed, now: float) -> None:
        """A poll brought nothing."""
        poll, tries = came.poll, came.tries
        test = self._returned(poll)
        if test is None:
            return
        if came.limited:
            self._put_back(poll, now)
            return
        refusals = poll.refusals + (not came.again)
        test.failures += 1
        # Where the next page cannot be had, the layer may still be read from its beginning.
        begun = poll if poll.page == 1 else Poll(poll.key, poll.layer, poll.purpose)
        retry = replace(begun, tries=tries, refusals=refusals)
        due = now + backoff(max(test.failures, tries), self._rng.random())
        last = poll.purpose is Purpose.LAST
        if last and tries >= LAST_TRIES:
            test.last_polls.discard(poll.layer)
        # One odd answer, of a replica that lags or of a gateway, is not the end of a layer.
        elif not last and refusals >= LAST_TRIES:
            self._layer_refused(test, poll.layer, now)
        else:
            self._later(due, retry)
        self._closing.check(test)

    def hops_chosen(self, came: HopsToRead, now: float) -> None:
        """It is known whose hops of a test are to be read, or that none are."""
        self.choices.over(came.key)
        test = self._open.get(came.key)
        if test is not None:
            self._want_details(test, came.details, now)
            self._closing.check(test)

    @property
    def details(self) -> int:
        """Hop details that are still to come."""
        return sum(test.details for test in self._open.values())

    def detail_ended(self, came: DetailEnded, now: float) -> None:
        """A detail came, or failed and may be tried again until the test's deadline."""
        detail = came.detail
        test = self._returned(detail)
        if test is None:
            return
        if came.again and came.limited:
            self._later(now, detail)
            return
        self._closing.detail_returned(now)
        tries, refusals = detail.tries + 1, detail.refusals + came.refused
        # Hops are there a while after their path, so what is not there yet is no reason to give up.
        given_up = refusals >= LAST_TRIES or (test.phase in OVER and tries >= LAST_TRIES)
        if came.again and not given_up:
            due = now + backoff(tries, self._rng.random())
            self._later(due, replace(detail, tries=tries, refusals=refusals))
            return
        test.details -= 1
        self._closing.check(test)

    # -- within -------------------------------------------------------------------------------------

    def _returned(self, step: Poll | Detail) -> OpenTest | None:
        """The test of a step that is no longer under way, if it is still open."""
        test = self._open.get(step.key)
        if test is not None:
            test.under_way = max(0, test.under_way - 1)
        return test

    def _want_details(self, test: OpenTest, rounds: Iterable[tuple[str, int]], now: float) -> None:
        for agent_id, round_id in rounds:
            test.details += 1
            self._later(now, Detail(test.spec.key, agent_id, round_id))

    def _later(self, due: float, step: Poll | Detail) -> None:
        heap = self._ready
        if isinstance(step, Detail):
            test = self._open.get(step.key)
            heap = self._hops if test is not None and test.spec.path_details == "auto" else heap
        elif step.purpose is Purpose.SENTINEL:
            self._sentinels.put(due, step)
            return
        heapq.heappush(heap, (due, next(self._order), step))

    def _put_back(self, poll: Poll, now: float) -> None:
        """A 429 says nothing of the test: the poll is due as before."""
        if poll.purpose is Purpose.LAST:
            self._closing.last_again(poll, first=False)
        else:
            self._later(now, poll)

    def _next_page(self, poll: Poll, now: float) -> None:
        if poll.purpose is Purpose.LAST:
            self._closing.last_again(poll, first=True)
        else:
            heapq.heappush(self._ready, (now, next(self._order), poll))

    def _stale(self, step: Poll | Detail) -> bool:
        """Whether nobody wants to know any more."""
        test = self._open.get(step.key)
        if test is None or isinstance(step, Detail):
            return test is None
        if step.layer in test.read or step.purpose is Purpose.LAST:
            return step.layer in test.read
        return step.layer in test.aside or test.phase in OVER

    def _layer_read(self, test: OpenTest, layer: str) -> bool:
        """A layer needs no more polls. Returns whether that is news."""
        if layer in test.read:
            return False
        test.read.add(layer)
        test.last_polls.discard(layer)
        self._open_layers -= 1
        return True

    def _layer_complete(self, test: OpenTest, layer: str, asked: float, now: float) -> None:
        if self._layer_read(test, layer) and layer not in test.waits:
            self._answers_came(test, layer, asked, now)

    def _answers_came(self, test: OpenTest, layer: str, asked: float, now: float) -> None:
        """Every agent has its row: if that is the sentinel, its latency is known and the others are due."""
        if layer != test.sentinel:
            return
        self._measured.append(test.spec.key)
        self._sentinels.seen(test, asked - test.created, now)
        if test.phase in {Phase.SENTINEL, Phase.EARLY}:
            test.move(Phase.SIBLINGS)
            self._ask_siblings(test, now)

    def _note_news(self, test: OpenTest, came: PageRead) -> None:
        """A further row in a layer that waits for more begins its quiet time anew."""
        wait = test.waits.get(came.poll.layer)
        if wait is not None and came.harvest.fresh:
            gap = wait.news(came.asked - test.created)
            self._quiet.came(test.spec.type, came.poll.layer, gap)

    def _wait_for_quiet(self, test: OpenTest, came: PageRead, now: float) -> None:
        """Every agent has a row, and more may come: the layer is read once nothing new came for a while."""
        layer, age, kind = came.poll.layer, came.asked - test.created, test.spec.type
        wait = test.waits.get(layer)
        if wait is None:
            wait = test.waits[layer] = Wait(age)
            self._answers_came(test, layer, came.asked, now)
        quiet = self._quiet.of(kind, layer)
        if wait.over(age, quiet):
            if not wait.brought:
                self._quiet.in_vain(kind, layer)
            self._layer_read(test, layer)
        elif came.poll.purpose is not Purpose.LAST:
            due = test.created + wait.next_age(age, quiet)
            self._later(due, Poll(came.poll.key, layer, Purpose.READY))

    def _layer_refused(self, test: OpenTest, layer: str, now: float) -> None:
        if not self._layer_read(test, layer) or layer != test.sentinel or layer in test.waits:
            return
        left = test.left
        if left:
            test.sentinel = left[-1]
            self._sentinels.plan(test, now - test.created, now)

    def _ask_siblings(self, test: OpenTest, now: float) -> None:
        for layer in test.left:
            # One that waits for further rows has its next poll planned.
            if layer != test.sentinel and layer not in test.waits:
                self._ask(test, layer, now)

    def _ask(self, test: OpenTest, layer: str, now: float) -> None:
        self._later(now, Poll(test.spec.key, layer, Purpose.READY))

    def _ask_in_turn(self, test: OpenTest, now: float) -> None:
        """Beside a sentinel that explores, one of the other layers: any of them may have the first answer."""
        others = [layer for layer in test.left if layer != test.sentinel and layer not in test.waits]
        if others:
            test.turn += 1
            self._ask(test, others[test.turn % len(others)], now)

    def _poll_again(self, test: OpenTest, came: PageRead, now: float) -> None:
        poll, age = came.poll, came.asked - test.created
        if poll.purpose is Purpose.SENTINEL and poll.layer == test.sentinel:
            self._sentinels.missed(test, age)
            # One agent that lags, or never answers, must not keep back what the others have: when most
            # tests of this type would be complete, read the other layers once with what is there.
            late = min(self._latencies[test.kind].late_age(), test.patience or math.inf)
            if test.phase is Phase.SENTINEL and came.harvest.kept and age >= late:
                test.move(Phase.EARLY)
                self._ask_siblings(test, now)
            elif self._sentinels.explores(test):
                self._ask_in_turn(test, now)
            self._sentinels.plan(test, age, now)
        # A layer that was read early has its next turn with the sentinel, or at the deadline.
        elif test.phase is Phase.SIBLINGS:
            polls = test.lagging[poll.layer] = test.lagging.get(poll.layer, 0) + 1
            self._later(now + lagging_poll(polls), Poll(poll.key, poll.layer, Purpose.READY))
