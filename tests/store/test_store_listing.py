"""What pages ask of every store: runs page by page, plans, worlds, and what runs came to."""

from __future__ import annotations

import pytest
from builders import make_agent, make_run, make_spec, make_tests
from stores import RUN, stored_run

from orchestrator.catalogue import PlanSeen, Which
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult, CellState, Verdict
from orchestrator.records import RunFacts, RunSettings, RunState
from orchestrator.store.base import WholeStore
from orchestrator.store.opening import Opened

SIMULATED = RunSettings(simulated=True)


@pytest.fixture
def store(opened: Opened) -> WholeStore:
    """All of a store."""
    return opened.store


async def _three(store: WholeStore) -> None:
    await store.create_run(make_run("aa01", plan="night", account="7"), [], [], [])
    await store.create_run(make_run("aa02", plan="day"), [], [], [])
    await store.create_run(make_run("aa03", origin="http://127.0.0.1:9", settings=SIMULATED), [], [], [])
    await store.update_run("aa02", state=RunState.COMPLETE, finished=2.0, exit_code=0, facts=RunFacts())


async def _ids(store: WholeStore, which: Which, before: str | None = None, most: int = 9) -> list[str]:
    return [run.id for run in await store.runs_page(which, before, most)]


async def test_runs_come_page_by_page_newest_first(store: WholeStore) -> None:
    await _three(store)
    assert await _ids(store, Which(), most=2) == ["aa03", "aa02"]
    assert await _ids(store, Which(), before="aa02") == ["aa01"]
    assert await _ids(store, Which(), before="aa") == [], "an id is whole here"


async def test_runs_are_found_by_plan_by_state_and_by_world(store: WholeStore) -> None:
    await _three(store)
    origin = "https://api.thousandeyes.com"
    assert await _ids(store, Which(plan="day")) == ["aa02"]
    assert await _ids(store, Which(plan="da")) == []
    assert await _ids(store, Which(states=(RunState.RUNNING, RunState.REFUSED))) == ["aa03", "aa01"]
    assert await _ids(store, Which(origin=origin)) == ["aa02"], "the one without an account group"
    assert await _ids(store, Which(origin=origin, account="7")) == ["aa01"]
    assert await _ids(store, Which(origin="simulated")) == ["aa03"]
    assert await _ids(store, Which(plan="day", states=(RunState.RUNNING,))) == []
    assert await _ids(store, Which(organization="nobody")) == []
    assert await store.organizations() == []


async def test_plans_and_worlds_are_those_of_the_runs(store: WholeStore) -> None:
    assert await store.plans() == []
    assert await store.worlds() == []
    await _three(store)
    await store.create_run(make_run("aa04", plan="day"), [], [], [])
    seen = [PlanSeen("day", 2, "aa04"), PlanSeen("night", 1, "aa01"), PlanSeen("sweep", 1, "aa03")]
    assert await store.plans() == seen
    origin = "https://api.thousandeyes.com"
    assert set(await store.worlds()) == {(origin, "7"), (origin, None), ("simulated", None)}


async def test_a_condemned_run_is_on_no_page(store: WholeStore) -> None:
    await _three(store)
    assert await store.condemn(["aa02"]) == ["aa02"]
    assert await _ids(store, Which()) == ["aa03", "aa01"]
    assert [plan.name for plan in await store.plans()] == ["night", "sweep"]


async def test_outcomes_count_cells_by_target_and_by_agent(store: WholeStore) -> None:
    specs = [make_spec("k0"), make_spec("k1", target="https://other.example.com")]
    agents = [make_agent("1"), make_agent("2", name="two")]
    await store.create_run(make_run(RUN), make_tests(specs), [], agents)
    cells = [
        CellResult("1", CellState.ANSWERED, Verdict.FAIL),
        CellResult("2", CellState.ANSWERED, Verdict.PASS),
    ]
    await store.close_test(RUN, "k0", SpecState.NOT_RUN, cells, 1.0)
    (found,) = await store.outcomes([RUN])
    assert list(found.targets) == [("web", "https://example.com"), ("web", "https://other.example.com")]
    assert found.targets["web", "https://example.com"] == {Verdict.FAIL: 1, Verdict.PASS: 1}
    assert found.agents == {"1": {Verdict.FAIL: 1, None: 1}, "2": {Verdict.PASS: 1, None: 1}}
    assert found.names == {"1": "agent 1", "2": "two"}


async def test_of_runs_that_are_not_there_nothing_came(store: WholeStore) -> None:
    await stored_run(store)
    there, gone = await store.outcomes([RUN, "ffff"])
    assert len(there.targets) == 1
    assert (gone.run, gone.targets, gone.agents) == ("ffff", {}, {})
