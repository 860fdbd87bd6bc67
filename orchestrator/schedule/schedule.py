"""The next step that is due: creations, polls, details. Pure and synchronous; the time is an argument.

Order of choice, after the study of the two limits:

1. last polls of tests whose deadline has come
2. creations, and the polls before a re-run, which lead to them
3. layers expected ready, because the test's sentinel layer is complete
4. sentinel polls that are due, earliest first

The schedule never sends and never counts tokens. It names candidates in the order of choice; the dispatcher
reserves what the first affordable one needs, and what came of it is told to :meth:`Schedule.apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import assert_never

from orchestrator.courtesy import Courtesy
from orchestrator.events import Waiting
from orchestrator.model import Spec
from orchestrator.schedule import feedback
from orchestrator.schedule.breaker import Breaker, Pause
from orchestrator.schedule.creations import Creations
from orchestrator.schedule.kinds import Kinds
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.pace import Load, pace
from orchestrator.schedule.polls import Polls
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.quiet import QuietTimes
from orchestrator.schedule.slots import Slots
from orchestrator.schedule.steps import Candidate, Purpose, Step


class Schedule:
    """What is to do, by due time. All times are monotonic seconds.

    ``latencies`` are those of the ``kinds`` of the tests; without these the kind of a test is its type.
    ``courtesy`` holds creations back while their hosts and agents have no room.
    """

    def __init__(
        self,
        latencies: Mapping[str, LatencyModel],
        rng: Random,
        *,
        quiet: QuietTimes | None = None,
        kinds: Kinds | None = None,
        in_order: bool = False,
        courtesy: Courtesy | None = None,
    ) -> None:
        kinds = kinds or Kinds()
        self._breaker = Breaker(rng)
        self._slots = Slots(courtesy) if courtesy is not None and courtesy.limits else None
        self._creations = Creations(self._breaker, rng, kinds, in_order=in_order, slots=self._slots)
        self._polls = Polls(latencies, rng, quiet, kinds)

    # -- what is to do ------------------------------------------------------------------------------

    def add(self, spec: Spec) -> None:
        """A spec to create, behind those that are there."""
        self._polls.choices.expect(spec)
        self._creations.add(spec)

    def add_rerun(self, spec: Spec, *, layer: str) -> None:
        """A test to run again: first its newest rounds are read in ``layer``."""
        self._polls.choices.expect(spec)
        self._creations.add_rerun(spec, layer=layer)

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
        """A test exists, by a creation just now or from an earlier session: collect its answers.

        See :meth:`orchestrator.schedule.polls.Polls.opened`.
        """
        self._breaker.collected(spec.key)
        self._polls.opened(
            spec,
            progress,
            created=created,
            deadline=deadline,
            now=now,
            details=details,
            failing=failing,
            chosen=chosen,
        )
        self.began_before(spec, created, now, over=False, again=False)
        self._end_measured(now)

    def began_before(self, spec: Spec, at: float, now: float, *, over: bool, again: bool) -> None:
        """A test of this spec began ``at``, in an earlier session or just now.

        Courtesy counts it while it may be under way.

        ``over``: its answers are in; ``again``: its spec may be created once more.
        """
        if self._slots is not None:
            self._slots.began_before(spec, at, now, over=over, again=again)

    def stop_creating(self) -> list[str]:
        """Create no more. Returns the keys that will not be created."""
        left = self._creations.stop()
        for key in left:
            self._polls.choices.over(key)
        return left

    def hasten(self, now: float) -> None:
        """Have a last poll of every open test now."""
        self._polls.hasten(now)

    def give_up(self) -> None:
        """Close every open test with what is there."""
        self._polls.give_up()

    # -- choice -------------------------------------------------------------------------------------

    def trip(self, now: float) -> Pause | None:
        """The pause that begins now because too many requests failed in a row, if one does."""
        return self._breaker.trip(now)

    @property
    def paused_until(self) -> float:
        """Nothing at all is to be sent before."""
        return self._breaker.paused_until

    def candidates(self, now: float, load: Load) -> Iterator[Candidate]:
        """What is due, in the order of choice. ``load`` is what the budgets say."""
        creations, polls = self._creations, self._polls
        now_pace = pace(
            load,
            to_create=creations.left,
            open_tests=polls.reading + self.creations_under_way,
            open_layers=polls.layers,
            layers_per_test=creations.layers_per_test,
        )
        polls.set_pace(now_pace, now, ending=not creations.left, coming=creations.next_kind)
        if not creations.left and not self.creations_under_way:
            polls.end_parked(now)
        yield from polls.urgent(now)
        yield from creations.candidates(now, allowed=polls.pace.may_create, set_aside=polls.pace.set_aside)
        yield from polls.candidates(now)

    def take(self, step: Step, now: float) -> None:
        """A candidate is on its way: it leaves its queue."""
        if not self._creations.take(step, now):
            self._polls.take(step)

    def wake(self, now: float) -> float:
        """When something becomes due by itself.

        What is due already was offered as a candidate; budgets and pacers know when it may go.
        """
        times = [*self._creations.wakes(), *self._polls.wakes()]
        if float("-inf") in times:
            return now
        return min((when for when in times if when > now), default=float("inf"))

    def closable(self) -> str | None:
        """The next test that is to be closed, if any; it leaves the schedule."""
        return self._polls.closable()

    def choosable(self) -> tuple[str, ...]:
        """Tests of which is to be chosen now whose hops to read; each is named once."""
        return self._polls.choices.ready()

    # -- what came of it ----------------------------------------------------------------------------

    def apply(self, came: feedback.Feedback, now: float) -> None:
        """Take in what came of a step."""
        if isinstance(came, feedback.OfCreations):
            self._apply_of_creation(came, now)
        else:
            self._apply_of_read(came, now)

    def _apply_of_creation(self, came: feedback.OfCreations, now: float) -> None:
        match came:
            case feedback.CreationAnswered(key=key):
                self._creations.answered(key, now)
            case feedback.CreationUndone(key=key, unreached=unreached):
                self._creations.undone(key, now, unreached=unreached)
            case feedback.CreationAmbiguous(key=key):
                self._creations.ambiguous(key, now)
            case feedback.CreationEnded(key=key):
                if self._slots is not None:
                    self._slots.never_begun(key, now)
                self._breaker.ended(key, now)
                self._polls.choices.over(key)
            case _:
                assert_never(came)

    def _apply_of_read(self, came: feedback.OfReads, now: float) -> None:
        match came:
            case feedback.ReadAnswered(good=good):
                self._breaker.answered(good=good)
            case feedback.ReadLost():
                self._breaker.failed()
            case feedback.PageRead():
                self._polls.read(came, now)
                self._end_measured(now)
            case feedback.PageMissed(poll=poll) if poll.purpose is Purpose.BASELINE:
                self._creations.baseline_missed(came, now)
            case feedback.PageMissed():
                self._polls.missed(came, now)
            case feedback.BaselineRead():
                self._creations.baseline_read(came)
            case feedback.HopsToRead():
                self._polls.hops_chosen(came, now)
            case feedback.DetailEnded():
                self._polls.detail_ended(came, now)
            case feedback.ProbeEnded():
                self._breaker.probe_ended(now)
            case _:
                assert_never(came)

    def _end_measured(self, now: float) -> None:
        for key in self._polls.measured():
            if self._slots is not None:
                self._slots.over(key, now)

    # -- how it stands ------------------------------------------------------------------------------

    def creations_wait_for(self, now: float) -> Waiting | None:
        """Why creations are held back, if they are and it is not for a limit."""
        if self._creations.held_back(now):
            return Waiting.AMBIGUOUS
        if self._creations.without_room:
            return Waiting.COURTESY
        if self._creations.left > 0 and not self._polls.pace.may_create:
            return Waiting.OPEN_TESTS
        return None

    @property
    def to_create(self) -> int:
        """Creations that are still to come."""
        return self._creations.left

    @property
    def creations_under_way(self) -> int:
        """Creations that were sent and have no outcome yet."""
        return self._breaker.under_way

    @property
    def open_tests(self) -> int:
        """Tests that wait for answers."""
        return self._polls.tests

    @property
    def open_layers(self) -> int:
        """Layers of them that are not read to the end."""
        return self._polls.layers

    @property
    def details(self) -> int:
        """Hop details that are still to come."""
        return self._polls.details

    @property
    def parked(self) -> int:
        """Open tests that wait for silent agents alone."""
        return self._polls.tests - self._polls.reading

    def silent(self) -> dict[str, int]:
        """How many closed tests each agent answered nothing in that is not waited for any more."""
        return self._polls.silent()

    @property
    def idle(self) -> bool:
        """Whether nothing is to do and nothing is under way in the schedule's knowledge."""
        return not (self.to_create or self.creations_under_way or self.open_tests)
