"""What happens in a run: one frozen value for each fact, the envelope it is told in, and who hears it.

Whoever finds something out tells it once (:class:`Tell`); the journal, the log, the statistics and what
shows a run hear it. A listener of one's own needs nothing but this module: see ``docs/library.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

from orchestrator.events.limits import (
    BudgetAlone,
    BudgetFact,
    BudgetRecreated,
    BudgetReset,
    BudgetsPaused,
    EndedWindow,
    LimitRefused,
    PermitLost,
    StaleReading,
    WindowOpened,
    WindowProbed,
)
from orchestrator.events.promotions import Promoted, PromotionFact, PromotionIntended, PromotionRefused
from orchestrator.events.verdicts import Judged
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
    STORE = "store"
    COURTESY = "courtesy"


class Sending(StrEnum):
    """What a request is for."""

    CREATION = "creation"
    RERUN = "rerun"
    READ = "read"


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


@dataclass(frozen=True, slots=True)
class Opened:
    """It is durable that the test exists; its answers are awaited."""

    test_id: str


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
class HopsChosen:
    """These paths of a test (agent and round, ``3/1795242807``) are worth the read of their hops.

    So many of them are of cells that are ``failing``; the others pass, for comparison.
    """

    paths: tuple[str, ...]
    failing: int = 0

    @classmethod
    def of(cls, rounds: Iterable[tuple[str, int]], failing: int) -> Self:
        """Of agents and rounds."""
        return cls(tuple(f"{agent_id}/{round_id}" for agent_id, round_id in rounds), failing)

    @property
    def rounds(self) -> Iterator[tuple[str, int]]:
        """Agents and rounds."""
        for agent_id, _, round_id in (path.rpartition("/") for path in self.paths):
            yield agent_id, int(round_id)


@dataclass(frozen=True, slots=True)
class HopsRead:
    """The hops of one agent in one round are there."""

    agent_id: str
    round_id: int


@dataclass(frozen=True, slots=True)
class AnswersStored:
    """So many answers are new in the store; of them so many ``errors`` say why nothing was measured."""

    layer: str
    new: int
    errors: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The test, or what was to become one, has its end."""

    state: SpecState


# -- requests ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestSent:
    """A request leaves."""

    what: Sending


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """An answer came, whatever its status, after so many seconds of the run's clock."""

    what: Sending
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No answer will come: nothing was sent, or the answer was lost."""

    what: Sending
    error: str


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


# -- how a run stands -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WaitEnded:
    """Creations have waited for this, for so many seconds since the last such fact."""

    reason: Waiting
    seconds: float


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """One budget as last seen; ``resets_in`` in seconds, ``None`` if not known; ``others`` per window.

    ``blind``: the API has stopped telling of it.
    """

    limit: int | None = None
    remaining: int | None = None
    resets_in: float | None = None
    others: float = 0.0
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands. Counts of tests, but ``answers`` and ``errors``, which count rows of this session.

    ``cells`` are those of the run, and those below by their verdict so far; the others are open.
    ``elapsed`` (of this session) and ``eta_seconds`` are seconds of the run's clock; ``waiting_for`` is what
    the next creation waits for.
    """

    planned: int
    created: int
    open: int
    closed: int
    answers: int
    errors: int
    elapsed: float
    organization: BudgetStanding
    instant_test: BudgetStanding
    eta_seconds: float | None = None
    waiting_for: Waiting | None = None
    cells: int = 0
    passing: int = 0
    warning: int = 0
    failing: int = 0
    partial: int = 0
    no_answer: int = 0
    not_run: int = 0


@dataclass(frozen=True, slots=True)
class Unknown:
    """A stored fact that this version does not know, or cannot read."""

    kind: str
    facts: Mapping[str, Json]


RunFact: TypeAlias = (
    Waited
    | Intended
    | Created
    | Rerun
    | Limited
    | Refused
    | Lost
    | Opened
    | Adopted
    | GivenUp
    | Polled
    | PollFailed
    | HopsChosen
    | HopsRead
    | AnswersStored
    | Judged
    | Closed
    | CircuitOpened
    | Probed
    | WaitEnded
    | Standing
)
RequestFact: TypeAlias = RequestSent | RequestAnswered | RequestFailed
Fact: TypeAlias = RunFact | RequestFact | BudgetFact | PromotionFact | Unknown

# The one name of each fact, in the store and in the log. Names are stored; do not change them.
KINDS: Mapping[type[Fact], str] = {
    Waited: "waited",
    Intended: "intended",
    Created: "created",
    Rerun: "rerun",
    Limited: "limited",
    Refused: "refused",
    Lost: "lost",
    Opened: "opened",
    Adopted: "adopted",
    GivenUp: "given_up",
    Polled: "polled",
    PollFailed: "poll_failed",
    HopsChosen: "hops_chosen",
    HopsRead: "hops_read",
    AnswersStored: "answers_stored",
    Judged: "judged",
    Closed: "closed",
    CircuitOpened: "circuit_opened",
    Probed: "probed",
    WaitEnded: "wait_ended",
    Standing: "standing",
    RequestSent: "request.sent",
    RequestAnswered: "request.answered",
    RequestFailed: "request.failed",
    WindowProbed: "budget.probe",
    WindowOpened: "budget.window",
    StaleReading: "budget.stale",
    LimitRefused: "budget.refused",
    BudgetsPaused: "budget.paused",
    PermitLost: "budget.lost",
    BudgetReset: "budget.reset",
    BudgetRecreated: "budget.recreated",
    BudgetAlone: "budget.alone",
    PromotionIntended: "promotion.intended",
    Promoted: "promotion.created",
    PromotionRefused: "promotion.refused",
}
_NAMES: Mapping[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind)) for kind in (*KINDS, EndedWindow, BudgetStanding)
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
