"""Leave to send: the permit for one request, both budgets as they stand, and who keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from orchestrator.budget.readings import WINDOW, Limits


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one request. ``instant``: a creation or a re-run. ``probes``: the windows it asks about.

    ``sent`` is the monotonic second of the reservation, which is not later than the sending.
    """

    id: int
    instant: bool
    sent: float
    probes: tuple[str, ...] = ()


class BudgetView(NamedTuple):
    """One budget as it stands.

    ``remaining`` is what the server last said; ``free`` is less what is in flight and lost, ``room`` less
    what is kept for others too. ``reset`` is epoch seconds. ``others`` (what they spend) and ``reserve``
    (left to them) are tokens per ``window``, the seconds of which are learned.
    """

    limit: int | None
    remaining: int | None
    reset: float | None
    known: bool
    free: int
    room: int
    others: float
    reserve: float
    mine: int
    blind: bool
    in_flight: int
    window: float = WINDOW


class LedgerView(NamedTuple):
    """Both budgets; ``server_time`` is epoch seconds certainly reached, ``-inf`` before any answer."""

    organization: BudgetView
    instant_test: BudgetView
    server_time: float


@dataclass(frozen=True, slots=True)
class Refusals:
    """Own requests that were answered 429, by the limit that was to blame, and those that named none."""

    organization: int = 0
    instant_test: int = 0
    bare: int = 0

    def __add__(self, other: Refusals) -> Refusals:
        return Refusals(
            self.organization + other.organization,
            self.instant_test + other.instant_test,
            self.bare + other.bare,
        )

    def __sub__(self, other: Refusals) -> Refusals:
        return Refusals(
            self.organization - other.organization,
            self.instant_test - other.instant_test,
            self.bare - other.bare,
        )


class Ledger(Protocol):
    """See the module's docstring. ``now`` is monotonic seconds of our clock and never goes back."""

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        """A permit if the budgets allow one request now, else ``None``.

        ``spare`` is how many organization tokens must remain besides the reserve, for requests that are to
        go first. A probe of an unknown window needs neither.
        """

    def stands(self, permit: Permit, now: float) -> bool:
        """Whether the permit, which has not ended, still counts: what waited too long must not be sent."""

    def settle(self, permit: Permit, limits: Limits, now: float, *, status: int) -> None:
        """The request was answered at ``now``."""

    def lost(self, permit: Permit, now: float) -> None:
        """No answer will come: a time-out, a reset, a cancellation after sending."""

    def release(self, permit: Permit, now: float) -> None:
        """The request was certainly never sent."""

    def opens_at(self, now: float, *, instant: bool, spare: int = 0) -> float:
        """When to ask again; ``now`` if there is room, ``inf`` if only an answer of ours can help."""

    def view(self, now: float) -> LedgerView:
        """Both budgets as they stand."""

    def refused(self) -> Refusals:
        """The 429s of this process."""

    def listen(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when there may be a permit sooner than ``opens_at`` said; the last one asked for."""

    def close(self) -> None:
        """No more requests of this process."""
