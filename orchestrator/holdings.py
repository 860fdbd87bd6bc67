"""What a store holds, as whoever keeps it small needs to know it. Times are epoch seconds, sizes bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.records import RunState, world_of


@dataclass(frozen=True, slots=True)
class RunOutline:
    """A run without its plan's text and its facts. ``raw_pruned``, ``answers_pruned``: when its raw rows, its
    answers were taken away, all of them. ``partial`` as in :class:`orchestrator.records.RunSettings`.
    ``organization``: whose it is in a store that several hosts share."""

    id: str
    plan: str
    started: float
    finished: float | None
    state: RunState
    exit_code: int | None
    parent: str | None
    origin: str
    account: str | None
    simulated: bool
    raw_pruned: float | None = None
    partial: bool = False
    answers_pruned: float | None = None
    organization: str = ""

    @property
    def world(self) -> tuple[str, str | None]:
        """As :attr:`orchestrator.records.RunRecord.world`."""
        return world_of(self.origin, self.account, simulated=self.simulated)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a store is, and how much of it is ``free`` to be used again."""

    bytes: int
    free: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What some runs hold. ``bytes`` is an estimate from a sample of their answers."""

    runs: int = 0
    specs: int = 0
    cells: int = 0
    answers: int = 0
    bytes: int = 0

    def __add__(self, other: Holding) -> Holding:
        return Holding(
            self.runs + other.runs,
            self.specs + other.specs,
            self.cells + other.cells,
            self.answers + other.answers,
            self.bytes + other.bytes,
        )


@dataclass(frozen=True, slots=True)
class PlanHolding:
    """What the runs of one plan hold, with the starts of the oldest and of the newest of them."""

    plan: str
    holds: Holding
    oldest: float
    newest: float


@dataclass(frozen=True, slots=True)
class Holdings:
    """A whole store. ``schema`` is the name of its newest migration. The bytes of ``plans``, the largest
    first, add up to what is used of ``size``."""

    place: str
    engine: str
    schema: str
    size: Size
    plans: tuple[PlanHolding, ...]

    @property
    def total(self) -> Holding:
        """What all plans hold."""
        return sum((one.holds for one in self.plans), Holding())


def by_plan(runs: Sequence[tuple[RunOutline, Holding]], used: int) -> tuple[PlanHolding, ...]:
    """The plans of some runs; ``used`` bytes are shared out among them by what each run was estimated at."""
    weighed = sum(held.bytes for _, held in runs)
    found: dict[str, PlanHolding] = {}
    for run, held in runs:
        share = round(used * held.bytes / weighed) if weighed else 0
        part = Holding(held.runs, held.specs, held.cells, held.answers, share)
        known = found.get(run.plan) or PlanHolding(run.plan, Holding(), run.started, run.started)
        oldest, newest = min(known.oldest, run.started), max(known.newest, run.started)
        found[run.plan] = PlanHolding(run.plan, known.holds + part, oldest, newest)
    return tuple(sorted(found.values(), key=lambda one: (-one.holds.bytes, one.plan)))
