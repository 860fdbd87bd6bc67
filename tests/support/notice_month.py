"""Thirty days of hourly runs: five incidents, flakes, and a site that flaps to the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

RUNS = 720
INCIDENTS = 5
FLAPS_FROM = 420
# The whole of it may cost so many messages: two for each incident, one for the site and one that it flaps.
MOST = 2 * INCIDENTS + 2


@dataclass(frozen=True, slots=True)
class Hour:
    """What is wrong in one run: incidents by number, whether the site is down, cells that flake."""

    number: int
    incidents: frozenset[int]
    site: bool
    flakes: frozenset[int]


def month(seed: int, *, cells: int, flakes: float, runs: int = RUNS) -> Iterator[Hour]:
    """The hours of a month that a seed tells: when each incident begins and how long it lasts, one run to two
    days. Each of ``cells`` flakes with the probability ``flakes``."""
    rng = Random(seed)
    begins = [runs * (2 * n + 1) // (2 * INCIDENTS) + rng.randrange(runs // 24) for n in range(INCIDENTS)]
    lasts = [rng.choice((1, 2, 3, 5, 8, runs // 15)) for _ in range(INCIDENTS)]
    down, left = False, 1
    flaps_from = FLAPS_FROM * runs // RUNS
    for number in range(runs):
        if number >= flaps_from:
            left -= 1
            if left <= 0:
                down = not down
                left = rng.choice((1, 1, 2)) if down else 1
        yield Hour(
            number,
            frozenset(
                n
                for n, (begin, last) in enumerate(zip(begins, lasts, strict=True))
                if begin <= number < begin + last
            ),
            down,
            frozenset(n for n in range(cells) if rng.random() < flakes),
        )


def ended(seed: int, *, runs: int = RUNS) -> set[int]:
    """Incidents that were over before the month was, by two runs."""
    hours = [*month(seed, cells=0, flakes=0.0, runs=runs)]
    return {n for n in range(INCIDENTS) if all(n not in hour.incidents for hour in hours[-2:])}
