"""Re-runs in a hostile world: a new round is told from an old one, and nothing waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fault_cases import LOST_AFTER, PLAN
from simulated_run import Ran, check_promises, in_process
from virtual_time import run_virtual

from orchestrator.events import Polled
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World


def run_and_rerun(store: Path, faults: Sequence[Fault], **settings: object) -> tuple[Ran, Ran]:
    """A run on a good day, then the same tests again in a world with faults."""

    async def work() -> tuple[Ran, Ran]:
        world = World(faults=tuple(faults), **settings)  # type: ignore[arg-type] # a builder, as the dataclass
        async with in_process(world, store=store) as simulated:
            first = await simulated.run(PLAN)
            return first, await simulated.rerun(first.outcome.run.id)

    return run_virtual(work)


def rounds_of(ran: Ran) -> set[tuple[str | None, str, int]]:
    return {(one.test_id, one.answer.agent_id, one.answer.round_id) for one in ran.answers}


@pytest.mark.parametrize(
    "shared", [True, False], ids=["one round id for all agents", "round ids of their own"]
)
def test_rows_of_the_round_before_are_left_out_of_a_rerun(tmp_path: Path, *, shared: bool) -> None:
    first, again = run_and_rerun(tmp_path / "store.db", (), shared_rounds=shared)
    check_promises(first)
    check_promises(again)
    assert again.code == 0
    assert again.cell_states() == {"answered": 8}
    assert not rounds_of(first) & rounds_of(again), "a row of the round before was stored again"
    assert any(polled.stale for polled in again.told(Polled)), "the old round was never seen"
    assert len(again.witness["creations"]) == 3, "a re-run creates nothing"


@pytest.mark.parametrize("kind", LOST_AFTER)
def test_a_rerun_whose_answer_was_lost_is_seen_by_its_newer_round(tmp_path: Path, kind: str) -> None:
    first, again = run_and_rerun(tmp_path / "store.db", [Fault(kind, "rerun", nth=1)])
    check_promises(again)
    assert (again.code, again.states()) == (0, {"complete": 3})
    assert len(again.witness["reruns"]) == 3, "a re-run that was taken is not sent again"
    assert not rounds_of(first) & rounds_of(again)


def test_a_rerun_that_was_never_taken_ends_without_answers_and_says_so(tmp_path: Path) -> None:
    _, again = run_and_rerun(tmp_path / "store.db", [Fault("503", "rerun", nth=1)])
    check_promises(again)
    assert (again.code, again.states()) == (3, {"complete": 2, "timed_out": 1})
    assert len(again.witness["reruns"]) == 2, "an ambiguous re-run costs units: it is not sent again"


def test_a_rerun_of_a_test_that_is_gone_is_failed(tmp_path: Path) -> None:
    _, again = run_and_rerun(tmp_path / "store.db", [Fault("404", "rerun", nth=1)])
    check_promises(again)
    assert (again.code, again.states()) == (3, {"complete": 2, "failed": 1})
    assert "refused (404)" in again.reasons()


@pytest.mark.parametrize("kind", ["500", "invalid-json", "silent-before"])
def test_a_rerun_whose_old_rounds_cannot_be_read_is_not_sent(tmp_path: Path, kind: str) -> None:
    async def work() -> Ran:
        async with in_process(World(), store=tmp_path / "store.db") as simulated:
            first = await simulated.run(PLAN)
        async with in_process(World(faults=(Fault(kind, "read"),)), store=tmp_path / "store.db") as simulated:
            return await simulated.rerun(first.outcome.run.id)

    again = run_virtual(work)
    check_promises(again)
    assert (again.code, again.states()) == (3, {"not_run": 3})
    assert again.witness["reruns"] == [], "a new round could not have been told from an old one"
    assert "newest rounds could not be read" in again.reasons()


def test_looks_before_a_rerun_end_where_pages_loop(tmp_path: Path) -> None:
    _, again = run_and_rerun(tmp_path / "store.db", [Fault("looping-pages", "read")])
    check_promises(again)
    assert (again.code, again.states()) == (0, {"complete": 3})


@pytest.mark.parametrize("kind", ["429", "retry-after"])
def test_a_rerun_that_meets_the_limit_for_ever_ends_at_the_deadline(tmp_path: Path, kind: str) -> None:
    async def work() -> Ran:
        async with in_process(World(), store=tmp_path / "store.db") as simulated:
            first = await simulated.run(PLAN)
        async with in_process(World(faults=(Fault(kind, "read"),)), store=tmp_path / "store.db") as simulated:
            return await simulated.rerun(first.outcome.run.id)

    again = run_virtual(work)
    check_promises(again)
    assert (again.code, again.states()) == (3, {"not_run": 3})
    assert "the run's deadline was reached" in again.reasons()
