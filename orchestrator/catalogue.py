"""What pages ask of a store, and the values that come back. Times are epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.model import Verdict
from orchestrator.records import RunState

# How many cells have which verdict; ``None`` are open.
Tallied = Mapping[Verdict | None, int]


@dataclass(frozen=True, slots=True)
class Which:
    """Which runs are asked for; what is ``None`` or empty lets all pass.

    ``origin`` and ``account`` are those of :attr:`RunRecord.world`; ``account`` counts only with an
    ``origin``. ``organization`` is the name that runs of several hosts are kept under; a store of one host
    keeps none.
    """

    plan: str | None = None
    states: tuple[RunState, ...] = ()
    origin: str | None = None
    account: str | None = None
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """A plan of which there are runs: how many, and the newest one's id."""

    name: str
    runs: int
    newest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the cells of a run came to: by test block and target in the order of the plan, and by agent id.

    ``names`` are the agents' names by id. Cells that were left out beforehand are not counted.
    """

    run: str
    targets: Mapping[tuple[str, str], Tallied]
    agents: Mapping[str, Tallied]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ScheduleSeen:
    """A plan that is started by the clock. ``when`` is its rule in words or cron's signs, in its time
    zone."""

    name: str
    plan: str
    when: str
    next: float | None
    last_run: str | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    """A run that waits for a worker, or that one carries out: ``owner`` is who, ``since`` when it came."""

    run: str
    plan: str
    organization: str
    state: str
    since: float
    urgent: bool = False
    owner: str | None = None
