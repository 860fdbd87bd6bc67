"""The server's time is known from its answers, whatever our clock says and whatever either clock does."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.budget.clock import ServerClock


def hear(clock: ServerClock, offset: float, sent: float, received: float) -> None:
    """An answer made in the middle of its way by a server whose time is ours plus ``offset``."""
    clock.observe(float(math.floor((sent + received) / 2 + offset)), sent, received)


def test_before_any_answer_nothing_is_certain() -> None:
    clock = ServerClock()
    assert clock.at_least(5.0) == -math.inf
    assert clock.at_most(5.0) == math.inf
    assert clock.when(1e9) == math.inf


@given(
    offset=st.floats(-2e9, 2e9),
    ways=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5)), min_size=1, max_size=40),
)
def test_the_true_time_is_always_within_the_bounds(offset: float, ways: list[tuple[float, float]]) -> None:
    clock, now = ServerClock(), 0.0
    for pause, way in ways:
        now += pause + way
        hear(clock, offset, now - way, now)
        assert clock.at_least(now) <= now + offset + 1e-5
        assert now + offset <= clock.at_most(now) + 1e-5


def test_a_few_dozen_answers_leave_little_more_than_a_network_delay() -> None:
    clock, rng = ServerClock(), random.Random(1)
    for index in range(40):
        sent = index + rng.random()
        hear(clock, 1.7e9, sent, sent + 0.1)
    assert clock.at_most(50.0) - clock.at_least(50.0) < 0.3


def test_a_server_clock_that_steps_back_is_believed_at_once() -> None:
    clock = ServerClock()
    hear(clock, 1000.0, 0.0, 0.1)
    hear(clock, 900.0, 1.0, 1.1)
    assert clock.at_least(2.0) == pytest.approx(902.0, abs=1.2)


def test_a_single_answer_from_the_future_is_not_believed_but_two_are() -> None:
    clock = ServerClock()
    hear(clock, 1000.0, 0.0, 0.1)
    hear(clock, 4600.0, 1.0, 1.1)
    assert clock.at_least(1.2) < 1002, "one wrong Date would end every window"
    hear(clock, 4600.0, 2.0, 2.1)
    assert clock.at_least(3.0) == pytest.approx(4603.0, abs=1.2)


def test_a_wrong_date_between_right_ones_changes_nothing() -> None:
    clock = ServerClock()
    for second in range(10):
        hear(clock, 1000.0 if second != 5 else 9000.0, second, second + 0.1)
    assert 1009 < clock.at_least(10.0) <= 1010


@pytest.mark.parametrize("date", [None, math.nan, math.inf, -math.inf])
def test_an_answer_without_a_usable_date_teaches_nothing(date: float | None) -> None:
    clock = ServerClock()
    clock.observe(date, 0.0, 0.1)
    assert clock.at_least(1.0) == -math.inf


def test_old_bounds_are_forgotten_so_that_a_slewed_clock_is_followed() -> None:
    clock = ServerClock()
    for second in range(1500):
        # The server's clock is slewed back by 0.4 s over the time: too little to contradict one Date.
        hear(clock, 1000.0 - 0.4 * min(1.0, second / 600), second, second + 0.05)
    assert clock.at_least(1500.0) <= 2499.6 + 1e-6


def test_without_any_date_a_reset_bounds_the_time_by_the_length_of_a_window() -> None:
    clock = ServerClock()
    clock.observe_reset(1060.0, 60.0, 9.9, 10.0)
    assert clock.at_least(10.0) == 1000.0
    assert clock.at_most(10.0) == pytest.approx(1061.1)
    clock.observe_reset(1120.0, 60.0, 70.9, 71.0)
    assert clock.at_least(71.0) == pytest.approx(1061.0)


def test_a_date_is_worth_more_than_what_was_guessed_from_resets() -> None:
    clock = ServerClock()
    clock.observe_reset(5060.0, 60.0, 9.9, 10.0)
    hear(clock, 1000.0, 11.0, 11.1)
    clock.observe_reset(5060.0, 60.0, 11.9, 12.0)
    assert clock.at_least(12.0) == pytest.approx(1012.0, abs=1.1)


def test_its_state_can_be_handed_to_another_process() -> None:
    one, other = ServerClock(), ServerClock()
    hear(one, 1000.0, 0.0, 0.1)
    other.restore(one.state())
    assert other.at_least(5.0) == one.at_least(5.0)
    assert other.at_most(5.0) == one.at_most(5.0)
