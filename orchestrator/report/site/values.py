"""What pages are made of that no record holds: budgets as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.records import BudgetSeen


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget at this moment, calls a window. ``free`` is what is left less what is in flight, ``None``
    where nobody has asked since its window ended (``known``); ``seconds_left`` of the window."""

    limit: int | None
    free: int | None
    in_flight: int
    others: float
    reserve: float
    seconds_left: float | None
    known: bool


@dataclass(frozen=True, slots=True)
class Budgets:
    """The budgets of a world. ``now`` is by the name of the budget, ``None`` where no process of this store
    shares them; ``processes`` are those that do. ``seen`` is what ``run`` saw last, ``at`` that time (epoch
    seconds)."""

    origin: str
    account: str | None
    organization: str
    processes: int = 0
    now: Mapping[str, Standing] | None = None
    run: str | None = None
    at: float | None = None
    seen: Mapping[str, BudgetSeen] = field(default_factory=dict)
