"""With no other users, no request of ours is ever refused: whatever the order, the delay and the loss of
answers, the alignment of the windows and our clock. And without any of the rules behind it, one is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from exact_server import Server
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.budget.budget import Budget
from orchestrator.budget.clock import ServerClock
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import Permit
from orchestrator.budget.readings import LimitReading, Limits

TRANSIT = 10.0  # seconds within which a request has been counted or never will be
EXPIRY = 30.0  # seconds after which an answer does not come any more
WINDOW = 60.0  # what the ledger supposes
# What the server's windows may be, too.
LENGTHS = (5.0, 10.0, 30.0, 150.0, 300.0)


@dataclass
class Flight:
    """A request on its way: ``answer`` is set once it has been counted. ``permit`` is gone when given up.

    ``limits_known``: whether any answer had told the limits when it was sent. Before, not even they are
    known: a second probe, sent after the first was lost, may be refused. So may a probe after others were
    lost in a window that is longer than is supposed, as long as no Reset was so far ahead as to show it.
    """

    permit: Permit | None
    instant: bool
    sent: float
    limits_known: bool
    answer: tuple[int, Limits] | None = None


class Model(RuleBasedStateMachine):
    """The real ledger against the exact server; hypothesis decides what happens next."""

    budget: type[Budget] = Budget
    clock: type[ServerClock] = ServerClock
    ledger_type: type[LocalLedger] = LocalLedger
    others = False
    allowed = 0
    length = WINDOW

    @initialize(
        limit=st.integers(2, 6),
        instant_limit=st.integers(2, 4),
        aligned=st.booleans(),
        start=st.floats(0, 120, allow_nan=False),
        offset=st.sampled_from([0.0, 5.0, -5.0, 3600.0, -1.7e9, 0.4]),
    )
    def begin(self, limit: int, instant_limit: int, aligned: bool, start: float, offset: float) -> None:
        self.server = Server(limit, instant_limit, aligned, self.length)
        self.time = 1.7e9 + start  # the server's
        self.offset = offset
        self.flights: list[Flight] = []
        self.spread: dict[int, tuple[float | None, int]] = {}
        self.refused_without_cause = 0
        self.refused = 0
        self.taken_by_others = 0
        self.probes = 0
        self.ledger = self.ledger_type(
            rng=random.Random(0),
            reserve=0.0,
            window=WINDOW,
            expiry=EXPIRY,
            transit=TRANSIT,
            blind_after=10**9,
            budget=self.budget,
            clock=self.clock(),
        )
        # The reserve and the last token kept are politeness; without them the arithmetic has no slack.
        self.ledger.organization.floor = 0

    @property
    def now(self) -> float:
        return self.time + self.offset

    def send(self, instant: bool) -> None:
        permit = self.ledger.try_reserve(self.now, instant=instant)
        if permit is not None:
            self.probes += len(permit.probes)
            asked = [self.ledger.organization, *([self.ledger.instant_test] if instant else [])]
            known = all(budget.state.limit is not None for budget in asked)
            if permit.probes and self.length > WINDOW:
                known = known and all(budget.state.span > WINDOW for budget in asked)
            self.flights.append(Flight(permit, instant, self.time, known))

    def count(self, flight: Flight) -> None:
        flight.answer = self.server.take(self.time, instant=flight.instant)
        if flight.answer[0] == 429:
            self.refused += 1
            self.refused_without_cause += flight.limits_known

    def waiting(self) -> list[Flight]:
        return [flight for flight in self.flights if flight.answer is None]

    def answered(self) -> list[Flight]:
        return [flight for flight in self.flights if flight.permit is not None and flight.answer is not None]

    @rule(instant=st.booleans(), times=st.integers(1, 6))
    def ask(self, instant: bool, times: int) -> None:
        for _ in range(times):
            self.send(instant)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        self.count(data.draw(st.sampled_from(self.waiting())))

    @precondition(lambda self: self.answered())
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self.answer(data.draw(st.sampled_from(self.answered())))

    @precondition(lambda self: self.answered())
    @rule()
    def deliver_all_newest_first(self) -> None:
        self.answer_backwards()

    @precondition(lambda self: self.waiting())
    @rule()
    def arrive_and_answer_all(self) -> None:
        for flight in self.waiting():
            self.count(flight)
        for flight in self.answered():
            self.answer(flight)

    @rule(instant=st.booleans(), pause=st.sampled_from([0.0, 0.0, 1.0]))
    def burst(self, instant: bool, pause: float) -> None:
        """As many as may go, all counted, all answered, the last one first."""
        for _ in range(6):
            self.send(instant)
        for flight in self.waiting():
            self.count(flight)
        self.pass_time(pause)
        self.answer_backwards()

    def answer_backwards(self) -> None:
        for flight in reversed(self.answered()):
            self.answer(flight)

    def answer(self, flight: Flight) -> None:
        assert flight.permit is not None
        assert flight.answer is not None
        status, limits = flight.answer
        self.flights.remove(flight)
        self.ledger.settle(flight.permit, limits, self.now, status=status)

    @precondition(lambda self: self.answered())
    @rule(data=st.data())
    def strip_the_headers_of_an_answer(self, data: st.DataObject) -> None:
        flight = data.draw(st.sampled_from(self.answered()))
        assert flight.answer is not None
        if flight.answer[0] == 200:
            flight.answer = (200, Limits(None, None, None, None))
            self.answer(flight)

    @precondition(lambda self: any(flight.permit is not None for flight in self.flights))
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """The connection breaks; the request may have been counted, may be counted yet, or never."""
        flight = data.draw(st.sampled_from([one for one in self.flights if one.permit is not None]))
        assert flight.permit is not None
        self.ledger.lost(flight.permit, self.now)
        flight.permit = None
        if flight.answer is not None or data.draw(st.booleans()):
            self.flights.remove(flight)

    @precondition(lambda self: any(one.permit is not None for one in self.waiting()))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """The request never left this host."""
        flight = data.draw(st.sampled_from([one for one in self.waiting() if one.permit is not None]))
        assert flight.permit is not None
        self.ledger.release(flight.permit, self.now)
        self.flights.remove(flight)

    @rule(seconds=st.one_of(st.floats(0.01, 3), st.floats(3, 45), st.sampled_from([0.25, 1.0, 59.0, 61.5])))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        end = self.time + seconds
        for flight in sorted(self.waiting(), key=lambda one: one.sent):
            if flight.sent + TRANSIT <= end:
                self.time = max(self.time, flight.sent + TRANSIT)
                self.count(flight)
        self.time = end
        for flight in list(self.flights):
            if flight.permit is None and flight.answer is not None:
                self.flights.remove(flight)
            elif flight.permit is not None and flight.sent + EXPIRY <= end:
                self.ledger.lost(flight.permit, self.now)
                self.flights.remove(flight)

    @rule()
    def wait_for_the_rollover(self) -> None:
        opens = self.ledger.opens_at(self.now, instant=True)
        if self.now < opens < self.now + 2 * max(WINDOW, self.length):
            self.pass_time(opens - self.now + 1e-6)

    @precondition(lambda self: self.others)
    @rule(instant=st.booleans(), times=st.integers(1, 3))
    def others_spend(self, instant: bool, times: int) -> None:
        for _ in range(times):
            before = self.server.organization.taken_by_others
            self.server.taken_by_another(self.time, instant=instant)
            self.taken_by_others += self.server.organization.taken_by_others != before

    @invariant()
    def none_is_refused(self) -> None:
        if self.others:
            assert self.refused <= self.taken_by_others + self.probes
        else:
            refused = self.refused_without_cause > self.allowed
            assert not refused, "a request of ours was refused, and nobody else spends"

    @invariant()
    def remaining_never_rises_within_a_window(self) -> None:
        for budget in (self.ledger.organization, self.ledger.instant_test):
            reset, remaining = self.spread.get(id(budget), (None, 0))
            if budget.state.reset == reset:
                assert budget.state.remaining <= remaining, "remaining rose within a window"
            self.spread[id(budget)] = (budget.state.reset, budget.state.remaining)

    @invariant()
    def tickets_and_reservations_agree(self) -> None:
        permits = {one.permit.id for one in self.flights if one.permit is not None}
        assert set(self.ledger.organization.state.flying) <= permits
        assert set(self.ledger.instant_test.state.flying) <= permits
        probing = self.ledger.organization.state.probing
        assert probing is None or probing in permits, "a probe is out that nobody sent"

    def teardown(self) -> None:
        for flight in list(self.flights):
            if flight.permit is not None:
                self.ledger.lost(flight.permit, self.now)
        for budget in (self.ledger.organization, self.ledger.instant_test):
            assert budget.state.flying == {}
            assert budget.state.probing is None
        self.liveness()

    def liveness(self) -> None:
        """From any state, a quiet server and three windows' time, there is leave to send again."""
        self.pass_time(3 * max(WINDOW, self.length))
        assert self.ledger.opens_at(self.now, instant=True) <= self.now


SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


def run(machine: type[Model], examples: int, *, shrink: bool = True) -> None:
    phases = list(Phase) if shrink else [Phase.generate]
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=examples, phases=phases))


def test_alone_no_request_of_ours_is_ever_refused() -> None:
    run(Model, 1200)


@pytest.mark.parametrize("seconds", LENGTHS)
def test_alone_no_request_is_refused_however_long_the_windows_are(seconds: float) -> None:
    class OfAnotherLength(Model):
        length = seconds
        # A window longer than the documented minute is met once before its length is known: lost or late
        # answers can hide it (a known limit, told in docs/performance.md).
        allowed = 1 if seconds > WINDOW else 0

    run(OfAnotherLength, 250)


def test_with_others_each_refusal_is_explained_by_them_or_by_a_probe() -> None:
    class Crowded(Model):
        others = True

    run(Crowded, 150)


# Each rule taken out. A mutant that survives would mean that the machine proves nothing about its rule.


class WithoutInFlight(Budget):
    """I2"""

    def _debt(self) -> int:
        return len(self.state.limbo)


class LastAnswerWins(Budget):
    """I3"""

    def _merge(self, reading: LimitReading) -> None:
        self.state.remaining = reading.remaining


class FreshWindowBelieved(Budget):
    """I5"""

    def _roll(self) -> None:
        self.state.remaining = self.state.limit or 0
        self.state.reset = (self.state.reset or 0.0) + self.window
        self.state.began = None


class ManyProbes(Budget):
    """I5"""

    def _may_probe(self, now: float) -> bool:
        return True


class WithoutGuard(Budget):
    """I6"""

    def ends_by(self) -> float | None:
        return self.state.reset


class LostIsRefunded(Budget):
    """I8"""

    def _owe(self, certain: float) -> None:
        pass


class NeverAhead(Budget):
    """I14: what names the next window before this one is certainly over is forgotten"""

    def _look_ahead(self, reading: LimitReading) -> None:
        pass


class SpanNotLearned(Budget):
    """I14: windows are believed to be as long as supposed"""

    def _learn_span(self, reading: LimitReading, now: float) -> None:
        pass


class LongResetsAreGarbage(Budget):
    """I9, I14: a Reset farther ahead than two supposed windows is not believed"""

    def _plausible(self, reading: LimitReading, sent: float, now: float) -> bool:
        near = reading.reset <= self.clock.at_most(now) + 2 * self.window
        return near and super()._plausible(reading, sent, now)


class OurOwnClock(ServerClock):
    """I13"""

    def at_least(self, now: float) -> float:
        return now

    def at_most(self, now: float) -> float:
        return now + 1e9

    def when(self, server: float) -> float:
        return server


class ReservesWithoutAsking(LocalLedger):
    """I1: the creation's own budget is not asked"""

    def try_reserve(self, now: float, *, instant: bool, spare: int = 0) -> Permit | None:
        permit = super().try_reserve(now, instant=False, spare=spare)
        if permit is None or not instant:
            return permit
        self.instant_test.reserve(permit.id, now)
        return Permit(permit.id, True, permit.sent, permit.probes)


@pytest.mark.parametrize(
    "mutant",
    [
        WithoutInFlight,
        LastAnswerWins,
        FreshWindowBelieved,
        ManyProbes,
        WithoutGuard,
        LostIsRefunded,
        OurOwnClock,
        ReservesWithoutAsking,
    ],
)
def test_the_machine_fails_without_the_rule(mutant: type) -> None:
    fails_without(mutant, WINDOW)


@pytest.mark.long
@pytest.mark.parametrize(
    ("mutant", "seconds"),
    [(NeverAhead, 10.0), (SpanNotLearned, 150.0), (SpanNotLearned, 300.0), (LongResetsAreGarbage, 300.0)],
)
def test_the_machine_fails_without_the_rule_for_windows_of_another_length(
    mutant: type, seconds: float
) -> None:
    fails_without(mutant, seconds)


def fails_without(mutant: type, seconds: float) -> None:
    class Mutant(Model):
        budget = mutant if issubclass(mutant, Budget) else Budget
        clock = mutant if issubclass(mutant, ServerClock) else ServerClock
        ledger_type = mutant if issubclass(mutant, LocalLedger) else LocalLedger
        length = seconds

    with pytest.raises(AssertionError, match=r"was refused|remaining rose"):
        run(Mutant, 3000, shrink=False)
