"""The cell that keeps the budgets that runs share, and the ledger over it, in every kind of store."""

from __future__ import annotations

import asyncio
import math
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from process_world import PATIENCE

from orchestrator.budget.cell import Cell, CellFailed
from orchestrator.budget.permits import Ledger
from orchestrator.budget.readings import LimitReading, Limits
from orchestrator.events import untold
from orchestrator.store.opening import Opened, open_store

MakeCell = Callable[..., Cell]


def put(cell: Cell, body: str) -> None:
    with cell.transaction() as turn:
        turn.store(body)


def got(cell: Cell) -> str | None:
    with cell.transaction() as turn:
        return turn.load()


def test_a_new_cell_is_empty_and_then_holds_what_was_last_stored(make_cell: MakeCell) -> None:
    one, other = make_cell(), make_cell()
    assert got(one) is None
    put(one, '{"a": "\\ud800"}')
    put(one, "last")
    assert got(one) == got(other) == "last"


def test_keys_share_nothing(make_cell: MakeCell) -> None:
    put(make_cell("one"), "mine")
    assert got(make_cell("two")) is None
    put(make_cell("two"), "theirs")
    assert got(make_cell("one")) == "mine"


def test_what_was_stored_outlives_who_stored_it(make_cell: MakeCell) -> None:
    one = make_cell()
    put(one, "body")
    one.close()
    assert got(make_cell()) == "body"


def test_a_transaction_that_fails_leaves_what_was_there(make_cell: MakeCell) -> None:
    one = make_cell()
    put(one, "before")

    def fail() -> None:
        with one.transaction() as turn:
            turn.store("after")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert not one.unchanged(), "what the caller remembers may be what was not kept"
    assert got(make_cell()) == "before"


def test_it_is_unchanged_only_since_an_own_transaction_and_until_anothers(make_cell: MakeCell) -> None:
    one, other = make_cell(), make_cell()
    put(other, "0")
    assert not one.unchanged(), "it was never read"
    put(one, "1")
    assert one.unchanged()
    with one.transaction() as turn:
        assert turn.unchanged
        turn.store("2")
    assert one.unchanged()
    put(other, "3")
    assert not one.unchanged()
    with one.transaction() as turn:
        assert not turn.unchanged
        assert turn.load() == "3"
        turn.store("4")
    assert one.unchanged()


def test_to_ask_whether_it_is_unchanged_waits_for_nobody(make_cell: MakeCell) -> None:
    one, other = make_cell(), make_cell()
    put(one, "1")
    with other.transaction() as turn:
        turn.store("2")
        assert one.unchanged(), "not kept yet"
    assert not one.unchanged()


def test_changes_at_once_are_made_one_after_another(make_cell: MakeCell) -> None:
    put(make_cell(), "0")

    failed: list[bool] = []

    def count(cell: Cell) -> None:
        done = 0
        while done < 40:
            try:
                with cell.transaction() as turn:
                    turn.store(str(int(turn.load() or "") + 1))
            except CellFailed as busy:
                failed.append(busy.heals)
            else:
                done += 1
        cell.close()

    threads = [threading.Thread(target=count, args=(make_cell(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got(make_cell()) == "120"
    assert all(failed), "who came too early may try again"


def test_a_process_is_dead_only_if_that_is_known(make_cell: MakeCell) -> None:
    cell = make_cell()
    assert not cell.is_dead(cell.process)
    mine, _, _ = cell.process.rpartition("|")
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert cell.is_dead(f"{mine}|{child.pid}")
    assert not cell.is_dead(f"elsewhere|{child.pid}")


# -- the ledger that comes with a store ---------------------------------------------------------------------


def ledger(opened: Opened, origin: str = "https://api.example.com", organization: str = "acme") -> Ledger:
    return opened.ledger(origin, organization, rng=random.Random(1), reserve=0.0, urgent=False, tell=untold)


def now() -> float:
    return asyncio.get_running_loop().time()


async def learned(ledger: Ledger) -> None:
    """A request was sent and answered. Where hosts share the budgets a permit has a way to go."""
    with anyio.fail_after(PATIENCE):
        while (permit := ledger.try_reserve(now(), instant=True)) is None:  # noqa: ASYNC110 - time is the database's
            await anyio.sleep(0.05)
    date = math.floor(time.time())
    reset = date + 60.0
    limits = Limits(LimitReading(240, 7, reset), LimitReading(24, 3, reset), date, None)
    ledger.settle(permit, limits, now(), status=201)


async def test_processes_of_one_organization_share_their_budgets(opened: Opened, url: str) -> None:
    async with open_store(url) as again:
        one, other = ledger(opened), ledger(again)
        await learned(one)
        with anyio.fail_after(PATIENCE):  # how a request ended may be known a little later
            while (view := other.view(now())).organization.remaining is None:
                other.try_reserve(now(), instant=True, spare=1000)  # whoever wants nothing need not know
                await anyio.sleep(0.01)
        assert view.organization.remaining == 7
        assert view.instant_test.remaining == 3
        one.close()
        other.close()


@pytest.mark.parametrize("other", [("https://api.example.com", "rival"), ("https://api.example.org", "acme")])
async def test_organizations_and_origins_share_nothing(opened: Opened, other: tuple[str, str]) -> None:
    mine, theirs = ledger(opened), ledger(opened, *other)
    await learned(mine)
    theirs.try_reserve(now(), instant=True, spare=1000)
    assert theirs.view(now()).organization.remaining is None
    mine.close()
    theirs.close()


async def test_nothing_that_is_kept_of_the_budgets_names_origin_or_organization(
    opened: Opened, tmp_path: Path
) -> None:
    mine = ledger(opened)
    await learned(mine)
    mine.close()
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in kept:
        content = path.read_bytes()
        assert b"example" not in content, path
        assert b"acme" not in content, path
