"""How long results take, learned per test type, and when to poll for them.

The rule is constant risk: poll again when the chance that the answer appeared since the last poll has
reached ``risk``. It wastes ``(1 - risk) / risk`` polls on average whatever the distribution is, needs nothing
but quantiles, and comes within a few percent of the optimal density of checks (Keller 1974).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from orchestrator.testtypes.layers import prior_median

if TYPE_CHECKING:
    from random import Random

ENOUGH = 20  # samples until the prior is dropped
REMEMBERED = 400  # newest samples kept
LONGEST_LATENCY = 3600.0  # seconds; more is not a latency but a stopped clock
SHORTEST_GAP = 1.0  # seconds between two polls of one layer
LONGEST_GAP = 20.0  # seconds between two polls, so that a wrong model costs little delay
# Part of the seconds beyond all known latencies, between two polls: who is that late may never answer.
OVERDUE = 0.25
BESIDE = 0.1  # part of a known latency by which a new sample may differ from it
DRAWS = 8  # from what is known, until a sample is drawn from the bracket alone
SPREAD = 0.5  # sigma of the lognormal prior, wide on purpose


def prior(test_type: str) -> tuple[float, ...]:
    """Ten quantiles, seconds, of what to expect of a test type that was never seen."""
    normal = NormalDist(math.log(prior_median(test_type)), SPREAD)
    return tuple(math.exp(normal.inv_cdf((index + 0.5) / 10)) for index in range(10))


class LatencyModel:
    """Seconds from creation to complete answers, of one test type: a prior, then the newest samples."""

    def __init__(self, prior_quantiles: Sequence[float], samples: Iterable[float] = ()) -> None:
        self._prior = sorted(prior_quantiles)
        self._ring: deque[float] = deque(maxlen=REMEMBERED)
        self._real: list[float] = []
        self._known = list(self._prior)
        for sample in samples:
            self.add(sample)

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, seconds: float) -> None:
        """Learn a latency that is known exactly. Values that cannot be one are ignored."""
        if not 0.0 <= seconds <= LONGEST_LATENCY:
            return
        if len(self._ring) == REMEMBERED:
            del self._real[bisect_left(self._real, self._ring[0])]
        self._ring.append(seconds)
        insort(self._real, seconds)
        self._known = self._real if len(self._ring) >= ENOUGH else sorted([*self._prior, *self._real])

    def seen(self, after: float, by: float, rng: Random) -> None:
        """Learn from a detection: not there at age ``after``, there at age ``by``.

        The sample is drawn from what is known inside the bracket. The bracket's middle would drag the model:
        late polls would make late samples, which make later polls. And it is drawn a little beside what is
        known: samples that only repeat earlier ones clump within a few hundred tests, and between the clumps
        nobody polls (measured: half a second more delay for the same number of polls).
        """
        after = max(0.0, min(after, by))
        low, high = self.chance_by(after), self.chance_by(by)
        for _ in range(DRAWS):
            drawn = self.quantile(rng.uniform(low, high)) * (1.0 + rng.uniform(-BESIDE, BESIDE))
            if after < drawn <= by:
                self.add(drawn)
                return
        self.add(rng.uniform(after, by))

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
        low = known[index - 1] if index >= 1 else known[0] * 0.8
        return low + (known[index] - low) * (place - index)

    def next_age(self, age: float, risk: float, longest_gap: float = LONGEST_GAP) -> float:
        """Age at which to poll next after a poll of ``age`` that saw nothing (0: none yet).

        At least one second later, at most ``longest_gap`` seconds later except for the first poll, and in
        growing steps when the test is older than any that was learned from.
        """
        past = self.chance_by(age)
        part = past + risk * (1.0 - past)
        wanted = self.quantile(part)
        if part * (len(self._known) + 1) >= len(self._known) or wanted <= age:
            wanted = max(wanted, age * (1.0 + 0.5 * risk) + 0.5)
        if age > 0.0:
            overdue = OVERDUE * (age - self._known[-1])
            wanted = min(wanted, age + min(LONGEST_GAP, max(longest_gap, overdue)))
        return max(wanted, age + SHORTEST_GAP)

    def dump(self) -> list[float]:
        """The samples, seconds, oldest first; give them back to the constructor."""
        return list(self._ring)


def models(learned: dict[str, list[float]], test_types: Iterable[str]) -> dict[str, LatencyModel]:
    """A model for each type, from what earlier runs learned."""
    return {name: LatencyModel(prior(name), learned.get(name, ())) for name in test_types}
