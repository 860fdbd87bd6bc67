"""The journal of every store: what a method returned from is there, once, and moves are legal."""

from __future__ import annotations

import anyio
import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from stores import RUN, answered, brought_to, sent, stored_run

from orchestrator.errors import StoreProblem, UsageProblem
from orchestrator.events import Adopted, CircuitOpened, Closed, Event, GivenUp, Intended, Lost, Polled
from orchestrator.lifecycle import MOVES, IllegalMove, SpecState
from orchestrator.model import AnswerStatus, CellResult, CellState, NotRun, Verdict
from orchestrator.records import BudgetSeen, Planned, Requests, RunFacts, RunSettings, RunState, TestEnd
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store

ORIGIN = "https://api.thousandeyes.com"
# Text that is hard to keep. A NUL is not among it: some databases have none in plain text.
NASTY = "<b>\x1b[31m=cmd()\u202e|`'\";--%_?" + "\u00e9\U0001f600" * 1000


async def test_a_creation_goes_from_intention_to_closed_cells(store: Store) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "name [orc]", 1.0)
    assert (await store.test(RUN, "k0")).state is SpecState.CREATING
    await store.created(RUN, "k0", "77", {"network": "/v7/x"}, 2.0)
    ends = [
        CellResult("1", CellState.ANSWERED, Verdict.PASS),
        CellResult("2", CellState.MISSING, Verdict.NO_ANSWER, ("no answer",)),
    ]
    await store.close_test(RUN, "k0", SpecState.PARTIAL, ends, 3.0, "incomplete")
    test = await store.test(RUN, "k0")
    assert (test.state, test.test_id, test.name, test.links) == (
        SpecState.PARTIAL,
        "77",
        "name [orc]",
        {"network": "/v7/x"},
    )
    assert (test.intended, test.created, test.closed, test.error) == (1.0, 2.0, 3.0, "incomplete")
    counts = await store.counts(RUN)
    assert counts.created == 1
    assert counts.left_out == 1
    assert counts.cells == {
        CellState.ANSWERED: 1,
        CellState.MISSING: 1,
        CellState.PENDING: 2,
        CellState.NOT_RUN: 1,
    }


async def test_more_specs_join_a_run_behind_the_others_with_its_counts(store: Store) -> None:
    await stored_run(store)
    before = [test.spec.key for test in await store.tests(RUN)]
    cells = sum((await store.counts(RUN)).cells.values())
    more = make_tests([make_spec("k8", agents=("1", "2", "3")), make_spec("k9", agents=("2",))])
    await store.add_specs(RUN, more, RunFacts(planned=Planned(4, 9), units=1.5))
    tests = await store.tests(RUN)
    assert [test.spec.key for test in tests] == [*before, "k8", "k9"]
    assert [test.position for test in tests] == [*range(len(tests))]
    assert {test.state for test in tests[-2:]} == {SpecState.PLANNED}
    assert sum((await store.counts(RUN)).cells.values()) == cells + 4
    assert (await store.run(RUN)).facts == RunFacts(planned=Planned(4, 9), units=1.5)
    await sent(store, "k9")
    assert (await store.test(RUN, "k9")).test_id == "tk9"


async def test_specs_that_cannot_all_join_a_run_do_not_join_it(store: Store) -> None:
    await stored_run(store)
    facts = (await store.run(RUN)).facts
    twice = make_tests([make_spec("k8"), make_spec("k0")])
    with pytest.raises(StoreProblem):
        await store.add_specs(RUN, twice, RunFacts(planned=Planned(9, 9)))
    assert [test.spec.key for test in await store.tests(RUN)] == ["k0", "k1"]
    assert (await store.run(RUN)).facts == facts
    with pytest.raises(UsageProblem):
        await store.add_specs("6500000000000009", twice, facts)


async def test_what_returned_is_there_for_another_process_and_after_closing(url: str) -> None:
    async with open_store(url) as writer, open_store(url) as reader:
        store, seen = writer.store, reader.store
        await stored_run(store)
        assert len(await seen.tests(RUN)) == 2
        await sent(store, "k0")
        assert (await seen.test(RUN, "k0")).test_id == "tk0"
        await store.add_answers(RUN, "k0", [make_answer()])
        assert await seen.answers(RUN, "k0") == [make_answer()]
        await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
        before = (await seen.run(RUN), await seen.tests(RUN), await seen.counts(RUN))
    async with open_store(url, make=False) as again:
        assert (
            await again.store.run(RUN),
            await again.store.tests(RUN),
            await again.store.counts(RUN),
        ) == before
        assert await again.store.answers(RUN, "k0") == [make_answer()]


async def test_a_write_whose_caller_has_left_is_not_made_later(store: Store) -> None:
    await stored_run(store)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.intend(RUN, "k0", "name", 1.0)
    assert scope.cancelled_caught
    await store.intend(RUN, "k1", "name", 1.0)
    assert [test.state for test in await store.tests(RUN)] == [SpecState.PLANNED, SpecState.CREATING]


# -- a run is stored ----------------------------------------------------------------------------------------


async def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    settings = RunSettings(60.0, 0.25, in_order=True, urgent=True, simulated=True, sets={"site": NASTY})
    facts = RunFacts(planned=Planned(1, 2), units=1.5, stopped="no more")
    run = make_run(plan=NASTY, plan_text=NASTY, account="12", parent="aa", settings=settings, facts=facts)
    spec = make_spec(
        target=NASTY,
        fields={"url": NASTY, "port": 1},
        raw={"x": [1.5, None]},
        expect=("loss < 1",),
        servers=2,
    )
    agent = make_agent(name=NASTY, location="London", labels=("a", NASTY), target_only=True)
    await store.create_run(run, make_tests([spec]), (), [agent])
    assert await store.run(RUN) == run
    assert [test.spec for test in await store.tests(RUN)] == [spec]
    assert await store.agents(RUN) == {"1": agent}


async def test_a_run_is_stored_with_all_of_it_or_not_at_all(store: Store) -> None:
    twice = make_tests([make_spec("k0"), make_spec("k0")])
    with pytest.raises(StoreProblem):
        await store.create_run(make_run(RUN), twice, (), [make_agent()])
    assert await store.runs() == []
    assert await store.tests(RUN) == []
    await stored_run(store)
    with pytest.raises(StoreProblem):
        await store.create_run(make_run(RUN), (), (), ())
    assert len(await store.tests(RUN)) == 2


async def test_a_run_of_nothing_is_a_run(store: Store) -> None:
    left_out = NotRun("web", "http-server", "portal", "9", "offline")
    await store.create_run(make_run(RUN), (), [left_out], ())
    counts = await store.counts(RUN)
    assert (counts.tests, counts.left_out) == ({}, 1)


async def test_what_becomes_of_a_run_is_updated(store: Store) -> None:
    await stored_run(store)
    facts = RunFacts(
        planned=Planned(2, 4),
        units=1.5,
        requests=Requests(creations=2, reads=9),
        organization=BudgetSeen(limit=240, remaining=7, reset=1_700_000_060.0, others=0.5),
        waits={"pacer": 1.5},
        stopped="the deadline",
    )
    await store.update_run(RUN, state=RunState.COMPLETE, finished=9.0, exit_code=0, facts=facts)
    run = await store.run(RUN)
    assert (run.state, run.finished, run.exit_code, run.facts) == (RunState.COMPLETE, 9.0, 0, facts)
    await store.update_run(RUN, state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts())
    assert await store.run(RUN) == make_run(RUN)


# -- moves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", SpecState)
async def test_only_the_moves_of_the_table_can_be_made_and_others_change_nothing(
    store: Store, old: SpecState
) -> None:
    await stored_run(store, count=len(SpecState))
    for number, new in enumerate(SpecState):
        key = f"k{number}"
        await brought_to(store, key, old)
        before = await store.test(RUN, key)
        if (old, new) in MOVES:
            await store.move(RUN, key, new, 4.0, "why")
            after = await store.test(RUN, key)
            assert (after.state, after.error, after.closed) == (new, "why", None)
            assert (after.name, after.test_id) == (before.name, before.test_id)
            continue
        with pytest.raises(IllegalMove):
            await store.move(RUN, key, new, 4.0, "why", [Event(4.0, RUN, key, Lost("why"))])
        assert await store.test(RUN, key) == before
        assert await store.events(RUN, key) == [], "an event of a move that was not made"


async def test_a_creation_is_intended_once_and_has_one_outcome(store: Store) -> None:
    await stored_run(store)
    with pytest.raises(IllegalMove):
        await store.created(RUN, "k0", "77", {}, 1.0)
    assert (await store.test(RUN, "k0")).state is SpecState.PLANNED
    await store.intend(RUN, "k0", "n", 1.0)
    with pytest.raises(IllegalMove):
        await store.intend(RUN, "k0", "another", 2.0)
    await store.created(RUN, "k0", "77", {}, 3.0)
    with pytest.raises(IllegalMove):
        await store.created(RUN, "k0", "78", {}, 4.0)
    test = await store.test(RUN, "k0")
    assert (test.name, test.intended, test.test_id) == ("n", 1.0, "77")


async def test_of_two_processes_that_intend_one_creation_one_is_refused(url: str) -> None:
    async with open_store(url) as one, open_store(url) as other:
        await stored_run(one.store)
        await one.store.intend(RUN, "k0", "mine", 1.0)
        with pytest.raises(IllegalMove):
            await other.store.intend(RUN, "k0", "mine too", 1.0)
        assert (await other.store.test(RUN, "k0")).name == "mine"


async def test_a_test_that_cannot_be_closed_keeps_its_cells_open(store: Store) -> None:
    await stored_run(store)
    with pytest.raises(IllegalMove):
        await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
    assert (await store.counts(RUN)).cells == {CellState.PENDING: 4, CellState.NOT_RUN: 1}


async def test_cells_end_with_their_reasons_and_those_of_other_tests_stay_open(store: Store) -> None:
    await stored_run(store)
    await sent(store, "k0", "k1")
    ends = [
        CellResult("1", CellState.ANSWERED, Verdict.FAIL, (NASTY, "loss 3 > 1")),
        CellResult("2", CellState.ERRORS, Verdict.WARN),
    ]
    await store.close_test(RUN, "k0", SpecState.COMPLETE, ends, 3.0)
    cells = {(cell.spec, cell.agent_id): cell async for cell in store.cells(RUN)}
    assert [cells["k0", agent].verdict for agent in ("1", "2")] == [Verdict.FAIL, Verdict.WARN]
    assert [cells["k0", agent].reasons for agent in ("1", "2")] == [(NASTY, "loss 3 > 1"), ()]
    assert {cells["k1", agent].state for agent in ("1", "2")} == {CellState.PENDING}


async def test_a_moved_back_spec_has_open_cells_again(store: Store) -> None:
    await stored_run(store)
    ends = [CellResult(agent, CellState.NOT_RUN, Verdict.NOT_RUN, ("late",)) for agent in ("1", "2")]
    await store.close_test(RUN, "k0", SpecState.NOT_RUN, ends, 1.0, "the deadline")
    await store.move(RUN, "k0", SpecState.PLANNED, 2.0)
    assert (await store.counts(RUN)).cells[CellState.PENDING] == 4
    assert [cell.reasons async for cell in store.cells(RUN) if cell.spec == "k0"] == [(), ()]


async def test_cells_are_judged_with_the_answers_that_complete_them(store: Store) -> None:
    await stored_run(store)
    await sent(store, "k0")
    failed = CellResult("2", CellState.ANSWERED, Verdict.FAIL, (NASTY,))
    await store.add_answers(RUN, "k0", [make_answer()], (), [*answered("1"), failed])
    assert await store.judged(RUN, "k0") == [*answered("1"), failed]
    assert (await store.test(RUN, "k0")).state is SpecState.WAITING, "the test is still open"
    assert await store.judged(RUN, "k1") == []
    # New evidence: another verdict, and nothing that is left of the one before.
    await store.add_answers(RUN, "k0", [make_answer(round_id=9)], (), answered("2"))
    assert await store.judged(RUN, "k0") == [*answered("1"), *answered("2")]


async def test_no_verdict_is_stored_without_the_answers_that_it_was_made_of(store: Store) -> None:
    await stored_run(store)
    with pytest.raises(UsageProblem):
        await store.add_answers(RUN, "k9", [make_answer()], (), answered("1"))
    broken = make_answer(metrics={"totalTime": object()})
    with pytest.raises((TypeError, ValueError)):
        await store.add_answers(RUN, "k0", [broken], (), answered("1"))
    assert await store.judged(RUN, "k0") == []


async def test_of_a_test_that_is_opened_again_only_what_lacks_answers_is_open(store: Store) -> None:
    await stored_run(store, count=1)
    await sent(store, "k0")
    error = CellResult("1", CellState.ERRORS, Verdict.WARN, ("network: no route",))
    part = CellResult("2", CellState.PARTIAL, Verdict.FAIL, ("no answer in network",))
    await store.close_test(RUN, "k0", SpecState.PARTIAL, [error, part], 3.0, "late")
    await store.move(RUN, "k0", SpecState.WAITING, 4.0)
    assert await store.judged(RUN, "k0") == [error]
    counts = await store.counts(RUN)
    assert (counts.cells[CellState.ERRORS], counts.cells[CellState.PENDING]) == (1, 1)


@pytest.mark.parametrize("missing", [(RUN, "k9"), ("65000000ffffffff", "k0")])
async def test_a_spec_that_is_not_there_is_told_and_nothing_is_written(
    store: Store, missing: tuple[str, str]
) -> None:
    await stored_run(store)
    with pytest.raises(UsageProblem, match="has no spec"):
        await store.intend(*missing, "n", 1.0)
    with pytest.raises(UsageProblem, match="has no spec"):
        await store.add_answers(*missing, [make_answer()])
    assert {test.state for test in await store.tests(RUN)} == {SpecState.PLANNED}
    assert [row async for row in store.results(RUN)] == []


async def test_a_run_that_is_not_there_is_told(store: Store) -> None:
    event = Event(1.0, RUN, None, CircuitOpened(5, 1.0))
    with pytest.raises(UsageProblem, match="there is no run"):
        await store.add_events(RUN, [event])
    with pytest.raises(UsageProblem, match="there is no run"):
        await store.update_run(RUN, state=RunState.COMPLETE, finished=1.0, exit_code=0, facts=RunFacts())
    assert await store.runs() == []


# -- creations whose answer was lost ------------------------------------------------------------------------


async def test_an_adopted_creation_waits_with_open_cells(store: Store) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "n", 5.0)
    ends = [CellResult(agent, CellState.MISSING, Verdict.NO_ANSWER) for agent in ("1", "2")]
    await store.close_test(RUN, "k0", SpecState.UNKNOWN, ends, 6.0, "lost")
    await store.adopt(RUN, "k0", "4711", 7.0)
    test = await store.test(RUN, "k0")
    assert (test.state, test.test_id, test.created) == (SpecState.WAITING, "4711", 5.0)
    counts = await store.counts(RUN)
    assert (counts.cells[CellState.PENDING], counts.pending_sent) == (4, 2)


async def test_an_adoption_under_a_wrong_id_can_be_put_right(store: Store) -> None:
    await stored_run(store)
    await brought_to(store, "k0", SpecState.UNKNOWN)
    await store.adopt(RUN, "k0", "1", 7.0)
    await store.adopt(RUN, "k0", "4711", 8.0)
    test = await store.test(RUN, "k0")
    assert (test.state, test.test_id) == (SpecState.WAITING, "4711")
    assert [event.fact for event in await store.events(RUN, "k0")] == [Adopted("1"), Adopted("4711")]


async def test_a_creation_that_nobody_looks_for_stays_unknown(store: Store) -> None:
    await stored_run(store)
    await brought_to(store, "k0", SpecState.UNKNOWN)
    await store.give_up(RUN, "k0", 7.0)
    test = await store.test(RUN, "k0")
    assert (test.state, test.given_up) == (SpecState.UNKNOWN, True)
    assert [event.fact for event in await store.events(RUN, "k0")] == [GivenUp()]
    assert not (await store.test(RUN, "k1")).given_up


async def test_the_rounds_before_a_rerun_are_remembered(store: Store) -> None:
    await stored_run(store)
    assert (await store.test(RUN, "k0")).baseline is None
    await store.set_baseline(RUN, "k0", {"1": 7, "2": 9})
    assert (await store.test(RUN, "k0")).baseline == {"1": 7, "2": 9}
    await store.set_baseline(RUN, "k0", {})
    assert (await store.test(RUN, "k0")).baseline == {}


# -- answers ------------------------------------------------------------------------------------------------


async def test_the_same_answer_is_kept_once(store: Store) -> None:
    await stored_run(store)
    answer = make_answer()
    assert await store.add_answers(RUN, "k0", [answer, answer]) == 1
    assert await store.add_answers(RUN, "k0", [answer._replace(metrics={"totalTime": 1.0})]) == 0
    assert await store.answers(RUN, "k0") == [answer]
    assert await store.add_answers(RUN, "k1", [answer]) == 1, "it is another test's"


async def test_answers_that_differ_in_one_part_of_their_identity_are_all_kept(store: Store) -> None:
    await stored_run(store)
    differ: list[dict[str, object]] = [
        {"agent_id": "2"},
        {"layer": "network"},
        {"server": "ns1.example.com"},
        {"direction": "TO_TARGET"},
        {"round_id": 1_700_000_060},
    ]
    answers = [make_answer(), *(make_answer(**one) for one in differ)]  # type: ignore[arg-type] # a builder
    assert await store.add_answers(RUN, "k0", answers) == len(answers)
    kept = await store.answers(RUN, "k0")
    assert sorted(kept, key=repr) == sorted(answers, key=repr)


async def test_answers_with_hostile_text_come_back_unchanged_in_their_metrics_and_error(
    store: Store,
) -> None:
    await stored_run(store)
    nasty = f"\x00\ud800{NASTY}" + "x" * 100_000
    answer = make_answer(
        status=AnswerStatus.ERROR, error=nasty, metrics={"errorType": nasty}, agent=NASTY, link=NASTY
    )
    await store.add_answers(RUN, "k0", [answer])
    [kept] = await store.answers(RUN, "k0")
    assert kept == answer


async def test_text_that_is_no_unicode_is_kept_in_escapes(store: Store) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "a\ud800b", 1.0)
    await store.move(RUN, "k0", SpecState.PLANNED, 2.0, "c\udfffd")
    test = await store.test(RUN, "k0")
    assert (test.name, test.error) == ("a\\ud800b", "c\\udfffd")


async def test_a_nul_is_kept_in_json_and_in_escapes_elsewhere(store: Store) -> None:
    await stored_run(store)
    answer = make_answer(agent="a\0\u202eb", metrics={"a\0b": "c\0d"}, raw="{\0}")
    await store.add_answers(RUN, "k0", [answer])
    assert await store.answers(RUN, "k0") == [answer._replace(agent="a\\x00\u202eb", raw="{\\x00}")]
    several = [make_answer(agent_id=str(n), agent=NASTY, raw="\ud800") for n in range(3)]
    kept = [one._replace(raw="\\ud800") for one in several]
    assert await store.add_answers(RUN, "k1", [*several, *several[:1]]) == 3
    assert await store.answers(RUN, "k1") == kept
    await store.intend(RUN, "k0", "a\0b", 1.0)
    assert (await store.test(RUN, "k0")).name == "a\\x00b"
    with pytest.raises(UsageProblem):
        await store.test(RUN, "k\0")
    with pytest.raises(UsageProblem):
        await store.run("65\0")


# -- events and what was learned ----------------------------------------------------------------------------


async def test_events_are_read_back_in_order(store: Store) -> None:
    await stored_run(store)
    early = [Event(1.0, RUN, "k0", Polled("network", 0, 1)), Event(2.0, RUN, None, CircuitOpened(5, 1.0))]
    late = Event(0.5, RUN, "k1", Intended("n"))  # by when they were told, whatever their clock said
    await store.add_events(RUN, early)
    await store.intend(RUN, "k1", "n", 3.0, [late])
    assert await store.events(RUN) == [*early, late]
    assert await store.events(RUN, "k0") == early[:1]
    assert await store.events("65000000ffffffff") == []


async def test_each_write_of_a_spec_stores_its_events_with_it(store: Store) -> None:
    await stored_run(store)
    told = [Event(1.0, RUN, "k0", Lost(f"{NASTY}{number}")) for number in range(6)]
    await store.intend(RUN, "k0", "n", 1.0, told[:1])
    await store.move(RUN, "k0", SpecState.PLANNED, 1.0, None, told[1:2])
    await store.intend(RUN, "k0", "n", 1.0, told[2:3])
    await store.created(RUN, "k0", "77", {}, 1.0, told[3:4])
    await store.add_answers(RUN, "k0", [], told[4:5])
    await store.close_test(RUN, "k0", SpecState.TIMED_OUT, (), 1.0, None, told[5:])
    assert await store.events(RUN, "k0") == told


async def test_what_was_learned_of_an_origin_is_replaced_type_by_type(store: Store) -> None:
    assert await store.latencies(ORIGIN) == {}
    await store.save_latencies(ORIGIN, {"http-server": [1.5, 0.25], "voice": [9.0]})
    await store.save_latencies(ORIGIN, {"http-server": [2.0]})
    await store.save_latencies("https://elsewhere.example", {"voice": [1.0]})
    assert await store.latencies(ORIGIN) == {"http-server": [2.0], "voice": [9.0]}


# -- together -----------------------------------------------------------------------------------------------


async def test_writes_at_once_each_have_their_own_outcome(url: str) -> None:
    """They may share a commit: one that fails takes no other with it, and none returns too early."""
    count, refused = 30, 7
    async with open_store(url) as opened, open_store(url) as other:
        store, seen = opened.store, other.store
        await stored_run(store, count)
        await store.intend(RUN, f"k{refused}", "n", 1.0)

        async def intend(number: int) -> None:
            key = f"k{number}"
            if number == refused:
                with pytest.raises(IllegalMove):
                    await store.intend(RUN, key, "again", 2.0)
                return
            await store.intend(RUN, key, f"n{number}", 2.0)
            assert (await seen.test(RUN, key)).name == f"n{number}", "returned, but not durable"

        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(intend, number)
        assert (await store.test(RUN, f"k{refused}")).name == "n"


async def test_a_cancelled_write_takes_no_other_with_it(store: Store) -> None:
    await stored_run(store, 20)
    done: list[str] = []

    async def intend(key: str, scope: anyio.CancelScope) -> None:
        with scope:
            await store.intend(RUN, key, "n", 1.0)
            done.append(key)

    scopes = {f"k{number}": anyio.CancelScope() for number in range(20)}
    async with anyio.create_task_group() as tasks:
        for key, scope in scopes.items():
            tasks.start_soon(intend, key, scope)
        await anyio.lowlevel.checkpoint()
        for key in list(scopes)[::3]:
            scopes[key].cancel()
    kept = {test.spec.key for test in await store.tests(RUN, [SpecState.CREATING])}
    assert set(done) <= kept, "returned, but not kept"
    assert {key for number, key in enumerate(scopes) if number % 3} <= set(done), "others were cancelled too"


async def test_two_processes_write_at_once_and_lose_nothing(url: str) -> None:
    async with open_store(url) as one, open_store(url) as other:
        await stored_run(one.store, 10)
        await stored_run(other.store, 10, run="65000001deadbeef")
        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(one.store.intend, RUN, f"k{number}", "n", 1.0)
                tasks.start_soon(other.store.intend, "65000001deadbeef", f"k{number}", "n", 1.0)
        for run in (RUN, "65000001deadbeef"):
            assert (await one.store.counts(run)).tests == {SpecState.CREATING: 10}


async def test_that_a_store_can_be_written_is_proved_and_leaves_nothing(store: Store) -> None:
    await stored_run(store)
    before = (await store.runs(), await store.tests(RUN), await store.events(RUN))
    await store.probe()
    await store.probe()
    assert (await store.runs(), await store.tests(RUN), await store.events(RUN)) == before


async def test_several_specs_move_by_one_write_or_none_of_them_does(store: Store) -> None:
    await stored_run(store, count=4)
    for key in ("k0", "k1", "k2"):
        await brought_to(store, key, SpecState.NOT_RUN)
    with pytest.raises(IllegalMove):
        await store.move_all(RUN, ["k0", "k3", "k1"], SpecState.WAITING)
    with pytest.raises(UsageProblem):
        await store.move_all(RUN, ["k0", "k9"], SpecState.PLANNED)
    states = {test.spec.key: test.state for test in await store.tests(RUN)}
    assert states == {**dict.fromkeys(("k0", "k1", "k2"), SpecState.NOT_RUN), "k3": SpecState.PLANNED}
    await store.move_all(RUN, ["k2", "k0"], SpecState.PLANNED)
    found = {test.spec.key: test for test in await store.tests(RUN, [SpecState.PLANNED])}
    assert found.keys() == {"k0", "k2", "k3"}
    assert (found["k0"].closed, found["k0"].error) == (None, None)


async def test_several_specs_end_by_one_write_or_none_of_them_does(store: Store) -> None:
    await stored_run(store, count=3)
    await sent(store, "k0", "k1")
    cells = (CellResult("1", CellState.NOT_RUN, Verdict.NOT_RUN, ("why",)),)
    ends = [TestEnd(f"k{n}", SpecState.TIMED_OUT, cells, "nothing came") for n in range(3)]
    told = [Event(3.0, RUN, "k0", Closed(SpecState.TIMED_OUT))]
    with pytest.raises(IllegalMove):
        await store.close_tests(RUN, ends, 3.0, told)
    assert (await store.counts(RUN)).tests == {SpecState.WAITING: 2, SpecState.PLANNED: 1}
    assert await store.events(RUN) == []
    await store.close_tests(RUN, ends[:2], 3.0, told)
    closed = await store.tests(RUN, [SpecState.TIMED_OUT])
    assert [(one.spec.key, one.closed, one.error) for one in closed] == [
        ("k0", 3.0, "nothing came"),
        ("k1", 3.0, "nothing came"),
    ]
    assert [(one.spec, one.agent_id) async for one in store.cells(RUN) if one.reasons == ("why",)] == [
        ("k0", "1"),
        ("k1", "1"),
    ]
    assert await store.events(RUN) == told
