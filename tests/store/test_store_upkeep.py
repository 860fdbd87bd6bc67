"""What keeps a store small: what is taken is gone at once and for all, and everything else stays."""

from __future__ import annotations

import anyio
import pytest
from builders import make_answer
from kept_runs import RAW, ended_run
from stores import RUN, stored_run

from orchestrator.errors import UsageProblem
from orchestrator.events import Event, Intended
from orchestrator.model import Answer
from orchestrator.records import FINISHED, RunFacts, RunSettings, RunState
from orchestrator.store.base import WholeStore
from orchestrator.store.opening import Opened, open_store

OLD, NEW = "aa01", "aa02"


@pytest.fixture
def store(opened: Opened) -> WholeStore:
    return opened.store


async def cleared(store: WholeStore) -> None:
    while await store.clear():
        pass


async def thinned(store: WholeStore, run: str) -> None:
    after = await store.thin(run, 9.0)
    while after is not None:
        after = await store.thin(run, 9.0, after)


async def answers_of(store: WholeStore, run: str) -> list[Answer]:
    return [row.answer async for row in store.results(run)]


async def test_outlines_are_those_of_all_runs_newest_first(store: WholeStore) -> None:
    assert await store.outlines() == []
    settings = RunSettings(partial=True)
    await ended_run(store, OLD, plan="odd", started=1.0, parent="aa00", account="7", settings=settings)
    await stored_run(store)
    found = await store.outlines()
    assert [one.partial for one in found] == [False, True]
    assert [one.id for one in found] == [RUN, OLD]
    assert (found[0].state, found[0].exit_code, found[0].raw_pruned) == (RunState.RUNNING, None, None)
    old = found[1]
    assert (old.plan, old.started, old.finished, old.parent, old.account) == ("odd", 1.0, 4.0, "aa00", "7")
    assert (old.exit_code, old.simulated) == (0, False)


@pytest.mark.parametrize("state", RunState)
async def test_only_what_has_ended_can_be_taken(store: WholeStore, state: RunState) -> None:
    await ended_run(store, OLD, state=state)
    assert await store.condemn([OLD, "aa77"]) == ([OLD] if state in FINISHED else [])
    assert [run.id for run in await store.runs()] == ([] if state in FINISHED else [OLD])
    assert await store.thin(OLD, 9.0) is None
    if state not in FINISHED:
        assert (await store.run(OLD)).raw_pruned is None
        assert {answer.raw for answer in await answers_of(store, OLD)} == {RAW}


@pytest.mark.parametrize("state", RunState)
async def test_answers_that_are_forgotten_go_and_their_run_stays_with_its_cells(
    store: WholeStore, state: RunState
) -> None:
    await ended_run(store, OLD, state=state)
    await ended_run(store, NEW)
    before = [cell async for cell in store.cells(OLD)]
    assert await store.forget_answers([OLD, "aa77"], 9.0) == ([OLD] if state in FINISHED else [])
    await cleared(store)
    assert (await answers_of(store, OLD) == []) == (state in FINISHED)
    assert len(await answers_of(store, NEW)) == 8
    assert [cell async for cell in store.cells(OLD)] == before
    run = await store.run(OLD)
    assert (run.answers_pruned, run.raw_pruned) == ((9.0, 9.0) if state in FINISHED else (None, None))
    assert (await store.outlines())[1].answers_pruned == run.answers_pruned


async def test_answers_that_are_forgotten_go_piece_by_piece_and_the_run_says_so_at_the_end(
    store: WholeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.sql.upkeep.ROWS", 1)
    await ended_run(store, OLD, specs=3)
    await store.forget_answers([OLD], 9.0)
    steps = 0
    while await store.clear():
        steps += 1
        assert steps < 10
        if await answers_of(store, OLD):
            assert (await store.outlines())[0].answers_pruned is None, "not all of them"
    assert steps > 3
    assert (await store.outlines())[0].answers_pruned == 9.0


async def test_a_pinned_run_cannot_be_taken(store: WholeStore) -> None:
    await ended_run(store, OLD)
    await store.pin("before", OLD, None, 5.0)
    assert list(await store.must_stay()) == [OLD]
    assert await store.condemn([OLD]) == []
    await store.unpin("before")
    assert await store.must_stay() == {}
    assert await store.condemn([OLD]) == [OLD]


async def test_a_run_that_is_pinned_between_choice_and_taking_loses_nothing(store: WholeStore) -> None:
    await ended_run(store, OLD)
    await store.pin("before", OLD, None, 5.0)
    assert await store.forget_answers([OLD], 9.0) == []
    assert await store.thin(OLD, 9.0) is None
    await cleared(store)
    assert {answer.raw for answer in await answers_of(store, OLD)} == {RAW}


async def test_a_run_that_goes_on_after_its_answers_were_forgotten_keeps_those_that_it_has(
    store: WholeStore,
) -> None:
    await ended_run(store, OLD, state=RunState.INCOMPLETE)
    await ended_run(store, NEW)
    assert await store.forget_answers([OLD], 9.0) == [OLD]  # and was killed before it took them
    await store.update_run(OLD, state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts())
    assert await store.forget_answers([NEW], 9.0) == [NEW]
    await cleared(store)
    assert len(await answers_of(store, OLD)) == 8
    assert (await store.run(OLD)).answers_pruned is None


async def test_raw_rows_that_came_after_a_prune_can_be_taken_by_the_next(store: WholeStore) -> None:
    await ended_run(store, OLD, state=RunState.INCOMPLETE)
    await thinned(store, OLD)
    assert (await store.run(OLD)).raw_pruned is not None
    await store.update_run(OLD, state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts())
    await store.add_answers(OLD, "k0", [make_answer("dns-server", "1", raw=RAW)])
    await store.update_run(OLD, state=RunState.COMPLETE, finished=5.0, exit_code=0, facts=RunFacts())
    assert (await store.run(OLD)).raw_pruned is None
    await thinned(store, OLD)
    assert {answer.raw for answer in await answers_of(store, OLD)} == {""}


async def test_raw_rows_are_not_taken_of_a_run_whose_answers_are_being_forgotten(store: WholeStore) -> None:
    await ended_run(store, OLD)
    await store.forget_answers([OLD], 9.0)  # and was killed before it took them
    assert await store.thin(OLD, 9.0) is None
    await cleared(store)
    assert await answers_of(store, OLD) == []


async def test_a_condemned_run_is_gone_for_everybody_before_it_is_cleared(store: WholeStore) -> None:
    await ended_run(store, OLD)
    await ended_run(store, NEW)
    assert await store.condemn([OLD]) == [OLD]
    assert [one.id for one in await store.outlines()] == [NEW]
    assert [run.id for run in await store.runs()] == [NEW]
    assert (await store.run("aa")).id == NEW, "no other begins so"
    for name in (OLD, "-", "-1"):
        with pytest.raises(UsageProblem, match="no run"):
            await store.run(name)
    assert await answers_of(store, OLD) == []
    assert await store.tests(OLD) == []
    with pytest.raises(UsageProblem):
        await store.intend(OLD, "k0", "name", 5.0)
    with pytest.raises(UsageProblem):
        await store.update_run(OLD, state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts())


async def test_what_a_condemned_run_holds_goes_step_by_step_and_nothing_else_does(
    store: WholeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.sql.upkeep.ROWS", 5)
    await ended_run(store, OLD, specs=6)
    await ended_run(store, NEW)
    await store.add_events(OLD, [Event(1.0, OLD, "k0", Intended("n")) for _ in range(12)])
    kept = [await answers_of(store, NEW), await store.counts(NEW), await store.events(NEW)]
    await store.condemn([OLD])
    steps = 0
    while await store.clear():
        steps += 1
        assert [await answers_of(store, NEW), await store.counts(NEW), await store.events(NEW)] == kept
    assert steps > 6
    assert not await store.clear()
    left, held = (await store.holdings()).total, await store.holding([NEW])
    assert (left.runs, left.specs, left.cells, left.answers) == (1, held.specs, held.cells, held.answers)


async def test_raw_rows_go_and_everything_else_of_a_run_stays(
    store: WholeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.sql.upkeep.ROWS", 5)
    await ended_run(store, OLD, specs=4)
    await ended_run(store, NEW)
    before, counts = await answers_of(store, OLD), await store.counts(OLD)
    after = await store.thin(OLD, 9.0)
    assert after is not None, "more than one step"
    assert (await store.outlines())[1].raw_pruned is None, "not all of them"
    assert (await store.run(OLD)).raw_pruned == 9.0
    await thinned(store, OLD)
    assert (await store.outlines())[1].raw_pruned == 9.0
    found = await answers_of(store, OLD)
    assert {answer.raw for answer in found} == {""}
    assert [(one.agent_id, one.layer, one.metrics, one.link) for one in found] == [
        (one.agent_id, one.layer, one.metrics, one.link) for one in before
    ]
    assert await store.counts(OLD) == counts
    assert {answer.raw for answer in await answers_of(store, NEW)} == {RAW}
    # A row that is read twice is still kept once.
    assert await store.add_answers(OLD, "k0", [make_answer("network", "1")]) == 0


async def test_what_is_held_is_counted_and_shared_out_by_plan(store: WholeStore) -> None:
    await ended_run(store, OLD, plan="large", specs=40, started=10.0)
    await ended_run(store, NEW, plan="large", specs=40, started=20.0)
    await ended_run(store, "aa03", plan="small", specs=40, raw="{}", started=5.0)
    found = await store.holdings()
    assert [(one.plan, one.oldest, one.newest) for one in found.plans] == [
        ("large", 10.0, 20.0),
        ("small", 5.0, 5.0),
    ]
    total = found.total
    assert (total.runs, total.specs, total.cells, total.answers) == (3, 120, 240, 480)
    assert abs(total.bytes - (found.size.bytes - found.size.free)) <= len(found.plans)
    large, small = (one.holds.bytes for one in found.plans)
    assert large > 3 * small
    assert found.place == (await store.about()).place


async def test_a_run_goes_on_while_another_process_prunes(store: WholeStore, url: str) -> None:
    for number in range(5):
        await ended_run(store, f"aa0{number}", specs=30)
    await stored_run(store, count=40)

    async def writes() -> None:
        for number in range(40):
            await store.intend(RUN, f"k{number}", "name", 1.0)
            await store.created(RUN, f"k{number}", str(number), {}, 2.0)

    async with open_store(url) as other, anyio.create_task_group() as tasks:
        tasks.start_soon(writes)
        await other.store.condemn([f"aa0{number}" for number in range(4)])
        await cleared(other.store)
        await thinned(other.store, "aa04")
        while await other.store.give_back():
            pass
    assert (await store.counts(RUN)).created == 40
    assert [run.id for run in await store.runs()] == [RUN, "aa04"]
