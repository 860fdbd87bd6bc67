"""How much cheaper a culprit makes the bad cells to describe, in bits; and Fisher's exact test.

A group with ``k`` bad of ``n`` known cells has a gain: the likelihood of that under a culprit, against
chance, less what it costs to name the culprit (minimum description length).
"""

from __future__ import annotations

import math
from functools import lru_cache

MIN_BITS = 4.0  # odds of 16 to 1 after all costs
NEAR_BITS = 3.0  # 8 to 1: within it, two explanations cannot be told apart
CLEAR_BITS, LIKELY_BITS = 20.0, 10.0
FLOOR = 0.15  # a smaller share of bad cells is a rate of flakes, no cause
RUN_FLOOR = 0.5  # the whole run has nothing to be compared with
TIMES_BACKGROUND = 5.0
BACKGROUND, LEAST_BACKGROUND, MOST_BACKGROUND = 0.02, 0.01, 0.3
_LN2 = math.log(2.0)


@lru_cache(maxsize=65536)
def culprit_bits(k: int, n: int) -> float:
    """log2 of the likelihood under a culprit: half breaks nearly everything, half breaks a part."""
    most = _beta_binomial(k, n, 19.0, 1.0)
    part = _beta_binomial(k, n, 2.0, 1.0)
    high, low = max(most, part), min(most, part)
    return (high + math.log1p(math.exp(low - high))) / _LN2 - 1.0


def chance_bits(k: int, n: int, background: float) -> float:
    """log2 of the likelihood if every cell is bad with the probability ``background``."""
    return k * math.log2(background) + (n - k) * math.log2(1.0 - background)


def gain(k: int, n: int, cost: float, background: float) -> float:
    """Bits gained by naming a culprit of this cost."""
    return culprit_bits(k, n) - chance_bits(k, n, background) - cost


def may_explain(k: int, n: int, floor: float, background: float) -> bool:
    """Whether the share of bad cells is that of a cause at all."""
    return k >= 2 and k >= max(floor, TIMES_BACKGROUND * background) * n - 1e-9


def next_background(unexplained: int, unclaimed: int) -> float:
    """The rate of bad cells without a cause, from what is left."""
    return min(MOST_BACKGROUND, max(LEAST_BACKGROUND, (unexplained + 1) / (unclaimed + 50)))


def sure(bits: float, bad: int, *, near: bool) -> str:
    """The word of certainty: ``clear`` is never said of two cells, or where something else fits as well."""
    if bits >= CLEAR_BITS and bad >= 3 and not near:
        return "clear"
    return "likely" if bits >= LIKELY_BITS else "possible"


def fisher(k: int, n: int, bad: int, known: int) -> float:
    """Probability of ``k`` or more bad among ``n``, if ``bad`` of ``known`` cells are bad by lot."""
    whole = _ln_choose(known, n)
    ways = (
        math.exp(_ln_choose(bad, hits) + _ln_choose(known - bad, n - hits) - whole)
        for hits in range(max(k, n + bad - known), min(n, bad) + 1)
    )
    return min(1.0, math.fsum(ways))


def _beta_binomial(k: int, n: int, a: float, b: float) -> float:
    return _ln_beta(a + k, b + n - k) - _ln_beta(a, b)


def _ln_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _ln_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
