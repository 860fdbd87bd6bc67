"""The shortest mean delay that any schedule of looks can have, for so many looks and known latencies.

Dynamic programming over the age of the last look that saw nothing, on a grid of ages: what follows costs the
least of "look next at age b" over all b, each with the price of a look and the seconds that an answer is
expected to wait until then. The price at which the looks come to the number that is allowed is found by
bisection; the delay at that price is the optimum. Nothing is shared with the product's rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

# Seconds: the grid of ages, and the longest gap between two looks.
GRID = 0.25
LONGEST = 60.0
OLDEST = 170.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Means per test: ``looks`` with the one that saw the answer, ``delay`` until then in seconds."""

    looks: float
    delay: float


@lru_cache(maxsize=64)
def arrived(median: float, sigma: float, shortest: float, longest: float, extra: float) -> tuple[float, ...]:
    """Part of the answers that are there by each age of the grid.

    The simulator's: a lognormal draw, cut off on both sides, and an exponential one on top of it.
    """

    def drawn_by(age: float) -> float:
        if age < shortest:
            return 0.0
        if age >= longest:
            return 1.0
        return 0.5 * math.erfc(-(math.log(age / median)) / (sigma * math.sqrt(2.0)))

    # The sum by the recursion of an exponential filter, at the middle of each step of the grid.
    stays = math.exp(-GRID / extra) if extra > 0.0 else 0.0
    found, part = [0.0], 0.0
    for step in range(1, round(OLDEST / GRID) + 1):
        middle = drawn_by((step - 0.5) * GRID) if extra > 0.0 else drawn_by(step * GRID)
        part = stays * part + (1.0 - stays) * middle
        found.append(part)
    return tuple(found)


def cheapest(chances: Sequence[float], price: float) -> Cost:
    """The best schedule if a look costs ``price`` seconds of delay."""
    last, reach = len(chances) - 1, round(LONGEST / GRID)
    # By age of the last look: the cost, the looks and the delay of what follows, times the chance to be open.
    total, looks, delay = [0.0] * (last + 1), [0.0] * (last + 1), [0.0] * (last + 1)
    waited = [0.0]  # the integral of the chances
    for before, after in pairwise(chances):
        waited.append(waited[-1] + 0.5 * (before + after) * GRID)
    for age in range(last - 1, -1, -1):
        here, open_now, sum_here = chances[age], 1.0 - chances[age], waited[age]
        best, chosen, unseen = math.inf, last, 0.0
        for following in range(age + 1, min(last, age + reach) + 1):
            late = waited[following] - sum_here - here * (following - age) * GRID
            cost = price * open_now + late + total[following]
            if cost < best:
                best, chosen, unseen = cost, following, late
            elif late > best:
                break
        total[age] = best
        looks[age] = open_now + looks[chosen]
        delay[age] = unseen + delay[chosen]
    return Cost(looks[0], delay[0])


def optimum(kinds: Sequence[Sequence[float]], looks: float) -> Cost:
    """The least mean delay over the kinds, each as often, at so many looks on average."""

    def at(price: float) -> Cost:
        costs = [cheapest(chances, price) for chances in kinds]
        count = len(costs)
        return Cost(sum(one.looks for one in costs) / count, sum(one.delay for one in costs) / count)

    return _bisected(at, looks)


def _bisected(at: Callable[[float], Cost], looks: float) -> Cost:
    low, high = 1e-3, 1e3
    for _ in range(18):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if at(middle).looks > looks else (low, middle)
    return at(high)
