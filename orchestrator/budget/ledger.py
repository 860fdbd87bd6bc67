"""The two budgets of an organization together: what a request needs is reserved in both or in none.

Every request that goes out has a :class:`Permit`, and every permit ends in exactly one of ``settle`` (it was
answered, whatever the status), ``lost`` (it may have been taken) or ``release`` (it certainly never left this
host). Call the latter two in a ``finally``, so that a cancellation cannot leak a reservation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.budget.budget import BLIND_AFTER, EXPIRY, TRANSIT, Budget
from orchestrator.budget.clock import ClockState, ServerClock
from orchestrator.budget.permits import LedgerView, Permit, Refusals
from orchestrator.budget.readings import WINDOW
from orchestrator.budget.state import count
from orchestrator.budget.windows import Heard
from orchestrator.events import (
    Tell,
    untold,
)
from orchestrator.events.limits import (
    BudgetsPaused,
    EndedWindow,
    LimitRefused,
    PermitLost,
    StaleReading,
    WindowOpened,
    WindowProbed,
)

if TYPE_CHECKING:
    from random import Random

    from orchestrator.budget.readings import LimitReading, Limits

BARE_IN_A_ROW = 3  # 429s without headers and without a success between them: not one of our limits any more
BARE_PAUSE = 60.0  # seconds, doubled with each further one
LONGEST_BARE_PAUSE = 600.0
LONGEST_RETRY_AFTER = 900.0  # seconds; more is taken for garbage
PEER_JITTER = 0.5  # seconds; spreads the probes of processes that do not share a ledger


class LocalLedger:
    """Both budgets in memory.

    ``reserve`` is the part of the organization's window always left to its other tools; of the instant-test
    window only what others are seen to spend is left, unless ``instant_reserve`` says otherwise: creations
    are the scarce call, and kept tokens would delay the last creations of a plan. ``peers``: other processes
    that do not share this ledger are known, so probes are spread (``rng``). ``tell`` hears what is of note.
    """

    def __init__(
        self,
        *,
        reserve: float = 0.1,
        instant_reserve: float = 0.0,
        rng: Random,
        peers: bool = False,
        window: float = WINDOW,
        expiry: float = EXPIRY,
        transit: float = TRANSIT,
        blind_after: int = BLIND_AFTER,
        tell: Tell = untold,
        budget: type[Budget] = Budget,
        clock: ServerClock | None = None,
        first: int = 1,
    ) -> None:
        self.clock = ServerClock() if clock is None else clock
        self._window, self._rng, self._tell, self.peers = window, rng, tell, peers
        self._expiry, self._transit = expiry, transit
        self.organization = budget(
            self.clock,
            window=window,
            share=reserve,
            floor=1,
            expiry=expiry,
            transit=transit,
            blind_after=blind_after,
        )
        self.instant_test = budget(
            self.clock,
            window=window,
            share=instant_reserve,
            floor=0,
            expiry=expiry,
            transit=transit,
            blind_after=blind_after,
        )
        self._next = first
        self._bare = 0
        self._refused = Refusals()

    # Before sending.

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        if self.organization.room(now, spare) < 1:
            return None
        if instant and self.instant_test.room(now) < 1:
            return None
        request = self._next
        self._next += 1
        probes = tuple(name for name, budget in self._of(instant) if budget.reserve(request, now))
        if probes:
            self._tell(WindowProbed(probes))
        return Permit(request, instant, now, probes)

    def opens_at(self, now: float, *, instant: bool, spare: int = 0) -> float:
        opens = self.organization.opens_at(now, spare)
        return max(opens, self.instant_test.opens_at(now)) if instant else opens

    def _of(self, instant: bool) -> tuple[tuple[str, Budget], ...]:
        pair = (("organization", self.organization), ("instant_test", self.instant_test))
        return pair if instant else pair[:1]

    def stands(self, permit: Permit, now: float) -> bool:
        return now - permit.sent < self._expiry - self._transit

    # After sending.

    def settle(self, permit: Permit, limits: Limits, now: float, *, status: int) -> None:
        self._learn_the_time(permit, limits, now)
        refused = status == 429
        blamed = self._blamed(permit, limits)
        for name, budget in self._of(permit.instant):
            reading = limits.organization if name == "organization" else limits.instant_test
            believed = budget.free(now)
            heard = self._hear(name, budget, permit, reading, now, status)
            pause = limits.organization_pause if name == "organization" else limits.instant_test_pause
            if heard is Heard.NOTHING and pause is not None:
                budget.pause(now + min(LONGEST_RETRY_AFTER, pause))
            if refused and name == blamed:
                budget.refuse(heard, now)
                self._count_refusal(name, budget, heard is Heard.NOTHING, believed)
        if refused:
            self._heed(blamed, limits, now)
        elif status < 400:
            self._bare = 0

    def _learn_the_time(self, permit: Permit, limits: Limits, now: float) -> None:
        self.clock.observe(limits.date, permit.sent, now)
        if limits.date is None:
            for reading in (limits.organization, limits.instant_test):
                if reading is not None:
                    self.clock.observe_reset(reading.reset, self._window, permit.sent, now)

    def _hear(
        self, name: str, budget: Budget, permit: Permit, reading: LimitReading | None, now: float, status: int
    ) -> Heard:
        before = budget.state
        ended = EndedWindow(before.mine, before.limit, before.remaining)
        heard = budget.settle(permit.id, reading, sent=permit.sent, now=now, status=status)
        state = budget.state
        if heard is Heard.NEW_WINDOW:
            state.jitter = self._rng.uniform(0.0, PEER_JITTER) if self.peers else 0.0
            self._tell(
                WindowOpened(name, ended, state.limit, state.remaining, state.reset, others=state.others)
            )
        elif heard is Heard.OLD_WINDOW:
            self._tell(StaleReading(name))
        return heard

    def _blamed(self, permit: Permit, limits: Limits) -> str:
        """Which limit a 429 is about: the one with nothing left, else the scarcer that was asked."""
        if limits.organization is not None and limits.organization.remaining == 0:
            return "organization"
        return "instant_test" if permit.instant else "organization"

    def _count_refusal(self, name: str, budget: Budget, bare: bool, believed: int) -> None:
        counts = asdict(self._refused)
        counts["bare" if bare else name] += 1
        self._refused = Refusals(**counts)
        others = budget.state.others or 0.0
        # With tokens believed free and nobody else spending, a refusal contradicts the theory: a defect.
        self._tell(LimitRefused(name, had_headers=not bare, believed_free=believed, others=others))

    def _heed(self, blamed: str, limits: Limits, now: float) -> None:
        """Retry-After, and refusals that no limit of ours explains."""
        budget = self.organization if blamed == "organization" else self.instant_test
        if limits.retry_after is not None and math.isfinite(limits.retry_after):
            budget.pause(now + min(LONGEST_RETRY_AFTER, max(0.0, limits.retry_after)))
        if limits.organization is not None or limits.instant_test is not None:
            self._bare = 0
            return
        self._bare += 1
        if self._bare >= BARE_IN_A_ROW:
            pause = min(LONGEST_BARE_PAUSE, BARE_PAUSE * 2.0 ** (self._bare - BARE_IN_A_ROW))
            pause *= self._rng.uniform(1.0, 1.25)
            for _, each in self._of(True):
                each.pause(now + pause)
            self._tell(BudgetsPaused(pause, self._bare))

    def lost(self, permit: Permit, now: float) -> None:
        for _, budget in self._of(permit.instant):
            budget.lost(permit.id, now, permit.sent)
        self._tell(PermitLost(permit.instant, now - permit.sent))

    def release(self, permit: Permit, now: float) -> None:
        for _, budget in self._of(permit.instant):
            budget.release(permit.id)

    # To look at.

    def owes(self, *, instant: bool) -> bool:
        """Whether a lost request of this kind may be counted still, by a window that is not over."""
        return any(budget.state.limbo for _, budget in self._of(instant))

    def view(self, now: float) -> LedgerView:
        return LedgerView(self.organization.view(now), self.instant_test.view(now), self.clock.at_least(now))

    def refused(self) -> Refusals:
        return self._refused

    def listen(self, wake: Callable[[], None]) -> None:
        """Nobody else spends: ``opens_at`` has told the time."""

    def close(self) -> None:
        """Nothing to give back: a permit's end is its own."""

    # Kept outside the process.

    def dump(self) -> dict[str, Any]:
        """What all processes of an organization have in common, as JSON values."""
        return {
            "clock": self.clock.state().dump(),
            "organization": self.organization.dump(),
            "instant_test": self.instant_test.dump(),
            "next": self._next,
            "bare": self._bare,
        }

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what :meth:`dump` gave. Raises ``ValueError``, ``KeyError`` or ``TypeError``."""
        self.clock.restore(ClockState.load(data["clock"]))
        self.organization.load(data["organization"])
        self.instant_test.load(data["instant_test"])
        self._next, self._bare = count(data["next"]), count(data["bare"])
