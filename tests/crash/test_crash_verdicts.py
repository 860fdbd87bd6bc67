"""A cell is judged in the transaction that stores the last of its answers: a kill leaves both or neither."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from process_world import World, plan_text, sums


# Written and not committed; and when all of a test is in, before it is closed.
@pytest.mark.parametrize("point", ["add_answers.inside:10", "close_test.before:1"])
def test_killed_in_the_middle_of_answers_a_run_has_told_what_is_in_and_a_resume_the_rest(
    world: World, point: str
) -> None:
    killed = world.do("run", world.plan(plan_text(sites=4)), PROCESS_KILL=point)
    assert killed.code == -9
    with closing(sqlite3.connect(world.store)) as db:
        cells = db.execute(
            "SELECT verdict IS NOT NULL, (SELECT count(DISTINCT layer) FROM answers "
            "WHERE answers.spec_n = cells.spec_n AND answers.agent_id = cells.agent_id) FROM cells"
        ).fetchall()
    judged = [layers for said, layers in cells if said]
    assert judged or not point.startswith("close_test"), "the answers are in, the test is not closed"
    assert set(judged) <= {3}
    assert 3 not in [layers for said, layers in cells if not said], "its answers are there, and no verdict"
    shown = world.do("show", "last", "--json").document
    assert sums(shown) == []
    assert shown["cells"]["answered"] + shown["cells"]["errors"] == len(judged)
    assert shown["cells"]["partial"] == sum(0 < layers < 3 for _, layers in cells)
    assert shown["insight"]["headline"].startswith("So far: ")

    resumed = world.do("resume", "last", "--json")
    assert resumed.code == 0, str(resumed)
    assert sums(resumed.document) == []
    assert resumed.document["cells"]["answered"] == len(cells)
