"""A poll that is worth its call: its price, what that costs in calls, how near to the optimum it comes."""

from __future__ import annotations

import math
import random
from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimum import arrived, optimum

from orchestrator.schedule.latency import LatencyModel, prior
from orchestrator.schedule.worth import Effort, Efforts, overdue_gap, price_of_a_call, worth_polling_at

LATENCIES = st.lists(st.floats(1.0, 200.0), min_size=1, max_size=40).map(sorted)


def expected_wait(known: list[float], age: float, until: float) -> float:
    """Seconds that an answer is expected to have waited at ``until``, by adding up small steps."""
    low = [0.8 * known[0], *known]

    def done(at: float) -> float:
        index = bisect_right(known, at)
        if index == len(known):
            return float(index)
        width = known[index] - low[index]
        return index + (max(0.0, at - low[index]) / width if width > 0 else 0.0)

    steps = 1000
    width = (until - age) / steps
    began = done(age)
    area = sum(done(age + (n + 0.5) * width) - began for n in range(steps)) * width
    return area / (len(known) + 1 - began)


@settings(max_examples=50)
@given(known=LATENCIES, age=st.floats(0.0, 150.0), price=st.floats(0.05, 20.0))
def test_at_the_age_that_is_named_the_expected_wait_is_the_price(
    known: list[float], age: float, price: float
) -> None:
    at = worth_polling_at(known, age, price)
    if math.isinf(at):
        assert age >= known[-1], "nothing more is known only of what is older than everything"
        return
    assert at > age
    assert expected_wait(known, age, at) == pytest.approx(price, rel=0.05, abs=0.02)


@given(known=LATENCIES, age=st.floats(0.0, 250.0), price=st.floats(0.05, 20.0))
def test_a_dearer_call_is_never_made_sooner(known: list[float], age: float, price: float) -> None:
    assert worth_polling_at(known, age, price) <= worth_polling_at(known, age, 2.0 * price) + 1e-9


def test_what_a_test_takes_is_what_the_polls_at_that_price_come_to() -> None:
    rng, world = random.Random(1), random.Random(2)
    model = LatencyModel(
        prior("http-server"), [world.lognormvariate(math.log(30.0), 0.4) for _ in range(400)]
    )
    for price in (0.2, 0.5, 1.0):
        polls = 0
        for _ in range(2000):
            latency, age = rng.lognormvariate(math.log(30.0), 0.4), 0.0
            while age < latency:
                age = model.next_age(age, 0.7, price=price)
                polls += 1
        assert model.effort(0.0, 500.0).polls_at(price) == pytest.approx(polls / 2000, rel=0.2)


def test_polls_by_their_price_delay_hardly_more_than_the_best_that_there_are() -> None:
    rng, world = random.Random(1), random.Random(2)

    def draw(source: random.Random) -> float:
        return min(150.0, max(8.0, source.lognormvariate(math.log(30.0), 0.4))) + source.expovariate(1 / 1.5)

    model = LatencyModel(prior("http-server"), [draw(world) for _ in range(400)])
    polls, delay = 0, 0.0
    for _ in range(3000):
        latency, age = draw(rng), 0.0
        while age < latency:
            age = model.next_age(age, 0.7, price=0.25)
            polls += 1
        delay += age - latency
    best = optimum([arrived(30.0, 0.4, 8.0, 150.0, 1.5)], polls / 3000)
    assert 1.0 <= delay / 3000 / best.delay <= 1.25


def test_the_price_is_such_that_the_calls_are_used_up() -> None:
    efforts = [Effort(0.9, 2.0), Effort(0.5, 1.0), Effort(0.2, 0.4)]
    certain = sum(0.5 * one.done for one in efforts)
    price = price_of_a_call(sum(one.polls for one in efforts), certain, 20.0, least=0.01)
    assert sum(one.polls_at(price) for one in efforts) == pytest.approx(20.0)


# Calls in thousandths: a price over next to none is a number that floats lack.
_CALLS = st.integers(0, 500_000).map(lambda thousandths: thousandths / 1000)


@given(efforts=st.floats(0, 500), certain=_CALLS, calls=_CALLS)
def test_fewer_calls_are_dearer_and_none_left_over_have_no_price(
    efforts: float, certain: float, calls: float
) -> None:
    price = price_of_a_call(efforts, certain, calls, least=0.1)
    assert price >= price_of_a_call(efforts, certain, calls + 10.0, least=0.1) >= 0.1
    assert math.isinf(price) == (calls <= certain)


@given(known=LATENCIES, ages=st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(0, 300)).map(sorted))
def test_effort_grows_with_time_and_no_chance_is_above_one(known: list[float], ages: list[float]) -> None:
    model = LatencyModel(known)
    efforts = Efforts(model.quantile)
    sooner, later = efforts.between(ages[0], ages[1]), efforts.between(ages[0], ages[2])
    assert 0.0 <= sooner.done <= later.done + 1e-9 <= 1.0 + 2e-9
    assert 0.0 <= sooner.polls <= later.polls + 1e-9


def test_a_test_beyond_everything_known_is_polled_in_growing_steps() -> None:
    gaps = [overdue_gap(age, 0.2) for age in (40.0, 80.0, 160.0)]
    assert gaps == sorted(gaps)
    model = LatencyModel(prior("http-server"), [30.0] * 50)
    steps = [model.next_age(age, 0.33, price=0.2) - age for age in (32.0, 60.0, 120.0)]
    assert steps == sorted(steps)
    assert steps[0] < 4.0
