"""The next step that is due: creations, polls, details. Pure and synchronous; the time is an argument.

Order of choice, after the study of the two limits:

1. last polls of tests whose deadline has come
2. creations, and the polls before a re-run, which lead to them
3. layers expected ready, because the test's sentinel layer is complete
4. sentinel polls that are due, earliest first

The schedule never sends and never counts tokens. It names candidates in the order of choice; the
dispatcher reserves what the first affordable one needs, and tells :attr:`Schedule.creations` or
:attr:`Schedule.polls` what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from random import Random

from orchestrator.model import Spec
from orchestrator.schedule.creations import Creations
from orchestrator.schedule.latency import LatencyModel
from orchestrator.schedule.pace import Load, pace
from orchestrator.schedule.polls import Polls
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.steps import Candidate, Step


class Schedule:
    """What is to do, by due time. All times are monotonic seconds."""

    def __init__(self, latencies: Mapping[str, LatencyModel], rng: Random, *, in_order: bool = False) -> None:
        self.creations = Creations(rng, in_order=in_order)
        self.polls = Polls(latencies, rng)

    def candidates(self, now: float, load: Load) -> Iterator[Candidate]:
        """What is due, in the order of choice. ``load`` is what the budgets say."""
        creations, polls = self.creations, self.polls
        polls.pace = pace(
            load,
            to_create=creations.left,
            open_tests=polls.tests + creations.under_way,
            open_layers=polls.layers,
            layers_per_test=creations.layers_per_test,
        )
        if not creations.left:
            polls.bring_forward(now)
        yield from polls.urgent(now)
        yield from creations.candidates(now, allowed=polls.pace.may_create, set_aside=polls.pace.set_aside)
        yield from polls.candidates(now)

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
        """A test exists, by a creation just now or from an earlier session: collect its answers.

        See :meth:`orchestrator.schedule.polls.Polls.opened`.
        """
        self.creations.ended(spec.key, now)
        self.polls.opened(spec, progress, created=created, deadline=deadline, now=now, details=details)

    def take(self, step: Step, now: float) -> None:
        """A candidate is on its way: it leaves its queue."""
        if not self.creations.take(step, now):
            self.polls.take(step)

    def wake(self, now: float) -> float:
        """When something becomes due by itself.

        What is due already was offered as a candidate; budgets and pacers know when it may go.
        """
        times = [*self.creations.wakes(), *self.polls.wakes()]
        if float("-inf") in times:
            return now
        return min((when for when in times if when > now), default=float("inf"))

    @property
    def held_back(self) -> bool:
        """Whether creations wait because as many tests are open as can be read in time."""
        return self.creations.left > 0 and not self.polls.pace.may_create

    @property
    def idle(self) -> bool:
        """Whether nothing is to do and nothing is under way in the schedule's knowledge."""
        return not (self.creations.left or self.creations.under_way or self.polls.tests)
