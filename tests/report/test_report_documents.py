"""JUnit and Markdown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from told_runs import overview_of

from orchestrator.lifecycle import SpecState
from orchestrator.model import CellState, Verdict
from orchestrator.records import RunSettings, RunState
from orchestrator.report.junit import write_junit
from orchestrator.report.markdown import ticket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_rows import Make

    from orchestrator.records import CellRecord

hostile = st.text(st.characters(), max_size=30)


def fail(make: Make, **changes: object) -> CellRecord:
    reasons = ("http-server.totalTime 2310 ms, expected < 2000",)
    return make.cell(**{"verdict": Verdict.FAIL, "reasons": reasons, **changes})


async def parsed(make: Make, cells: Sequence[CellRecord]) -> ET.Element:
    return ET.fromstring(await written(make, cells))  # noqa: S314 - our own output is what is tested


async def written(make: Make, cells: Sequence[CellRecord], **more: Any) -> str:
    parts: list[str] = []
    await write_junit(make.run(), lambda: make.stream(cells), parts.append, **more)
    return "".join(parts)


async def test_junit_has_a_case_per_cell_with_what_came_of_it(make: Make) -> None:
    missing = {"state": CellState.MISSING, "verdict": Verdict.NO_ANSWER}
    refused = {"state": CellState.NOT_RUN, "verdict": Verdict.NOT_RUN, "reasons": ("creation refused",)}
    root = await parsed(
        make,
        [
            make.cell(agent="passes"),
            make.cell(agent="warns", verdict=Verdict.WARN, reasons=("network.loss 1 %",)),
            make.cell(agent="measured-an-error", state=CellState.ERRORS, reasons=("timed out",)),
            fail(make, agent="fails"),
            make.cell(agent="is-silent", **missing),
            make.cell(agent="came-half", state=CellState.PARTIAL, verdict=Verdict.PARTIAL),
            make.cell(agent="was-refused", **refused),
            make.left_out(agent="is-offline"),
        ],
    )
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("name") == "branch-sweep.web"
    assert suite.get("timestamp") == "2026-11-21T05:47:12Z"
    found = {
        case.get("name"): [(part.tag, part.get("type"), part.get("message"), part.text) for part in case]
        for case in root.iter("testcase")
    }
    reason = "http-server.totalTime 2310 ms, expected < 2000"
    assert found == {
        "portal @ passes": [],
        "portal @ warns": [("system-out", None, None, "network.loss 1 %")],
        "portal @ measured-an-error": [("system-out", None, None, "timed out")],
        "portal @ fails": [("failure", "expectation", reason, reason)],
        "portal @ is-silent": [("error", "missing", "no answer came", None)],
        "portal @ came-half": [("error", "partial", "only some layers answered", None)],
        "portal @ was-refused": [("error", "not-run", "creation refused", "creation refused")],
        "portal @ is-offline": [("skipped", None, "the agent is offline", None)],
    }
    for element, skipped in ((root, None), (suite, "1")):
        numbers = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert numbers == {"tests": "8", "failures": "1", "errors": "3", "skipped": skipped}


async def test_junit_groups_cases_by_test_and_names_their_target(make: Make) -> None:
    root = await parsed(make, [make.cell(), make.cell(test="dns", target="example.com"), make.cell()])
    assert [suite.get("name") for suite in root] == ["branch-sweep.web", "branch-sweep.dns"]
    assert [(case.get("classname"), case.get("name")) for case in root.iter("testcase")] == [
        ("branch-sweep / web", "portal @ branch-01"),
        ("branch-sweep / web", "portal @ branch-01"),
        ("branch-sweep / dns", "example.com @ branch-01"),
    ]


async def test_junit_keeps_the_cells_of_a_block_together_wherever_they_come(make: Make) -> None:
    cells = [
        make.left_out(),
        make.cell(agent="a"),
        make.cell(test="dns"),
        make.cell(agent="b"),
        make.left_out(test="x"),
    ]
    root = await parsed(make, cells)
    found = {suite.get("name"): [case.get("name") for case in suite.iter("testcase")] for suite in root}
    assert found == {
        "branch-sweep.web": ["portal @ a", "portal @ branch-07", "portal @ b"],
        "branch-sweep.dns": ["portal @ branch-01"],
        "branch-sweep.x": ["portal @ branch-07"],
    }


async def test_junit_tells_how_long_a_test_a_block_and_the_run_took(make: Make) -> None:
    first = make.test(created=10.0, closed=22.5)
    second = make.test(created=11.0, closed=31.25)
    second = replace(second, spec=replace(second.spec, key="bbbb00000002"))
    cells = [make.cell(spec="aaaa00000001"), make.cell(spec="bbbb00000002"), make.cell(spec="cccc")]
    text = await written(make, cells, tests=[first, second], now=make.started + 90.5)
    root = ET.fromstring(text)  # noqa: S314 - our own output is what is tested
    assert root.get("time") == "90.500"
    assert [suite.get("time") for suite in root] == ["21.250"]
    assert [case.get("time") for case in root.iter("testcase")] == ["12.500", "20.250", "0.000"]


@pytest.mark.parametrize("target", ["www.example.com", "https://a.b.example/x.y", "10.0.0.1:443"])
async def test_a_ci_server_finds_no_package_in_a_class_name(make: Make, target: str) -> None:
    run = make.run(plan="v1.2-sweep")
    parts: list[str] = []
    cells = [make.cell(test="web.eu", target=target)]
    await write_junit(run, lambda: make.stream(cells), parts.append)
    (case,) = ET.fromstring("".join(parts)).iter("testcase")  # noqa: S314 - as above
    assert (case.get("classname"), case.get("name")) == ("v1_2-sweep / web_eu", f"{target} @ branch-01")


async def test_junit_begins_with_its_declaration_and_comes_piece_by_piece(make: Make) -> None:
    parts: list[str] = []
    cells = [make.cell(agent=f"agent-{number}") for number in range(300)]
    await write_junit(make.run(), lambda: make.stream(cells), parts.append)
    assert parts[0] == '<?xml version="1.0" encoding="UTF-8"?>\n'
    assert len(parts) > 300
    assert max(map(len, parts)) < 400


async def test_a_ci_librarys_reader_counts_what_we_counted(make: Make) -> None:
    cells = [make.cell(), fail(make), make.left_out(), make.cell(test="dns", state=CellState.MISSING)]
    document = JUnitXml.fromstring((await written(make, cells)).encode())
    told = (document.tests, document.failures, document.errors)
    document.update_statistics()  # type: ignore[no-untyped-call] # the library's own lack
    assert told == (document.tests, document.failures, document.errors) == (4, 1, 1)


async def test_junit_of_a_run_without_cells_is_a_document(make: Make) -> None:
    assert (await parsed(make, [])).tag == "testsuites"


@given(agent=hostile, target=hostile, test=hostile, reason=hostile)
async def test_junit_of_hostile_data_is_well_formed(
    make: Make, agent: str, target: str, test: str, reason: str
) -> None:
    cells = [fail(make, agent=agent, target=target, test=test, reasons=(reason,))]
    root = await parsed(make, [*cells, make.left_out(agent=agent, reasons=(reason,), test=test)])
    assert len(list(root.iter("testcase"))) == 2


async def test_junit_takes_many_cells_in_linear_time_and_keeps_them_all(make: Make) -> None:
    cells = [make.cell(agent=f"agent-{number}") for number in range(5000)]
    assert len(list((await parsed(make, cells)).iter("testcase"))) == 5000


async def test_what_was_left_out_is_grouped_by_its_reason(make: Make) -> None:
    cells = [
        make.left_out(target=target, agent_id=str(number), agent=f"branch-{number:02}")
        for number in range(20)
        for target in ("a", "b")
    ]
    stopped = make.cell(state=CellState.NOT_RUN, verdict=Verdict.NOT_RUN, reasons=("the run was stopped",))
    found = await overview_of(make.run(), cells=[*cells, stopped])
    (left_out,), (not_run,) = found.left_out, found.not_run
    assert (left_out.reason, left_out.cells, left_out.agents_total) == ("the agent is offline", 40, 20)
    assert left_out.agents[:2] == ("branch-00", "branch-01")
    assert (not_run.reason, not_run.cells) == ("the run was stopped", 1)


async def test_an_overview_stays_small_when_every_cell_has_a_reason_of_its_own(make: Make) -> None:
    cells = [make.left_out(reasons=(f"reason {number}",)) for number in range(1000)]
    found = await overview_of(make.run(), cells=cells)
    assert len(found.left_out) == 21
    assert sum(group.cells for group in found.left_out) == 1000


async def test_the_ticket_is_the_golden_one(make: Make) -> None:
    run = make.run(finished=make.started + 185, state=RunState.INCOMPLETE, exit_code=3)
    unknown = make.test(state=SpecState.UNKNOWN, test_id=None)
    counts = make.counts(
        tests={SpecState.COMPLETE: 1, SpecState.UNKNOWN: 1, SpecState.TIMED_OUT: 1},
        cells={CellState.ANSWERED: 2, CellState.MISSING: 3, CellState.NOT_RUN: 1},
        verdicts={Verdict.PASS: 1, Verdict.FAIL: 1, Verdict.NO_ANSWER: 3, Verdict.NOT_RUN: 1},
        left_out=1,
    )
    found = await overview_of(run, counts, [fail(make), make.left_out()], [unknown])
    assert ticket(found) == (
        "# `branch-sweep`, 2026-11-21 05:47:12 UTC\n"
        "\n"
        "**✕ 1 failure without a common cause** (exit 3, incomplete, 3 min 5 s)\n"
        "\n"
        "- 1 cell without a common cause\n"
        "\n"
        "2 of 5 cells collected · 1 pass, 1 fail, 3 no answer · 1 left out · "
        "3 tests: 1 complete, 1 timed out, 1 unknown · about 0 units\n"
        "\n"
        "## Bad cells by cause\n"
        "\n"
        "| | test | target | agent | what | in the product |\n"
        "| ---: | --- | --- | --- | --- | --- |\n"
        "| - | `web` | `portal` | `branch-01` | `http-server.totalTime 2310 ms, expected < 2000` | - |\n"
        "\n"
        "## Left out before the start\n"
        "\n"
        "- `the agent is offline`: 1 cell, `branch-07`\n"
        "\n"
        "## Creations whose outcome is unknown\n"
        "\n"
        "Their answers were lost: they may exist and may have been paid for, so they were not repeated.\n"
        "Look for these names in the product:\n"
        "\n"
        "- `branch-sweep web portal [aaaa00000001]` (`portal`)\n"
        "\n"
        "Run `20261121-054712-ab12` of `https://api.thousandeyes.com`\n"
        "\n"
        "- again: `orchestrator run plans/branch-sweep.yaml`\n"
        "- go on: `orchestrator resume 20261121-054712-ab12`\n"
        "- find the lost creations: `orchestrator reconcile 20261121-054712-ab12`\n"
        "- every bad cell: `orchestrator results 20261121-054712-ab12 --verdict fail --verdict no-answer`\n"
        "- try again: `orchestrator rerun 20261121-054712-ab12 --failed`\n"
    )


@given(agent=hostile, target=hostile, plan=hostile, reason=hostile, path=hostile)
async def test_the_ticket_of_hostile_data_keeps_its_tables_and_has_no_markup_of_others(
    make: Make, agent: str, target: str, plan: str, reason: str, path: str
) -> None:
    cell = fail(make, agent=agent, target=target, reasons=(reason,))
    counts = make.counts(
        cells={CellState.ANSWERED: 1, CellState.NOT_RUN: 1},
        verdicts={Verdict.FAIL: 1, Verdict.NOT_RUN: 1},
        left_out=1,
    )
    cells = [cell, make.left_out(agent=agent, reasons=(reason,))]
    run, lost = make.run(plan=plan, plan_path=path), make.test(name=agent, state=SpecState.UNKNOWN)
    text = ticket(await overview_of(run, counts, cells, [lost]))
    text.encode("utf-8")
    tables = [line for line in text.split("\n") if line.startswith("|")]
    assert len(tables) == 3
    assert {line.count("|") for line in tables} == {7}
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"[<>@\[\]`\x00-\x09\x0b-\x1f]", outside), f"data outside code spans: {outside!r}"


async def test_the_ticket_of_a_large_failure_stays_small(make: Make) -> None:
    cells = [
        fail(make, agent="x" * 10_000, agent_id=str(n), reasons=(f"{n}" + "y" * 100_000,))
        for n in range(2000)
    ]
    counts = make.counts(cells={CellState.ANSWERED: 2000}, verdicts={Verdict.FAIL: 2000})
    lost = [make.test(name="z" * 10_000, state=SpecState.UNKNOWN)] * 500
    text = ticket(await overview_of(make.run(), counts, cells, lost))
    assert "and 1990 more" in text
    assert "and 480 more" in text
    assert len(text) < 60_000


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"parent": "20261120-1"}, "orchestrator rerun 20261120-1"),
        ({"plan_path": "my plans/$(x).yaml"}, "orchestrator run 'my plans/$(x).yaml'"),
    ],
)
async def test_the_command_to_repeat_can_be_pasted(
    make: Make, changes: dict[str, object], command: str
) -> None:
    assert f"again: `{command}`" in ticket(await overview_of(make.run(**changes), make.counts()))


async def test_the_command_to_repeat_has_what_was_set_but_no_secret(make: Make) -> None:
    sets = {"target": "https://a b", "api_token": "s3cret"}
    text = ticket(await overview_of(make.run(settings=RunSettings(sets=sets)), make.counts()))
    command = "orchestrator run plans/branch-sweep.yaml --set 'target=https://a b' --set 'api_token=***'"
    assert f"again: `{command}`" in text


async def test_a_simulated_run_is_repeated_and_never_resumed(make: Make) -> None:
    run = make.run(settings=RunSettings(simulated=True), state=RunState.INTERRUPTED)
    counts = make.counts(tests={SpecState.NOT_RUN: 1}, created=0)
    text = ticket(await overview_of(run, counts))
    assert "again: `orchestrator run plans/branch-sweep.yaml --simulate`" in text
    assert "resume" not in text


async def test_a_run_without_a_file_has_no_command_to_repeat(make: Make) -> None:
    assert "again:" not in ticket(await overview_of(make.run(plan_path=None), make.counts()))


async def test_junit_keeps_blocks_apart_whose_names_differ_in_dots_only(make: Make) -> None:
    root = await parsed(make, [make.cell(test=test) for test in ("a.b", "a_b")])
    names = [str(case.get("classname")) for case in root.iter("testcase")]
    assert len(set(names)) == 2
    assert not any("." in name for name in names)
