"""What a run took is measured by a clock that does not jump, whatever is done to the wall clock meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_run
from simulated_run import in_process
from virtual_time import run_virtual
from virtual_world import EPOCH

from orchestrator.clock import LoopClock
from orchestrator.records import RunFacts, RunState
from orchestrator.report.times import duration
from orchestrator.simulator.settings import Settings as World

PLAN = """
version: 1
name: jump
agents: {here: {type: cloud, sample: {count: 2}}}
tests: [{name: web, type: http-server, targets: ["https://a.example"], agents: here}]
"""


class Jumping(LoopClock):
    """A wall clock that is set, by ``jump`` seconds, five seconds after it was first looked at."""

    def __init__(self, jump: float) -> None:
        super().__init__(epoch=EPOCH)
        self._jump, self._first = jump, self.now()

    def wall(self) -> float:
        return super().wall() + (self._jump if self.now() > self._first + 5.0 else 0.0)


def took(path: Path, jump: float) -> float:
    async def work() -> float:
        async with in_process(World(), store=path) as simulated:
            doors = replace(simulated.session.doors, clock=Jumping(jump))
            simulated.session = replace(simulated.session, doors=doors)
            seconds = (await simulated.run(PLAN)).summary["seconds"]
            assert isinstance(seconds, float)
            return seconds

    return run_virtual(work)


@pytest.mark.parametrize("jump", [-86_400.0, -5.0, 3_600.0])
def test_a_clock_that_is_set_in_the_middle_of_a_run_does_not_change_its_seconds(
    tmp_path: Path, jump: float
) -> None:
    expected = took(tmp_path / "a.db", 0.0)
    assert expected > 5.0
    assert took(tmp_path / "b.db", jump) == pytest.approx(expected, abs=0.01)


def test_a_run_that_goes_on_is_measured_by_the_wall_clock() -> None:
    run = make_run(started=100.0, state=RunState.RUNNING, facts=RunFacts(seconds=3.0))
    assert duration(run, 150.0) == 50.0
    assert duration(run, 50.0) == 0.0, "never negative"


def test_a_run_that_was_killed_took_what_it_had_measured_by_then() -> None:
    run = make_run(started=100.0, state=RunState.INTERRUPTED, facts=RunFacts(seconds=3.0))
    assert duration(run, 1e6) == 3.0


def test_a_run_of_an_earlier_version_took_what_its_times_say() -> None:
    run = make_run(started=100.0, finished=160.0, state=RunState.COMPLETE)
    assert duration(run, 1e6) == 60.0
    assert duration(make_run(started=100.0, state=RunState.INTERRUPTED)) is None
