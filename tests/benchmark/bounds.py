"""Lower bounds on the makespan: what no scheduler can beat under the two limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

WINDOW = 60.0


def window_start(index: int, *, aligned: bool, phase: float, window: float = WINDOW) -> float:
    """Seconds after the start at which the index-th window (from 0) of a limit can begin at the earliest."""
    if index == 0:
        return 0.0
    first = window - phase if aligned else window
    return first + (index - 1) * window


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
