"""One cell held against its past: what is better, worse, the same, new, gone, or not to be told."""

from __future__ import annotations

import random

import pytest
from compare_worlds import ROUGH, Site, held

from orchestrator.compare.cells import Past
from orchestrator.compare.values import Change, Compared, Route, Sample, Which, Why
from orchestrator.insight.values import Phase
from orchestrator.model import Metric, Verdict
from orchestrator.testtypes.layers import HTTP, PACKETS

WHICH = Which("web", HTTP.name, "t1", "a01")
TOTAL, WAIT = f"{HTTP.name}.totalTime", f"{HTTP.name}.waitTime"
LOSS, LATENCY = f"{PACKETS.name}.loss", f"{PACKETS.name}.avgLatency"
CODE = f"{HTTP.name}.responseCode"


def sample(verdict: Verdict | None = Verdict.PASS, **told: float) -> Sample:
    """A cell; metrics are named with ``__`` for the dot."""
    numbers = {name.replace("__", ".").replace("_", "-"): number for name, number in told.items()}
    return Sample(verdict, numbers, phase=Phase.ERROR if verdict is Verdict.FAIL else None)


def one(before: Sample | None, now: Sample | None, *history: Sample) -> Compared:
    """What became of a cell."""
    past = Past({WHICH: before} if before else {}, [{WHICH: earlier} for earlier in history])
    found = held({WHICH: now} if now else {}, past)
    return found.compared[0]


def test_a_cell_that_passes_as_before_is_the_same() -> None:
    same = sample(http_server__totalTime=200.0)
    assert one(same, same).change is Change.SAME


@pytest.mark.parametrize("before", [Verdict.PASS, Verdict.WARN])
def test_a_cell_that_fails_now_is_worse_whatever_its_metrics(before: Verdict) -> None:
    found = one(sample(before), sample(Verdict.FAIL))
    assert (found.change, found.why) == (Change.WORSE, Why.VERDICT)


@pytest.mark.parametrize("now", [Verdict.PASS, Verdict.WARN])
def test_a_cell_that_no_longer_fails_is_better(now: Verdict) -> None:
    found = one(sample(Verdict.FAIL), sample(now))
    assert (found.change, found.why) == (Change.BETTER, Why.VERDICT)


def test_a_cell_that_fails_as_before_is_the_same_and_tells_its_layer() -> None:
    found = one(Sample(Verdict.FAIL), Sample(Verdict.FAIL, phase=Phase.TLS))
    assert (found.change, found.phase) == (Change.SAME, Phase.TLS)


@pytest.mark.parametrize("silent", [Verdict.NO_ANSWER, Verdict.NOT_RUN, None])
@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_a_cell_without_an_answer_on_either_side_is_unknown(silent: Verdict | None, verdict: Verdict) -> None:
    assert one(Sample(silent), sample(verdict)).change is Change.UNKNOWN
    found = one(sample(verdict), Sample(silent))
    assert found.change is Change.UNKNOWN
    assert found.lost is (silent is Verdict.NO_ANSWER), "what was not run was not asked"


def test_a_partial_cell_is_compared_by_the_layers_that_both_sides_have() -> None:
    before = sample(http_server__totalTime=100.0)
    assert one(before, sample(Verdict.PARTIAL)).change is Change.UNKNOWN
    assert one(before, sample(Verdict.PARTIAL, network__loss=0.0)).change is Change.UNKNOWN
    assert one(before, sample(Verdict.PARTIAL, http_server__totalTime=101.0)).change is Change.SAME


def test_what_was_not_in_the_base_is_new_and_what_is_not_planned_any_more_is_gone() -> None:
    assert one(None, sample()).change is Change.NEW
    assert one(sample(), None).change is Change.GONE


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (200.0, 560.0, Change.WORSE),
        (560.0, 200.0, Change.BETTER),
        (200.0, 245.0, Change.SAME),  # below 50 ms
        (1000.0, 1150.0, Change.SAME),  # below a fifth
        (1.0, 40.0, Change.SAME),  # forty times as long, and still nothing
    ],
)
def test_a_metric_counts_beyond_both_its_floors(before: float, now: float, change: Change) -> None:
    found = one(sample(http_server__totalTime=before), sample(http_server__totalTime=now))
    assert found.change is change
    if change is not Change.SAME:
        assert found.why is Why.METRIC
        assert (found.metrics[TOTAL].before, found.metrics[TOTAL].after) == pytest.approx((before, now))
        assert (found.metrics[TOTAL].z > 0) is (change is Change.WORSE)


def test_a_part_of_a_time_tells_where_and_never_calls_a_cell_worse() -> None:
    found = one(sample(http_server__waitTime=100.0), sample(http_server__waitTime=900.0))
    assert found.change is Change.SAME
    assert found.metrics[WAIT].change is Change.WORSE


def test_a_rate_gets_worse_when_it_falls() -> None:
    found = one(sample(rtp_server__mos=4.3), sample(rtp_server__mos=1.0))
    assert (found.change, found.why) == (Change.WORSE, Why.METRIC)
    assert found.metrics["rtp-server.mos"].z > 0


def test_much_more_loss_is_worse_and_four_points_are_not() -> None:
    assert one(sample(network__loss=0.0), sample(network__loss=9.0)).change is Change.WORSE
    assert one(sample(network__loss=0.0), sample(network__loss=4.0)).change is Change.SAME


def test_what_a_cell_always_did_is_no_change() -> None:
    usual = [sample(http_server__totalTime=value) for value in (150.0, 400.0, 220.0, 600.0, 180.0)]
    assert one(usual[0], sample(http_server__totalTime=600.0), *usual[1:]).change is Change.SAME
    steady = [sample(http_server__totalTime=value) for value in (200.0, 201.0, 199.0, 200.0, 202.0)]
    assert one(steady[0], sample(http_server__totalTime=600.0), *steady[1:]).change is Change.WORSE


def test_three_equal_values_of_a_cell_do_not_make_it_free_of_noise() -> None:
    equal = [sample(network__avgLatency=50.0)] * 3
    assert one(equal[0], sample(network__avgLatency=57.0), *equal[1:]).change is Change.SAME


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (True, False, Change.WORSE),
        (False, True, Change.BETTER),
        (200, 503, Change.WORSE),
        (302, 404, Change.WORSE),
        (503, 200, Change.BETTER),
        (200, 204, Change.SAME),
        (404, 503, Change.SAME),
        ("TLSv1.2", "TLSv1.3", Change.SAME),
    ],
)
def test_a_mark_is_worse_only_where_that_is_certain(before: Metric, now: Metric, change: Change) -> None:
    found = one(Sample(Verdict.PASS, marks={CODE: before}), Sample(Verdict.PASS, marks={CODE: now}))
    assert found.change is change
    assert CODE in found.metrics, "that it changed is told"


def test_a_cell_whose_metrics_went_both_ways_is_called_by_the_one_that_went_farther() -> None:
    before = sample(http_server__totalTime=200.0, network__avgLatency=100.0)
    found = one(before, sample(http_server__totalTime=2000.0, network__avgLatency=20.0))
    assert found.change is Change.WORSE
    assert found.metrics[LATENCY].change is Change.BETTER


def test_a_path_that_ends_before_a_target_that_was_reached_is_told() -> None:
    reached = Sample(Verdict.PASS, route=Route(hops=frozenset("ab"), reached=True))
    ends = Sample(Verdict.PASS, route=Route(hops=frozenset("a"), ends="a", reached=False))
    found = one(reached, ends)
    assert (found.change, found.why, found.ends) == (Change.WORSE, Why.PATH, "a")
    assert one(ends, ends).change is Change.SAME, "it never reached it"


def test_a_run_held_against_itself_is_all_the_same() -> None:
    run = Site(random.Random(3), ROUGH).run()
    found = held(run, Past(run))
    assert set(found.counts) == {Change.SAME}
    assert found.judgement.exit_code == 0
    assert not found.texts
    assert not found.recovered
