"""How much a cell's metric moves by itself, and how far beyond that it is now.

Values are taken on a scale on which small ones count little: ln(v + A), with the absolute floor A of the
metric (:mod:`orchestrator.testtypes.norms`). A distance there is nearly a share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.testtypes.norms import Norm

# A median absolute deviation, as a standard deviation of what is normally distributed.
SCALE = 1.4826
# What such a deviation of n values is too small by, from n = 2 (Croux and Rousseeuw, 1992).
_SMALL = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
LEAST = 0.05
# Without any history: from so many cells on their differences tell the noise, else this is assumed.
PAIRS, ASSUMED = 20, 0.15
# The noise of all cells weighs as much as so many runs of the cell itself.
WEIGHT = 4
CERTAIN = 4.0
_ROUNDING = 1e-9


def level(value: float, norm: Norm) -> float:
    """A value on the scale of its metric."""
    return math.log(max(value, 0.0) + norm.absolute)


def value(found: float, norm: Norm) -> float:
    """The value that is at a place of the scale."""
    told = math.exp(found) - norm.absolute
    # Nothing stays nothing: what a logarithm leaves of it is no measurement.
    return 0.0 if abs(told) < _ROUNDING * norm.absolute else told


def middle(values: Iterable[float]) -> float:
    """The median of at least one value."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def deviation(values: Sequence[float]) -> float:
    """A robust standard deviation about the median; 0 of fewer than two values."""
    return _about(middle(values), values) if len(values) >= 2 else 0.0


def _about(centre: float, values: Sequence[float]) -> float:
    n = len(values)
    factor = _SMALL[n - 2] if n <= len(_SMALL) + 1 else n / (n - 0.8)
    return SCALE * factor * middle([abs(one - centre) for one in values])


class Earlier(tuple[float, ...]):
    """The earlier levels of one metric in one cell, that of the base first.

    Their ``median`` and their ``deviation`` are asked for many times.
    """

    median: float
    deviation: float

    def __new__(cls, levels: Iterable[float]) -> Earlier:
        """Of at least one level."""
        made = super().__new__(cls, levels)
        made.median = middle(made)
        made.deviation = _about(made.median, made) if len(made) >= 2 else 0.0
        return made


@dataclass(frozen=True, slots=True)
class Noise:
    """What one metric does by itself over all cells: a standard deviation on its scale."""

    pooled: float

    def of(self, past: Earlier) -> float:
        """The noise of one cell with these earlier levels, drawn towards that of all."""
        n = len(past)
        if n < 3:
            return max(LEAST, self.pooled)
        whole = WEIGHT * self.pooled**2 + (n - 1) * past.deviation**2
        return max(LEAST, math.sqrt(whole / (WEIGHT + n - 1)))


def noise(pasts: Iterable[Earlier], differences: Sequence[float]) -> Noise:
    """The noise of a metric. ``pasts`` are the earlier levels of each cell, ``differences`` what each cell
    moved by now; these tell where no cell has a history."""
    own = [past.deviation for past in pasts if len(past) >= 2]
    if own:
        return Noise(middle(own))
    if len(differences) >= PAIRS:
        return Noise(deviation(differences) / math.sqrt(2.0))
    return Noise(ASSUMED)


def score(now: float, past: Earlier, noise: Noise) -> float:
    """How many standard deviations a level is above the median of the past ones."""
    return (now - past.median) / (noise.of(past) * math.sqrt(1.0 + 1.0 / len(past)))


def large(before: float, after: float, norm: Norm) -> bool:
    """Whether a change is beyond both floors of the metric; the same of a change back."""
    moved = abs(after - before)
    better = max(before, after) if norm.falls else min(before, after)
    return moved >= norm.absolute and moved >= norm.relative * better


def at_least(k: int, n: int, rate: float) -> float:
    """The probability of ``k`` or more of ``n`` at this rate."""
    return math.fsum(math.comb(n, hits) * rate**hits * (1.0 - rate) ** (n - hits) for hits in range(k, n + 1))
