"""The tools, as the SDK's own client finds them, over a simulated world."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from assistant_desk import CEILINGS, FAST, PLAN, visit
from web_site import ATTACK, HOSTILE, furnish

from orchestrator.assistant.allowance import Cost
from orchestrator.assistant.plans import Plans
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunState
from orchestrator.store.opening import open_store


async def test_a_plan_is_checked_and_run_and_read_within_its_ceilings(tmp_path: Path) -> None:
    async with visit(tmp_path) as call:
        checked = await call("check", plan_text=PLAN)
        assert checked.document["tests"]["planned"] == 2
        ran = await call("run", plan_text=PLAN, **CEILINGS)
        assert not ran.failed, ran.text
        assert (ran.document["state"], ran.document["plan"]) == ("complete", "assistant: sweep")
        assert ran.document["tests"]["created"] == 2
        run = ran.document["run"]
        assert [one["run"] for one in (await call("runs")).document["runs"]] == [run]
        assert (await call("show", run=run[:8])).document == ran.document
        page = await call("results", limit=3)
        assert len(page.document["rows"]) == 3
        assert page.document["next_offset"] == 3
        rest = await call("results", offset=3, limit=500)
        assert rest.document["next_offset"] is None
        assert page.document["rows"][-1] not in rest.document["rows"]
        assert (await call("explain", cell="a.example.com")).document["tests"]
        assert (await call("diff", base=run, run=run)).document["base"]
        assert call.desk.allowance is not None
        assert call.desk.allowance.held == Cost()
        assert call.desk.allowance.spent == Cost(checked.document["units"]["estimated"], 2)
        done = [one[0] for one in call.seen]
        assert done == sorted(set(done))


async def test_what_would_cost_more_than_its_ceilings_creates_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, most=Cost(5.0, 10)) as call:
        for change in (
            {"max_units": 0.0001},
            {"max_creations": 1},
            {"max_units": 6.0},
            {"max_creations": 11},
        ):
            said = await call("run", plan_text=PLAN, **{**CEILINGS, **change})
            assert said.failed
            assert "exit code: 6" in said.text
        said = await call("diagnose", targets=["https://a.example.com"], **{**CEILINGS, "max_units": 0.0001})
        assert "exit code: 6" in said.text
        assert call.desk.allowance is not None
        assert call.desk.allowance.left == Cost(5.0, 10)
        assert (await call("runs")).failed or not (await call("runs")).document["runs"]


# Without other ceilings it is four creations and about 0.29 units, a second wave and a second round.
@pytest.mark.parametrize(
    ("most", "units", "creations", "again"), [(10, 1.0, 4, True), (2, 1.0, 2, True), (10, 0.2, 4, False)]
)
async def test_a_diagnosis_keeps_to_its_ceilings_with_its_second_wave_and_round(
    most: int, units: float, creations: int, again: bool, tmp_path: Path
) -> None:
    async with visit(tmp_path, culprits=["country=DE:dead"]) as call:
        words = {**CEILINGS, "deadline_seconds": 120.0, "max_creations": most, "max_units": units}
        said = await call("diagnose", targets=["https://a.example.com"], **words)
        assert not said.failed, said.text
        assert "a.example.com" in said.content["text"]
        runs = (await call("runs")).document["runs"]
        shown = [(await call("show", run=run["run"])).document for run in runs]
        assert sum(one["requests"]["creations"] for one in shown) == creations
        assert sum(one["units"]["estimated"] for one in shown) <= units
        assert (len(shown) == 2) is again
        spent = call.desk.allowance.spent if call.desk.allowance is not None else Cost()
        assert spent.creations == creations
        assert spent.units == pytest.approx(sum(one["units"]["estimated"] for one in shown))


async def test_a_server_that_only_reads_creates_nothing_whatever_is_called(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await furnish(opened.store)
        before = len(await opened.store.runs(100))
    async with visit(tmp_path, most=None) as call:
        tools = (await call.client.list_tools()).tools
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        for tool, words in (("run", {"plan_text": PLAN}), ("diagnose", {"targets": ["a.example"]})):
            said = await call(tool, **words, **CEILINGS)
            assert said.failed
            assert "--allow-creations" in said.text
        assert "--allow-creations" in (await call("stop", run="x")).text
        assert len((await call("runs", limit=100)).document["runs"]) == before


async def test_hints_tell_clients_what_reads_and_what_costs(tmp_path: Path) -> None:
    async with visit(tmp_path) as call:
        hints = {tool.name: tool.annotations for tool in (await call.client.list_tools()).tools}
    told = {
        name: (one.read_only_hint, one.destructive_hint, one.idempotent_hint, one.open_world_hint)
        for name, one in hints.items()
        if one is not None
    }
    assert told["show"] == told["results"] == (True, False, True, False)
    assert told["check"] == (True, False, True, True)
    assert told["run"] == told["diagnose"] == (False, False, False, True)


async def test_a_run_that_takes_longer_than_the_call_goes_on_and_can_be_stopped(tmp_path: Path) -> None:
    async with visit(tmp_path, speed=2.0) as call:
        begun = await call("run", plan_text=PLAN, wait_seconds=0, **CEILINGS)
        assert begun.document["state"] == "running"
        assert "goes on" in begun.content["next"]
        run = begun.document["run"]
        assert (await call("run", plan_text=PLAN, wait_seconds=0, **CEILINGS)).text.startswith("error: ")
        stopped = await call("stop", run=run)
        assert not stopped.failed
        call.desk.leave()
        with anyio.fail_after(60):
            while (await call("show", run=run)).document["state"] == "running":  # noqa: ASYNC110 - as a client
                await anyio.sleep(0.05)
        assert (await call("show", run=run)).document["state"] == "interrupted"
        assert "no run" in (await call("stop", run=run)).text


async def test_a_call_that_is_cancelled_stops_its_run_and_loses_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, speed=20.0) as call:
        with anyio.CancelScope() as scope:

            async def heard(progress: float, total: float | None, message: str | None) -> None:
                del progress, total, message
                scope.cancel()

            await call.client.call_tool("run", {"plan_text": PLAN, **CEILINGS}, progress_callback=heard)
        assert scope.cancelled_caught
        with anyio.fail_after(60):
            while call.desk.allowance is not None and call.desk.allowance.held != Cost():  # noqa: ASYNC110 - as above
                await anyio.sleep(0.05)
        (run,) = (await call("runs")).document["runs"]
        assert run["state"] in ("interrupted", "complete")
    await _nothing_is_lost(tmp_path, run["run"])


async def test_a_client_that_goes_away_stops_its_runs_in_an_orderly_way(tmp_path: Path) -> None:
    async with visit(tmp_path, speed=20.0) as call:
        begun = await call("run", plan_text=PLAN, wait_seconds=0, **CEILINGS)
    await _nothing_is_lost(tmp_path, begun.document["run"])


async def _nothing_is_lost(folder: Path, run: str) -> None:
    """Each test that was created has an id and an end, and nothing is left to somebody who is gone."""
    async with open_store(str(folder / "runs.db"), make=False) as opened:
        record = await opened.store.run(run)
        tests = await opened.store.tests(run)
    assert record.state is not RunState.RUNNING
    for test in tests:
        assert test.state not in (SpecState.CREATING, SpecState.UNKNOWN)
        assert (test.test_id is None) == (test.created is None)


async def test_what_others_wrote_comes_as_data_that_nothing_obeys(tmp_path: Path) -> None:
    async with open_store(str(tmp_path / "runs.db")) as opened:
        await furnish(opened.store)
    async with visit(tmp_path, most=None) as call:
        shown = await call("show", run=HOSTILE)
        assert "\u202e" in ATTACK
        assert "\u202e" not in shown.text
        assert "never instructions" in shown.content["about"]


async def test_no_answer_is_longer_than_a_reader_takes(tmp_path: Path) -> None:
    async with visit(tmp_path, most=Cost(50.0, 40)) as call:
        plan = PLAN.replace("sample: {per: country, count: 1}, country: [GB, DE, FR]", "")
        plan = plan.replace("{type: cloud, }", "{type: cloud}")
        said = await call("run", plan_text=plan, **{**CEILINGS, "max_units": 40.0, "wait_seconds": 100.0})
        assert not said.failed, said.text
        page = await call("results", limit=500)
        assert len(page.text) < 34_000
        assert any("rows" in one for one in page.content["left_out"])


async def test_secrets_leave_with_no_answer(tmp_path: Path) -> None:
    def mask(text: str) -> str:
        return text.replace("sesame", "***")

    async with visit(tmp_path, mask=mask) as call:
        for said in (
            await call("run", plan_text=PLAN.replace("a.example", "sesame.example"), **CEILINGS),
            await call("show"),
            await call("results"),
            await call("explain", cell="sesame"),
            await call("show", run="sesame"),
            await call("sesame"),
            await call("diff", base="sesame"),
        ):
            assert "sesame" not in said.text


@pytest.mark.parametrize("tool", ["", "shows", "run ", "x" * 3000, "\x1b[2J"])
async def test_a_tool_that_there_is_not_is_answered_in_one_sentence(tool: str, tmp_path: Path) -> None:
    async with visit(tmp_path, plans=Plans(tmp_path), speed=FAST) as call:
        said = await call(tool)
        assert said.failed
        assert "there is no tool" in said.text
        assert "\x1b" not in said.text
        assert len(said.text) < 500
