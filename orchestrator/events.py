"""What happens in a run: one frozen value for each fact, the envelope it is told in, and who hears it.

Whoever finds something out tells it once (:class:`Tell`); the journal, the log, the statistics and what
shows a run hear it. A listener of one's own needs nothing but this module: see ``docs/library.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Protocol, TypeAlias

from orchestrator.lifecycle import SpecState
from orchestrator.model import Json


class Waiting(StrEnum):
    """What creations wait for. The values are stored; do not change them."""

    INSTANT_TEST = "instant_test"
    ORGANIZATION = "organization"
    SPACING = "pacer"
    OPEN_TESTS = "wip"
    CIRCUIT = "circuit"
    AMBIGUOUS = "doubt"


# -- a creation -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waited:
    """The run has waited this long so far, seconds in all, when a creation left."""

    reason: Waiting
    seconds: float


@dataclass(frozen=True, slots=True)
class Intended:
    """A creation or a re-run is about to be sent; its test is to have this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Created:
    """The test exists."""

    test_id: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Rerun:
    """The test was run again."""

    test_id: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    """A limit refused the request (429), which goes back to its queue. ``until``: epoch seconds."""

    layer: str | None = None
    budget: Waiting | None = None
    detail: str | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The API refused a creation for good, or we refused to follow a link (``layer``)."""

    detail: str
    status: int | None = None
    layer: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer to a creation was lost: it is ambiguous whether its test exists."""

    error: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A person named the test of an ambiguous creation."""

    test_id: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A person decided not to look for the test of an ambiguous creation any more."""


# -- its answers ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Polled:
    """A page of a layer was read. ``answered`` agents of those ``asked`` have a row in the layer by now.

    ``strangers`` (of agents that were not asked), ``stale`` (of an earlier round) and ``skipped``
    (unreadable) count rows that were left out. ``age`` of the test in seconds; ``empty``: it had no row.
    """

    layer: str
    answered: int
    asked: int
    complete: bool = False
    strangers: int = 0
    stale: int = 0
    skipped: int = 0
    age: float | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A layer, or the hops of one agent in it, could not be read this time."""

    layer: str
    detail: str
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class HopsRead:
    """The hops of one agent in one round are there."""

    agent_id: str
    round_id: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The test, or what was to become one, has its end."""

    state: SpecState


# -- the API as a whole -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CircuitOpened:
    """So many requests failed in a row that everything pauses, for so many seconds."""

    failures: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Probed:
    """After an ambiguous creation something harmless was asked. ``detail``: what came but an answer."""

    answered: bool
    detail: str | None = None


# -- the limits (``budget`` is organization or instant_test) ----------------------------------------------


@dataclass(frozen=True, slots=True)
class WindowProbed:
    """A request asks, besides what it is for, how these windows stand."""

    budgets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndedWindow:
    """What became of the window before: what was left unused, and how many calls were ours."""

    limit: int | None
    unused: int | None
    mine: int


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """An answer came from a new window. ``reset`` epoch seconds, ``others`` calls a window."""

    budget: str
    ended: EndedWindow
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    others: float | None = None


@dataclass(frozen=True, slots=True)
class StaleReading:
    """An answer told of a window that had ended; nothing was learned of it."""

    budget: str


@dataclass(frozen=True, slots=True)
class LimitRefused:
    """A 429, with what was believed. With calls left and nobody else spending it is a defect of ours."""

    budget: str
    had_headers: bool
    believed_free: int
    others: float


@dataclass(frozen=True, slots=True)
class BudgetsPaused:
    """So many refusals in a row named no limit that everything pauses, for so many seconds."""

    seconds: float
    refusals: int


@dataclass(frozen=True, slots=True)
class PermitLost:
    """A request may or may not have been counted; it had gone ``seconds`` ago."""

    instant: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class BudgetReset:
    """What other processes left of the shared budget cannot be read; it begins anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class BudgetRecreated:
    """The shared budget was damaged and is made anew."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class BudgetAlone:
    """The shared budget cannot be had; this process counts for itself."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A stored fact that this version does not know, or cannot read."""

    kind: str
    facts: Mapping[str, Json]


BudgetFact: TypeAlias = (
    WindowProbed
    | WindowOpened
    | StaleReading
    | LimitRefused
    | BudgetsPaused
    | PermitLost
    | BudgetReset
    | BudgetRecreated
    | BudgetAlone
)
RunFact: TypeAlias = (
    Waited
    | Intended
    | Created
    | Rerun
    | Limited
    | Refused
    | Lost
    | Adopted
    | GivenUp
    | Polled
    | PollFailed
    | HopsRead
    | Closed
    | CircuitOpened
    | Probed
)
Fact: TypeAlias = RunFact | BudgetFact | Unknown

# The one name of each fact, in the store and in the log. Names are stored; do not change them.
KINDS: Mapping[type[Fact], str] = {
    Waited: "waited",
    Intended: "intended",
    Created: "created",
    Rerun: "rerun",
    Limited: "limited",
    Refused: "refused",
    Lost: "lost",
    Adopted: "adopted",
    GivenUp: "given_up",
    Polled: "polled",
    PollFailed: "poll_failed",
    HopsRead: "hops_read",
    Closed: "closed",
    CircuitOpened: "circuit_opened",
    Probed: "probed",
    WindowProbed: "budget.probe",
    WindowOpened: "budget.window",
    StaleReading: "budget.stale",
    LimitRefused: "budget.refused",
    BudgetsPaused: "budget.paused",
    PermitLost: "budget.lost",
    BudgetReset: "budget.reset",
    BudgetRecreated: "budget.recreated",
    BudgetAlone: "budget.alone",
}
_NAMES: Mapping[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind)) for kind in (*KINDS, EndedWindow)
}


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with when it was told (epoch seconds), of which run and of which spec.

    What is not of one run (the limits are an organization's) has no ``run``.
    """

    at: float
    run: str | None
    spec: str | None
    fact: Fact


class Listener(Protocol):
    """Hears what happens, in the order in which it happens, on the event loop: it must not wait."""

    def hear(self, event: Event) -> None:
        """Something happened."""


Tell: TypeAlias = Callable[[Fact], None]


def untold(fact: Fact) -> None:
    """Tells nobody."""


def kind_of(fact: Fact) -> str:
    """The name of a fact."""
    return fact.kind if isinstance(fact, Unknown) else KINDS[type(fact)]


def facts_of(fact: object) -> dict[str, object]:
    """What a fact says, by name and without what it leaves open; values are as they are."""
    if isinstance(fact, Unknown):
        return dict(fact.facts)
    found: dict[str, object] = {}
    for name in _NAMES[type(fact)]:
        value = getattr(fact, name)
        if value is not None:
            found[name] = facts_of(value) if type(value) in _NAMES else value
    return found
