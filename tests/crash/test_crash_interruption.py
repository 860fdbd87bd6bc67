"""A run may be asked to stop at any time: before it begins, as it begins, and in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from scenarios import Scenario
from virtual_time import run_virtual
from virtual_world import Ran, TimedStore, run_in_virtual_time

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.records import Counts
from orchestrator.runner.conductor import Conductor

GRACE = 600.0


def conducted(path: Path, at_start: Callable[[Conductor], object]) -> tuple[Ran, list[SpecState]]:
    """A run of forty tests, and the states that they end in."""
    scenario = Scenario("stop", 40, 2)

    async def work() -> tuple[Ran, list[SpecState]]:
        ran = await run_in_virtual_time(scenario.specs(), scenario.world(), path / "o.db", at_start=at_start)
        return ran, [test.state for test in await ran.store.tests(ran.outcome.run.id)]

    return run_virtual(work)


def nothing_created(ran: Ran, states: list[SpecState]) -> None:
    assert ran.outcome.exit_code is Exit.SIGTERM
    assert ran.created_order == []
    assert set(states) == {SpecState.PLANNED}, "they are for a resume"


def test_a_run_that_is_stopped_before_it_begins_creates_nothing(tmp_path: Path) -> None:
    nothing_created(*conducted(tmp_path, lambda conductor: conductor.interrupt(Exit.SIGTERM, GRACE)))


def test_a_run_that_is_stopped_while_it_asks_what_remains_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = TimedStore.counts
    conductors: list[Conductor] = []

    async def asked(store: TimedStore, run: str) -> Counts:
        conductors[0].interrupt(Exit.SIGTERM, GRACE)
        return await counts(store, run)

    monkeypatch.setattr(TimedStore, "counts", asked)
    nothing_created(*conducted(tmp_path, conductors.append))


def test_a_run_that_is_stopped_in_the_middle_creates_no_more_and_collects_what_was_created(
    tmp_path: Path,
) -> None:
    def stop(conductor: Conductor) -> None:
        asyncio.get_running_loop().call_later(5.0, conductor.interrupt, Exit.SIGTERM, GRACE)

    ran, states = conducted(tmp_path, stop)
    assert ran.outcome.exit_code is Exit.SIGTERM
    assert 0 < len(ran.created_order) < 40
    assert states.count(SpecState.COMPLETE) == len(ran.created_order)
    assert states.count(SpecState.PLANNED) == 40 - len(ran.created_order)
    assert ran.ended - ran.began < GRACE, "it waited for its grace to end, with nothing to wait for"
