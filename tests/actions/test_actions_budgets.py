"""Budgets as they stand are looked at from outside: what processes share now, else what a run saw last."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from web_site import keep

from orchestrator.actions.budgets import budgets
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.events import untold
from orchestrator.store.opening import SHARED_BUDGET, open_store

ORIGIN = "https://api.thousandeyes.com"


async def test_what_processes_share_is_told_as_it_stands_and_stays_as_it_is(tmp_path: Path) -> None:
    now = asyncio.get_running_loop().time
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await keep(opened.store, "aa01")
        ledger = opened.ledger(ORIGIN, "", rng=Random(1), reserve=0.1, urgent=False, tell=untold)
        permit = ledger.try_reserve(now(), instant=False)
        assert permit is not None
        reset = 1_795_749_180.0
        ledger.settle(
            permit, Limits(LimitReading(240, 200, reset), None, reset - 30.0, None), now(), status=200
        )
        assert ledger.try_reserve(now(), instant=False) is not None
        before = (tmp_path / SHARED_BUDGET).read_bytes()
        (found,) = await budgets(opened, ["nobody"], now())
        assert (tmp_path / SHARED_BUDGET).read_bytes() == before
        ledger.close()
    assert found.now is not None
    assert (found.now["organization"].limit, found.now["organization"].free) == (240, 199)
    assert found.now["organization"].in_flight == 1
    assert found.processes == 1
    assert (found.run, found.seen["organization"].remaining) == ("aa01", 200)


async def test_without_sharing_it_is_what_a_run_saw_and_no_file_is_made(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await keep(opened.store, "aa01")
        (found,) = await budgets(opened, [], 1.0)
    assert found.now is None
    assert found.seen["organization"].limit == 240
    assert not (tmp_path / SHARED_BUDGET).exists()


async def test_a_damaged_cell_is_no_budget(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await keep(opened.store, "aa01")
        (tmp_path / SHARED_BUDGET).write_bytes(b"this is no database, and long enough to be looked at" * 40)
        (found,) = await budgets(opened, [], 1.0)
    assert found.now is None
