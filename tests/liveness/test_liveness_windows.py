"""Two runs that share the budgets, in windows of any length: no 429 of their own, and both end."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random

import anyio
import pytest
from builders import make_spec
from virtual_time import run_virtual
from virtual_world import Ran, run_in_virtual_time

from orchestrator.budget.shared import SharedLedger
from orchestrator.lifecycle import SpecState
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings
from orchestrator.store.sqlite.cell import SqliteCell

TESTS, INSTANT, ORGANIZATION = 12, 4, 60


@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "anchored"])
@pytest.mark.parametrize("window", [5.0, 10.0, 60.0, 150.0, 300.0])
def test_two_runs_that_share_the_budgets_are_never_refused(
    tmp_path: Path, window: float, aligned: bool
) -> None:
    service = Service(
        Settings(
            seed=4,
            all_online=True,
            window=window,
            aligned=aligned,
            instant_limit=INSTANT,
            organization_limit=ORGANIZATION,
        )
    )
    ran: list[Ran] = []

    async def one(number: int) -> None:
        # As another process: a connection of its own to the shared budgets.
        cell = SqliteCell(tmp_path / "budget.db", "key", pid=number, alive=lambda _: True)
        with closing(SharedLedger(cell, rng=Random(number), reserve=0.1)) as ledger:
            specs = [make_spec(f"k{number}{n}", agents=("3", "4"), deadline=600.0) for n in range(TESTS)]
            ran.append(
                await run_in_virtual_time(
                    specs, service, tmp_path / f"{number}.db", phase=17.0, seed=number, ledger=ledger
                )
            )

    async def work() -> None:
        async with anyio.create_task_group() as tasks:
            for number in (1, 2):
                tasks.start_soon(one, number)

    run_virtual(work)
    assert service.witness()["refused_429"]["own"] == 0
    assert [each.outcome.counts.tests for each in ran] == [{SpecState.COMPLETE: TESTS}] * 2
