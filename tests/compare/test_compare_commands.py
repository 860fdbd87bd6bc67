"""`diff` and `baseline`: what is compared with what, the exit codes, every format."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import InProcess
from compare_store import TARGETS, History

from orchestrator.clock import LoopClock
from orchestrator.model import NotRun, Verdict
from orchestrator.records import RunFacts, RunState
from orchestrator.store.opening import open_store

FORMATS = ("text", "markdown", "json", "jsonl", "junit", "html")


def dead(target: str, _agent: str) -> tuple[Verdict, float]:
    """The mail server answers nobody."""
    return (Verdict.FAIL if target == "mail" else Verdict.PASS), 1.0


def slow(target: str, _agent: str) -> tuple[Verdict, float]:
    """The wiki waits thrice as long, and nothing expects otherwise."""
    return Verdict.PASS, 3.0 if target == "wiki" else 1.0


def silent(_target: str, agent: str) -> tuple[Verdict, float]:
    """One agent says nothing."""
    return (Verdict.NO_ANSWER if agent == "4" else Verdict.PASS), 1.0


@pytest.fixture
def said(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path, "https://api.thousandeyes.com", {})


@pytest.fixture
async def history(said: InProcess) -> AsyncIterator[History]:
    """Three good runs."""
    said.store.parent.mkdir()
    async with open_store(str(said.store)) as opened:
        made = History(opened.store)
        for _ in range(3):
            await made.add()
        yield made


async def test_that_a_run_is_held_against_itself_or_a_newer_one_is_told(
    said: InProcess, history: History
) -> None:
    itself = await said("diff", history.ids[1], history.ids[1])
    assert itself.code == 0, str(itself)
    assert f"run {history.ids[1]} is compared with itself".encode() in itself.err
    newer = await said("diff", history.ids[2], history.ids[0])
    assert b"is newer than run" in newer.err
    usual = await said("diff", history.ids[0], history.ids[2])
    assert b"note:" not in usual.err
    for base, run, words in ((1, 1, b"compared with itself: nothing"), (2, 0, b"is newer than run")):
        page = await said("diff", history.ids[base], history.ids[run], "--format", "html")
        assert words in page.out, "and the page says so too"
    assert b"newer than" not in (await said("diff", *history.ids[::2], "--format", "html")).out


async def test_a_run_as_those_before_it_is_no_worse(said: InProcess, history: History) -> None:
    await history.add()
    ended = await said("diff")
    assert ended.code == 0, str(ended)
    assert b"nothing is worse: 16 cells compared" in ended.out
    assert f"last-good: run {history.ids[2]} of 2023-11-15".encode() in ended.out
    assert b"and 2 runs before it" in ended.out
    as_process = await said.as_process()("diff")
    assert (as_process.code, as_process.out, as_process.err) == (ended.code, ended.out, ended.err)
    quiet = await said("diff", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, b"", b"")


async def test_a_target_that_fails_now_is_named_and_ends_with_1(said: InProcess, history: History) -> None:
    await history.add(dead)
    ended = await said("diff")
    assert ended.code == 1, str(ended)
    assert b"4 cells of 16 that passed before fail now" in ended.out
    assert b"1 mail fails from every agent: 4 of 4; before it did not" in ended.out


async def test_a_target_that_only_got_slower_is_worse_too_unless_the_gate_is_off(
    said: InProcess, history: History
) -> None:
    await history.add(slow)
    ended = await said("diff")
    assert ended.code == 1, str(ended)
    assert b"1 wiki is slower than in the last 3 runs: 4 of 4 agents" in ended.out
    assert (await said("diff", "--gate", "loose")).code == 1
    assert (await said("diff", "--gate", "off")).code == 0
    own = await said(
        "diff", "--tolerance", "http-server.totalTime=5s,0%", "--tolerance", "http-server.waitTime=5s,0%"
    )
    assert own.code == 0, str(own)


async def test_what_answered_before_and_does_not_now_cannot_be_judged(
    said: InProcess, history: History
) -> None:
    await history.add(silent)
    ended = await said("diff", "--min-cover", "50")
    assert ended.code == 3, str(ended)
    assert b"4 cells that answered before have no answer now" in ended.out


async def test_too_little_in_common_cannot_be_judged_and_is_printed_all_the_same(
    said: InProcess, history: History
) -> None:
    history.targets = TARGETS[:2]
    await history.add(dead)
    ended = await said("diff")
    assert ended.code == 3, str(ended)
    assert b"8 of 16 cells of the base can be compared, at least 80% are needed" in ended.out
    assert b"mail fails" in ended.out
    assert (await said("diff", "--min-cover", "50")).code == 1


async def test_a_run_held_against_itself_is_the_same_in_every_cell(said: InProcess, history: History) -> None:
    """Whatever was normal before it: the runs before it say nothing of what it is held against."""
    slower = await history.add(slow)
    for words in ((slower.id, slower.id), ("last", "last"), ("last", slower.id)):
        ended = await said("diff", *words, "--format", "json")
        assert ended.code == 0, str(ended)
        cells = json.loads(ended.out)["cells"]
        assert (cells["same"], sum(cells.values())) == (16, 32), "compared and same, and nothing else"
    alone = await said("diff", "last")
    assert alone.code == 2, "held against itself because nothing else was said"
    assert b"last is the run itself" in alone.err


async def test_a_base_whose_earlier_rounds_were_pruned_can_still_be_compared_with(
    said: InProcess, history: History
) -> None:
    base = await history.add(parent="65000000pruned")
    await history.add()
    ended = await said("diff", base.id)
    assert ended.code == 0, str(ended)


async def test_cells_that_were_left_out_of_both_runs_are_unknown_and_not_new(
    said: InProcess, history: History
) -> None:
    left_out = [NotRun("web", "http-server", target, "4", "the agent is offline") for target in ("a", "b")]
    for _ in range(2):  # the first time the base knows nothing of them, as a re-run of its tests does not
        await history.add(left_out=left_out)
        cells = json.loads((await said("diff", "--format", "json")).out)["cells"]
        assert (cells["compared"], cells["unknown"], cells["new"], cells["gone"]) == (16, 2, 0, 0)


async def test_a_run_that_goes_on_cannot_be_judged(said: InProcess, history: History) -> None:
    await history.add(state=RunState.INTERRUPTED, exit_code=130)
    assert (await said("diff")).code == 0, "it was interrupted, and what is there is as before"
    goes_on = await history.add(dead)
    async with open_store(str(said.store)) as opened:
        await opened.store.update_run(
            goes_on.id, state=RunState.RUNNING, finished=None, exit_code=None, facts=RunFacts()
        )
        async with opened.lease.hold(goes_on.plan, LoopClock(), wait=False, told=print):
            ended = await said("diff")
    assert ended.code == 3, str(ended)
    assert b"goes on: it cannot be judged yet" in ended.err
    assert b"mail fails" in ended.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("diff", "nosuch"), "nosuch"),
        (("diff", "last-good", "ffff"), "ffff"),
        (("diff", "--tolerance", "http-server.totalTim=5"), "did you mean 'http-server.totalTime'"),
        (("diff", "--tolerance", "http-server.totalTime=much"), "no amount"),
        (("diff", "--gate", "severe"), "severe"),
        (("diff", "--min-cover", "101"), "101"),
        (("baseline", "set", "last-good"), "means something of its own"),
        (("baseline", "set", "Über"), "cannot be the name"),
        (("baseline", "set", "x" * 65), "cannot be the name"),
        (("baseline", "remove", "nosuch"), "no baseline 'nosuch'"),
    ],
)
async def test_nonsense_ends_with_2_and_says_what_is_wrong(
    said: InProcess, history: History, words: tuple[str, ...], told: str
) -> None:
    del history
    ended = await said(*words)
    assert ended.code == 2, str(ended)
    assert told in ended.err.decode()


async def test_runs_that_have_nothing_in_common_are_not_compared(said: InProcess, history: History) -> None:
    history.targets = ("somewhere else",)
    await history.add()
    ended = await said("diff")
    assert ended.code == 2, str(ended)
    assert b"have no cell in common" in ended.err


async def test_the_first_run_of_a_plan_has_nothing_to_be_compared_with(said: InProcess) -> None:
    said.store.parent.mkdir()
    async with open_store(str(said.store)) as opened:
        await History(opened.store).add()
    ended = await said("diff")
    assert ended.code == 2, str(ended)
    assert b"has no good run before" in ended.err


async def test_last_good_passes_over_bad_runs_other_plans_and_other_account_groups(
    said: InProcess, history: History
) -> None:
    good = history.ids[-1]
    await history.add(dead)
    await history.add(account="77")
    history.plan = "other"
    await history.add()
    history.plan = "sweep"
    await history.add()
    assert f"run {good} of".encode() in (await said("diff")).out
    bad = history.ids[3]
    assert f"run {bad} of".encode() in (await said("diff", "before")).out, "good or not"


async def test_a_baseline_is_set_moved_listed_compared_with_and_removed(
    said: InProcess, history: History
) -> None:
    pinned = history.ids[0]
    assert (await said("baseline", "set", "pre-chg", pinned, "--note", "CHG0042")).code == 0
    await history.add(dead)
    ended = await said("diff", "pre-chg")
    assert ended.code == 1, str(ended)
    assert f"against pre-chg: run {pinned} of".encode() in ended.out
    refused = await said("baseline", "set", "pre-chg")
    assert refused.code == 2
    assert b"--force" in refused.err
    assert (await said("baseline", "set", "pre-chg", "--force")).code == 0
    listed = json.loads((await said("baseline", "list", "--json")).out)
    assert [(one["name"], one["run"], one["plan"]) for one in listed["baselines"]] == [
        ("pre-chg", history.ids[-1], "sweep")
    ]
    assert (await said("baseline", "remove", "pre-chg")).code == 0
    assert (await said("baseline", "list")).out == b""


async def test_options_that_changed_are_told_once(said: InProcess, history: History) -> None:
    await history.add(limit=10)
    assert (await said("diff")).out.count(b"httpTimeLimit 5 -> 10 in web") == 1
    assert json.loads((await said("diff", "--format", "json")).out)["options_changed"] == [
        "httpTimeLimit 5 -> 10 in web"
    ]


@pytest.mark.parametrize("form", FORMATS)
async def test_every_format_is_written_to_a_file_as_to_a_stream(
    said: InProcess, history: History, form: str
) -> None:
    await history.add(dead)
    ended = await said("diff", "--format", form)
    file = said.folder / "out"
    written = await said("diff", "--format", form, "-o", file)
    assert (ended.code, written.code, written.out) == (1, 1, b"")
    assert file.read_bytes() == ended.out
    assert b"mail" in ended.out


async def test_cells_and_cases_tell_what_changed_and_counts(said: InProcess, history: History) -> None:
    await history.add(dead)
    lines = [json.loads(line) for line in (await said("diff", "--format", "jsonl")).out.splitlines()]
    assert {(one["target"], one["change"], one["why"], one["counts"]) for one in lines} == {
        ("mail", "worse", "verdict", True)
    }
    assert len((await said("diff", "--format", "jsonl", "--all")).out.splitlines()) == 16
    some = await said("diff", "--format", "jsonl", "--all", "--target", "m*", "--agent", "1")
    assert [json.loads(line)["agent_id"] for line in some.out.splitlines()] == ["1"]


async def test_a_comparison_for_a_ci_server_has_a_case_for_each_cell_called_as_in_a_run_s_report(
    said: InProcess, history: History
) -> None:
    history.plan = "sweep.eu"
    await history.add()
    await history.add(dead)
    document = (await said("diff", "--format", "junit")).out
    assert (await said("diff", "--format", "junit", "--all")).out == document
    suites = ET.fromstring(document)  # noqa: S314 - ours
    assert len(suites.findall(".//testcase[failure]")) == 4
    assert len(suites.findall(".//testcase")) == 16
    of_run = ET.fromstring((await said("report", "--format", "junit")).out)  # noqa: S314 - ours
    assert named(suites) == named(of_run)
    assert {group for _, group, _ in named(suites)} == {"sweep_eu / web"}


def named(suites: ET.Element) -> set[tuple[str | None, str | None, str | None]]:
    """Suite, class and name of each case."""
    return {
        (suite.get("name"), case.get("classname"), case.get("name"))
        for suite in suites.iter("testsuite")
        for case in suite.iter("testcase")
    }


async def test_the_document_counts_as_the_cells_do(said: InProcess, history: History) -> None:
    await history.add(dead)
    document = json.loads((await said("diff", "--format", "json")).out)
    assert document["schema"] == 1
    assert document["base"]["name"] == "last-good"
    assert document["gate"]["exit_code"] == 1
    cells = document["cells"]
    assert cells["compared"] == cells["better"] + cells["same"] + cells["worse"] == 16
    assert document["worse"]["now_fail"] == 4
    first = document["explanations"][0]
    assert (first["direction"], first["kind"], first["value"], first["now_fail"]) == (
        "worse",
        "target",
        ["web", "mail"],
        4,
    )


async def test_paths_are_compared_with_those_of_the_runs_before(said: InProcess, history: History) -> None:
    """What is not known of the base is not called the same."""
    history.way = ("AS 1", "AS 2", "AS 3")
    await history.add()
    assert json.loads((await said("diff", "--format", "json")).out)["paths"]["compared"] == 0
    await history.add()
    same = await said("diff", "--format", "json")
    assert json.loads(same.out)["paths"] == {
        "compared": 16,
        "same": 16,
        "changed": 0,
        "ends_earlier": 0,
        "unknown": 0,
    }
    history.way = ("AS 1", "AS 4", "AS 3")
    await history.add()
    changed = await said("diff")
    assert changed.code == 0, "another way is nothing worse"
    assert b"paths: 0 same, 16 changed" in changed.out
