"""Killed in the middle of a prune: the store is sound, what stays is whole, and the next prune ends it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from kept_runs import ended_run
from process_world import World, damaged

from orchestrator.store.opening import open_store

KILLED = -9


@pytest.mark.parametrize(
    "point", ["condemn.inside", "condemn.after", "clear.inside:2", "clear.after:2", "give_back.inside"]
)
async def test_a_prune_that_is_killed_leaves_a_sound_store(world: World, point: str) -> None:
    async with open_store(str(world.store)) as opened:
        for number in range(4):
            await ended_run(opened.store, f"aa0{number}", specs=40, raw="{}")
    whole = tables(world.store)
    killed = world.do("store", "prune", "--keep", "1", "--yes", PROCESS_KILL=point)
    assert killed.code == KILLED, str(killed)
    assert damaged(world.store) == ""
    left = [one["run"] for one in world.do("runs", "--json").document["runs"]]
    assert left == (["aa03", "aa02", "aa01", "aa00"] if point == "condemn.inside" else ["aa03"])
    for run in left:
        assert world.do("show", run, "--json").document["cells"]["answered"] == 80
    done = world.do("store", "prune", "--keep", "1", "--yes", "--json")
    assert done.code == 0, str(done)
    assert damaged(world.store) == ""
    assert tables(world.store) == {name: count // 4 for name, count in whole.items()}
    assert done.document["bytes"]["free"] == 0


async def test_raw_rows_that_were_pruned_in_part_only_are_pruned_by_the_next(world: World) -> None:
    async with open_store(str(world.store)) as opened:
        for number in range(2):
            await ended_run(opened.store, f"aa0{number}", specs=40, raw='{"x":1}')
    assert (
        world.do("store", "prune", "--keep", "0", "--raw", "--yes", PROCESS_KILL="thin.inside:2").code
        == KILLED
    )
    assert damaged(world.store) == ""
    assert world.do("show", "aa01", "--json").document["raw_pruned"] is not None
    assert raw_rows(world.store) == 160
    assert world.do("store", "prune", "--keep", "0", "--raw", "--yes").code == 0
    assert raw_rows(world.store) == 0
    assert world.do("show", "aa00", "--json").document["cells"]["answered"] == 80


def tables(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        names = ("runs", "specs", "cells", "answers", "agents", "events")
        counted = (db.execute(f"SELECT '{name}', count(*) FROM {name}") for name in names)  # noqa: S608 - ours
        return dict(row for rows in counted for row in rows)


def raw_rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM answers WHERE raw <> ''").fetchone()[0])
