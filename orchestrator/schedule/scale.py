"""How much slower this run's world is than what is known of a kind of test: a factor, learned at once. Pure.

What is known (a prior, or what earlier runs learned) may be wrong by a factor. Every poll of this run says
something about it: an answer that was there, and as much one that was not there yet; the quick answers, which
come first, are no reason to believe that all are quick. The factor is the most likely one, on a grid of its
logarithm. Before anything was seen it is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FURTHEST = 30.0  # times faster or slower
STEP = 0.1  # of the grid
# What is known is expected to be wrong by this much (of the logarithm), with heavy tails (Cauchy): small
# differences need many samples, large ones are believed at once.
USUAL = 0.35
NARROWEST, WIDEST = 0.25, 0.8  # sigma of the lognormal that stands for what is known
# A factor nearer to one than this is none: the spread of what is known covers it, and samples tell it better.
SMALLEST = 2.0
UNLIKELIEST = 1e-9  # so that nothing is impossible

_SIDE = math.ceil(math.log(FURTHEST) / STEP)
_GRID = tuple(STEP * step for step in range(-_SIDE, _SIDE + 1))
_PRIOR = tuple(-math.log1p((value / USUAL) ** 2) for value in _GRID)
_SHORTEST = 1e-3  # seconds; logarithms need something


class Scale:
    """The factor for one distribution, given as sorted latencies in seconds."""

    def __init__(self, known: Sequence[float]) -> None:
        last = len(known) - 1
        low, self._middle, high = (
            math.log(max(_SHORTEST, known[round(part * last)])) for part in (0.16, 0.5, 0.84)
        )
        self._sigma = min(WIDEST, max(NARROWEST, 0.5 * (high - low)))
        self._logs = list(_PRIOR)
        self.factor = 1.0

    def missed(self, after: float, age: float) -> None:
        """A test that was not complete at the age ``after`` is not at ``age`` either."""
        before, now = self._alive(after), self._alive(age)
        self._learn([later / max(UNLIKELIEST, sooner) for sooner, later in zip(before, now, strict=True)])

    def seen(self, after: float, by: float) -> None:
        """A test that was not complete at the age ``after``, as was told before, is at ``by``."""
        before, now = self._alive(after), self._alive(by)
        self._learn(
            [(sooner - later) / max(UNLIKELIEST, sooner) for sooner, later in zip(before, now, strict=True)]
        )

    def exact(self, seconds: float, beside: float) -> None:
        """A test of which nothing was told before took ``seconds``, give or take a part ``beside``."""
        self.missed(0.0, (1.0 - beside) * seconds)
        self.seen((1.0 - beside) * seconds, (1.0 + beside) * seconds)

    def _alive(self, age: float) -> list[float]:
        """The chance not to be complete at the age, for each factor."""
        if age <= _SHORTEST:
            return [1.0] * len(_GRID)
        standard = (math.log(age) - self._middle) / (self._sigma * math.sqrt(2.0))
        step = 1.0 / (self._sigma * math.sqrt(2.0))
        return [0.5 * math.erfc(standard - step * value) for value in _GRID]

    def _learn(self, likelihoods: Sequence[float]) -> None:
        self._logs = [
            log + math.log(max(UNLIKELIEST, likelihood))
            for log, likelihood in zip(self._logs, likelihoods, strict=True)
        ]
        best = max(range(len(_GRID)), key=self._logs.__getitem__)
        factor = math.exp(_GRID[best])
        self.factor = 1.0 if 1.0 / SMALLEST < factor < SMALLEST else factor
