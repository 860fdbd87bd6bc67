"""How looks and creations share the organization's budget."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.schedule import policy as polling
from orchestrator.schedule.latency import LONGEST_GAP, SHORTEST_GAP


def wasted(risk: float) -> float:
    """Looks that find nothing, per test, under the constant-risk rule."""
    return (1.0 - risk) / risk


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("readable", [60.0, 96.0, 120.0, 154.0, 216.0, 900.0])
def test_while_creating_looks_never_take_what_the_creations_need(readable: float, layers: int) -> None:
    risk = polling.risk_while_creating(readable, 24, layers)
    spare = readable / 24 - 1 - layers
    assert wasted(risk) <= max(spare, wasted(polling.FRUGALEST) + 1e-9)
    assert polling.EAGEREST <= risk <= polling.FRUGALEST


def test_at_the_default_limits_three_layers_cost_less_than_two_looks_each() -> None:
    risk = polling.risk_while_creating(216.0, 24, 3)
    assert (3 + wasted(risk)) / 3 <= 2.0


def test_where_the_organization_binds_looks_are_frugal() -> None:
    assert polling.risk_while_creating(96.0, 24, 3) == polling.FRUGALEST


@given(st.floats(1, 2000), st.integers(0, 500), st.floats(1, 6))
def test_at_the_end_the_last_few_are_looked_at_most_eagerly(
    readable: float, open_tests: int, layers: float
) -> None:
    few, many = (
        polling.risk_at_the_end(readable, 1, layers),
        polling.risk_at_the_end(readable, open_tests, layers),
    )
    assert polling.EAGEREST <= few <= 0.5
    assert few <= many or open_tests <= 1
    gap = polling.longest_gap_at_the_end(readable, open_tests, 60.0)
    assert SHORTEST_GAP <= gap <= LONGEST_GAP


def test_work_in_progress_is_what_two_windows_can_read() -> None:
    assert polling.wip_cap(216.0) == 432.0
    assert polling.wip_cap(0.0) == polling.FEWEST_OPEN
    assert polling.may_create(429, 3, 216.0)
    assert not polling.may_create(430, 3, 216.0)


def test_a_test_with_more_layers_than_the_cap_is_created_alone_instead_of_never() -> None:
    assert polling.may_create(0, 100, 1.0)
    assert not polling.may_create(1, 100, 1.0)


@given(
    left=st.integers(0, 1000),
    free=st.integers(0, 100),
    open_layers=st.integers(0, 2000),
    readable=st.floats(0, 1000),
    layers=st.floats(1, 6),
)
def test_no_token_is_kept_for_a_creation_that_cannot_come(
    left: int, free: int, open_layers: int, readable: float, layers: float
) -> None:
    kept = polling.set_aside(left, free, open_layers, readable, layers)
    assert 0 <= kept <= min(left, free)
    if open_layers >= polling.wip_cap(readable):
        assert kept == 0


def test_creations_hurry_when_a_window_ends_before_its_tokens_do() -> None:
    assert polling.creation_gap(0.5, 24, 60.0) == 0.5
    assert polling.creation_gap(0.5, 24, 4.8) == pytest.approx(0.1)
    assert polling.creation_gap(0.5, 24, -3.0) == 0.0
    assert polling.creation_gap(0.5, 0, 1.0) == 0.5


def test_the_last_creations_of_a_run_are_closer_together() -> None:
    assert polling.creation_gap(0.5, 24, 60.0, last=True) == pytest.approx(0.2)
    assert polling.creation_gap(0.5, 24, 2.4, last=True) == pytest.approx(0.05)


def test_looks_are_as_eager_as_the_tokens_of_the_next_half_minute_allow() -> None:
    def afford(room: float, seconds_left: float, tests: int) -> float:
        return polling.affordable_waste(room, seconds_left, 150.0, tests, 3 * tests, window=60.0)

    assert afford(150.0, 50.0, 10) > afford(80.0, 50.0, 10) > 0.0
    assert afford(40.0, 40.0, 10) == 0.0, "the open layers need all that is left"
    assert afford(40.0, 5.0, 10) > 1.0, "the next window is near"
    risks = [polling.risk_at_the_end(150.0, 20, 3.0, affordable=waste) for waste in (0.0, 1.0, math.inf)]
    assert risks[0] == polling.FRUGALEST
    assert risks[1] == 0.5
    assert risks[2] < 0.4
    assert polling.risk_while_creating(216.0, 24, 3, affordable=0.5) == pytest.approx(1 / 1.5)


@given(
    room=st.floats(-50, 300),
    left=st.floats(-5, 60),
    readable=st.floats(1, 1000),
    tests=st.integers(0, 300),
    layers=st.integers(0, 900),
)
def test_what_looks_may_waste_is_never_negative_and_more_tokens_never_mean_less(
    room: float, left: float, readable: float, tests: int, layers: int
) -> None:
    one = polling.affordable_waste(room, left, readable, tests, layers, window=60.0)
    more = polling.affordable_waste(room + 10.0, left, readable, tests, layers, window=60.0)
    assert 0.0 <= one <= more


def test_a_change_of_policy_only_brings_looks_forward() -> None:
    due = 40.0
    for completion in range(30):  # each completion asks anew, a little later every time
        due = polling.brought_forward(due, 39.0 + completion)
    assert due == 39.0


def test_a_layer_that_lags_is_looked_at_less_and_less_but_always_again() -> None:
    waits = [polling.lagging_poll(looks) for looks in range(12)]
    assert waits == sorted(waits)
    assert waits[0] == 1.5
    assert waits[-1] == 15.0
    assert polling.lagging_poll(10**6) == 15.0
