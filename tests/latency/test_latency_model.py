"""When to look: what is learned, what is wasted, and that nothing waits for ever."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.schedule.latency import (
    ENOUGH,
    LONGEST_GAP,
    REMEMBERED,
    SHORTEST_GAP,
    LatencyModel,
    models,
    prior,
)

SIGMA = 0.4


def draw(rng: random.Random, median: float = 30.0) -> float:
    return min(150.0, max(8.0, rng.lognormvariate(math.log(median), SIGMA)))


def looks(model: LatencyModel, latency: float, risk: float) -> tuple[int, float]:
    """Wasted looks at a result that takes ``latency`` seconds, and the delay until it is seen."""
    age, wasted = model.next_age(0.0, risk), 0
    while age < latency:
        wasted += 1
        age = model.next_age(age, risk)
    return wasted, age - latency


def taught(samples: int = REMEMBERED, median: float = 30.0) -> LatencyModel:
    rng = random.Random(1)
    return LatencyModel(prior("http-server"), (draw(rng, median) for _ in range(samples)))


@pytest.mark.parametrize(
    ("risk", "most_wasted", "longest_delay"),
    [(0.7, 0.6, 12.5), (0.5, 1.2, 7.5), (0.33, 2.3, 4.5), (0.2, 4.4, 2.9)],
)
def test_a_learned_model_wastes_what_the_risk_says_and_sees_answers_early(
    risk: float, most_wasted: float, longest_delay: float
) -> None:
    model, rng = taught(), random.Random(2)
    results = [looks(model, draw(rng), risk) for _ in range(4000)]
    assert sum(wasted for wasted, _ in results) / 4000 <= most_wasted
    assert sum(delay for _, delay in results) / 4000 <= longest_delay


def test_looking_every_five_seconds_would_waste_three_times_as_much_for_the_same_delay() -> None:
    model, rng = taught(), random.Random(3)
    latencies = [draw(rng) for _ in range(3000)]
    ours = sum(looks(model, latency, 0.33)[0] for latency in latencies)
    fixed = sum(math.ceil(latency / 5.0) - 1 for latency in latencies)
    assert ours * 2.5 < fixed


@example(samples=[399.0], age=0.0, risk=0.875)
@given(
    samples=st.lists(st.floats(0, 500), max_size=60),
    age=st.floats(0, 4000),
    risk=st.floats(0.05, 0.95),
)
def test_the_next_look_is_never_at_once_and_never_far(samples: list[float], age: float, risk: float) -> None:
    model = LatencyModel(prior("page-load"), samples)
    later = model.next_age(age, risk)
    assert later >= age + SHORTEST_GAP - 1e-9
    if age > 0:
        assert later <= age + LONGEST_GAP + 1e-9
    else:
        # One sample may be the median of what is wide on purpose.
        assert later <= 3 * max([*samples, *prior("page-load")])


def test_a_test_older_than_anything_known_is_looked_at_in_growing_steps() -> None:
    model = LatencyModel(prior("http-server"), [10.0] * 30)
    first = model.next_age(20.0, 0.5) - 20.0
    second = model.next_age(60.0, 0.5) - 60.0
    assert first < second <= LONGEST_GAP


def test_the_longest_gap_can_be_made_shorter() -> None:
    model = LatencyModel(prior("http-server"), [10.0] * 30)
    assert model.next_age(15.0, 0.5, longest_gap=2.0) == 17.0


def test_until_twenty_samples_the_prior_has_its_say() -> None:
    model = LatencyModel(prior("http-server"), [20.0] * (ENOUGH - 1))
    assert model.quantile(0.99) > 40
    model.add(20.0)
    assert model.quantile(0.99) == 20.0


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_prior_that_is_wrong_by_ten_yields_to_the_first_samples(factor: float) -> None:
    model, rng, world = LatencyModel(prior("http-server")), random.Random(1), random.Random(2)
    for _ in range(3):
        latency = factor * draw(world)
        model.missed(0.0, 0.8 * latency)
        model.seen(0.8 * latency, 1.1 * latency, rng)
    assert model.quantile(0.5) == pytest.approx(factor * 30.0, rel=0.6)


def test_a_prior_that_is_right_is_not_moved_by_the_quick_answers_which_come_first() -> None:
    model, rng, world = LatencyModel(prior("http-server")), random.Random(1), random.Random(2)
    latencies = sorted(draw(world) for _ in range(24))
    for _ in latencies[8:]:
        model.missed(0.0, latencies[8])
    for latency in latencies[:8]:
        model.seen(0.0, latency + 1.0, rng)
    assert model.factor == 1.0


def test_polls_that_see_nothing_make_a_slow_world_likely() -> None:
    model = LatencyModel(prior("http-server"))
    for _ in range(6):
        model.missed(0.0, 150.0)
    assert model.factor > 4.0
    assert model.next_age(0.0, 0.33) > 100.0


def test_only_the_newest_samples_count() -> None:
    model = LatencyModel(prior("http-server"), [100.0] * REMEMBERED)
    for _ in range(REMEMBERED):
        model.add(10.0)
    assert model.quantile(0.9) == 10.0
    assert len(model) == REMEMBERED


def test_a_detection_is_placed_between_the_looks_that_bracket_it() -> None:
    model, rng = taught(), random.Random(4)
    for _ in range(100):
        model.seen(20.0, 40.0, rng)
    assert all(20.0 <= sample <= 40.0 for sample in model.dump()[-100:])


def test_late_looks_do_not_drag_the_model_upwards() -> None:
    model, rng, world = taught(), random.Random(5), random.Random(6)
    for _ in range(2000):  # each result is seen only at the next of very coarse looks
        latency = draw(world)
        by = next(age for age in (5.0, 45.0, 200.0) if age >= latency)
        after = {5.0: 0.0, 45.0: 5.0, 200.0: 45.0}[by]
        model.missed(0.0, after)
        model.seen(after, by, rng)
    assert model.quantile(0.5) == pytest.approx(30.0, rel=0.2)


def test_a_model_learns_a_world_that_its_prior_did_not_expect() -> None:
    model, rng, world = LatencyModel(prior("agent-to-server")), random.Random(7), random.Random(8)
    for _ in range(300):
        latency = draw(world, median=80.0)
        after, by = 0.0, model.next_age(0.0, 0.33)
        while by < latency:
            after, by = by, model.next_age(by, 0.33)
        model.seen(after, by, rng)
    assert model.quantile(0.5) == pytest.approx(80.0, rel=0.2)


@pytest.mark.parametrize("nonsense", [-1.0, math.nan, math.inf, 1e9])
def test_what_cannot_be_a_latency_is_not_learned(nonsense: float) -> None:
    model = LatencyModel(prior("http-server"))
    model.add(nonsense)
    assert len(model) == 0


def test_what_was_learned_is_kept_for_the_next_run() -> None:
    model = taught(50)
    again = LatencyModel(prior("http-server"), model.dump())
    assert again.dump() == model.dump()
    assert again.next_age(25.0, 0.4) == model.next_age(25.0, 0.4)


def test_slow_types_are_expected_to_be_slow() -> None:
    known = models({"voice": [4.0] * 30}, ["voice", "agent-to-server", "http-server", "page-load"])
    medians = [known[name].quantile(0.5) for name in ("voice", "agent-to-server", "http-server", "page-load")]
    assert medians == sorted(medians)
    assert medians[1:] == pytest.approx([18, 30, 50], rel=0.1)


def test_the_chance_grows_with_age_and_never_reaches_certainty() -> None:
    model = taught()
    chances = [model.chance_by(age) for age in range(0, 400, 5)]
    assert chances == sorted(chances)
    assert chances[0] == 0.0
    assert chances[-1] < 1.0


def test_a_test_far_older_than_any_other_is_looked_at_ever_more_rarely_even_at_the_end() -> None:
    model = LatencyModel(prior("http-server"), [30.0] * 50)
    looks, age = 0, 30.0
    while age < 300.0:
        following = model.next_age(age, 0.2, SHORTEST_GAP)
        assert SHORTEST_GAP <= following - age <= LONGEST_GAP
        looks, age = looks + 1, following
    assert looks <= 40, f"{looks} looks at a test that never answers"
    assert model.next_age(32.0, 0.2, SHORTEST_GAP) == 33.0, "one that is a little late is looked at soon"
