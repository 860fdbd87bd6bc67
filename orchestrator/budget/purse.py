"""Both budgets shared by processes of several hosts, over a database: permits that lie ready in this process.

A ledger must answer at once, because a request is chosen and reserved in one step; a database cannot. So what
is wanted is noted as a wish, and a courier carries it, with all that has ended meanwhile, to the row that all
hosts share (:mod:`orchestrator.budget.teller`), and brings permits. They lie in a purse for at most
:data:`FRESH` seconds from before they were asked for, then they are given back. When a permit has come,
``listen``'s function is called.

While the database cannot be reached there are no permits: requests in flight end as they do, and their ends
are kept and told later, but nothing new is sent. To go on alone would spend what other hosts spend too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.budget.budget import TRANSIT, Budget
from orchestrator.budget.errands import Courier, Ending, Errand, Held, How, Remembered, Trip, Wish
from orchestrator.budget.holders import ASK_AGAIN
from orchestrator.budget.permits import BudgetView, LedgerView, Permit, Refusals
from orchestrator.budget.teller import ERA_PAUSE, Teller
from orchestrator.budget.windows import TICK
from orchestrator.events import Tell, untold

if TYPE_CHECKING:
    from orchestrator.budget.errands import Brought
    from orchestrator.budget.ledger import LocalLedger
    from orchestrator.budget.readings import Limits
    from orchestrator.budget.shared import Later, Timer

FRESH = 2.0  # seconds that a permit may lie
# Seconds between two signs of life while something is in flight, or a window is known that a new era, which
# none but us may know of, is to be told in its pause.
SHOWN_EVERY = 1.0
STANDS = ERA_PAUSE - 0.5  # seconds since the last sign of life in which no era can have gone on without us
WISHED_FOR = 1.5  # seconds that a wish lasts
GATHERED = 0.05  # seconds that the end of a request may wait for company
PROBE_AGAIN = 0.1  # seconds until to look whether another process' probe was answered
LONGEST_WAIT = 1.0  # seconds until a wish is told again, whatever is known of the windows
FAR = 0.02  # seconds of a round trip from which on several permits are fetched at once
AHEAD_FAR = 4
BACK_OFF, LONGEST_BACK_OFF = 0.1, 0.5  # seconds; a process must be back before an era's pause is over


@dataclass(slots=True)
class _Lying:
    held: Held
    spare: float


@dataclass(slots=True)
class _Wished:
    wish: Wish
    until: float  # of this host's monotonic clock
    denied_until: float = -math.inf


@dataclass(slots=True)
class _Known:
    """What the last turn has shown; ``lead``: the database's second less ours, at least."""

    brought: Brought
    errand: Errand
    lead: float

    @property
    def ledger(self) -> LocalLedger:
        return self.brought.ledger

    def windows(self, boot: float) -> tuple[Remembered | None, Remembered | None]:
        """What was seen of the windows, with the latest second of this host's clock at which each is over."""
        ledger, brought = self.ledger, self.brought
        return (
            _remembered(ledger.organization, brought, boot),
            _remembered(ledger.instant_test, brought, boot),
        )


@dataclass(slots=True)
class _Way:
    """The errands of this process: what is under way, and when the next one sets out."""

    under: Errand | None = None
    tell_by: float = math.inf  # when what has ended is told at the latest
    failures: int = 0
    not_before: float = -math.inf
    quickest: list[float] = field(default_factory=list)


class PurseLedger:
    """A :class:`~orchestrator.budget.permits.Ledger` over a row that several hosts share. One thread only.

    ``now`` is the monotonic clock that every method is asked with; ``boot`` goes on while the host sleeps.
    ``holder`` tells apart all who share the row; ``urgent`` as in a ``SharedLedger``. ``unit`` is how many
    seconds of all clocks (also the database's) a second of life is, in a world that is faster.
    """

    def __init__(
        self,
        teller: Teller,
        courier: Courier,
        *,
        holder: str,
        now: Callable[[], float],
        boot: Callable[[], float],
        later: Later,
        urgent: bool = False,
        tell: Tell = untold,
        unit: float = 1.0,
    ) -> None:
        self._unit = unit
        self._teller, self._courier = teller, courier
        self._now, self._boot, self._later = now, boot, later
        self._holder, self._urgent, self._tell = holder, urgent, tell
        self._lying: list[_Lying] = []
        self._flying: dict[int, Held] = {}
        self._wished: dict[bool, _Wished] = {}
        self._endings: list[Ending] = []
        self._debts: list[Held] = []
        self._last_ending = 0
        self._known: _Known | None = None
        self._way = _Way()
        self._timer: Timer | None = None
        self._wake: Callable[[], None] = _nobody
        self._refused = Refusals()
        self._seen: tuple[Remembered | None, Remembered | None] = (None, None)
        self._closed = False
        self.eras = 0

    # The ledger's face.

    def listen(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        self._give_back_old(now)
        boot = self._boot()
        for lying in self._lying:
            held = lying.held
            if held.permit.instant == instant and lying.spare >= spare:
                self._lying.remove(lying)
                self._flying[held.permit.id] = held
                return replace(held.permit, sent=now - (boot - held.asked))
        self._wish(Wish(instant, spare), now)
        return None

    def _wish(self, wish: Wish, now: float) -> None:
        known = self._wished.get(wish.instant)
        if known is None or known.until <= now:
            self._wished[wish.instant] = _Wished(wish, now + self._unit * WISHED_FOR)
        else:
            if wish.spare < known.wish.spare:
                known.wish, known.denied_until = wish, -math.inf
            known.until = now + self._unit * WISHED_FOR
        self._plan(now)

    def settle(self, permit: Permit, limits: Limits, now: float, *, status: int) -> None:
        # What it tells of a window that nobody knew, or of one that is full, others are waiting for.
        soon = bool(permit.probes) or status == 429
        self._ends(permit, How.SETTLED, now, limits, status, wait=0.0 if soon else GATHERED)

    def lost(self, permit: Permit, now: float) -> None:
        self._ends(permit, How.LOST, now)

    def release(self, permit: Permit, now: float) -> None:
        self._ends(permit, How.RELEASED, now)

    def stands(self, permit: Permit, now: float) -> bool:
        held = self._flying.get(permit.id)
        if held is None or self._known is None:
            return False
        return self._boot() - self._known.errand.asked <= self._unit * STANDS

    def opens_at(self, now: float, *, instant: bool, spare: int = 0) -> float:
        """As in the ledger, but never ``inf``: another process may have its answer, or die, at any moment."""
        if any(lying.held.permit.instant == instant and lying.spare >= spare for lying in self._lying):
            return now
        if self._known is None:
            return now + ASK_AGAIN
        there = self._known.ledger.opens_at(self._there(now), instant=instant, spare=spare)
        opens = max(now, there - self._known.lead)
        return now + self._unit * LONGEST_WAIT if math.isinf(opens) else opens

    def view(self, now: float) -> LedgerView:
        """As the last turn left it. Permits that lie in the purse are this process' to spend."""
        if self._known is None:
            return self._teller.fresh().view(now)
        seen = self._known.ledger.view(self._there(now))
        creations = sum(lying.held.permit.instant for lying in self._lying)
        return LedgerView(
            _with(seen.organization, len(self._lying)), _with(seen.instant_test, creations), seen.server_time
        )

    def refused(self) -> Refusals:
        return self._refused

    def close(self) -> None:
        """Leave. What has not ended by now counts as lost; what lies in the purse is given back."""
        if self._closed:
            return
        self._closed = True
        self._forget_timer()
        for lying in self._lying:
            self._end(lying.held, How.RELEASED, -math.inf)
        self._lying.clear()
        self._wished.clear()
        self._courier.last(partial(self._teller.turn, replace(self._errand(), leaving=True)))

    # What has ended.

    def _ends(
        self,
        permit: Permit,
        how: How,
        now: float,
        limits: Limits | None = None,
        status: int = 0,
        wait: float = GATHERED,
    ) -> None:
        held = self._flying.pop(permit.id, None)
        if held is None:
            return  # it has ended before
        self._end(held, how, now + self._unit * wait, limits, status)
        self._plan(now)

    def _end(
        self, held: Held, how: How, tell_by: float, limits: Limits | None = None, status: int = 0
    ) -> None:
        self._last_ending += 1
        self._endings.append(Ending(self._last_ending, held, how, limits, status))
        self._way.tell_by = min(self._way.tell_by, tell_by)
        if how is How.LOST:
            self._debts.append(held)

    def _give_back_old(self, now: float) -> None:
        """A permit must not lie: its window may be over, and others wait."""
        boot = self._boot()
        for lying in [lying for lying in self._lying if boot - lying.held.asked >= self._unit * FRESH]:
            self._lying.remove(lying)
            self._end(lying.held, How.RELEASED, now + self._unit * GATHERED)

    # When to set out.

    def _plan(self, now: float) -> None:
        """Set out now if there is reason to, else see to it that somebody does when there is."""
        if self._closed or self._way.under is not None:
            return
        wait = max(self._wait(now), self._way.not_before - now)
        if wait <= 0.0:
            self._set_out(now)
        elif math.isfinite(wait):
            self._forget_timer()
            # Who wakes a hair too early would spin.
            self._timer = self._later(wait / self._unit + TICK, self._timer_over)

    def _wait(self, now: float) -> float:
        """Seconds until the next errand is due."""
        boot, due = self._boot(), self._way.tell_by - now
        if self._known is not None and (
            self._flying or self._lying or any(one is not None and one.ends > boot for one in self._seen)
        ):
            due = min(due, self._known.errand.asked + self._unit * SHOWN_EVERY - boot)
        for lying in self._lying:
            due = min(due, lying.held.asked + self._unit * FRESH - boot)
        for kind, wished in list(self._wished.items()):
            if wished.until <= now:
                del self._wished[kind]
            else:
                due = min(due, wished.denied_until - now)
        return due

    def _timer_over(self) -> None:
        self._timer = None
        now = self._now()
        self._give_back_old(now)
        self._plan(now)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _set_out(self, now: float) -> None:
        self._forget_timer()
        self._give_back_old(now)
        self._way.under, self._way.tell_by = self._errand(), math.inf
        self._courier.go(partial(self._teller.turn, self._way.under), self._back)

    def _errand(self) -> Errand:
        boot = self._boot()
        ended = {end.held.permit.id for end in self._endings}
        known = self._known
        return Errand(
            holder=self._holder,
            asked=boot,
            era=None if known is None else known.brought.row.era,
            urgent=self._urgent,
            endings=tuple(self._endings),
            held=(*self._flying.values(), *(lying.held for lying in self._lying)),
            debts=tuple(held for held in self._debts if held.permit.id not in ended),
            wishes=tuple(wished.wish for wished in self._wished.values()),
            ahead=AHEAD_FAR if self._way.quickest and min(self._way.quickest) > FAR else 1,
            windows=self._seen,
            lead=None if known is None else known.brought.lead(known.errand),
        )

    # What comes back.

    def _back(self, trip: Trip | None) -> None:
        errand, self._way.under = self._way.under, None
        if errand is None or self._closed:
            return
        now = self._now()
        if trip is None:
            pause = self._unit * min(LONGEST_BACK_OFF, BACK_OFF * 2.0**self._way.failures)
            self._way.failures = min(self._way.failures + 1, 8)
            self._way.not_before = now + pause
            self._way.tell_by = now if self._endings else math.inf
            self._plan(now)
            return
        self._way.failures = 0
        self._way.quickest = [*self._way.quickest[-7:], trip.round_trip]
        self._take_in(errand, trip.brought, now)
        self._plan(now)

    def _take_in(self, errand: Errand, brought: Brought, now: float) -> None:
        before, self._known = self._known, _Known(brought, errand, brought.now - now)
        if before is None or before.brought.row.era != brought.row.era:
            self.eras += 1
            self._replace_held(brought)
        counted = {end.number for end in errand.endings}
        self._endings = [end for end in self._endings if end.number not in counted]
        self._forget_debts(brought)
        # A window that this era does not know yet may have been seen in the one before.
        boot = self._boot()
        self._seen = tuple(  # type: ignore[assignment] # two stay two
            new or (old if old is not None and old.ends > boot else None)
            for new, old in zip(self._known.windows(boot), self._seen, strict=True)
        )
        self._refused += brought.refused
        for fact in brought.facts:
            self._tell(fact)
        self._put_in(errand, brought, now)
        if brought.granted or before is None or _windows(before.brought) != _windows(brought):
            self._wake()

    def _forget_debts(self, brought: Brought) -> None:
        """Those that an answer has included since, or whose window is over. Any other may have filled one."""
        ledger, boot = brought.ledger, self._boot()
        longest = max(ledger.organization.forgiven_after(), ledger.instant_test.forgiven_after())
        untold = {end.held.permit.id for end in self._endings}
        self._debts = [
            held
            for held in self._debts
            if boot - held.asked < TRANSIT + self._unit * ERA_PAUSE + longest
            and (held.permit.id in untold or ledger.owes(instant=held.permit.instant))
        ]

    def _replace_held(self, brought: Brought) -> None:
        """In a new era the same permits, by its clock."""
        moved = {held.permit.id: held for held in brought.held}
        self._flying = {request: moved.get(request, held) for request, held in self._flying.items()}
        for lying in self._lying:
            lying.held = moved.get(lying.held.permit.id, lying.held)
        self._endings = [replace(end, held=moved.get(end.held.permit.id, end.held)) for end in self._endings]

    def _put_in(self, errand: Errand, brought: Brought, now: float) -> None:
        for grant in brought.granted:
            self._lying.append(_Lying(Held(grant.permit, errand.asked), grant.spare))
        kinds = {grant.permit.instant for grant in brought.granted}
        for wish in errand.wishes:
            wished = self._wished.get(wish.instant)
            if wished is None:
                continue
            if wish.instant in kinds:
                del self._wished[wish.instant]
            elif wished.wish == wish:
                wished.denied_until = now + self._denied_for(brought, wish)
        self._give_back_old(now)

    def _denied_for(self, brought: Brought, wish: Wish) -> float:
        """Seconds until it is worth asking again."""
        opens = brought.ledger.opens_at(brought.now, instant=wish.instant, spare=wish.spare) - brought.now
        if math.isinf(opens):
            return self._unit * PROBE_AGAIN
        # With room there are others whose turn it is.
        return min(self._unit * LONGEST_WAIT, opens) if opens > 0.0 else self._unit * ASK_AGAIN / 2

    def _there(self, now: float) -> float:
        """The database's second that is certainly reached at our ``now``."""
        if self._known is None:
            return now
        return max(self._known.brought.now, now + self._known.lead)


def _remembered(budget: Budget, brought: Brought, boot: float) -> Remembered | None:
    """What a mirror knows of one window. Seconds of the database are not shorter than this host's."""
    state, end = budget.state, budget.ends_by()
    if not state.known or state.limit is None or state.reset is None or end is None:
        return None
    over = brought.received + budget.clock.when(end) - brought.now
    if not boot < over < math.inf:
        return None
    return Remembered(state.limit, state.remaining, state.reset, over)


def _nobody() -> None:
    """Nobody waits for permits."""


def _with(view: BudgetView, lying: int) -> BudgetView:
    return view._replace(free=view.free + lying, room=view.room + lying) if lying else view


def _windows(brought: Brought) -> tuple[object, ...]:
    ledger = brought.ledger
    return tuple(
        (budget.state.known, budget.state.reset) for budget in (ledger.organization, ledger.instant_test)
    )
