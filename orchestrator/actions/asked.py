"""What a run is to be held against, and how: said before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.compare.gate import Strictness
from orchestrator.compare.look import MIN_COVER
from orchestrator.report.comparison import Held
from orchestrator.testtypes.norms import Norm

HISTORY = 10
# By itself a report is cheap: so many cells it looks at beside its own, at most.
MOST = 60_000


@dataclass(frozen=True, slots=True)
class Terms:
    """How to compare. ``history`` is how many earlier good runs tell what is normal, the base among them."""

    history: int = HISTORY
    strictness: Strictness = Strictness.NORMAL
    min_cover: float = MIN_COVER
    tolerances: Mapping[str, Norm] = field(default_factory=dict)


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is held against: a ``base`` by its word or name, ``None`` for the last good run, if there is
    one, and only as far as it costs little, with at most so many cells. ``held`` is the run held against it,
    where somebody has done that already."""

    base: str | None = None
    terms: Terms = DEFAULT_TERMS
    most: int = MOST
    held: Held | None = None
