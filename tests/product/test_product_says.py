"""Commands say what is so: cells without an answer, what a filter missed, which run is meant, what next."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import click
import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from click.testing import CliRunner, Result
from workplace import TOKEN, serving

from orchestrator.actions.reading import compared
from orchestrator.cli import cli
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult, CellState, NotRun, Verdict
from orchestrator.records import RunRecord, RunSettings, RunState
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store

SWEEP, NIGHT = "65000000aaaa0001", "65000000bbbb0002"
PLAN = """
version: 1
name: little
agents: {here: {type: cloud, sample: {count: 2}}}
tests: [{name: web, type: http-server, targets: ["https://a.example"], agents: here}]
"""
Ask = Callable[..., Result]


async def _run(store: Store, run: RunRecord) -> None:
    """Two answered cells of a wiki, a silent portal, a shop that was not run, and an agent left out."""
    names = {"wiki": "k1", "portal": "k2", "shop": "k3"}
    specs = [make_spec(key, target=target, test="web") for target, key in names.items()]
    agents = [make_agent("1", name="Paris"), make_agent("2", name="London"), make_agent("9", name="Rome")]
    left_out = [NotRun("web", "http-server", "wiki", "9", "the agent is offline")]
    await store.create_run(run, make_tests(specs, run.id), left_out, agents)
    for key in ("k1", "k2"):
        await store.intend(run.id, key, f"name of {key}", 1.0)
        await store.created(run.id, key, f"7{key[1:]}", {}, 2.0)
    await store.add_answers(run.id, "k1", [make_answer(agent_id="1", agent="Paris")])
    good = [CellResult(one, CellState.ANSWERED, Verdict.PASS) for one in ("1", "2")]
    silent = [CellResult(one, CellState.MISSING, Verdict.NO_ANSWER, ("nothing came",)) for one in ("1", "2")]
    never = [CellResult(one, CellState.NOT_RUN, Verdict.NOT_RUN, ("stopped",)) for one in ("1", "2")]
    await store.close_test(run.id, "k1", SpecState.COMPLETE, good, 3.0)
    await store.close_test(run.id, "k2", SpecState.TIMED_OUT, silent, 3.0)
    await store.close_test(run.id, "k3", SpecState.NOT_RUN, never, 3.0)
    await store.update_run(run.id, state=RunState.INCOMPLETE, finished=9.0, exit_code=3, facts=run.facts)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    async def store() -> None:
        async with open_store(str(tmp_path / "o.db")) as opened:
            await _run(opened.store, make_run(SWEEP, plan="sweep"))
            await _run(opened.store, make_run(NIGHT, plan="nightly", settings=RunSettings(simulated=True)))

    anyio.run(store)
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "o.db"))
    return lambda *words: CliRunner().invoke(cli, words)


@pytest.mark.parametrize(
    ("verdict", "cells"),
    [
        ("no-answer", {("portal", "1"), ("portal", "2")}),
        ("not-run", {("shop", "1"), ("shop", "2"), ("wiki", "9")}),
        ("pass", {("wiki", "1")}),
    ],
)
def test_cells_without_an_answer_are_listed_when_their_verdict_is_asked_for(
    ask: Ask, verdict: str, cells: set[tuple[str, str]]
) -> None:
    said = ask("results", SWEEP, "--verdict", verdict, "--format", "jsonl")
    found = [json.loads(line) for line in said.stdout.splitlines()]
    assert {(one["target"], one["agent_id"]) for one in found} == cells
    assert {one["verdict"] for one in found} == {verdict}
    if verdict != "pass":
        assert {(one["layer"], one["status"], one["round_id"]) for one in found} == {(None, None, None)}
        assert all(one["error"] for one in found), "they say why"


@pytest.mark.parametrize("verdict", ["no-answer", "not-run"])
def test_the_table_and_the_csv_list_them_too(ask: Ask, verdict: str) -> None:
    lines = ask("results", SWEEP, "--verdict", verdict).stdout.splitlines()[1:]
    rows = list(
        csv.DictReader(io.StringIO(ask("results", SWEEP, "--verdict", verdict, "--format", "csv").stdout))
    )
    assert len(lines) == len(rows) == {"no-answer": 2, "not-run": 3}[verdict]
    assert all(row["layer"] == row["round_id"] == row["status"] == "" for row in rows)


def test_they_are_filtered_by_target_and_agent_like_answers(ask: Ask) -> None:
    said = ask(
        "results", SWEEP, "--verdict", "not-run", "--target", "sho*", "--agent", "London", "--format", "jsonl"
    )
    assert [json.loads(line)["agent_id"] for line in said.stdout.splitlines()] == ["2"]


def test_without_such_a_filter_only_answers_are_listed(ask: Ask) -> None:
    assert len(ask("results", SWEEP, "--format", "jsonl").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--target", "wikki"), "no target of run 65000000aaaa0001 matches 'wikki'; did you mean 'wiki'?"),
        (("--target", "zzz"), "no target of run 65000000aaaa0001 matches 'zzz'"),
        (("--agent", "Pariss"), "no agent of run 65000000aaaa0001 matches 'Pariss'; did you mean 'Paris'?"),
        (("--agent", "77"), "no agent of run 65000000aaaa0001 matches '77'"),
    ],
)
def test_a_filter_that_matches_nothing_says_so_and_what_is_near(
    ask: Ask, words: tuple[str, ...], sentence: str
) -> None:
    said = ask("results", SWEEP, *words, "--format", "jsonl")
    assert said.exit_code == 0
    assert said.stdout == ""
    assert said.stderr.splitlines() == [sentence]


@pytest.mark.parametrize(("plan", "near"), [("sweeep", "; did you mean 'sweep'?"), ("zzz", "")])
def test_runs_of_a_plan_that_has_none_say_so(ask: Ask, plan: str, near: str) -> None:
    said = ask("runs", "--plan", plan, "--json")
    assert said.exit_code == 0
    assert json.loads(said.stdout)["runs"] == []
    assert said.stderr == f"there is no run of plan {plan!r}{near}\n"


@pytest.mark.parametrize(
    "words", [("show",), ("results",), ("report",), ("explain", "wiki"), ("explain", "last", "wiki")]
)
def test_a_plan_names_its_newest_run_and_last_that_of_any_plan(ask: Ask, words: tuple[str, ...]) -> None:
    said = ask(*words, "--plan", "sweep", *(("--json",) if words[0] in {"show", "explain"} else ()))
    assert said.exit_code == 0, said.output
    if words[0] != "results":
        assert SWEEP in said.stdout
    other = ask(*words, "--plan", "sweeep")
    assert other.exit_code == 2 or isinstance(other.exception, Exception)
    assert NIGHT in ask("show", "--json").stdout, "the newest of all, a simulated one"


def test_a_run_of_another_plan_than_the_one_named_is_refused(ask: Ask) -> None:
    assert "is one of plan 'nightly', not of 'sweep'" in str(ask("show", NIGHT, "--plan", "sweep").exception)
    assert ask("show", SWEEP, "--plan", "sweep").exit_code == 0


@pytest.mark.parametrize(
    ("word", "meant"), [("resutls", "results"), ("Runs", "runs"), ("explian", "explain"), ("xyzzy", None)]
)
def test_a_misspelt_command_gets_a_proposal(ask: Ask, word: str, meant: str | None) -> None:
    said = ask(word)
    assert said.exit_code == 2
    assert f"No such command {word!r}." in said.output
    assert (f"Did you mean {meant!r}?" if meant else "Did you mean") in said.output or meant is None


@pytest.mark.parametrize(("option", "meant"), [("--formt", "--format"), ("--verdct", "--verdict")])
def test_a_misspelt_option_gets_a_proposal(ask: Ask, option: str, meant: str) -> None:
    said = ask("results", option, "x")
    assert said.exit_code == 2
    assert meant in said.output


def test_no_hint_after_a_simulated_run_names_a_command_that_cannot_work(ask: Ask) -> None:
    for words in (("show", NIGHT), ("report", NIGHT), ("reconcile", NIGHT)):
        said = ask(*words).output
        for command in re.findall(r"orchestrator (\w+)", said):
            assert command in {"results", "report", "show", "run"}, said
    refused = ask("reconcile", NIGHT, "--adopt", "k2=4711").exception
    assert "its world has ended with it" in str(refused)


@pytest.mark.parametrize("ending", [".pdf", ".htm", "", ".md.gz"])
def test_an_ending_that_means_no_report_is_refused_before_anything_is_sent(
    ask: Ask, tmp_path: Path, ending: str
) -> None:
    said = ask("run", str(tmp_path / "no-such-plan.yaml"), "--simulate", "-o", str(tmp_path / f"r{ending}"))
    assert said.exit_code == 2
    assert "-o takes files that end in .md, .xml, .json" in said.output


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_created(ask: Ask, tmp_path: Path) -> None:
    for place in (tmp_path / "none" / "r.md", tmp_path, tmp_path / ("x" * 300 + ".md")):
        said = ask("run", str(tmp_path / "no-such-plan.yaml"), "--simulate", "-o", str(place))
        assert said.exit_code != 0
        assert "written" in str(said.exception) or isinstance(said.exception, SystemExit)
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def test_a_run_writes_its_reports_whole_in_every_format(ask: Ask, tmp_path: Path) -> None:
    plan = tmp_path / "p.yaml"
    plan.write_text(PLAN, "utf-8")
    wanted = [tmp_path / f"report{ending}" for ending in (".md", ".xml", ".JSON")]
    wanted[0].write_text("what was here before", "utf-8")
    outputs = [word for path in wanted for word in ("-o", str(path))]
    said = ask("run", str(plan), "--simulate", "--speed", "100000", "-q", *outputs)
    assert said.exit_code == 0, said.output
    assert wanted[0].read_text("utf-8").startswith("#")
    assert wanted[1].read_bytes().startswith(b"<?xml")
    assert json.loads(wanted[2].read_bytes())["exit_code"] == 0
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def test_a_report_that_fails_in_the_middle_leaves_the_old_one(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "report.md"
    old.write_text("what was here before", "utf-8")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    said = ask("report", SWEEP, "-o", str(old))
    assert "No space left on device" in str(said.exception)
    assert old.read_text("utf-8") == "what was here before"
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def test_every_command_that_takes_the_last_run_takes_a_plan() -> None:
    context = click.Context(cli)
    for name in ("show", "results", "report", "explain", "resume"):
        command = cli.get_command(context, name)
        assert command is not None
        assert "--plan" in command.get_help(click.Context(command, info_name=name))


@pytest.mark.parametrize(
    ("cell", "targets"),
    [
        ("wiki", {"wiki"}),
        ("WIKI@Paris", {"wiki"}),
        ("wiki@par", {"wiki"}),
        ("@London", {"wiki", "portal", "shop"}),
        ("web", {"wiki", "portal", "shop"}),
        ("we@2", {"wiki", "portal", "shop"}),
        ("port@lon", {"portal"}),
    ],
)
def test_a_cell_is_found_by_names_and_parts(ask: Ask, cell: str, targets: set[str]) -> None:
    said = ask("explain", SWEEP, cell, "--json")
    assert said.exit_code == 0, said.exception
    assert {one["target"] for one in json.loads(said.stdout)["tests"]} == targets


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("o@Paris", "'o' is a part of several targets: portal, shop"),
        ("wiki@r", "'r' is a part of several agents: Paris, Rome"),
    ],
)
def test_a_part_of_several_names_is_answered_with_these_names(ask: Ask, cell: str, sentence: str) -> None:
    assert sentence in str(ask("explain", SWEEP, cell).exception)


@pytest.mark.parametrize(("cell", "near"), [("wikki", "'wiki'"), ("wiki@Pariss", "'Paris'")])
def test_a_cell_that_is_not_there_gets_a_proposal(ask: Ask, cell: str, near: str) -> None:
    assert f"did you mean {near}" in getattr(ask("explain", SWEEP, cell).exception, "hint", "")


def test_an_explanation_tells_first_what_came_and_then_how(ask: Ask) -> None:
    lines = ask("explain", SWEEP, "wiki@Paris").stdout.splitlines()
    value = next(n for n, line in enumerate(lines) if "http-server: " in line)
    assert "ms" in lines[value]
    assert value < next(n for n, line in enumerate(lines) if line.endswith("planned"))
    silent = ask("explain", SWEEP, "portal").stdout
    assert "something is missing of Paris, London" in silent


def test_a_rerun_says_what_it_costs_and_what_has_not_recovered(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "p.yaml"
    plan.write_text(
        PLAN.replace("agents: here}]", "agents: here, expect: ['http-server.responseCode == 418']}]")
    )
    monkeypatch.setenv("TE_TOKEN", TOKEN)
    with serving() as origin:
        first = ask("run", str(plan), "--base-url", origin, "-q")
        again = ask("rerun", "last", "--failed", "--base-url", origin)
    assert first.exit_code == 1, first.output
    assert again.exit_code == 1, again.output
    assert re.search(r"runs 1 test again, [0-9.]+ units \(estimate\); nothing is created anew", again.stderr)
    assert "0 cells recovered and 2 did not (https://a.example@" in again.stderr


@pytest.mark.parametrize(("verdict", "recovered", "still"), [(Verdict.PASS, 2, 0), (Verdict.FAIL, 0, 2)])
def test_a_rerun_is_compared_cell_by_cell(
    tmp_path: Path, verdict: Verdict, recovered: int, still: int
) -> None:
    again = "65000000cccc0003"

    async def work() -> tuple[int, int]:
        async with open_store(str(tmp_path / "o.db")) as opened:
            store = opened.store
            await _run(store, make_run(SWEEP, plan="sweep"))
            spec = make_spec("k2", target="portal", test="web")
            run = make_run(again, plan="sweep", parent=SWEEP)
            await store.create_run(run, make_tests([spec], again), (), [make_agent("1"), make_agent("2")])
            await store.intend(again, "k2", "name", 1.0)
            await store.created(again, "k2", "72", {}, 2.0)
            cells = [CellResult(one, CellState.ANSWERED, verdict) for one in ("1", "2")]
            await store.close_test(again, "k2", SpecState.COMPLETE, cells, 3.0)
            found = await compared(store, run)
            assert await compared(store, await store.run(SWEEP)) != found
            return found.recovered, len(found.still)

    assert anyio.run(work) == (recovered, still)
