"""One turn at the row that all hosts of an organization share: what waits is applied in order, the dead are
buried, permits are granted, the row is stored. Pure; the database does one turn at a time.

The arithmetic is that of :mod:`orchestrator.budget.ledger`, and its time is the database's clock, read once
the row is locked: one clock for all hosts. A reservation is not later than its sending and an end is not
earlier than the answer, so what ``ServerClock`` concludes stays true and only gets wider by the delays.

Several hosts need rules of their own; each carries the failure that it prevents:

M1  A row that is not there was lost with all that it counted (a crash, a failover): a new *era* begins, in
    which nothing is sent for :data:`ERA_PAUSE` seconds. Until then every process has told again what it has
    in flight. A first answer instead of a pause would open the window for those who do not know yet.
M2  A clock that was set back, or forward, makes every stored time wrong: a new era, too.
M3  Nobody sees whether a process of another host lives. One that was not seen for :data:`UNSEEN` seconds is
    buried: what it had in flight is a debt, and its probe does not stop the others.
M4  What was seen of a window that is not over is told to a new era, too (:mod:`orchestrator.budget.memory`):
    the first answer would open a window that others have spent, or a probe would be refused by a full one.
M5  Of a turn whose answer was lost nobody knows whether it is stored. So ends are numbered, and what a
    process does not know to have is released: it never got it, so it never sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator import jsontext
from orchestrator.budget.errands import Brought, Errand, Granted, Held, How, Row
from orchestrator.budget.holders import Holder, Holders
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.memory import Memory
from orchestrator.budget.permits import Permit
from orchestrator.budget.readings import WINDOW
from orchestrator.budget.state import count
from orchestrator.events import Fact
from orchestrator.events.limits import BudgetReset

if TYPE_CHECKING:
    from random import Random

    from orchestrator.budget.errands import Ending, Wish

ERA_PAUSE = 3.0  # seconds
UNSEEN = 15.0  # seconds without a sign until a process is taken for dead
STEPPED = 1.0  # seconds; a clock that goes by is never so far off between two turns
LEAD_LASTS = 60.0  # seconds until what is known of two clocks is too old to be compared


@dataclass(slots=True)
class _Shared:
    """What the row's body holds. ``done``: the last end of each process that is counted."""

    ledger: LocalLedger
    holders: Holders
    done: dict[str, int]
    memory: Memory


class Teller:
    """Takes turns for one process. ``reserve`` and the others are those of a :class:`LocalLedger`.

    ``era_pause`` and ``unseen`` (seconds) are for tests.
    """

    def __init__(
        self,
        *,
        rng: Random,
        reserve: float = 0.1,
        instant_reserve: float = 0.0,
        window: float = WINDOW,
        era_pause: float = ERA_PAUSE,
        unseen: float = UNSEEN,
    ) -> None:
        self._rng, self._window = rng, window
        self._reserves = (reserve, instant_reserve)
        self._era_pause, self._unseen = era_pause, unseen

    def fresh(self, facts: list[Fact] | None = None) -> LocalLedger:
        """A ledger that knows nothing yet; what it tells goes to ``facts``."""
        reserve, instant = self._reserves
        return LocalLedger(
            rng=self._rng,
            reserve=reserve,
            instant_reserve=instant,
            window=self._window,
            tell=_nobody if facts is None else facts.append,
            # A state that begins anew must not take an old one's permits for its own.
            first=self._rng.getrandbits(48),
        )

    def turn(self, errand: Errand, row: Row | None, now: float, received: float) -> Brought:
        """What is to be stored, and what the process gets once it is."""
        facts: list[Fact] = []
        shared, era = self._begin(errand, row, now, received, facts)
        if row is not None and era == row.era:
            now = max(now, row.updated)
        me = shared.holders.all.setdefault(errand.holder, Holder())
        me.seen, me.urgent = now, errand.urgent
        before = shared.ledger.refused()
        mine = {held.permit.id: held for held in errand.held}
        endings = [end for end in errand.endings if end.number > shared.done.get(errand.holder, 0)]
        if era != errand.era:
            mine, endings = self._tell_again(shared, errand, endings, now, received, facts)
        for end in endings:
            _apply(shared, end, now)
            shared.done[errand.holder] = end.number
        shared.memory.heed(shared.ledger, now)
        _release_unknown(shared, errand.holder, mine)
        self._bury(shared, errand.holder, now)
        granted = tuple(grant for wish in errand.wishes for grant in _grant(shared, errand, wish, now))
        if errand.leaving:
            _leave(shared, errand.holder, mine.values(), now)
        stored = Row(era, now, _text(shared))
        refused = shared.ledger.refused() - before
        return Brought(
            stored, now, received, shared.ledger, granted, tuple(mine.values()), tuple(facts), refused
        )

    # Eras.

    def _begin(
        self, errand: Errand, row: Row | None, now: float, received: float, facts: list[Fact]
    ) -> tuple[_Shared, str]:
        """What the row holds, or a new era (M1, M2)."""
        if row is None:
            reason = "the database has none, or has lost it"
        elif now < row.updated - STEPPED or (row.era == errand.era and _stepped(errand, now, received)):
            reason = "the clock of the database was set"
        else:
            try:
                return self._read(row.body, facts), row.era
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                reason = "the shared budget cannot be read"
        facts.append(BudgetReset(reason))
        ledger = self.fresh(facts)
        for budget in (ledger.organization, ledger.instant_test):
            budget.pause(now + self._era_pause)
        return _Shared(ledger, Holders(), {}, Memory()), f"{self._rng.getrandbits(64):016x}"

    def _read(self, body: str, facts: list[Fact]) -> _Shared:
        data: dict[str, Any] = jsontext.read(body)
        ledger, holders = self.fresh(facts), Holders()
        ledger.load(data["ledger"])
        holders.load(data["holders"])
        done = {str(name): count(number) for name, number in dict(data["done"]).items()}
        done = {name: done[name] for name in done if name in holders.all}
        return _Shared(ledger, holders, done, Memory.load(data["memory"]))

    def _tell_again(
        self,
        shared: _Shared,
        errand: Errand,
        endings: list[Ending],
        now: float,
        received: float,
        facts: list[Fact],
    ) -> tuple[dict[int, Held], list[Ending]]:
        """To an era that does not know what this process has in flight. Returns it as this era counts it."""

        def again(held: Held) -> Held:
            # The clock may be another. So long ago, by ours, it was at least this second of the database's.
            sent = min(now, now - (received - held.asked))
            moved = replace(held, permit=replace(held.permit, sent=sent))
            _count(shared, errand.holder, moved.permit, now)
            return moved

        shared.memory.learn(errand.windows, now - received)
        told = len(facts)
        for debt in errand.debts:
            permit = again(debt).permit
            shared.ledger.lost(permit, now)
            shared.holders.ended(permit)
        del facts[told:]  # they were told when they were lost
        endings = [replace(end, held=again(end.held)) for end in endings]
        return {held.permit.id: again(held) for held in errand.held}, endings

    # The others.

    def _bury(self, shared: _Shared, me: str, now: float) -> None:
        """M3. Whoever is not known has left, or was forgotten long ago."""
        known = shared.holders.all

        def dead(name: str) -> bool:
            return name != me and (name not in known or now - known[name].seen > self._unseen)

        shared.holders.bury(shared.ledger, now, dead)


def _nobody(_fact: Fact) -> None:
    """Hears nothing."""


def _stepped(errand: Errand, now: float, received: float) -> bool:
    """M2: whether one of the two clocks went by more than the other since this process last looked."""
    if errand.lead is None:
        return False
    least, most, then = errand.lead
    if received - then > LEAD_LASTS:
        return False
    return now - received > most + STEPPED or now - errand.asked < least - STEPPED


def _count(shared: _Shared, holder: str, permit: Permit, now: float) -> None:
    """Take a request that is under way into an era that began without it. It is nobody's probe."""
    ledger = shared.ledger
    for budget in (ledger.organization, ledger.instant_test)[: 1 + permit.instant]:
        budget.state.flying[permit.id] = now + budget.expiry
    shared.holders.permits[permit.id] = (holder, permit.instant, permit.sent)


def _apply(shared: _Shared, end: Ending, now: float) -> None:
    permit = end.held.permit
    shared.holders.ended(permit)
    if end.how is How.RELEASED:
        shared.ledger.release(permit, now)
    elif end.how is How.SETTLED and end.limits is not None:
        shared.ledger.settle(permit, end.limits, now, status=end.status)
    else:
        shared.ledger.lost(permit, now)


def _release_unknown(shared: _Shared, me: str, mine: dict[int, Held]) -> None:
    """M5."""
    for request, (holder, instant, sent) in list(shared.holders.permits.items()):
        if holder == me and request not in mine:
            permit = Permit(request, instant, sent)
            shared.holders.ended(permit)
            shared.ledger.release(permit, sent)


def _grant(shared: _Shared, errand: Errand, wish: Wish, now: float) -> list[Granted]:
    ledger, holders = shared.ledger, shared.holders
    granted: list[Granted] = []
    opens = ledger.opens_at(now, instant=wish.instant, spare=wish.spare)
    holders.wants(errand.holder, now, opens, instant=wish.instant, urgent=errand.urgent)
    while len(granted) < errand.ahead:
        windows = (ledger.organization.state.reset, ledger.instant_test.state.reset)
        if not holders.may_take(errand.holder, now, windows, instant=wish.instant):
            break
        room = ledger.organization.room(now)
        permit = ledger.try_reserve(now, instant=wish.instant, spare=wish.spare)
        if permit is None:
            break
        holders.took(errand.holder, permit)
        granted.append(Granted(permit) if permit.probes else Granted(permit, room - 1))
    return granted


def _leave(shared: _Shared, me: str, mine: Iterable[Held], now: float) -> None:
    """Nothing of it will be told any more."""
    for held in mine:
        shared.holders.ended(held.permit)
        shared.ledger.lost(held.permit, now)
    shared.holders.leave(me)
    shared.done.pop(me, None)


def _text(shared: _Shared) -> str:
    values = {
        "ledger": shared.ledger.dump(),
        "holders": shared.holders.dump(),
        "done": shared.done,
        "memory": shared.memory.dump(),
    }
    return jsontext.write_finite(values) or jsontext.write(values)
