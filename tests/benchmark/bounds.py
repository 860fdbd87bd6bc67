"""Lower bounds on the makespan: what no scheduler can beat under the two limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WINDOW = 60.0


def window_start(index: int, *, aligned: bool, phase: float, window: float = WINDOW) -> float:
    """Seconds after the start at which the index-th window (from 0) of a limit can begin at the earliest."""
    if index == 0:
        return 0.0
    first = window - phase if aligned else window
    return first + (index - 1) * window


def courtesy_bound(
    durations: Mapping[str, Sequence[float]], *, at_once: int | None = None, spacing: float = 0.0
) -> float:
    """Seconds. ``durations`` are those of the tests at each place (a host, or an agent).

    Of n tests of which k may be at once somebody does n / k in turn, together no less than the shortest that
    many; n beginnings take n - 1 spacings.
    """
    found = 0.0
    for each in map(sorted, durations.values()):
        spaced = (len(each) - 1) * spacing + each[0]
        k = at_once or len(each)
        found = max(found, spaced, each[-1], sum(each) / k, sum(each[: math.ceil(len(each) / k)]))
    return found


def lower_bound(
    latencies: Sequence[float],
    layers: int,
    *,
    organization: float,
    instant: int,
    aligned: bool,
    phase: float,
    window: float = WINDOW,
) -> float:
    """Seconds. ``latencies`` are those of the tests in the order of their creation.

    The instant bound: test j cannot exist before its window. The organization's bound: one creation and one
    read per layer of every test. ``organization`` is the calls per window that others leave.
    """
    calls = len(latencies) * (1 + layers)
    reads = window_start(math.ceil(calls / organization) - 1, aligned=aligned, phase=phase, window=window)
    creations = max(
        window_start(j // instant, aligned=aligned, phase=phase, window=window) + latency
        for j, latency in enumerate(latencies)
    )
    return max(reads, creations)
