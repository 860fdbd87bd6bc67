"""When a poll is worth its call, for a known distribution of latencies. Pure arithmetic; seconds.

A call has a price, in seconds of delay that it must save. The best gaps between polls are those in which the
same delay is to be expected (Keller 1974, who has the density of checks go with the root of the hazard): poll
as soon as the seconds that an answer is expected to have waited unseen, since the last poll, reach the price.
The polls that this takes go with the inverse of the price's root, so the price at which a number of calls is
used up follows from one figure for each open test, its *effort*.

Latencies are given as a sorted sequence; between two of them the distribution rises in a straight line.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

# The distribution begins at this part of the shortest known latency.
FIRST_RISE = 0.8
# Parts of equal chance by which the effort is added up.
STEPS = 25
# Hazard of a test that is older than everything known, times its age.
TAIL = 2.0


def worth_polling_at(known: Sequence[float], age: float, price: float) -> float:
    """The age at which the next poll is worth the ``price``, after one of ``age`` that saw nothing.

    ``inf`` for a test that is older than everything known.
    """
    index = bisect_right(known, age)
    low = known[index - 1] if index else known[0] * FIRST_RISE
    at, risen = max(age, low), 0.0
    alive = float(len(known) + 1 - index)
    if index < len(known):
        alive -= (at - low) / (known[index] - low)
    owed = price * alive
    for following in islice(known, index, None):
        length, whole = following - at, following - low
        if length <= 0.0:
            risen += 1.0
            continue
        cost = length * (risen + 0.5 * length / whole)
        if cost >= owed:
            return at + (math.sqrt(risen * risen + 2.0 * owed / whole) - risen) * whole
        owed, risen = owed - cost, risen + length / whole
        at = low = following
    return at + owed / risen if risen > 0.0 else math.inf


def overdue_gap(age: float, price: float) -> float:
    """Seconds until the next poll of a test that is older than everything known.

    Nothing is known of it but its age, so the hazard is taken to be :data:`TAIL` divided by that.
    """
    return math.sqrt(2.0 * price * age / TAIL)


@dataclass(frozen=True, slots=True)
class Effort:
    """What an open test is expected to take by some age. ``done``: the chance that it is complete by then.

    ``polls`` are those at a price of one second; at another price they are divided by its root. Half a poll
    comes on top for each answer, because polls do not come just when the answer does.
    """

    done: float
    polls: float

    def polls_at(self, price: float) -> float:
        """Polls that are expected at this price."""
        return self.polls / math.sqrt(price) + 0.5 * self.done


class Efforts:
    """The effort by age, of one distribution. ``quantile`` gives the age by which a part is complete."""

    def __init__(self, quantile: Callable[[float], float]) -> None:
        self._ages = [quantile(step / STEPS) for step in range(STEPS)]
        self._polls = [0.0]
        for step, (low, high) in enumerate(pairwise(self._ages)):
            alive = 1.0 - (step + 0.5) / STEPS
            self._polls.append(self._polls[-1] + math.sqrt(0.5 * alive * max(0.0, high - low) / STEPS))

    def between(self, age: float, until: float) -> Effort:
        """Of a test that is not complete at ``age``, up to the age ``until``."""
        (began, before), (ended, after) = self._at(age), self._at(max(age, until))
        alive = 1.0 - began
        tail = (1.0 - ended) / alive * _beyond(max(age, self._ages[-1]), until)
        return Effort((ended - began) / alive, (after - before) / alive + tail)

    def _at(self, age: float) -> tuple[float, float]:
        """The chance to be complete, and the polls of all tests together, at an age."""
        ages = self._ages
        index = bisect_right(ages, age)
        if index == 0:
            return 0.0, 0.0
        if index == len(ages):
            return (index - 1) / STEPS, self._polls[-1]
        low, high = ages[index - 1], ages[index]
        part = (age - low) / (high - low)
        polls = self._polls[index - 1] + part * (self._polls[index] - self._polls[index - 1])
        return (index - 1 + part) / STEPS, polls


def _beyond(age: float, until: float) -> float:
    """Polls, at a price of one second, of a test that is older than everything known."""
    if until <= age:
        return 0.0
    power = TAIL - 0.5
    return math.sqrt(0.5 * TAIL * age) / power * (1.0 - math.pow(age / until, power))


def price_of_a_call(efforts: float, certain: float, calls: float, *, least: float) -> float:
    """Seconds of delay for which a call is worth spending, so that about ``calls`` are spent.

    ``efforts`` is the sum of the efforts' polls, ``certain`` the calls that are spent at any price. ``inf``
    where no call is left over.
    """
    left = calls - certain
    if left <= 0.0:
        return math.inf
    return max(least, (efforts / left) * (efforts / left))
