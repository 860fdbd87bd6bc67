"""A re-run says what it cannot run again; runs are named by their plan too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from fault_cases import PLAN
from simulated_run import in_process
from virtual_time import run_virtual

from orchestrator import UsageProblem, run_plan, show
from orchestrator.actions.run import left_behind
from orchestrator.cli import cli
from orchestrator.plan.load import parse_plan
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World


def told(store: Path, faults: tuple[Fault, ...], *, failed: bool) -> tuple[str, str | None]:
    """The id of a run in such a world, and what a re-run of it says."""

    async def work() -> tuple[str, str | None]:
        async with in_process(World(faults=faults), store=store) as simulated:
            ran = await simulated.run(PLAN)
            return ran.outcome.run.id, await left_behind(simulated.session, ran.outcome.run, failed=failed)

    return run_virtual(work)


@pytest.mark.parametrize("failed", [True, False])
def test_specs_that_were_refused_are_named_with_what_to_do(failed: bool, tmp_path: Path) -> None:
    run, said = told(tmp_path / "s.db", (Fault("400", "create", nth=1),), failed=failed)
    assert said == f"not run again, for want of an id: 1 test was never created: orchestrator resume {run}"


def test_lost_ones_are_for_reconcile(tmp_path: Path) -> None:
    faults = (Fault("reset-after", "create", nth=1), Fault("400", "create", nth=2))
    run, said = told(tmp_path / "s.db", faults, failed=True)
    assert said is not None
    assert "1 test was never created" in said
    assert f"1 test was lost with the answer to the creation: orchestrator reconcile {run}" in said


def test_nothing_is_said_where_every_test_has_an_id(tmp_path: Path) -> None:
    _, said = told(tmp_path / "s.db", (), failed=False)
    assert said is None


async def test_the_library_finds_the_newest_run_of_a_plan(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    runs = [
        await run_plan(
            parse_plan(PLAN.replace("faults", name), "p.yaml", None, environ={}), store=store, simulated=True
        )
        for name in ("one", "two")
    ]
    assert (await show("last", store=store)).run.id == runs[1].id
    assert (await show("last", plan="one", store=store)).run.id == runs[0].id
    with pytest.raises(UsageProblem, match="is one of plan 'two', not of 'one'"):
        await show(runs[1].id, plan="one", store=store)


@pytest.mark.parametrize("words", [["--plan", "p.yaml"], ["--plan", "p.yaml", "--selector", "all"]])
def test_agents_of_a_plan_are_not_filtered_besides(words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["agents", *words, "--country", "GB"])
    assert done.exit_code == 2
    assert "a selector of a plan has its own keys" in done.output


def test_a_rerun_takes_the_name_of_a_plan(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["rerun", "--plan", "nobody", "--store", str(tmp_path / "s.db")])
    assert "No such option" not in done.output
    assert done.exit_code != 0
