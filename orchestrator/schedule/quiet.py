"""How long nothing new must come before a layer of an unknown number of rows counts as read. Pure; seconds.

The wait begins when every agent has a row. What is learned, per test type and layer, are the gaps after
which further rows came, and a zero for each wait that brought nothing: where further rows come, the wait is
half as long again as the longest gap; where none ever came, it costs less with every test.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Of a kind that was never seen: a second name server's rows 25 s after the first's are still read.
PRIOR = 40.0
SHORTEST, LONGEST = 8.0, 90.0
HALVED_BY = 4  # waits in vain that halve the prior
MARGIN = 1.5  # of the longest gap seen
REMEMBERED = 40  # newest waits kept per kind
POLLS = 3  # of one quiet time, so that rows that come are seen early
SHORTEST_STEP = 4.0
# A poll due at the very end of a quiet time must not be early by a rounding error.
_AFTER = 0.01


def quiet_time(samples: Sequence[float]) -> float:
    """Seconds to wait after waits that ended like this: the gap after which rows came, or 0 for none."""
    in_vain = sum(sample == 0.0 for sample in samples)
    prior = PRIOR * math.pow(0.5, in_vain / HALVED_BY)
    return min(LONGEST, max(SHORTEST, prior, MARGIN * max(samples, default=0.0)))


@dataclass(slots=True)
class Wait:
    """One layer of one test: every agent has a row, and more may come. Ages of the test.

    ``since`` is when the newest row was first seen, ``brought`` whether any came since the wait began.
    """

    since: float
    brought: bool = False

    def news(self, age: float) -> float:
        """A further row was seen: the quiet time begins anew. Returns the gap."""
        gap = max(0.0, age - self.since)
        self.since, self.brought = max(self.since, age), True
        return gap

    def over(self, age: float, quiet: float) -> bool:
        """Whether a poll of this age, which brought nothing, ends the wait."""
        return age - self.since >= quiet

    def next_age(self, age: float, quiet: float) -> float:
        """When to poll next after a poll of this age."""
        end = self.since + quiet + _AFTER
        return max(age + _AFTER, min(age + max(SHORTEST_STEP, quiet / POLLS), end))


class QuietTimes:
    """What was learned of each kind of layer, from what earlier runs learned on."""

    def __init__(self, learned: Mapping[str, Sequence[float]] | None = None) -> None:
        self._samples: dict[str, deque[float]] = {}
        for kind, samples in (learned or {}).items():
            if kind.startswith(_PREFIX):
                self._samples[kind] = deque((one for one in samples if one >= 0.0), maxlen=REMEMBERED)

    def of(self, test_type: str, layer: str) -> float:
        """Seconds of quiet after which a layer is read."""
        return quiet_time(self._samples.get(_kind(test_type, layer), ()))

    def came(self, test_type: str, layer: str, gap: float) -> None:
        """A further row came after a gap."""
        self._add(test_type, layer, max(gap, _AFTER))

    def in_vain(self, test_type: str, layer: str) -> None:
        """A wait was over and had brought nothing."""
        self._add(test_type, layer, 0.0)

    def _add(self, test_type: str, layer: str, sample: float) -> None:
        kept = self._samples.setdefault(_kind(test_type, layer), deque(maxlen=REMEMBERED))
        kept.append(sample)

    def dump(self) -> dict[str, list[float]]:
        """The samples by kind, oldest first; give them back to the constructor."""
        return {kind: list(samples) for kind, samples in self._samples.items() if samples}


# Kept beside the latencies, which go by the names of test types alone.
_PREFIX = "quiet "


def _kind(test_type: str, layer: str) -> str:
    return f"{_PREFIX}{test_type} {layer}"
