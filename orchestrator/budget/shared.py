"""Both budgets shared by all processes that talk to the same organization.

The same values as in :mod:`orchestrator.budget.ledger`, loaded, changed and stored in one transaction of a
cell (:mod:`orchestrator.budget.cell`); they are loaded again only when another process has changed them, and
to look at them takes no transaction. Requests are few (four a second), so single requests are reserved, not
blocks: a process that is killed owes only what it had in flight, and gives that back by doing nothing. The
cell may be lost at any time, after which one probe learns everything again. When it cannot be used at all,
this process goes on alone with what the headers tell it.

A reservation is stored before its request leaves. How a request ended may be stored a little later, together
with the next reservation: until then, and if this process is killed, it counts for the others as in flight.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from orchestrator import jsontext
from orchestrator.budget.budget import EXPIRY, TRANSIT
from orchestrator.budget.cell import Cell, CellFailed, Turn
from orchestrator.budget.holders import Holders
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import LedgerView, Permit, Refusals
from orchestrator.events import Fact, Tell, untold
from orchestrator.events.limits import BudgetAlone, BudgetReset

if TYPE_CHECKING:
    from random import Random

    from orchestrator.budget.readings import Limits

FAILURES_IN_A_ROW = 8  # busy or failed transactions until this process goes on alone
# Seconds that the end of a request may wait for the next reservation, and that a look at the cell may be old.
GATHERED = 0.05

T = TypeVar("T")
Change: TypeAlias = Callable[[LocalLedger, Holders], None]


class Timer(Protocol):
    """What :data:`Later` gives."""

    def cancel(self) -> None:
        """Do not call any more."""


# Calls a function after so many seconds, from the thread of the ledger.
Later: TypeAlias = Callable[[float, Callable[[], None]], Timer]


@dataclass(slots=True)
class _Late:
    """A change that the cell does not have yet. ``told``: it was made once, and its facts are known."""

    change: Change
    told: bool = False


def budget_key(origin: str, organization: str) -> str:
    """Which budget a process shares: a hash, so that the cell names neither. Never derived from the token."""
    return hashlib.sha256(f"{origin}\n{organization}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


class SharedLedger:
    """A :class:`~orchestrator.budget.permits.Ledger` over a cell. Real time only, one event loop or thread.

    ``reserve`` and ``instant_reserve`` are those of a :class:`LocalLedger`. ``urgent`` runs go before the
    others, which still get one token in twenty-five. A ``None`` from :meth:`try_reserve` while the budgets
    have room means that another process goes first: ask again after
    :data:`~orchestrator.budget.holders.ASK_AGAIN` seconds. With ``later`` a request costs one transaction:
    its end waits for the next reservation, at most :data:`GATHERED` seconds.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        rng: Random,
        reserve: float = 0.1,
        instant_reserve: float = 0.0,
        window: float = 60.0,
        urgent: bool = False,
        tell: Tell = untold,
        later: Later | None = None,
    ) -> None:
        self._cell, self._tell, self._later = cell, tell, later
        self._rng, self._window = rng, window
        self._reserves = (reserve, instant_reserve)
        self._holder = f"{cell.process}|{rng.getrandbits(32):08x}"
        self._urgent = urgent
        # What the cell held after our last transaction, with what is late and was told.
        self._mirror: tuple[LocalLedger, Holders] | None = None
        self._looked = -math.inf  # when that was last known to be what the cell holds
        self._alone: LocalLedger | None = None
        self._failures = 0
        self._late: list[_Late] = []
        self._timer: Timer | None = None
        self._silent = False
        self._refused = Refusals()

    def _fresh(self, *, peers: bool = False) -> LocalLedger:
        reserve, instant = self._reserves
        return LocalLedger(
            rng=self._rng,
            reserve=reserve,
            instant_reserve=instant,
            window=self._window,
            peers=peers,
            tell=self._heard,
            # A state that begins anew must not take an old one's permits for its own.
            first=self._rng.getrandbits(48),
        )

    def _heard(self, fact: Fact) -> None:
        """A change that is made once more tells nothing new."""
        if not self._silent:
            self._tell(fact)

    def _is_dead(self, holder: str) -> bool:
        """Whether a holder is known to be no more. Of one that runs elsewhere its expiry tells."""
        return holder != self._holder and self._cell.is_dead(holder.rpartition("|")[0])

    # The ledger's face.

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        if self._alone is not None:
            return self._alone.try_reserve(now, instant=instant, spare=spare)

        def reserve(ledger: LocalLedger, holders: Holders) -> Permit | None:
            holders.bury(ledger, now, self._is_dead)
            opens = ledger.opens_at(now, instant=instant, spare=spare)
            holders.wants(self._holder, now, opens, instant=instant, urgent=self._urgent)
            windows = (ledger.organization.state.reset, ledger.instant_test.state.reset)
            if not holders.may_take(self._holder, now, windows, instant=instant):
                return None
            permit = ledger.try_reserve(now, instant=instant, spare=spare)
            if permit is not None:
                holders.took(self._holder, permit)
            return permit

        self._looked = now
        return self._change(reserve, None)

    def stands(self, permit: Permit, now: float) -> bool:
        return now - permit.sent < EXPIRY - TRANSIT

    def settle(self, permit: Permit, limits: Limits, now: float, *, status: int) -> None:
        def settle(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.settle(permit, limits, now, status=status)

        self._surely(settle)

    def lost(self, permit: Permit, now: float) -> None:
        def lose(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.lost(permit, now)

        self._surely(lose)

    def release(self, permit: Permit, now: float) -> None:
        def release(ledger: LocalLedger, holders: Holders) -> None:
            holders.ended(permit)
            ledger.release(permit, now)

        self._surely(release)

    def opens_at(self, now: float, *, instant: bool, spare: int = 0) -> float:
        """As in the ledger, but never ``inf``: another process may have its answer, or die, at any moment."""
        if self._alone is not None:
            return self._alone.opens_at(now, instant=instant, spare=spare)
        opens = self._look(lambda ledger: ledger.opens_at(now, instant=instant, spare=spare), now)
        return now + 1.0 if opens == math.inf else opens

    def view(self, now: float) -> LedgerView:
        return self._look(lambda ledger: ledger.view(now), now)

    def refused(self) -> Refusals:
        return self._refused if self._alone is None else self._refused + self._alone.refused()

    @property
    def shared(self) -> bool:
        """Whether the budgets are shared; ``False`` once this process had to go on alone."""
        return self._alone is None

    def listen(self, wake: Callable[[], None]) -> None:
        """Nobody is woken by another process: who waits asks again."""

    def close(self) -> None:
        """Leave: no more demand of this process. What is in flight stays counted until it expires."""
        self._forget_timer()
        if self._alone is None:
            self._change(lambda _, holders: holders.leave(self._holder), None)
        self._cell.close()

    # What the cell gets later.

    def _surely(self, change: Change) -> None:
        """Do it now, or with the next transaction that succeeds: a reservation must end."""
        if self._alone is not None:
            change(self._alone, Holders())
            return
        self._late.append(_Late(change))
        if self._later is None:
            self._store_late()
        else:
            self._wait_a_little(self._later)

    def _wait_a_little(self, later: Later) -> None:
        def over() -> None:
            self._timer = None
            if self._late:
                self._store_late()
            if self._late:
                self._wait_a_little(later)

        if self._timer is None:
            self._timer = later(GATHERED, over)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _store_late(self) -> None:
        self._change(lambda _ledger, _holders: None, None)

    def _make(self, late: _Late, ledger: LocalLedger, holders: Holders) -> Refusals:
        """Make a change, and tell of it if that is the first time. Returns the refusals that it counted."""
        before, self._silent = ledger.refused(), late.told
        try:
            late.change(ledger, holders)
        finally:
            self._silent = False
        counted = ledger.refused() - before
        if not late.told:
            self._refused += counted
            late.told = True
        return counted

    # One transaction each.

    def _look(self, read: Callable[[LocalLedger], T], now: float) -> T:
        if self._alone is not None:
            return read(self._alone)
        if (known := self._known(now)) is not None:
            return read(known)
        found: list[T] = []
        self._change(lambda ledger, _: found.append(read(ledger)), None)
        return found[0] if found else read(self._fresh())

    def _known(self, now: float) -> LocalLedger | None:
        """The values of our last transaction and what is late, if no other process has changed them since.

        Looking at them may roll a window over, which is a matter of time alone and needs no transaction.
        """
        if self._mirror is None or (self._late and self._later is None):
            return None
        if self._later is None or not 0.0 <= now - self._looked < GATHERED:
            if not self._cell.unchanged():
                return None
            self._looked = now
        for late in self._late:
            if not late.told:
                self._make(late, *self._mirror)
        return self._mirror[0]

    def _change(self, change: Callable[[LocalLedger, Holders], T], busy: T) -> T:
        """The result of ``change`` on the shared values, or ``busy`` when it could not be done now."""
        try:
            with self._cell.transaction() as turn:
                mirror, self._mirror = self._mirror, None  # it gets what the cell may never have
                known = mirror is not None and turn.unchanged
                ledger, holders = mirror if mirror and known else self._read(turn)
                late = list(self._late)
                for each in late:
                    if not (known and each.told):
                        self._make(each, ledger, holders)
                result = change(ledger, holders)
                turn.store(_text(ledger, holders))
        except CellFailed as problem:
            self._failed(problem)
            return busy
        # Only now: a transaction that failed is done again.
        self._mirror = ledger, holders
        del self._late[: len(late)]
        self._failures = 0
        return result

    def _read(self, turn: Turn) -> tuple[LocalLedger, Holders]:
        body, ledger, holders = turn.load(), self._fresh(), Holders()
        if body is None:
            return ledger, holders
        try:
            data: dict[str, Any] = jsontext.read(body)
            ledger.load(data["ledger"])
            holders.load(data["holders"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._tell(BudgetReset("the shared budget cannot be read"))
            return self._fresh(), Holders()
        return ledger, holders

    # When the cell fails.

    def _failed(self, problem: CellFailed) -> None:
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW or not problem.heals:
            self._go_on_alone(problem)

    def _go_on_alone(self, problem: CellFailed) -> None:
        self._tell(BudgetAlone(self._cell.place, str(problem)))
        self._cell.close()
        self._forget_timer()
        self._alone = self._fresh(peers=True)
        for each in self._late:
            counted = self._make(each, self._alone, Holders())
            # It counts the refusals of its own.
            self._refused -= counted
        self._late.clear()


def _text(ledger: LocalLedger, holders: Holders) -> str:
    values = {"ledger": ledger.dump(), "holders": holders.dump()}
    return jsontext.write_finite(values) or jsontext.write(values)
