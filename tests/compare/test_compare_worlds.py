"""Worlds with noise, and what is planted in them: found, named first; and nothing where nothing is."""

from __future__ import annotations

import random

import pytest
from compare_measure import PLANTED, found_in, red_in
from compare_worlds import CALM, HTTP_TIMES, ROUGH, WILD, Site, Weather, compared_once, held, unchanged
from hypothesis import given, settings
from hypothesis import strategies as st
from insight_worlds import FLEET

from orchestrator.compare.cells import Past
from orchestrator.compare.values import Change
from orchestrator.insight.values import Phase
from orchestrator.model import Agent


@pytest.mark.parametrize("history", [1, 3, 10])
@pytest.mark.parametrize("weather", [CALM, ROUGH, WILD], ids=["calm", "rough", "wild"])
def test_nothing_is_worse_where_nothing_changed(weather: Weather, history: int) -> None:
    assert red_in(8, weather, history, seed="suite") == 0


@pytest.mark.parametrize(
    ("name", "history", "least"),
    [
        ("wait x2 of a target", 1, 0.61),
        ("wait x2 of a target", 5, 0.83),
        ("latency x1.5 of an agent", 5, 0.7),
        ("latency x2 of an agent", 5, 0.98),
        ("latency x1.5 of a country", 5, 0.93),
        ("everything x1.2", 5, 0.89),
    ],
)
def test_what_was_planted_is_named_first(name: str, history: int, least: float) -> None:
    assert found_in(12, PLANTED[name], history, seed="suite") >= least


def test_a_target_that_fails_now_is_named_before_everything_that_only_got_slower() -> None:
    site = Site(random.Random(11), ROUGH)
    runs = [site.run() for _ in range(5)]

    def slow(agent: Agent, target: str, part: str) -> float:
        return 2.5 if target == "t5" and part == "waitTime" else 1.0

    found = held(
        site.run(slow, lambda _, target: Phase.TLS if target == "t2" else None), Past(runs[0], runs[1:])
    )
    assert [told.group.value for told in found.worse.told] == [("web", "t2"), ("web", "t5")]
    first, second = ("".join(text) for text in found.texts)
    assert first == "t2 fails from every agent: 18 of 18; before it did not"
    assert second.startswith("t5 is slower than in the last 5 runs: ")
    assert "server wait" in second
    assert second.endswith("DNS, connect, TLS, receive as before")
    assert found.judgement.exit_code == 1


def test_what_recovered_is_told_and_makes_nothing_red() -> None:
    site = Site(random.Random(12), CALM)
    bad = site.run(unchanged, lambda agent, _: Phase.CONNECT if agent.country == "FR" else None)
    found = held(site.run(), Past(bad))
    assert ["".join(text) for text in found.recovered] == [
        "everything from FR recovered: 24 of 24 cells that failed pass"
    ]
    assert found.judgement.exit_code == 0


def test_a_cell_that_fails_alone_is_isolated() -> None:
    site = Site(random.Random(13), CALM)
    before = site.run()
    alone = FLEET[4].id
    found = held(
        site.run(unchanged, lambda agent, target: Phase.DNS if (agent.id, target) == (alone, "t1") else None),
        Past(before),
    )
    assert len(found.worse.isolated) == 1
    assert not found.worse.told
    assert found.judgement.reasons == ("1 cell passed and now fails, alone",)


def test_what_does_not_persist_when_run_again_is_flaky() -> None:
    site = Site(random.Random(14), CALM)
    runs = [site.run() for _ in range(4)]
    flaky = site.run(unchanged, lambda agent, target: Phase.DNS if target == "t3" else None)
    found = held(flaky, Past(runs[0], runs[1:]), site.run())
    assert {which for which in flaky if which.target == "t3"} <= found.flaky
    assert found.judgement.exit_code == 0
    again = held(flaky, Past(runs[0], runs[1:]), flaky)
    assert not again.flaky
    assert {which for which in flaky if which.target == "t3"} <= again.persisting
    assert again.judgement.exit_code == 1


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.sampled_from([CALM, ROUGH, WILD]))
def test_two_runs_compared_the_other_way_round_are_the_mirror(seed: int, weather: Weather) -> None:
    lot = random.Random(seed)
    site = Site(lot, weather)

    def breaks(agent: Agent, target: str) -> Phase | None:
        return Phase.WAIT if lot.random() < 0.1 else None

    one, other = site.run(unchanged, breaks), site.run(unchanged, breaks)
    there, back = held(one, Past(other)), held(other, Past(one))
    mirrored = {Change.WORSE: Change.BETTER, Change.BETTER: Change.WORSE}
    assert [(cell.which, cell.change) for cell in there.compared] == [
        (cell.which, mirrored.get(cell.change, cell.change)) for cell in back.compared
    ]


def test_a_change_of_every_part_is_told_of_everything() -> None:
    def slower(_agent: Agent, _target: str, part: str) -> float:
        return 1.3 if part in HTTP_TIMES or part == "latency" else 1.0

    found = compared_once(random.Random(15), ROUGH, 6, slower)
    assert "".join(found.texts[0]).startswith("everything is slower than in the last 6 runs: ")


def test_one_cell_that_is_far_worse_in_both_rounds_counts_and_in_one_it_does_not() -> None:
    site = Site(random.Random(23), CALM)
    runs = [site.run() for _ in range(4)]

    def one(agent: Agent, target: str, part: str) -> float:
        return 6.0 if (agent.id, target, part) == ("a05", "t6", "waitTime") else 1.0

    once, past = site.run(one), Past(runs[0], runs[1:])
    assert held(once, past).judgement.exit_code == 0
    assert held(once, past, site.run()).judgement.exit_code == 0
    confirmed = held(once, past, site.run(one)).judgement
    assert confirmed.exit_code == 1
    assert confirmed.reasons == ("1 cell is worse by a metric, and was when run again",)


def test_where_many_cells_are_far_out_one_that_is_twice_is_chance() -> None:
    assert red_in(40, WILD, 3, seed="chance", confirm=True) <= 1
