"""The benchmark's gates in a short form. It measures virtual time, so a busy machine changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from bounds import lower_bound
from connections import shares
from courtesy import WORLDS
from courtesy import measured as polite_measured
from delays import WRONG, best_delay, incident, phases, silent_agents
from measure import Figures, measure
from memory import measure_apart
from optimum import GRID, arrived, optimum
from overhead import overhead
from parts import ERRORS, HOUR, LOST_CREATIONS, LOST_LOOKS, OTHERS, SLOW, sampled
from peers import Limited, Peer, Sdk
from reading import COMMANDS, bytes_of, make_store, ours
from rowcost import row_cost
from scenarios import Scenario
from soak import soak
from tables import Table

from orchestrator.thousandeyes.client import KEEP_IDLE


@pytest.mark.parametrize("name", ["hosts and agents", "one host, 4 at once, usual limits"])
def test_courtesy_costs_little_more_than_it_must(name: str, tmp_path: Path) -> None:
    polite = next(one for one in WORLDS if one.name == name)
    found = polite_measured(polite, tmp_path)
    assert 1.0 <= found.ratio <= 1.2, found
    assert found.refused == 0
    asked = polite.courtesy
    for what, limit in (("hosts", asked.per_host), ("agents", asked.per_agent)):
        at_once = max(one["at_once"] for one in found.crowd[what].values())
        assert limit is None or at_once == limit, f"{at_once} of {limit} {what}"


def held(figures: Sequence[Figures], *, ratio: float) -> None:
    """Everything was collected, within ``ratio`` of the bound, without a 429 of our own."""
    for each in figures:
        assert each.ratio <= ratio, f"{each.ratio:.3f} of the bound: {each}"
        assert each.ratio >= 1.0, f"faster than the bound, so the bound is wrong: {each}"
        assert each.own_429 == 0, f"{each.own_429} 429s of our own making: {each}"


def measured(scenario: Scenario, runs: int) -> list[Figures]:
    found = [measure(each) for each in sampled(scenario, runs)]
    for each in found:
        assert each.complete == scenario.tests * scenario.layers, f"not everything was collected: {each}"
    return found


@pytest.mark.parametrize("layers", [1, 3])
def test_fewer_than_one_read_in_a_hundred_opens_a_connection(layers: int) -> None:
    _, found = shares(Scenario("gate", 300, layers), (2.0, KEEP_IDLE))
    assert found[KEEP_IDLE] < 0.01, found
    assert found[2.0] > 0.02, "idle connections make no difference here, so this measures nothing"


@pytest.mark.long
@pytest.mark.parametrize(
    ("window", "ratio", "aligned"),
    [(5.0, 1.15, False), (10.0, 1.15, True), (30.0, 1.07, False), (300.0, 1.05, True)],
)
def test_windows_of_any_length_are_used_up(window: float, ratio: float, aligned: bool) -> None:
    held(measured(Scenario("gate", 96, 2, aligned=aligned, window=window), 2), ratio=ratio)


@pytest.mark.parametrize(("layers", "aligned"), [(1, False), (3, True)])
def test_a_hundred_tests_end_within_three_percent_of_the_bound(layers: int, aligned: bool) -> None:
    figures = measured(Scenario("gate", 100, layers, aligned=aligned), 4)
    held(figures, ratio=1.03)
    assert mean(each.delay for each in figures) <= 5.0, "answers were found late"
    if layers == 3:
        # Scouts are nearly a tenth of a look here; in a thousand tests they are nothing.
        assert mean(each.looks for each in figures) <= 2.05, "too many looks per layer"


@pytest.mark.long
@pytest.mark.parametrize(("layers", "aligned"), [(1, False), (3, True)])
def test_a_thousand_tests_end_within_three_percent_of_the_bound(layers: int, aligned: bool) -> None:
    # Begun so late in a minute that anchored windows drift over a full minute on their way.
    figures = measure(Scenario("gate", 1000, layers, aligned=aligned, phase=57.0))
    held([figures], ratio=1.03)
    assert figures.complete == 1000 * layers
    assert figures.delay <= 5.0, "answers were found late"
    if layers == 3:
        assert figures.looks <= 2.0, "too many looks per layer"


def test_calls_that_nobody_needs_bring_the_delay_near_to_the_optimum() -> None:
    figures = [measure(Scenario("delay", 300, 1, aligned=aligned)) for aligned in (True, False)]
    held(figures, ratio=1.01)
    best = best_delay(Scenario("delay", 300, 1))
    assert 1.0 <= mean(each.delay for each in figures) / best <= 1.4


def test_with_two_layers_idle_calls_shorten_the_delay_too() -> None:
    figures = [measure(Scenario("delay", 150, 2, aligned=aligned)) for aligned in (True, False)]
    held(figures, ratio=1.02)
    assert mean(each.delay for each in figures) <= 3.0


@pytest.mark.parametrize("latency", WRONG)
def test_the_first_answer_of_six_tests_is_seen_soon_whatever_was_expected(latency: float) -> None:
    figures = [measure(each) for each in phases(incident(1, latency), 4)]
    assert mean(each.first for each in figures) <= 2.0
    assert sum(each.own_429 for each in figures) == 0


def test_silent_agents_hold_no_run_open() -> None:
    with_all, without = (measure(silent_agents(silent, 12)) for silent in (0, 2))
    assert without.makespan <= with_all.makespan + 15.0, "every test waited for its deadline"
    assert without.complete == with_all.complete


def test_the_optimum_is_what_no_schedule_of_looks_can_beat() -> None:
    kinds = [arrived(median, 0.4, 8.0, 150.0, 1.5) for median in (18.0, 50.0)]
    one, few, many = (optimum(kinds, looks) for looks in (1.0, 3.0, 8.0))
    assert one.delay > few.delay > many.delay
    assert few.looks == pytest.approx(3.0, rel=0.05)
    # Uniform over ten seconds: looks at five and at ten are one and a half on average, and wait 2.5 s.
    uniform = [min(1.0, step * GRID / 10.0) for step in range(round(20.0 / GRID) + 1)]
    assert 2.0 < optimum([uniform], 1.5).delay <= 2.5


def test_with_others_spending_a_third_hardly_anybody_meets_a_429() -> None:
    figures = [
        each
        for layers in (1, 3)
        for aligned in (True, False)
        for each in measured(Scenario("others", 100, layers, aligned=aligned, others=OTHERS), 2)
    ]
    for each in figures:
        assert each.ratio <= 1.04, f"{each.ratio:.3f} of the bound: {each}"
    own, requests = sum(each.own_429 for each in figures), sum(each.requests for each in figures)
    assert own <= requests / 1000.0, f"{own} own 429s in {requests} requests"
    assert mean(each.others_refused for each in figures) <= 0.01, "others were refused because of us"


def test_with_others_spending_a_third_the_last_looks_do_not_wait_for_another_window() -> None:
    # Five windows of creations to the brim: where looks are wasted, the last ones are out of tokens.
    figures = measured(Scenario("brim", 120, 3, others=OTHERS), 4)
    held(figures, ratio=1.04)


@pytest.mark.long
@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_client_clock_that_is_an_hour_off_changes_no_figure(off: float) -> None:
    scenario = Scenario("clock", 60, 3)
    right, wrong = measure(scenario), measure(replace(scenario, clock_off=off))
    assert replace(wrong, real=0.0) == replace(right, real=0.0)


@pytest.mark.parametrize(
    ("faults", "lost_tests"),
    [
        pytest.param(LOST_LOOKS, 0.0, id="lost"),
        pytest.param((*SLOW, *LOST_CREATIONS, *ERRORS), 0.08, id="broken"),
    ],
)
def test_late_lost_and_broken_answers_cost_no_429_and_little_time(
    faults: tuple[object, ...], lost_tests: float
) -> None:
    scenario = Scenario("faults", 600, 3, faults=faults)  # type: ignore[arg-type] # a parameter of one test
    figures = measure(scenario)
    held([figures], ratio=1.06)
    assert figures.complete >= (1.0 - lost_tests) * scenario.tests * scenario.layers


def test_latencies_other_than_expected_are_learned() -> None:
    figures = measured(Scenario("prior", 100, 3, prior_wrong=True), 2)
    held(figures, ratio=1.03)
    assert mean(each.looks for each in figures) <= 2.2


@pytest.mark.long
@pytest.mark.parametrize("peer", [Peer, Limited, Sdk])
def test_the_world_refuses_those_who_do_not_heed_the_headers(peer: type[Peer]) -> None:
    figures = peer(Scenario("peer", 100, 3, aligned=False, others=OTHERS)).measure()
    assert figures.complete == 300, "a peer that does not finish proves nothing"
    assert figures.own_429 > 100
    assert figures.others_refused > 0.1


@pytest.mark.long
def test_a_request_and_an_answer_cost_little_beside_a_bare_loop_and_a_decoder() -> None:
    # In real time, so each gate leaves room for what others do to the machine: about half as much again as
    # is measured on an idle one. What each costs stands in docs/performance.md.
    bare, alone, shared = (each.micros for each in overhead(60, 3))
    assert alone / bare <= 5.5, f"{alone:.0f} us a request, a bare loop {bare:.0f}"
    assert shared / bare <= 7.0, f"{shared:.0f} us a request with shared budgets, a bare loop {bare:.0f}"
    row = row_cost(30, 3)
    assert row.ratio <= 20.0, f"{row.answer:.1f} us an answer, its row is decoded in {row.loads:.1f}"


def test_nothing_is_lost_or_done_twice_when_everything_goes_wrong() -> None:
    books = soak(400, seed=3)
    assert books.sound, f"the books do not add up: {books}"
    assert books.unknown > 0, "no creation was lost, so nothing was proved"
    assert books.served > 1000


def test_memory_does_not_grow_with_the_size_of_the_plan_beyond_its_specs() -> None:
    small, large = measure_apart(1_000), measure_apart(5_000)
    per_cell = (large.peak - small.peak) / (large.cells - small.cells)
    assert per_cell * 100_000 + small.peak < 200.0, f"{small} {large}"


@pytest.mark.long
def test_the_memory_of_reading_does_not_grow_with_the_run(tmp_path: Path) -> None:
    few, many = tmp_path / "few.db", tmp_path / "many.db"
    make_store(few, 200)
    make_store(many, 4_000)
    for name in ("show", "results, csv", "results, jsonl", "report, json", "explain a cell"):
        one, two = ours(few, COMMANDS[name]).peak, ours(many, COMMANDS[name]).peak
        assert two <= 1.1 * one, f"{name}: {one:.1f} MiB, and {two:.1f} for twenty times as many cells"


def test_the_bytes_of_a_store_are_hardly_more_than_what_it_holds(tmp_path: Path) -> None:
    make_store(tmp_path / "o.db", 2_000)
    size, held, _ = bytes_of(tmp_path / "o.db")
    assert size <= 1.3 * held


def test_the_bound_is_what_no_scheduler_can_beat() -> None:
    one = {"organization": 240.0, "instant": 24, "aligned": False, "phase": 0.0}
    assert lower_bound([10.0] * 24, 1, **one) == 10.0  # type: ignore[arg-type] # as named
    assert lower_bound([10.0] * 25, 1, **one) == 70.0  # type: ignore[arg-type] # as named
    # 240 creations and 720 looks are four windows of calls; creations alone need ten.
    assert lower_bound([10.0] * 240, 3, **one) == 550.0  # type: ignore[arg-type] # as named
    # With many layers the organization's limit binds: 24 tests of 19 layers are two windows of calls.
    assert lower_bound([10.0] * 24, 19, **one) == 60.0  # type: ignore[arg-type] # as named
    aligned = {**one, "aligned": True, "phase": 50.0}
    assert lower_bound([10.0] * 25, 1, **aligned) == 20.0  # type: ignore[arg-type] # as named


def test_a_table_is_aligned_markdown() -> None:
    shown = Table("Title", "About.", ("name", "n"), (("a", "1"), ("bb", "22"))).markdown()
    assert shown == "### Title\n\nAbout.\n\n| name |  n |\n| ---- | -: |\n| a    |  1 |\n| bb   | 22 |\n"
