from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import AnswerStatus, Hop, Path, Verdict
from orchestrator.report.results import FIXED, Filter, write_csv, write_jsonl
from orchestrator.terminal.results import write_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from report_rows import Make

    from orchestrator.records import StoredAnswer

RUN = "20261121-054712-ab12"
# A high surrogate right before a low one is one character in JSON; no JSON document can tell them apart.
PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
hostile = st.text(st.characters(), max_size=30).filter(lambda text: not PAIR.search(text))
metric = st.integers(-10, 10) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | hostile


async def test_a_json_line_has_exactly_the_documented_keys(make: Make) -> None:
    lines: list[str] = []
    assert await write_jsonl(RUN, make.rows([make.row()]), lines.append) == 1
    assert json.loads(lines[0]) == {
        "schema": 1, "run": RUN, "spec": "aaaa00000001", "test": "web", "test_id": "281474976710706",
        "type": "http-server",
        "target": "portal", "layer": "network", "agent_id": "1001", "agent": "branch-01", "country": "GB",
        "server": None, "round_id": 1_795_240_020, "date": "2026-11-21T05:47:00Z", "status": "ok",
        "error_type": None, "error": None, "verdict": "pass", "metrics": {"loss": 0.0, "avgLatency": 12.0},
    }  # fmt: skip


async def test_hops_are_told_only_of_rows_that_have_details(make: Make) -> None:
    lines: list[str] = []
    hop = Hop(2, "192.0.2.1", time=12.5, network="Example (AS 64500)")
    rows = [make.row(paths=(Path("1", (hop,)), Path(None, ()))), make.row(paths=()), make.row()]
    await write_jsonl(RUN, make.rows(rows), lines.append)
    told = [json.loads(line).get("hops", "none") for line in lines]
    assert told == [
        [
            [
                {
                    "number": 2, "address": "192.0.2.1", "rdns": None, "network": "Example (AS 64500)",
                    "prefix": None, "location": None, "time": 12.5, "loss": None, "mpls": None,
                }
            ],
            [],
        ],
        [],
        "none",
    ]  # fmt: skip


async def test_the_phase_that_failed_stands_apart_from_its_text(make: Make) -> None:
    row = make.row(status=AnswerStatus.ERROR, error="Connect: refused", error_type="connect")
    lines: list[str] = []
    await write_jsonl(RUN, make.rows([row]), lines.append)
    await write_csv(RUN, make.rows([row]), lines.append)
    told = json.loads(lines[0])
    assert (told["error_type"], told["error"]) == ("connect", "Connect: refused")
    [row_of_csv] = csv.DictReader(lines[1:])
    assert (row_of_csv["error_type"], row_of_csv["error"]) == ("connect", "Connect: refused")


async def test_a_direction_is_told_only_where_there_is_one(make: Make) -> None:
    lines: list[str] = []
    await write_jsonl(RUN, make.rows([make.row(direction="from-target"), make.row()]), lines.append)
    assert [json.loads(line).get("direction", "none") for line in lines] == ["from-target", "none"]


async def test_a_number_that_json_cannot_say_is_null(make: Make) -> None:
    lines: list[str] = []
    await write_jsonl(RUN, make.rows([make.row(metrics={"loss": float("inf")})]), lines.append)
    assert json.loads(lines[0])["metrics"] == {"loss": None}


@given(agent=hostile, error=hostile, target=hostile, metrics=st.dictionaries(hostile, metric, max_size=4))
async def test_json_lines_carry_hostile_data_unchanged(
    make: Make, agent: str, error: str, target: str, metrics: dict[str, str | float]
) -> None:
    row = make.row(target=target, agent=agent, error=error, metrics=metrics, status=AnswerStatus.ERROR)
    lines: list[str] = []
    await write_jsonl(RUN, make.rows([row]), lines.append)
    assert len("".join(lines).splitlines()) == 1
    read = json.loads(lines[0])
    assert (read["agent"], read["error"], read["target"], read["metrics"]) == (agent, error, target, metrics)


async def test_csv_has_one_line_per_answer_and_a_column_per_metric(make: Make) -> None:
    rows = [
        make.row(),
        make.row(layer="http-server", metrics={"totalTime": 310, "availability": 100.0}),
        make.row(status=AnswerStatus.ERROR, error="-- no route", metrics={}, verdict=Verdict.FAIL),
    ]
    out = io.StringIO()
    assert await write_csv(RUN, make.rows(rows), out.write) == 3
    read = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(read[0]) == [*FIXED, "availability", "avgLatency", "loss", "totalTime"]
    assert [(line["avgLatency"], line["totalTime"]) for line in read] == [("12.0", ""), ("", "310"), ("", "")]
    assert (read[2]["error"], read[2]["verdict"]) == ("'-- no route", "fail")


async def test_a_metric_with_the_name_of_a_fixed_column_keeps_its_own_column(make: Make) -> None:
    out = io.StringIO()
    await write_csv(RUN, make.rows([make.row(metrics={"server": "ns1"})]), out.write)
    read = next(csv.DictReader(io.StringIO(out.getvalue())))
    assert (read["server"], read["metric.server"]) == ("", "ns1")


@given(st.lists(st.tuples(hostile, hostile, st.dictionaries(hostile, metric, max_size=3)), max_size=4))
async def test_csv_of_hostile_data_reads_back_with_constant_columns_and_no_formula(
    make: Make, data: list[tuple[str, str, dict[str, str | float]]]
) -> None:
    rows = [make.row(target=target, agent=agent, metrics=metrics) for target, agent, metrics in data]
    out = io.StringIO()
    await write_csv(RUN, make.rows(rows), out.write)
    text = out.getvalue()
    text.encode("utf-8")
    assert len(text.splitlines()) == len(rows) + 1
    read = list(csv.reader(io.StringIO(text), strict=True))
    assert len({len(line) for line in read}) == 1
    for line in read[1:]:
        for cell in line:
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), f"{cell!r} would be taken for a formula"
            assert not cell.startswith("-") or float(cell) < 0 or float(cell) == 0


def lines_of(parts: list[str]) -> list[str]:
    return "".join(parts).splitlines()


async def test_the_table_is_aligned_and_says_what_failed(make: Make) -> None:
    rows = [
        make.row(target="a-long-target", metrics={"loss": 0.0, "avgLatency": 12.25, "serverIp": "192.0.2.1"}),
        make.row(status=AnswerStatus.ERROR, error="timed out", metrics={}, verdict=Verdict.FAIL),
    ]
    parts: list[str] = []
    assert await write_table(make.rows(rows), parts.append) == 2
    heading, measured, failed = lines_of(parts)
    assert (
        heading == "target         test  agent      country  layer    date                  verdict  answer"
    )
    start = "a-long-target  web   branch-01  GB       network  2026-11-21T05:47:00Z  pass     "
    assert measured == f"{start}loss 0 %, avgLatency 12.25 ms, serverIp 192.0.2.1"
    assert (
        failed == "portal         web   branch-01  GB       network  2026-11-21T05:47:00Z  fail     timed out"
    )


async def test_wide_characters_keep_the_columns_aligned(make: Make) -> None:
    from rich.cells import cell_len  # noqa: PLC0415 - this test only

    parts: list[str] = []
    await write_table(make.rows([make.row(target="東京"), make.row(target="abcd")]), parts.append)
    _, wide, narrow = lines_of(parts)
    assert cell_len(wide.partition("branch")[0]) == cell_len(narrow.partition("branch")[0])


@given(target=hostile, agent=hostile, error=hostile)
async def test_the_table_never_obeys_hostile_data(make: Make, target: str, agent: str, error: str) -> None:
    row = make.row(target=target, agent=agent, error=error, status=AnswerStatus.ERROR)
    parts: list[str] = []
    await write_table(make.rows([row]), parts.append)
    text = "".join(parts)
    text.encode("utf-8")
    assert len(text.splitlines()) == 2
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text if char != "\n")


async def test_the_table_fits_a_terminal(make: Make) -> None:
    row = make.row(status=AnswerStatus.ERROR, error="x" * 400, metrics={})
    parts: list[str] = []
    await write_table(make.rows([row]), parts.append, width=100)
    assert max(len(line) for line in lines_of(parts)) == 100


@pytest.mark.parametrize("width", [60, 80, 90])
async def test_on_a_narrow_terminal_the_answer_has_a_line_of_its_own(make: Make, width: int) -> None:
    row = make.row(target="a-target-with-a-name.example.com", error="x" * 400, status=AnswerStatus.ERROR)
    parts: list[str] = []
    await write_table(make.rows([row]), parts.append, width=width)
    lines = lines_of(parts)
    assert len(lines) == 4
    assert max(len(line) for line in lines) <= width
    assert lines[3].startswith("    xxxx")


async def test_only_the_verdict_is_painted(make: Make) -> None:
    parts: list[str] = []
    await write_table(make.rows([make.row()]), parts.append, paint=lambda text, word: f"<{word}|{text}>")
    assert "<pass|pass   >" in parts[1]
    assert parts[1].count("<") == 1


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Filter(), ["a", "b"]),
        (Filter(layers=("network",)), ["a"]),
        (Filter(verdicts=(Verdict.FAIL,)), ["b"]),
        (Filter(statuses=(AnswerStatus.OK,)), ["a"]),
        (Filter(agents=("BRANCH-*",)), ["a"]),
        (Filter(agents=("2002",)), ["b"]),
        (Filter(targets=("B",)), ["b"]),
        (Filter(targets=("?",), layers=("network", "voice")), ["a"]),
        (Filter(targets=("c",)), []),
    ],
)
async def test_filters_choose_rows_in_every_format(make: Make, keep: Filter, left: list[str]) -> None:
    rows = make.rows(
        [
            make.row(target="a"),
            make.row(
                target="b", layer="http-server", agent="hq", agent_id="2002", status=AnswerStatus.ERROR,
                error="down", verdict=Verdict.FAIL, metrics={},
            ),
        ]
    )  # fmt: skip
    lines: list[str] = []
    assert await write_jsonl(RUN, rows, lines.append, keep) == len(left)
    assert [json.loads(line)["target"] for line in lines] == left
    assert await write_csv(RUN, rows, lambda _: None, keep) == len(left)
    assert await write_table(rows, lambda _: None, keep) == len(left)


async def test_rows_are_written_as_they_come(make: Make) -> None:
    order: list[str] = []

    async def rows() -> AsyncIterator[StoredAnswer]:
        for number in range(3):
            order.append(f"read {number}")
            yield make.row()

    await write_jsonl(RUN, rows, lambda _: order.append("written"))
    assert order == ["read 0", "written", "read 1", "written", "read 2", "written"]
