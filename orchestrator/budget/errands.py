"""What goes between a process and the row that all hosts of an organization share: values only.

Two clocks are in them. ``Permit.sent`` is in seconds of the database's clock, the one clock of all hosts;
``asked`` is in seconds of this host since it was started, those included in which it was suspended
(BOOTTIME).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol, TypeAlias

from orchestrator.budget.permits import Permit, Refusals

if TYPE_CHECKING:
    from orchestrator.budget.ledger import LocalLedger
    from orchestrator.budget.readings import Limits
    from orchestrator.events import Fact


@dataclass(frozen=True, slots=True)
class Row:
    """What the database keeps of one organization. ``updated`` is when it was stored, by its own clock.

    ``era`` names a time without loss: a row that was lost, or whose clock was set back, begins another.
    """

    era: str
    updated: float
    body: str


@dataclass(frozen=True, slots=True)
class Held:
    """A permit that a process has. It was ``asked`` for not later than the row counted it."""

    permit: Permit
    asked: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a process last saw of a limit's window, and when (of its host's clock) that is certainly over."""

    limit: int
    remaining: int
    reset: float
    ends: float


class How(Enum):
    """How a request ended."""

    SETTLED = auto()
    LOST = auto()
    RELEASED = auto()


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a request. The ``number`` counts the ends of one process, so that none is counted twice."""

    number: int
    held: Held
    how: How
    limits: Limits | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that would go if it had a permit; ``spare`` as in a ledger's ``try_reserve``."""

    instant: bool
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Errand:
    """What a process has to tell and to ask. ``asked`` is when it set out; ``era`` is the last that it knows.

    ``held`` are its permits that have not ended, ``debts`` those that were lost and which the server
    may still count, ``windows`` (the organization's, the instant tests') what it last saw: all three are
    told again to an era that does not know them. ``lead`` is what was last known of how far the database's
    clock is ahead of this host's, from and to, and when (of this host's).
    """

    holder: str
    asked: float
    era: str | None = None
    urgent: bool = False
    endings: tuple[Ending, ...] = ()
    held: tuple[Held, ...] = ()
    debts: tuple[Held, ...] = ()
    wishes: tuple[Wish, ...] = ()
    ahead: int = 1
    windows: tuple[Remembered | None, Remembered | None] = (None, None)
    lead: tuple[float, float, float] | None = None
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """A permit to take home. ``spare``: organization tokens that are then left besides the reserve."""

    permit: Permit
    spare: float = math.inf


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of an errand. ``now`` is the database's second of it, ``received`` this host's thereafter.

    ``held`` are those of the errand as the row counts them; ``facts`` are to be told once it is certain.
    """

    row: Row
    now: float
    received: float
    ledger: LocalLedger
    granted: tuple[Granted, ...] = ()
    held: tuple[Held, ...] = ()
    facts: tuple[Fact, ...] = ()
    refused: Refusals = field(default_factory=Refusals)

    def lead(self, errand: Errand) -> tuple[float, float, float]:
        """How far the database's clock is ahead of this host's, from and to, and when that was known."""
        return self.now - self.received, self.now - errand.asked, self.received


# Makes of the row (``None`` where there is none), the database's second and this host's what is to be stored.
Take: TypeAlias = Callable[[Row | None, float, float], Brought]


@dataclass(frozen=True, slots=True)
class Trip:
    """An errand that is stored, and how many seconds the way to the database and back takes."""

    brought: Brought
    round_trip: float = 0.0


class Courier(Protocol):
    """Carries errands to the row of one organization and comes back; one at a time."""

    def go(self, take: Take, back: Callable[[Trip | None], None]) -> None:
        """Set out, and return at once. ``back`` is called later, in the thread that has called this.

        It gets ``None`` where the database could not be reached: nothing that was brought then is of use,
        although it may be stored all the same.
        """

    def last(self, take: Take) -> None:
        """The last way: waits, not for long, until it is done, and lets go."""
