"""An answer to a poll that was lost costs seconds, not a whole time-out; a slow server is not asked twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.schedule.backoff import Patience
from orchestrator.schedule.steps import Poll, Purpose
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Fault, Settings


def test_each_try_is_waited_for_twice_as_long_up_to_the_longest() -> None:
    assert [Patience().wait(tries) for tries in range(5)] == [15.0, 30.0, 60.0, 60.0, 60.0]


def test_a_slow_server_is_waited_for_longer_and_forgiven_by_and_by() -> None:
    patience = Patience()
    patience.answered(9.0)
    assert patience.wait(0) == pytest.approx(36.0)
    for _ in range(100):
        patience.answered(0.1)
    assert patience.wait(0) == Patience.FIRST


@given(st.lists(st.floats(0.0, 100.0), max_size=50), st.integers(0, 100))
def test_a_wait_is_within_its_bounds_whatever_was_seen(seen: list[float], tries: int) -> None:
    patience = Patience()
    for seconds in seen:
        patience.answered(seconds)
    assert Patience.FIRST <= patience.wait(tries) <= Patience.LONGEST


def _run(path: Path, fault: Fault) -> Ran:
    service = Service(Settings(faults=(fault,), all_online=True, spread=0.0, sigma=0.0, error_rate=0.0))
    specs = [replace(spec, deadline=600.0) for spec in Scenario("patience", 1, 1).specs()]
    return run_virtual(lambda: run_in_virtual_time(specs, service, path / "o.db"))


def test_a_poll_whose_answer_is_lost_is_asked_again_after_seconds(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    calm = _run(tmp_path / "calm", Fault("unknown-fields", "create", nth=1))
    # The poll that would see the answer: the last one of a calm run.
    lossy = _run(tmp_path, Fault("silent-after", "read", nth=calm.service.witness()["requests"]["read"]))
    assert lossy.outcome.exit_code == 0
    later = (lossy.ended - lossy.began) - (calm.ended - calm.began)
    assert 0.0 < later <= Patience.FIRST + 5.0, f"one lost answer made the run {later:.0f} s longer"


def test_answers_that_take_nine_seconds_are_not_asked_for_twice(tmp_path: Path) -> None:
    ran = _run(tmp_path, Fault("slow-headers", "read", value=9.0))
    assert ran.outcome.exit_code == 0
    facts = ran.outcome.run.facts.requests
    assert facts.errors == 0


def test_a_page_after_one_that_had_to_be_asked_again_is_waited_for_as_long() -> None:
    poll = Poll("a", "network", Purpose.SENTINEL, tries=2)
    following = poll.following("/v7/next")
    assert following is not None
    assert following.tries == 2, "a slow second page would never be read"
