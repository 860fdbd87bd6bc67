"""The values of a comparison: a cell as it was and as it is, and what many cells did together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from orchestrator.insight.values import Group, Phase, Seen
from orchestrator.model import Metric, Verdict


class Which(NamedTuple):
    """What a cell is. Options may change between two runs, so it does not go by its spec's key."""

    test: str
    type: str
    target: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """The traces of a cell in one run, as sets: load balancing makes several of them, in any order.

    ``networks`` are sequences of autonomous systems, equal neighbours folded and silent hops skipped.
    ``hops`` are addresses. ``ends`` is the last hop that answered where the target was not
    reached, else ``None``. ``lengths`` are the numbers of hops of the traces.
    """

    networks: frozenset[tuple[str, ...]] = frozenset()
    hops: frozenset[str] = frozenset()
    ends: str | None = None
    reached: bool | None = None
    lengths: frozenset[int] = frozenset()

    @property
    def known(self) -> bool:
        return bool(self.hops)


NO_ROUTE = Route()


@dataclass(frozen=True, slots=True)
class Sample:
    """A cell in one run. ``numbers`` and ``marks`` go by ``layer.metric``, rows that measured something only.

    Of several rows in one layer ``numbers`` has the worst. ``verdict`` is ``None`` while it is open.
    """

    verdict: Verdict | None
    numbers: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, Metric] = field(default_factory=dict)
    phase: Phase | None = None
    route: Route = NO_ROUTE


class Change(StrEnum):
    """What became of a cell."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    NEW = "new"
    GONE = "gone"
    UNKNOWN = "unknown"


class Why(StrEnum):
    """What a change was seen by."""

    VERDICT = "verdict"
    METRIC = "metric"
    MARK = "mark"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric before and now. ``before`` is the median of the base and its history. ``z`` is in standard
    deviations of the cell's own noise, positive where it got worse; 0 where it is a mark."""

    before: Metric
    after: Metric
    z: float
    change: Change


@dataclass(frozen=True, slots=True)
class Compared:
    """A cell held against its past. ``metrics`` has what changed, ``by`` is the one of them that it is
    called by.

    ``lost``: it answered before, and does not now. ``warned``: it passed and has a warning now.
    """

    which: Which
    change: Change
    why: Why | None = None
    metrics: Mapping[str, Measured] = field(default_factory=dict)
    phase: Phase | None = None
    verdict: Verdict | None = None
    before: Verdict | None = None
    seen: Seen | None = None
    lost: bool = False
    warned: bool = False
    ends: str | None = None
    by: str | None = None

    @property
    def z(self) -> float:
        """How far beyond its noise the metric is that the cell is called by; 0 where it is none."""
        return 0.0 if self.by is None else self.metrics[self.by].z


@dataclass(frozen=True, slots=True)
class Shift:
    """What the cells of a group did together in one metric. ``score`` is how far beyond what such groups do
    by themselves, negative where it got better; ``cells`` moved that way of ``of``. ``by`` is on the scale of
    the metric."""

    group: Group
    metric: str
    before: float
    after: float
    score: float
    cells: int
    of: int
    by: float = 0.0

    @property
    def worse(self) -> bool:
        return self.score > 0
