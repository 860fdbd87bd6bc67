"""What is read of a run for the engine, over the real store, and what the command line prints of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from click.testing import CliRunner
from simulated_run import in_process
from virtual_time import run_virtual

from orchestrator.actions import reading
from orchestrator.actions.insight import _earlier, insight
from orchestrator.cli import cli
from orchestrator.insight.document import document
from orchestrator.insight.look import Insight, look, nothing_wrong
from orchestrator.insight.values import Observed, Phase
from orchestrator.insight.words import Names, plain
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, CellResult, CellState, Hop, NotRun, Verdict
from orchestrator.model import Path as Path_
from orchestrator.records import RunRecord, RunState
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store
from orchestrator.testtypes import DETAILS

PLAN = """
version: 1
name: looked
api: API
tests:
  - name: web
    type: http-server
    targets: [https://www.example.com, https://down.example.com, https://shop.example.com]
    agents: {type: enterprise, name: "branch-0*"}
    path_details: true
    expect: [http-server.responseCode == 200]
"""


@pytest.fixture(scope="module", params=["v7", "v6"])
def looked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Insight]:
    """The store of a run in a world where one host is down, and its insight."""
    path = tmp_path_factory.mktemp("looked") / "o.db"

    async def work() -> Insight:
        async with in_process(World(), store=path) as simulated:
            ran = await simulated.run(PLAN.replace("API", request.param))
            return await insight(simulated.session.doors.store, ran.outcome.run)

    return path, run_virtual(work)


def test_a_host_that_is_down_is_the_one_cause(looked: tuple[Path, Insight]) -> None:
    _, found = looked
    (one,) = found.explanations
    assert (one.group.kind, one.group.value) == ("target", ("web", "https://down.example.com"))
    assert one.bad == one.known == found.bad
    assert one.bad >= 5
    assert one.phases == {Phase.CONNECT: one.bad}
    assert (one.level, one.severity) == ("network", Verdict.FAIL)
    assert plain(one.text) == f"https://down.example.com fails from every agent: {one.bad} of {one.bad}"
    assert found.isolated == ()
    assert found.headline == f"One cause explains {one.bad} of {one.bad} bad cells"


def test_hops_that_came_are_known_and_counted(looked: tuple[Path, Insight]) -> None:
    _, found = looked
    assert found.paths.wanted == found.paths.got > 0
    assert not any("hops" in limit for limit in found.limits)


def test_what_the_command_line_prints_of_a_run_is_the_same_everywhere(
    looked: tuple[Path, Insight],
) -> None:
    path, found = looked
    shown = _printed("show", "last", "--json", "--store", str(path))["insight"]
    bare = _printed("explain", "last", "--json", "--store", str(path))
    full = _printed("explain", "last", "--json", "--cells", "--store", str(path))
    assert shown == bare == json.loads(json.dumps(document(found)))
    assert len(full["explanations"][0].pop("cells")) == found.bad
    assert full == bare


def test_without_a_cell_the_explanations_are_told_in_words(looked: tuple[Path, Insight]) -> None:
    path, found = looked
    done = CliRunner().invoke(cli, ["explain", "last", "--cells", "--store", str(path)])
    assert done.exit_code == 0, done.output
    first, second, third, *rest = done.stdout.splitlines()
    assert first.startswith(f"✕ looked  One cause explains {found.bad} of {found.bad} bad cells")
    assert second.startswith(
        f"  1 https://down.example.com fails from every agent: {found.bad} of {found.bad}"
    )
    assert third.startswith(("      Failed to connect", "      Connect"))
    assert sum(" from branch-0" in line for line in rest) == min(10, found.bad)


@pytest.mark.parametrize("words", [["--agent", "1", "--json"], ["web", "--cells"]])
def test_what_is_for_one_cell_or_for_the_whole_run_is_not_mixed(
    looked: tuple[Path, Insight], words: list[str]
) -> None:
    done = CliRunner().invoke(cli, ["explain", "last", *words, "--store", str(looked[0])])
    assert done.exit_code == 2
    assert "CELL" in done.output


def _printed(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_a_number_that_is_not_there_is_an_error_that_says_which_are(looked: tuple[Path, Insight]) -> None:
    path, found = looked
    for wrong in ("0", "2", "-1"):
        done = CliRunner().invoke(cli, ["results", "last", "--cause", wrong, "--store", str(path)])
        assert done.exit_code != 0
        assert f"has no explanation {wrong}: there is one, number 1" in str(done.exception)
    assert found.run in str(done.exception)


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_the_cells_of_an_explanation_and_their_answers_are_shown(
    looked: tuple[Path, Insight], form: str
) -> None:
    path, found = looked
    words = ["results", "last", "--cause", "1", "--format", form, "--store", str(path)]
    answers = CliRunner().invoke(cli, words).stdout.splitlines()
    cells = CliRunner().invoke(cli, [*words, "--cells"]).stdout.splitlines()
    heading = form != "jsonl"
    assert len(cells) - heading == found.bad
    assert len(answers) - heading >= found.bad
    assert all("https://down.example.com" in line for line in (*cells[heading:], *answers[heading:]))


async def test_a_list_shows_the_headline_that_was_kept_and_counts_the_cells_of_a_few_others(
    looked: tuple[Path, Insight], tmp_path: Path
) -> None:
    path, found = looked
    async with open_store(str(path), make=False) as opened:
        (kept_one,) = await reading.runs(opened)
    assert kept_one.facts.headline == found.headline
    async with open_store(str(tmp_path / "o.db")) as opened:
        for n in range(reading.COUNTED + 2):
            run = make_run(f"aa{n:02}", started=float(n))
            await opened.store.create_run(run, make_tests(SPECS, run.id), [], [make_agent("1")])
        listed = await reading.runs(opened, limit=100)
    told = [run.facts.headline for run in listed]
    assert told[: reading.COUNTED] == ["interrupted: 0 of 4 cells collected, 4 not run"] * reading.COUNTED
    assert told[reading.COUNTED :] == [None, None]


# -- hops of an earlier run ----------------------------------------------------------------------------------

SPECS = [make_spec(f"k{n}", target=f"t{n}", path_details=True, layers=("network",)) for n in (1, 2)]


async def kept(
    store: Store, run: RunRecord, verdict: Verdict, code: int, *details: tuple[str, Answer]
) -> RunRecord:
    """A run that has ended: its cells have this verdict, and the answers of ``details`` by spec."""
    await store.create_run(run, make_tests(SPECS, run.id), [], [make_agent("1"), make_agent("2")])
    for spec in SPECS:
        await store.intend(run.id, spec.key, "a name", run.started)
        await store.created(run.id, spec.key, f"{run.id}-{spec.key}", {}, run.started)
        rows = [make_answer("network", agent, metrics={"loss": 0.0}) for agent in spec.agents]
        await store.add_answers(run.id, spec.key, [*rows, *(row for key, row in details if key == spec.key)])
        ends = [CellResult(agent, CellState.ANSWERED, verdict) for agent in spec.agents]
        await store.close_test(run.id, spec.key, SpecState.COMPLETE, ends, run.started)
    await store.update_run(
        run.id, state=RunState.COMPLETE, finished=run.started + 1, exit_code=code, facts=run.facts
    )
    return await store.run(run.id)


def hop(agent: str, address: str, round_id: int = 1) -> Answer:
    path = Path_("p", (Hop(1, "192.0.2.1"), Hop(2, address)))
    return make_answer(DETAILS, agent, metrics={"pathTraces": 1}, paths=(path,), round_id=round_id)


async def test_hops_are_taken_from_the_newest_good_run_of_the_plan_before_this_one(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        store = opened.store
        good = ("k1", hop("1", "198.51.100.7", 2)), ("k1", hop("1", "198.51.100.9", 1))
        await kept(store, make_run("aa01", started=1.0), Verdict.PASS, 0, ("k1", hop("1", "198.51.100.1")))
        await kept(store, make_run("aa02", started=2.0), Verdict.PASS, 0, *good)
        await kept(store, make_run("aa03", started=3.0), Verdict.FAIL, 1, ("k1", hop("1", "198.51.100.3")))
        await kept(store, make_run("aa04", started=4.0, plan="other"), Verdict.PASS, 0,
                   ("k1", hop("1", "198.51.100.4")))  # fmt: skip
        now = await kept(store, make_run("aa05", started=5.0), Verdict.FAIL, 1)
        await kept(store, make_run("aa06", started=6.0), Verdict.PASS, 0, ("k1", hop("1", "198.51.100.6")))
        earlier = await _earlier(store, now)
        assert {
            cell: [one.address for trace in traces for one in trace] for cell, traces in earlier.items()
        } == {("web", "http-server", "t1", "1"): ["192.0.2.1", "198.51.100.7"]}
        assert (await insight(store, now)).from_history == 1


@pytest.mark.parametrize("judged", [(), (Verdict.PASS, Verdict.PASS), (Verdict.PASS, Verdict.NOT_RUN)])
async def test_where_nothing_is_bad_counts_tell_as_much_as_the_cells(
    tmp_path: Path, judged: tuple[Verdict, ...]
) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        store, run = opened.store, make_run()
        left_out = NotRun("web", "http-server", "t3", "1", "the agent is offline")
        await store.create_run(run, make_tests(SPECS), [left_out], [make_agent("1")])
        if judged:
            cells = [CellResult(str(n), CellState.ANSWERED, verdict) for n, verdict in enumerate(judged, 1)]
            await store.intend(run.id, "k1", "n", 1.0)
            await store.created(run.id, "k1", "7", {}, 1.0)
            await store.add_answers(run.id, "k1", [make_answer(agent_id="1"), make_answer(agent_id="2")])
            await store.close_test(run.id, "k1", SpecState.COMPLETE, cells, 2.0)
        counts = await store.counts(run.id)
        cells_too = [Observed(cell) async for cell in store.cells(run.id)]
        assert await insight(store, run) == nothing_wrong(run.id, counts)
        assert nothing_wrong(run.id, counts) == look(run.id, cells_too, Names())


async def test_each_cell_is_seen_with_its_own_rows_also_where_specs_before_it_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.store.sql.archive.PAGE", 2)
    specs = [make_spec(f"k{n}", target=f"t{n}", expect=("http-server.totalTime < 100",)) for n in range(4)]
    async with open_store(str(tmp_path / "o.db")) as opened:
        store, run = opened.store, make_run()
        await store.create_run(run, make_tests(specs), [], [make_agent("1"), make_agent("2")])
        for key in ("k1", "k3"):
            await store.intend(run.id, key, "n", 1.0)
            await store.created(run.id, key, "7", {}, 1.0)
            rows = [make_answer(agent_id=agent, metrics={"totalTime": 500}) for agent in "129"]
            await store.add_answers(run.id, key, rows)
            ends = [CellResult(agent, CellState.ANSWERED, Verdict.FAIL) for agent in "12"]
            await store.close_test(run.id, key, SpecState.COMPLETE, ends, 2.0)
        found = await insight(store, run)
    assert {key.target for key in found.phases} == {"t1", "t3"}
    assert set(found.phases.values()) == {Phase.SLOW}
    assert found.unjudged["pending"] == 4


async def test_a_run_that_has_just_begun_has_an_insight_too(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "o.db")) as opened:
        run = make_run()
        left_out = NotRun("web", "http-server", "t3", "1", "the agent is offline")
        await opened.store.create_run(run, make_tests(SPECS), [left_out], [make_agent("1")])
        found = await insight(opened.store, run)
    assert found.unjudged == {"no_answer": 0, "not_run": 1, "pending": 4, "partial": 0}
    assert found.headline == "So far: nothing was judged; 4 cells open"
