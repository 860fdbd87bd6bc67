"""The circuit breaker: how creations pause, when they are risked again, and what a type in quarantine costs.

Hypothesis decides what is sent, answered and lost. Without any of the rules behind it the machine fails.
"""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.schedule.breaker import (
    LATE,
    LONGEST_PAUSE,
    OPENS_AT,
    QUARANTINE_AFTER,
    QUARANTINED_FOR,
    TIMES,
    Breaker,
    Circuit,
    Quarantine,
)


class Machine(RuleBasedStateMachine):
    """What may go is tried at once: as many creations as the circuit lets through, and probes."""

    breaker_type: type[Breaker] = Breaker

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.breaker = self.breaker_type(Random(0))
        self.sent: dict[str, float] = {}
        self.created = 0
        self.slowest = 0.0
        self.probes = 0  # under way
        self.heard = True  # something was answered since the last ambiguous creation
        self.not_before = 0.0  # what the last pause must be at least

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 5.5, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def try_one(self) -> None:
        circuit = self.breaker.creations(self.now)
        if circuit is Circuit.CLOSED:
            assert self.heard, "a creation went before anything was heard"
            assert self.now >= self.not_before, "a creation went in a pause"
            oldest = min(self.sent.values(), default=self.now)
            limit = max(LATE, TIMES * self.slowest)
            assert self.now - oldest <= limit, "a creation went while one was late"
            key = f"k{self.created}"
            self.created += 1
            self.sent[key] = self.now
            self.breaker.sent(key, self.now)
        elif circuit is Circuit.HALF_OPEN and self.breaker.next_probe() is not None:
            self.breaker.probe_sent()
            self.probes += 1
            assert self.probes == 1, "two probes at once"

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), how=st.sampled_from(["created", "ambiguous", "ambiguous", "refused", "unreached"]))
    def creation_ends(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(list(self.sent)))
        sent = self.sent.pop(key)
        if how == "created":
            # As the breaker forgets slow ones by and by, the longest of all is an upper bound.
            self.slowest = max(self.slowest, self.now - sent)
            self.heard, self.not_before = True, 0.0
            self.breaker.created(key, self.now)
            self.breaker.collected(key)
        elif how == "ambiguous":
            self.heard = False
            if self.breaker.ambiguous(key, self.now):
                self.not_before = self.now + 1.0  # half of the shortest back-off is certain
            self.breaker.ended(key, self.now)
        elif how == "refused":
            self.breaker.ended(key, self.now)
        else:
            self.not_before = self.now + 1.0
            self.breaker.not_sent(key, self.now)

    @rule(good=st.booleans())
    def poll_is_answered(self, good: bool) -> None:
        self.heard = True
        self.breaker.answered(good=good)

    @precondition(lambda self: self.probes)
    @rule(answered=st.booleans())
    def probe_ends(self, answered: bool) -> None:
        if answered:
            self.poll_is_answered(good=True)
        else:
            self.breaker.failed()
        self.breaker.probe_ended(self.now)
        self.probes = 0

    def teardown(self) -> None:
        """Once the API answers again, creations go within the longest pause."""
        for key in list(self.sent):
            self.breaker.ended(key, self.now)
        self.breaker.answered(good=True)
        self.breaker.probe_ended(self.now)
        assert self.breaker.creations(self.now + LONGEST_PAUSE) is Circuit.CLOSED, "it stays open for ever"


SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


def run(machine: type[Machine], examples: int, *, shrink: bool = True) -> None:
    phases = list(Phase) if shrink else [Phase.generate]
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=examples, phases=phases))


def test_nothing_is_risked_before_something_was_heard_nor_in_a_pause_nor_while_one_is_late() -> None:
    run(Machine, 300)


class ForgetsTheAmbiguous(Breaker):
    def creations(self, now: float) -> Circuit:
        circuit = super().creations(now)
        return Circuit.CLOSED if circuit is Circuit.HALF_OPEN else circuit


class ManyProbes(Breaker):
    def probe_sent(self) -> None:
        pass


class NeverLate(Breaker):
    def _late(self, now: float) -> bool:
        return False


class WithoutPauses(Breaker):
    def _wait(self, now: float, seconds: float) -> None:
        pass


class StaysOpen(Breaker):
    def answered(self, *, good: bool) -> None:
        pass


@pytest.mark.parametrize("mutant", [ForgetsTheAmbiguous, ManyProbes, NeverLate, WithoutPauses, StaysOpen])
def test_the_machine_fails_without_the_rule(mutant: type[Breaker]) -> None:
    class Mutant(Machine):
        breaker_type = mutant

    with pytest.raises(AssertionError, match=r"a creation went|two probes|stays open"):
        run(Mutant, 500, shrink=False)


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_pauses_of_incidents_in_a_row_grow_up_to_the_longest_and_one_that_came_resets_them(
    seed: int, incidents: int
) -> None:
    breaker, now, pauses = Breaker(Random(seed)), 0.0, []
    for number in range(incidents):
        breaker.answered(good=True)
        breaker.sent(f"k{number}", now)
        breaker.ambiguous(f"k{number}", now + 0.1)
        pauses.append(breaker.not_before - now - 0.1)
        breaker.ended(f"k{number}", now + 0.1)
        now = breaker.not_before
    for number, pause in enumerate(pauses):
        longest = min(LONGEST_PAUSE, 2.0 ** (number + 1))
        assert 0.5 * longest <= pause + 1e-6 <= longest + 1e-5
    breaker.sent("came", now)
    breaker.created("came", now)
    breaker.sent("lost", now)
    breaker.ambiguous("lost", now + 1.0)
    assert breaker.not_before - now - 1.0 <= 2.0 + 1e-6


def test_five_failures_in_a_row_pause_everybody_once_and_each_further_one_longer() -> None:
    breaker = Breaker(Random(1))
    pauses = []
    for failures in range(1, 12):
        breaker.failed()
        pause = breaker.trip(0.0)
        assert (pause is None) == (failures < OPENS_AT)
        assert breaker.trip(0.0) is None, "one failure opened it twice"
        if pause is not None:
            assert pause.failures == failures
            assert breaker.paused_until == pause.seconds
            pauses.append(pause.seconds)
    assert all(0.5 * wait <= pause <= wait for pause, wait in zip(pauses, (2, 4, 8, 16), strict=False))
    assert max(pauses) <= 30.0


def test_a_refusal_does_not_forget_the_failures_and_a_good_answer_does() -> None:
    breaker = Breaker(Random(1))
    for good in (False, True):
        for _ in range(OPENS_AT - 1):
            breaker.failed()
        breaker.answered(good=good)
        breaker.failed()
        assert (breaker.trip(0.0) is None) == good


def test_a_type_is_in_quarantine_after_incidents_in_a_row_and_leaves_it_by_time_or_by_one_that_came() -> None:
    quarantine = Quarantine()
    for number in range(QUARANTINE_AFTER):
        assert "page-load" not in quarantine
        assert quarantine.ambiguous("page-load", 10.0) == (number + 1 == QUARANTINE_AFTER)
    assert "page-load" in quarantine
    assert not quarantine.expire(math.nextafter(10.0 + QUARANTINED_FOR, 0.0))
    assert quarantine.expire(10.0 + QUARANTINED_FOR)
    assert "page-load" not in quarantine
    assert quarantine.ambiguous("page-load", 200.0), "its incidents are still in a row"
    assert quarantine.created("page-load")
    assert not quarantine.created("page-load")
    assert not quarantine.ambiguous("page-load", 300.0)
