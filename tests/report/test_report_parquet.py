"""The answers of a run as Parquet: read back by the readers that people have, nothing lost, memory flat."""

from __future__ import annotations

import io
import json
import math
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pyarrow.parquet
import pytest
from builders import make_answer
from hypothesis import given
from hypothesis import strategies as st
from kept_runs import ended_run

from orchestrator.errors import MissingExtra
from orchestrator.model import Answer, Hop, Verdict
from orchestrator.model import Path as Trace
from orchestrator.records import StoredAnswer
from orchestrator.report.parquet import GROUP, OTHER, UNITS, column_of, fitting, write_parquet
from orchestrator.report.results import FIXED, Filter
from orchestrator.store.opening import open_store
from orchestrator.testtypes import METRICS

SUPPORT = Path(__file__).resolve().parent.parent / "support"


def stored(answer: Answer, target: str = "portal") -> StoredAnswer:
    return StoredAnswer("k1", "web", "42", "http-server", target, answer, Verdict.PASS)


async def written(rows: Iterable[StoredAnswer], keep: Filter | None = None) -> bytes:
    kept = list(rows)

    async def each() -> AsyncIterator[StoredAnswer]:
        for row in kept:
            yield row

    out = io.BytesIO()
    await write_parquet("run-1", each, out.write, keep)
    return out.getvalue()


async def table(*rows: StoredAnswer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(await written(rows))).to_pylist()
    return found


def test_a_metric_has_one_unit_wherever_it_stands() -> None:
    for layer, metrics in METRICS.items():
        assert metrics.items() <= UNITS.items(), layer
    columns = [*FIXED, *(column_of(name) for name in UNITS)]
    assert len({*columns}) == len(columns)


async def test_columns_have_the_type_of_their_unit_and_say_it() -> None:
    schema = pyarrow.parquet.ParquetFile(io.BytesIO(await written([]))).schema_arrow
    assert schema.metadata[b"orchestrator.run"] == b"run-1"
    assert (str(schema.field("totalTime").type), schema.field("totalTime").metadata) == (
        "double",
        {b"unit": b"ms"},
    )
    assert str(schema.field("numberOfHops").type) == "int64"
    assert str(schema.field("isValid").type) == "bool"
    assert str(schema.field("metric.server").type) == "string"
    assert str(schema.field("date").type) == "timestamp[ms, tz=UTC]"


async def test_what_no_column_takes_is_kept_as_json() -> None:
    metrics = {
        "totalTime": "soon",
        "isValid": 1,
        "numberOfHops": 2.5,
        "new.metric": 7,
        "loss": 2**53 + 1,
        "dscp": "\ud800",
    }
    row = (await table(stored(make_answer(metrics=metrics))))[0]
    assert json.loads(row[OTHER]) == metrics
    assert all(row[column_of(name)] is None for name in metrics if name in UNITS)


async def test_names_that_no_file_can_hold_and_dates_that_are_none_are_still_there() -> None:
    row = (await table(stored(make_answer(date="yesterday", agent="a\ud800b"), target="nul \0 here")))[0]
    assert (row["agent"], row["target"], row["date"]) == ("a\\ud800b", "nul \0 here", None)
    assert json.loads(row[OTHER]) == {"date": "yesterday"}


async def test_hops_are_lists_of_records() -> None:
    hops = (Hop(1, "192.0.2.1", time=1.5), Hop(3, network="AS 64496", loss=20.0))
    row = (await table(stored(make_answer("path-vis-detail", paths=(Trace("a", hops), Trace(None, ()))))))[0]
    assert [hop["address"] for hop in row["hops"][0]] == ["192.0.2.1", None]
    assert row["hops"][0][1] == {
        "number": 3, "address": None, "rdns": None, "network": "AS 64496", "prefix": None, "location": None,
        "time": None, "loss": 20.0, "mpls": None,
    }  # fmt: skip
    assert row["hops"][1] == []


@given(
    st.sampled_from([*sorted({*UNITS.values()}), None]),
    st.one_of(st.integers(), st.floats(), st.text(), st.booleans()),
)
def test_a_value_fits_unchanged_or_not_at_all(unit: str | None, value: str | float | bool) -> None:
    fit = fitting(unit, value)
    assert fit is None or fit == value or (isinstance(fit, float) and math.isnan(fit))
    assert fit is None or isinstance(fit, bool) == isinstance(value, bool)


async def test_row_groups_are_written_as_they_fill_and_the_filter_holds() -> None:
    rows = [stored(make_answer(agent_id=str(n % 7)), f"t{n % 3}") for n in range(GROUP * 2 + 5)]
    file = pyarrow.parquet.ParquetFile(io.BytesIO(await written(rows)))
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [GROUP, GROUP, 5]
    some = pyarrow.parquet.read_table(io.BytesIO(await written(rows, Filter(targets=("t1",)))))
    assert {*some.column("target").to_pylist()} == {"t1"}


def test_memory_does_not_grow_with_the_rows() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}

    def peak(rows: int) -> int:
        words = [sys.executable, __file__, str(rows)]
        return int(subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout)

    assert peak(GROUP * 8) <= peak(GROUP * 2) * 1.3, "KiB with 131,072 and with 32,768 rows"


async def test_the_command_writes_a_file_that_duckdb_and_pandas_read_as_it_prints_csv(tmp_path: Path) -> None:
    store, file = tmp_path / "store.db", tmp_path / "answers.parquet"
    async with open_store(str(store)) as opened:
        await ended_run(opened.store, "6500000000000001", specs=3)
    said = results("--store", store, "-o", file)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    lines = results("--store", store, "--format", "csv").stdout.splitlines()
    with duckdb.connect() as database:
        query = "SELECT spec, agent_id, layer, totalTime FROM read_parquet(?)"
        rows = database.execute(query, [str(file)]).fetchall()
    assert len(rows) == len(lines) - 1 == 12
    frame = pandas.read_parquet(file)
    assert [tuple(row) for row in frame[["spec", "agent_id", "layer", "totalTime"]].to_numpy()] == rows
    assert str(frame["date"].dtype).startswith("datetime64")
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~_umask()


def test_a_table_is_refused_for_cells_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "cells.parquet"
    said = results("--cells", "-o", file)
    assert (said.returncode, file.exists()) == (2, False)
    assert "--cells is not written as parquet" in said.stderr


def test_an_ending_that_means_no_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    said = results("-o", file)
    assert (said.returncode, file.exists()) == (2, False)
    assert ".jsonl" in said.stderr


def results(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """`orchestrator results` as a process."""
    command = [sys.executable, "-m", "orchestrator", "results", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as told:
        await written([])
    assert told.value.hint == "pip install 'orchestrator[parquet]'"


def _measured(rows: int) -> None:
    """Print the peak memory of this process in KiB after so many answers went by."""
    import asyncio  # noqa: PLC0415 - only where this file is a program
    import resource  # noqa: PLC0415 - as above

    metrics = {
        "responseCode": 200,
        "totalTime": 120.5,
        "dnsTime": 3,
        "connectTime": 11.25,
        "serverIp": "192.0.2.7",
    }

    async def each() -> AsyncIterator[StoredAnswer]:
        for n in range(rows):
            answer = make_answer(agent_id=str(n % 100), metrics={**metrics, "waitTime": n / 7}, round_id=n)
            yield stored(answer, f"target-{n // 100}")

    with Path("/dev/null").open("wb") as out:
        asyncio.run(write_parquet("run-1", each, out.write))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # noqa: T201 - what this program is for


if __name__ == "__main__":
    _measured(int(sys.argv[1]))
