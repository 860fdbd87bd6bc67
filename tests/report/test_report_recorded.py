"""The bytes of CSV and of JSON lines are a contract: those of odd rows were recorded once, and stay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.model import AnswerStatus, Hop, Verdict
from orchestrator.model import Path as Trace
from orchestrator.report.results import Filter, write_csv, write_jsonl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_rows import Make

    from orchestrator.records import StoredAnswer

RECORDED = Path(__file__).parent / "recorded"
RUN = "20261121-054712-ab12"
NUMBERS = [
    0,
    -1,
    2**63,
    2**70,
    -(2**64),
    0.0,
    -0.0,
    1e-4,
    9.9e-5,
    1e-7,
    1e15,
    1e16,
    1.5e300,
    5e-324,
    0.1,
    1 / 3,
]
TEXTS = [
    "", " ", "plain", "a,b", 'a"b', "a'b", "=1+1", " =1", "+1", "-1", "@x", "\t=1", "\uff1d1", "\u0661+1",
    "https://user:secret@host/x", "ftp://u@h and https://v:w@i/", "me@example.com", "x://y",
    "a\nb\rc\td", "\x00\x1b[31m\x7f\x85\xa0", "\xad\u061c\u200b\u200d\u202e\u2066\ufeff", "\ud800 alone",
    "\u540d\u524d", "\U0001f600", "\U000e0041", "\ufffe",
]  # fmt: skip


def odd_rows(make: Make) -> list[StoredAnswer]:
    """Numbers, texts, names and absences that writers have stumbled over."""
    rows = [make.row(metrics={"loss": value, "other": 1}) for value in NUMBERS]
    rows += [make.row(metrics={"loss": value}) for value in (math.nan, math.inf, -math.inf, True, False)]
    rows += [
        make.row(metrics={"text": text}, agent=text, error=text, country=text, link=text) for text in TEXTS
    ]
    rows += [make.row(target=text, server=text, date=text, direction=text) for text in TEXTS]
    rows += [make.row(metrics={name: 1}) for name in ("status", "run", "\u540d", "=name", "a,b", "\ud800")]
    rows += [
        make.row(status=AnswerStatus.ERROR, error="Connect: refused", error_type="connect", metrics={}),
        make.row(verdict=None, layer="", round_id=0),
        *(make.row(verdict=verdict) for verdict in Verdict),
        make.row(paths=(Trace("1", (Hop(1, "192.0.2.1", time=1e-5, loss=1e16), Hop(3))),)),
    ]
    return rows


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("keep", [Filter(), Filter(targets=("portal",))], ids=["all", "filtered"])
async def test_odd_rows_are_written_as_they_were_recorded(make: Make, form: str, keep: Filter) -> None:
    rows = odd_rows(make)
    told = await written(make, form, rows, keep)
    name = f"odd{'' if keep == Filter() else '-portal'}.{form}"
    assert told == (RECORDED / name).read_bytes()


async def test_names_that_are_known_beforehand_change_no_byte(make: Make) -> None:
    rows = odd_rows(make)
    names = {name for row in rows for name in row.answer.metrics}

    async def known() -> set[str]:
        return names

    parts: list[str] = []
    await write_csv(RUN, make.rows(rows), parts.append, names=known)
    assert encoded(parts) == (RECORDED / "odd.csv").read_bytes()
    # Those of rows that a filter leaves out are no columns.
    parts.clear()
    await write_csv(RUN, make.rows(rows), parts.append, Filter(targets=("portal",)), names=known)
    assert encoded(parts) == (RECORDED / "odd-portal.csv").read_bytes()


async def written(make: Make, form: str, rows: Sequence[StoredAnswer], keep: Filter) -> bytes:
    parts: list[str] = []
    write = write_csv if form == "csv" else write_jsonl
    assert await write(RUN, make.rows(rows), parts.append, keep) > 0
    return encoded(parts)


def encoded(parts: Sequence[str]) -> bytes:
    return "".join(parts).encode("utf-8", "backslashreplace")
