"""How long results take, learned per test type and kind of agents, and when to poll for them.

The rule is constant risk: poll again when the chance that the answer appeared since the last poll has
reached ``risk``. It wastes ``(1 - risk) / risk`` polls on average whatever the distribution is, needs nothing
but quantiles, and comes within a few percent of the optimal density of checks (Keller 1974). Where calls are
left over they have a price (:mod:`orchestrator.schedule.worth`), and a poll that is worth it comes sooner.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from orchestrator.schedule.scale import Scale
from orchestrator.schedule.worth import FIRST_RISE, Effort, Efforts, overdue_gap, worth_polling_at
from orchestrator.testtypes.layers import prior_median

if TYPE_CHECKING:
    from random import Random

ENOUGH = 20  # samples of this run until the prior is dropped
REMEMBERED = 400  # newest samples kept
LONGEST_LATENCY = 3600.0  # seconds; more is not a latency but a stopped clock
SHORTEST_GAP = 1.0  # seconds between two polls of one layer
LONGEST_GAP = 20.0  # seconds between two polls, so that a wrong model costs little delay
# Part of the seconds beyond all known latencies, between two polls: who is that late may never answer.
OVERDUE = 0.25
BESIDE = 0.1  # part of a known latency by which a new sample may differ from it
DRAWS = 8  # from what is known, until a sample is drawn from the bracket alone
# By this part of its kind's latencies a test is late, and its other layers are read with what is there.
LATE = 0.95
SPREAD = 0.5  # sigma of the lognormal prior, wide on purpose


def prior(test_type: str) -> tuple[float, ...]:
    """Ten quantiles, seconds, of what to expect of a test type that was never seen."""
    normal = NormalDist(math.log(prior_median(test_type)), SPREAD)
    return tuple(math.exp(normal.inv_cdf((index + 0.5) / 10)) for index in range(10))


class LatencyModel:
    """Seconds from creation to complete answers, of one kind of test.

    What was known before the run (a prior, or at least :data:`ENOUGH` samples of earlier runs) is stretched
    by the factor that the polls of this run make likely. The samples of this run stand beside it, and take
    its place when there are as many.
    """

    def __init__(self, prior_quantiles: Sequence[float], samples: Iterable[float] = ()) -> None:
        self._ring = deque((sample for sample in samples if _possible(sample)), maxlen=REMEMBERED)
        learned = len(self._ring) >= ENOUGH
        self._before = sorted(self._ring if learned else prior_quantiles)
        self._scale = Scale(self._before)
        self._new: deque[float] = deque(maxlen=REMEMBERED)
        self._sorted: list[float] = []  # the new ones
        self._known = self._before
        self._factor = 1.0  # by which what was known before is stretched in ``_known``
        self._efforts: Efforts | None = None
        self.seen_now = 0  # answers that polls of this run saw
        if not learned:
            for sample in self._ring:
                self._scale.exact(sample, BESIDE)
                self._insert(sample)
            self._renew()

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, seconds: float) -> None:
        """Learn a latency that is known exactly. Values that cannot be one are ignored."""
        if _possible(seconds):
            self._scale.exact(seconds, BESIDE)
            self._take(seconds)

    def missed(self, after: float, age: float) -> None:
        """Learn from a poll: not there at age ``after``, and not at ``age`` either."""
        if self._young and age > after:
            self._scale.missed(after, age)
            if self._scale.factor != self._factor:
                self._renew()

    def seen(self, after: float, by: float, rng: Random) -> None:
        """Learn from a detection: not there at age ``after``, there at age ``by``.

        The sample is drawn from what is known inside the bracket. The bracket's middle would drag the model:
        late polls would make late samples, which make later polls. And it is drawn a little beside what is
        known: samples that only repeat earlier ones clump within a few hundred tests, and between the clumps
        nobody polls (measured: half a second more delay for the same number of polls).
        """
        after = max(0.0, min(after, by))
        self.seen_now += 1
        if self._young and by > after:
            self._scale.seen(after, by)
            self._renew()
        low, high = self.chance_by(after), self.chance_by(by)
        for _ in range(DRAWS):
            drawn = self.quantile(rng.uniform(low, high)) * (1.0 + rng.uniform(-BESIDE, BESIDE))
            if after < drawn <= by and _possible(drawn):
                self._take(drawn)
                return
        drawn = rng.uniform(after, by)
        if _possible(drawn):
            self._take(drawn)

    @property
    def factor(self) -> float:
        """How much slower this run's world is than what was known before."""
        return self._scale.factor

    @property
    def _young(self) -> bool:
        """Whether so little was seen that what was known before may be wrong by a factor."""
        return len(self._new) < ENOUGH

    def _take(self, sample: float) -> None:
        self._ring.append(sample)
        self._insert(sample)
        self._renew()

    def _insert(self, sample: float) -> None:
        if len(self._new) == REMEMBERED:
            del self._sorted[bisect_left(self._sorted, self._new[0])]
        self._new.append(sample)
        insort(self._sorted, sample)

    def _renew(self) -> None:
        self._efforts, self._factor = None, self._scale.factor
        if len(self._new) >= max(ENOUGH, len(self._before)):
            self._known = self._sorted
        else:
            self._known = sorted([*(self._factor * one for one in self._before), *self._sorted])

    def chance_by(self, age: float) -> float:
        """Part of the tests whose answers are complete at this age, 0 to below 1."""
        return bisect_right(self._known, age) / (len(self._known) + 1)

    def quantile(self, part: float) -> float:
        """Age in seconds by which ``part`` of the tests are complete; beyond the samples, their greatest."""
        known = self._known
        place = part * (len(known) + 1)
        if place >= len(known):
            return known[-1]
        index = max(0, int(place))
        low = known[index - 1] if index >= 1 else known[0] * FIRST_RISE
        return low + (known[index] - low) * (place - index)

    def late_age(self) -> float:
        """Age at which a test is late. What was not answered at all says nothing of it."""
        if self.seen_now:
            return self.quantile(LATE)
        return self._before[min(len(self._before) - 1, int(LATE * (len(self._before) + 1)))]

    def next_age(
        self, age: float, risk: float, longest_gap: float = LONGEST_GAP, price: float = math.inf
    ) -> float:
        """Age at which to poll next after a poll of ``age`` that saw nothing (0: none yet).

        At least one second later, at most ``longest_gap`` seconds later except for the first poll, and in
        growing steps when the test is older than any that was learned from. Sooner where a poll is worth the
        ``price`` of its call, in seconds of delay.
        """
        past = self.chance_by(age)
        part = past + risk * (1.0 - past)
        wanted = self.quantile(part)
        if part * (len(self._known) + 1) >= len(self._known) or wanted <= age:
            wanted = max(wanted, age * (1.0 + 0.5 * risk) + 0.5)
        if age > 0.0:
            overdue = OVERDUE * (age - self._known[-1])
            wanted = min(wanted, age + min(LONGEST_GAP, max(longest_gap, overdue)))
        if price < math.inf:
            worth = worth_polling_at(self._known, age, price)
            if worth == math.inf:
                worth = age + max(overdue_gap(age, price), OVERDUE * (age - self._known[-1]))
            wanted = min(wanted, worth)
        return max(wanted, age + SHORTEST_GAP)

    def effort(self, age: float, until: float) -> Effort:
        """What a test that is not complete at ``age`` takes up to the age ``until``."""
        if self._efforts is None:
            self._efforts = Efforts(self.quantile)
        return self._efforts.between(age, until)

    def dump(self) -> list[float]:
        """The samples, seconds, oldest first; give them back to the constructor."""
        return list(self._ring)


def _possible(seconds: float) -> bool:
    return 0.0 <= seconds <= LONGEST_LATENCY


def models(learned: dict[str, list[float]], test_types: Iterable[str]) -> dict[str, LatencyModel]:
    """A model for each type, from what earlier runs learned."""
    return {name: LatencyModel(prior(name), learned.get(name, ())) for name in test_types}
