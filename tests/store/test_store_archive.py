"""What is read from every store: all of it, once, in order, also while it is written."""

from __future__ import annotations

import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from stores import PAGE, RUN, answered, brought_to, sent, stored_run

from orchestrator.errors import UsageProblem
from orchestrator.events import Event, GivenUp, Intended
from orchestrator.lifecycle import SpecState
from orchestrator.model import AgentState, AgentType, CellResult, CellState, Hop, Path, Verdict, by_agent
from orchestrator.records import Baseline, Counts, RunFacts, RunSettings, RunState
from orchestrator.store.base import Store
from orchestrator.testtypes import DETAILS

ORIGIN = "https://api.thousandeyes.com"


@pytest.fixture(params=[2, 3, 500], ids="{} rows at once".format)
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PAGE, request.param)


async def test_a_run_is_found_by_prefix_and_by_last_but_not_by_an_ambiguous_one(store: Store) -> None:
    with pytest.raises(UsageProblem, match="no run yet"):
        await store.run("last")
    await store.create_run(make_run("aa01"), [], [], [])
    await store.create_run(make_run("aa02"), [], [], [])
    await store.create_run(make_run("aa021"), [], [], [])
    assert (await store.run("last")).id == "aa021"
    assert (await store.run("aa01")).id == "aa01"
    assert (await store.run("aa02")).id == "aa02", "another begins with it"
    with pytest.raises(UsageProblem, match="more than one run"):
        await store.run("aa")
    for unknown in ("zz", "", "a%", "aa0_", "AA01", "a\x00"):
        with pytest.raises(UsageProblem, match="no run"):
            await store.run(unknown)


async def test_runs_are_listed_newest_first_and_by_plan(store: Store) -> None:
    for number in range(5):
        await store.create_run(make_run(f"aa0{number}", plan=("odd" if number % 2 else "even")), [], [], [])
    assert [run.id for run in await store.runs()] == ["aa04", "aa03", "aa02", "aa01", "aa00"]
    assert [run.id for run in await store.runs(2)] == ["aa04", "aa03"]
    assert [run.id for run in await store.runs(2, "odd")] == ["aa03", "aa01"]
    assert await store.runs(plan="od") == []


async def test_agents_are_as_the_run_saw_them(store: Store) -> None:
    seen = [
        make_agent("1", location="Berlin", labels=("a", "b")),
        make_agent("2", type=AgentType.ENTERPRISE, country=None, state=AgentState.OFFLINE),
    ]
    await store.create_run(make_run("aa01"), [], [], seen)
    await store.create_run(make_run("aa02"), [], [], [make_agent("1", name="renamed")])
    assert await store.agents("aa01") == {agent.id: agent for agent in seen}
    assert (await store.agents("aa02"))["1"].name == "renamed"
    assert await store.agents("aa03") == {}


async def test_specs_come_in_the_order_of_the_plan_and_by_state(store: Store, page: None) -> None:
    keys = ["z", "a", "m"]
    await store.create_run(make_run(RUN), make_tests([make_spec(key) for key in keys]), [], [])
    assert [test.spec.key for test in await store.tests(RUN)] == keys
    assert [test.position for test in await store.tests(RUN)] == [0, 1, 2]
    await store.intend(RUN, "a", "n", 1.0)
    assert [test.spec.key for test in await store.tests(RUN, [SpecState.PLANNED])] == ["z", "m"]
    assert [test.spec.key for test in await store.tests(RUN, [SpecState.CREATING, SpecState.UNKNOWN])] == [
        "a"
    ]
    assert await store.tests(RUN, []) == []
    assert await store.test(RUN, "m") == (await store.tests(RUN))[2]


@pytest.mark.parametrize("missing", [(RUN, "k9"), ("65000000ffffffff", "k0"), (RUN, "k%")])
async def test_a_spec_that_is_not_there_is_told(store: Store, missing: tuple[str, str]) -> None:
    await stored_run(store)
    with pytest.raises(UsageProblem, match="has no spec"):
        await store.test(*missing)
    with pytest.raises(UsageProblem, match="has no spec"):
        await store.answers(*missing)
    with pytest.raises(UsageProblem, match="has no spec"):
        await store.judged(*missing)


async def test_counts_are_those_of_what_is_stored(store: Store) -> None:
    await stored_run(store, count=len(SpecState))
    for number, state in enumerate(SpecState):
        await brought_to(store, f"k{number}", state)
    complete = f"k{list(SpecState).index(SpecState.WAITING)}"
    ends = [*answered("1"), CellResult("2", CellState.ERRORS, Verdict.FAIL)]
    await store.close_test(RUN, complete, SpecState.COMPLETE, ends, 4.0)
    counts = await store.counts(RUN)
    left = set(SpecState) - {SpecState.WAITING, SpecState.COMPLETE}
    assert counts == Counts(
        tests={**dict.fromkeys(left, 1), SpecState.COMPLETE: 2},
        created=4,
        cells={
            CellState.PENDING: 2 * (len(SpecState) - 1),
            CellState.ANSWERED: 1,
            CellState.ERRORS: 1,
            CellState.NOT_RUN: 1,
        },
        verdicts={Verdict.PASS: 1, Verdict.FAIL: 1, Verdict.NOT_RUN: 1},
        left_out=1,
        pending_sent=4,
    )


async def test_the_good_runs_before_a_run_are_those_of_its_plan_in_its_world(store: Store) -> None:
    simulated = RunSettings(simulated=True)

    async def kept(run: str, started: float, code: int | None = 0, **changes: object) -> None:
        await store.create_run(make_run(run, started=started, **changes), [], [], [])
        state = RunState.RUNNING if code is None else RunState.COMPLETE
        await store.update_run(run, state=state, finished=None, exit_code=code, facts=RunFacts())

    await kept("aa01", 1.0)
    await kept("aa02", 3.0)
    await kept("aa03", 2.0)
    same: dict[str, object] = {}
    others: list[tuple[int | None, dict[str, object]]] = [
        *[(1, same), (3, same), (130, same), (None, same)],
        (0, {"plan": "other"}),
        (0, {"account": "12"}),
        (0, {"origin": "https://api.example.com"}),
        (0, {"settings": simulated}),
    ]
    for number, (code, changes) in enumerate(others):
        await kept(f"bb{number:02}", 4.0 + number, code, **changes)
    await kept("aa04", 2.5, None)
    await kept("aa05", 0.5)
    found = await store.good_runs("aa04", 10)
    assert [run.id for run in found] == ["aa03", "aa02", "aa01"], "as they were stored, whatever their clocks"
    assert [run.id for run in await store.good_runs("aa04")] == ["aa03"]
    assert [run.id for run in await store.good_runs("aa02", 10)] == ["aa01"]
    assert await store.good_runs("aa01") == await store.good_runs("no such run") == []
    # The built-in simulator has another address at each start.
    await kept("cc01", 30.0, settings=simulated, origin="http://127.0.0.1:1234")
    assert [run.id for run in await store.good_runs("cc01", 10)] == ["bb07"]


async def test_answers_with_hops_are_read_alone(store: Store, page: None) -> None:
    await stored_run(store, count=2)
    hops = (Path(None, (Hop(1, "192.0.2.1"),)),)
    for key in ("k1", "k0"):
        for agent in ("2", "1"):
            rows = [make_answer(DETAILS, agent, round_id=n, paths=hops) for n in (2, 1)]
            await store.add_answers(RUN, key, [make_answer("network", agent), *rows])
    found = [(one.spec, one.answer.agent_id, one.answer.round_id) async for one in store.traced(RUN)]
    assert found == [(key, agent, n) for key in ("k0", "k1") for agent in ("1", "2") for n in (1, 2)]
    assert {one.answer.paths async for one in store.traced(RUN)} == {hops}
    assert [one async for one in store.traced("65000000ffffffff")] == []


async def test_what_has_come_of_open_tests_is_counted(store: Store) -> None:
    """Open cells with a part of their answers, and the tests that they are of; not those that are judged."""
    await stored_run(store, count=4)
    await sent(store, "k0", "k1", "k2")
    await store.add_answers(RUN, "k0", [make_answer("network", "1"), make_answer("http-server", "1")])
    await store.add_answers(
        RUN, "k1", [make_answer(agent_id=agent) for agent in ("1", "2")], (), answered("1")
    )
    counts = await store.counts(RUN)
    assert (counts.begun_tests, counts.begun_cells, counts.pending_sent) == (2, 2, 5)
    await store.close_test(RUN, "k1", SpecState.PARTIAL, (), 4.0)
    counts = await store.counts(RUN)
    assert (counts.begun_tests, counts.begun_cells) == (1, 1)


async def test_cells_and_results_are_paged_without_loss_or_repetition(store: Store, page: None) -> None:
    await stored_run(store, count=4)
    await stored_run(store, count=2, run="65000001deadbeef")
    for n in range(4):
        rows = [make_answer(layer, agent) for layer in ("network", "http-server") for agent in ("1", "2")]
        await store.add_answers(RUN, f"k{n}", rows)
    await store.add_answers("65000001deadbeef", "k0", [make_answer()])
    cells = [(cell.spec, cell.agent_id) async for cell in store.cells(RUN)]
    assert cells == [(f"k{n}", agent) for n in range(4) for agent in ("1", "2")] + [(None, "9")]
    found = [(row.spec, row.answer.agent_id, row.answer.layer) async for row in store.results(RUN)]
    wanted = [
        (f"k{n}", agent, layer)
        for n in range(4)
        for agent in ("1", "2")
        for layer in ("http-server", "network")
    ]
    assert found == wanted
    await store.close_test(RUN, "k1", SpecState.NOT_RUN, answered("2"), 3.0)
    bad = [(cell.spec, cell.agent_id) async for cell in store.cells(RUN, passing=False)]
    assert bad == [one for one in cells if one != ("k1", "2")], "what is open does not pass"
    for nothing in (store.cells("65000000ffffffff"), store.results("65000000ffffffff")):
        assert [one async for one in nothing] == []


async def test_tests_are_read_whole_with_their_cells_and_the_answers_of_each_agent(
    store: Store, page: None
) -> None:
    """As one by one, but without what the API said literally."""
    await stored_run(store, count=50)
    await stored_run(store, count=2, run="65000001deadbeef")
    await sent(store, "k0", "k1", "k7")
    hops = (Path(None, (Hop(1, "192.0.2.1"),)),)
    for key in ("k0", "k7"):
        rows = [make_answer(layer, agent, server="ns1") for layer in ("network", "a") for agent in ("2", "1")]
        traced = make_answer(DETAILS, "1", metrics={}, paths=hops, link="https://example.com", error="\ud800")
        await store.add_answers(RUN, key, [*rows, traced, make_answer(agent_id="9", metrics={"n": 10**30})])
    await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
    await store.add_answers("65000001deadbeef", "k0", [make_answer()])
    found = [one async for one in store.collected(RUN)]
    assert [one.test for one in found] == await store.tests(RUN)
    cells = [cell async for cell in store.cells(RUN) if cell.spec is not None]
    assert [cell for one in found for cell in one.cells] == cells
    for one in found:
        answers = [answer._replace(raw="") for answer in await store.answers(RUN, one.test.spec.key)]
        assert one.answers == by_agent(answers)
    assert [one async for one in store.collected("65000000ffffffff")] == []


async def test_the_names_of_metrics_are_those_of_all_answers_of_a_run(store: Store) -> None:
    await stored_run(store, count=50)
    await stored_run(store, run="65000001deadbeef")
    assert await store.metric_names(RUN) == set()
    for n in range(50):
        await store.add_answers(RUN, f"k{n}", [make_answer(metrics={f"m{n}": n, "\ud800": 1, "loss": None})])
    await store.add_answers("65000001deadbeef", "k0", [make_answer(metrics={"elsewhere": 1})])
    assert await store.metric_names(RUN) == {"loss", "\ud800", *(f"m{n}" for n in range(50))}
    assert await store.metric_names("65000000ffffffff") == set()


async def test_results_are_in_one_order_whatever_order_they_came_in(store: Store, page: None) -> None:
    """By bytes, as every store can."""
    await stored_run(store)
    servers = [None, "NS1", "ns1", "ns10", "ns2", "\u00e9", "z"]
    answers = [make_answer(server=server, round_id=n) for server in servers for n in (10, 9, 100)]
    for answer in reversed(answers):
        await store.add_answers(RUN, "k0", [answer])
    wanted = sorted(answers, key=lambda one: ((one.server or "").encode(), one.round_id))
    assert [row.answer async for row in store.results(RUN)] == wanted
    assert await store.answers(RUN, "k0") == wanted


async def test_a_result_says_where_it_belongs_and_what_its_cell_came_to(store: Store) -> None:
    await stored_run(store)
    await sent(store, "k0", "k1")
    for key in ("k0", "k1"):
        await store.add_answers(RUN, key, [make_answer(), make_answer(agent_id="7")])
    await store.close_test(RUN, "k0", SpecState.COMPLETE, answered("1", "2"), 3.0)
    rows = [row async for row in store.results(RUN)]
    assert [(row.spec, row.test_id, row.answer.agent_id, row.verdict) for row in rows] == [
        ("k0", "tk0", "1", Verdict.PASS),
        ("k0", "tk0", "7", None),  # an agent that was not asked for
        ("k1", "tk1", "1", None),
        ("k1", "tk1", "7", None),
    ]
    assert {(row.test, row.type, row.target) for row in rows} == {
        ("web", "http-server", "https://example.com")
    }


async def test_a_cell_names_its_agent_as_far_as_it_is_known(store: Store) -> None:
    await stored_run(store)
    cells = [(cell.agent_id, cell.agent, cell.country) async for cell in store.cells(RUN)]
    assert cells[0] == ("1", "agent 1", "GB")
    assert cells[-1] == ("9", "9", None)


async def test_what_is_written_while_results_are_read_disturbs_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PAGE, 2)
    await stored_run(store, count=3)
    for n in range(3):
        await store.add_answers(RUN, f"k{n}", [make_answer(round_id=number) for number in range(3)])
    seen: list[tuple[str, int]] = []
    async for row in store.results(RUN):
        seen.append((row.spec, row.answer.round_id))
        # Behind the place that is read, and before it.
        await store.add_answers(RUN, "k0", [make_answer(round_id=-len(seen))])
        await store.add_answers(RUN, "k2", [make_answer(round_id=50)])
    assert len(set(seen)) == len(seen)
    assert {(f"k{n}", number) for n in range(3) for number in range(3)} < set(seen)


async def test_newest_rounds_are_those_of_the_same_test_at_the_same_origin(store: Store) -> None:
    await stored_run(store)
    await store.intend(RUN, "k0", "n", 1.0)
    await store.created(RUN, "k0", "77", {}, 1.0)
    await store.add_answers(RUN, "k0", [make_answer(round_id=5), make_answer("network", round_id=9)])
    await store.add_answers(RUN, "k0", [make_answer(agent_id="2", round_id=3)])
    await stored_run(store, run="65000001deadbeef")  # a rerun of it
    await store.intend("65000001deadbeef", "k1", "n", 1.0)
    await store.created("65000001deadbeef", "k1", "77", {}, 1.0)
    await store.add_answers("65000001deadbeef", "k1", [make_answer(agent_id="2", round_id=4)])
    assert await store.newest_rounds(ORIGIN, "77") == {"1": 9, "2": 4}
    assert await store.newest_rounds(ORIGIN, "78") == {}
    assert await store.newest_rounds("https://elsewhere.example", "77") == {}


async def test_a_store_says_for_people_what_it_is(store: Store, url: str) -> None:
    about = await store.about()
    assert about.place in url
    assert about.engine


async def test_a_baseline_names_a_run_moves_and_is_forgotten(store: Store) -> None:
    assert await store.baselines() == {}
    await store.create_run(make_run("aa01", plan="sweep"), [], [], [])
    await store.create_run(make_run("aa02", plan="sweep"), [], [], [])
    await store.pin("pre", "aa01", "before the change", 5.0)
    await store.pin("other", "aa02", None, 6.0)
    assert await store.baselines() == {
        "other": Baseline("other", "aa02", None, 6.0, "sweep"),
        "pre": Baseline("pre", "aa01", "before the change", 5.0, "sweep"),
    }
    await store.pin("pre", "aa02", None, 7.0)
    assert (await store.baselines())["pre"] == Baseline("pre", "aa02", None, 7.0, "sweep")
    assert await store.unpin("pre")
    assert not await store.unpin("pre")
    assert [*await store.baselines()] == ["other"]


async def test_a_run_that_there_is_not_is_no_baseline(store: Store) -> None:
    with pytest.raises(UsageProblem, match="no run"):
        await store.pin("pre", "zz", None, 5.0)
    assert await store.baselines() == {}


async def test_the_answers_and_verdicts_of_several_specs_are_those_of_each(store: Store) -> None:
    await stored_run(store, count=4)
    await sent(store, "k0", "k1", "k2")
    await store.add_answers(RUN, "k0", [make_answer(agent_id="2"), make_answer(agent_id="1")])
    await store.add_answers(RUN, "k2", [make_answer("network")], cells=answered("1"))
    found = await store.open_answers(RUN, ["k2", "k0", "k1", "k9"])
    assert found == {
        key: (await store.answers(RUN, key), await store.judged(RUN, key)) for key in ("k0", "k1", "k2")
    }
    assert [len(found[key][0]) for key in ("k0", "k1", "k2")] == [2, 0, 1]
    assert await store.open_answers(RUN, []) == {}


async def test_events_are_counted_and_read_by_kind(store: Store) -> None:
    await stored_run(store)
    told = [Event(float(n), RUN, f"k{n % 2}", Intended("n") if n % 3 else GivenUp()) for n in range(6)]
    await store.add_events(RUN, told)
    assert await store.told(RUN, "intended") == 4
    assert await store.told(RUN, "created") == 0
    assert await store.told("65000000ffffffff", "intended") == 0
    assert await store.events(RUN, kind="given_up") == [told[0], told[3]]
    assert await store.events(RUN, "k1", "intended") == [told[1], told[5]]
