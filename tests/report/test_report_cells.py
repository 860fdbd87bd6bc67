"""Every cell of a run, one a line, as JSON lines, as CSV and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insight_runs import PASSES, SILENT, How, expired, refused
from insight_worlds import FLEET, OSLO
from told_runs import LEFT_OUT, cell, source_of

from orchestrator.model import Agent, Verdict
from orchestrator.report.cells import COLUMNS, judged, write_cells_csv, write_cells_jsonl
from orchestrator.report.results import Filter
from orchestrator.terminal.cells import write_cells

TARGETS = ["t1", "t2", "t3", "t4"]
hostile = st.text(st.characters(), max_size=30)


def how(agent: Agent, target: str) -> How:
    if agent.id == OSLO:
        return SILENT
    if agent.id == "a18":
        return LEFT_OUT
    if target == "t2":
        return expired()
    return refused() if (agent.id, target) == ("a02", "t4") else PASSES


CELLS = [
    cell(agent, target, how(agent, target), reason="the agent is offline" if agent.id == "a18" else "")
    for target in TARGETS
    for agent in FLEET
]


async def objects(keep: Filter = Filter()) -> list[dict[str, Any]]:  # noqa: B008 - frozen
    source, lines = source_of(CELLS, FLEET), []  # type: ignore[var-annotated] # filled below
    number = await write_cells_jsonl("r", lambda: judged(source, keep), lines.append)
    assert number == len(lines)
    return [json.loads(line) for line in lines]


async def test_each_cell_has_a_line_also_without_an_answer_and_what_was_left_out() -> None:
    found = await objects()
    assert len(found) == len(TARGETS) * len(FLEET)
    assert Counter(one["verdict"] for one in found) == {"pass": 47, "fail": 17, "no-answer": 4, "not-run": 4}
    by_cell = {(one["target"], one["agent_id"]): one for one in found}
    down = by_cell["t2", "a05"]
    assert (down["phase"], down["cause"], down["reasons"]) == ("tls", 1, ["certificate has expired"])
    alone = by_cell["t4", "a02"]
    assert (alone["phase"], alone["cause"]) == ("connect", None)
    silent = by_cell["t1", OSLO]
    assert (silent["state"], silent["verdict"], silent["phase"], silent["cause"]) == (
        "missing",
        "no-answer",
        None,
        2,
    )
    left_out = by_cell["t1", "a18"]
    assert (left_out["spec"], left_out["state"], left_out["reasons"]) == (
        None,
        "not_run",
        ["the agent is offline"],
    )


@pytest.mark.parametrize(
    ("keep", "number"),
    [
        (Filter(verdicts=(Verdict.NO_ANSWER,)), 4),
        (Filter(agents=("BRANCH-09-*",)), 4),
        (Filter(targets=("t2",), verdicts=(Verdict.FAIL,)), 16),
    ],
)
async def test_filters_choose_cells(keep: Filter, number: int) -> None:
    assert len(await objects(keep)) == number


async def test_an_open_cell_is_pending_and_counts_as_in_the_summary() -> None:
    begun = [cell(agent, "t1", How(None, rows=()) if n else PASSES) for n, agent in enumerate(FLEET)]
    source, lines = source_of(begun, FLEET), []  # type: ignore[var-annotated] # filled below
    await write_cells_jsonl("r", lambda: judged(source, Filter()), lines.append)
    found = Counter((one["state"], one["verdict"]) for one in map(json.loads, lines))
    assert found == {("answered", "pass"): 1, ("pending", "not-run"): 17}


async def test_csv_says_the_same_as_json_lines() -> None:
    source, parts = source_of(CELLS, FLEET), []  # type: ignore[var-annotated] # filled below
    assert await write_cells_csv("r", lambda: judged(source, Filter()), parts.append) == len(CELLS)
    header, *rows = csv.reader(io.StringIO("".join(parts), newline=""))
    assert tuple(header) == COLUMNS
    for row, one in zip(rows, await objects(), strict=True):
        told = {**one, "reasons": "; ".join(one["reasons"])}
        assert row == ["" if told[name] is None else str(told[name]) for name in COLUMNS]


@given(target=hostile, name=hostile, reason=hostile)
async def test_no_hostile_name_breaks_a_line(target: str, name: str, reason: str) -> None:
    agent = Agent("1", name, FLEET[0].type)
    odd = [cell(agent, target, refused(reason), reason=reason), cell(FLEET[1], target, PASSES)]
    for write in (write_cells_csv, write_cells_jsonl):
        source, parts = source_of(odd, (agent, FLEET[1])), []  # type: ignore[var-annotated] # filled below
        await write("r", lambda source=source: judged(source, Filter()), parts.append)  # type: ignore[misc] # bound
        text = "".join(parts)
        assert len(text.splitlines()) == 2 + (write is write_cells_csv)
    for width in (None, 60, 80, 120):
        source, parts = source_of(odd, (agent, FLEET[1])), []
        await write_cells(
            lambda source=source: judged(source, Filter()),  # type: ignore[misc] # bound
            parts.append, width=width, names={"1": name, FLEET[1].id: "x"},
        )  # fmt: skip
        text = "".join(parts)
        text.encode("utf-8")
        assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text if char != "\n")


async def test_a_cell_of_which_nothing_is_known_yet_is_open_and_not_silent() -> None:
    cells, lines = [cell(FLEET[0], "t1", How(None, rows=())), cell(FLEET[1], "t1", SILENT)], list[str]()
    source = source_of(cells, FLEET)
    await write_cells(lambda: judged(source, Filter()), lines.append, names={})
    assert [line.split()[-4] for line in lines[1:]] == ["open", "no-answer"]
