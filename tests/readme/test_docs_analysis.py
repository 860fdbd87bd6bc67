"""docs/analysis.md: its queries say the same of a file, a database and Parquet; its columns are there."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import duckdb
import psycopg
import pytest
from analysis_runs import SHOP, TLS, WIKI, stored_weeks, written_lake
from documentation import ROOT, blocks
from stores import migrated

from orchestrator.actions.copying import copy
from orchestrator.store.opening import open_store
from orchestrator.testtypes import METRICS

if TYPE_CHECKING:
    from postgres_server import PostgresServer

DOCUMENT = ROOT / "docs" / "analysis.md"
TEXT = DOCUMENT.read_text("utf-8")
QUERIES = {block.name: block.text for block in blocks(DOCUMENT, "sql")}
OVER_FILES = QUERIES.pop("duckdb")
VIEWS = ("report_runs", "report_cells", "report_answers")
RUNS = ("65000000000000a1", "65000000000000a2", "65000000000000a3", "65000000000000b1")
# What is only in a store, by the page.
ONLY_STORED = {
    "organization", "api", "origin", "account", "parent", "partial", "agent_type", "location", "test_id",
    "metrics",
}  # fmt: skip

# What they say of the runs of analysis_runs.py, reckoned by hand.
EXPECTED: Mapping[str, list[tuple[Any, ...]]] = {
    "slowest": [("sweep", WIKI, 2, 58.0, 64.0)],
    "percentile": [
        *((target, "berlin", 3, 14.0) for target in (SHOP, WIKI)),
        *((target, "amsterdam", 3, 10.0) for target in (SHOP, WIKI)),
    ],
    "loss": [("DE", 6, 1.8, 4), ("NL", 6, 0.0, 0)],
    "since": [
        (SHOP, "berlin", "2026-11-21T00:00:00Z", 2),
        (SHOP, "amsterdam", "2026-12-01T00:00:00Z", 1),
    ],
    "availability": [
        ("2026-11-20", SHOP, 2, 100.0),
        ("2026-11-20", WIKI, 2, 100.0),
        ("2026-11-21", SHOP, 2, 50.0),
        ("2026-11-21", WIKI, 2, 100.0),
        ("2026-12-01", SHOP, 2, 0.0),
        ("2026-12-01", WIKI, 2, 100.0),
    ],
    "changed": [("sweep", SHOP, "amsterdam", "pass", "fail")],
    "units": [
        ("2026-11", "sweep", 2, 4, 1.0),
        ("2026-12", "sweep", 1, 2, 0.25),
        ("2026-12", "runbook", 1, 0, 0.0),
    ],
    "refused": [("2026-11-21", "sweep", 3, 10), ("2026-12-01", "sweep", 1, 10)],
    "errors": [("http-server", "ssl", TLS, 3, 1, 2)],
    "silent": [("casablanca", "3", 6, 6, None)],
}

Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in a file with the runs."""
    path = tmp_path_factory.mktemp("analysis") / "orchestrator.db"

    async def make() -> None:
        async with open_store(str(path)) as opened:
            await stored_weeks(opened.store)

    anyio.run(make)
    return path


@pytest.fixture(scope="module")
def in_file(file: Path) -> Iterator[Ask]:
    """Asks the file, as one who may only read it."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        yield lambda query: db.execute(query).fetchall()


@pytest.fixture(scope="module")
def in_database(file: Path, postgres: PostgresServer) -> Iterator[Ask]:
    """Asks a database that has the same runs, with the path that a reader has."""
    url = postgres.create(migrated, named="store")

    async def fill() -> None:
        async with open_store(str(file)) as source, open_store(url) as target:
            await copy(source, target, RUNS[:3])
            # Runs that go on are not copied; they are the same all the same.
            await stored_weeks(_Rest(target.store))  # type: ignore[arg-type] # all that is asked of it

    anyio.run(fill)
    with psycopg.connect(url, options="-c search_path=report") as db:
        yield lambda query: db.execute(query.encode()).fetchall()
    postgres.drop(url)


class _Rest:
    """A store that leaves out the runs that are there."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def create_run(self, run: Any, *others: Any) -> None:
        if run.id not in RUNS[:3]:
            await self._store.create_run(run, *others)

    async def add_answers(self, *values: Any) -> None:
        """They are there."""

    async def close_test(self, *values: Any) -> None:
        """As above."""

    async def update_run(self, *values: Any, **facts: Any) -> None:
        """As above."""


@pytest.fixture(scope="module")
def over_files(file: Path) -> Iterator[Ask]:
    """Asks the files that the commands of the page write, through the views of the page."""
    written_lake(str(file), file.parent, RUNS)
    before = Path.cwd()
    os.chdir(file.parent)
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'America/St_Johns'")  # what is asked for in UTC is in UTC
        db.execute(OVER_FILES)
        yield lambda query: db.execute(query).fetchall()
    os.chdir(before)


def plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(one if isinstance(one, str | None) else float(one) for one in row) for row in rows]


def test_ten_questions_are_asked() -> None:
    assert QUERIES.keys() == EXPECTED.keys()
    assert len(re.findall(r"^### \d+\. .*\?$", TEXT, re.MULTILINE)) == len(QUERIES) == 10


@pytest.mark.parametrize("question", QUERIES)
@pytest.mark.parametrize("where", ["in_file", "in_database", "over_files"])
def test_a_question_has_the_same_answer_everywhere(
    question: str, where: str, request: pytest.FixtureRequest
) -> None:
    ask: Ask = request.getfixturevalue(where)
    assert plain(ask(QUERIES[question])) == plain(EXPECTED[question])


def columns(ask: Ask, view: str, *, files: bool = False) -> dict[str, str]:
    if files:
        return {str(name): str(kind) for name, kind, *_ in ask(f"DESCRIBE {view}")}
    return {str(name): str(kind) for _, name, kind, *_ in ask(f"PRAGMA table_info({view})")}


def promised(view: str) -> set[str]:
    """The columns of a view by the page; of answers those of metrics too."""
    listed = r"^\| (all three|`report_\w+`) \| (`(?:run|api|spec)`.*) \|$"
    rows = dict(re.findall(listed, TEXT, re.MULTILINE))
    found = {
        *re.findall(r"`([a-z_0-9]+)`", rows["all three"]),
        *re.findall(r"`([a-z_0-9]+)`", rows[f"`{view}`"]),
    }
    if view == "report_answers":
        found |= {metric for metrics in METRICS.values() for metric in metrics}
    return {name.lower() for name in found}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_that_the_page_promises(
    view: str, in_file: Ask, in_database: Ask, over_files: Ask
) -> None:
    stored = [name.lower() for name in columns(in_file, view)]
    assert {*stored} == promised(view)
    named = in_database(
        f"SELECT attname FROM pg_attribute WHERE attnum > 0 AND attrelid = '{view}'::regclass ORDER BY attnum"  # noqa: S608 - a name of ours
    )
    assert [name for (name,) in named] == stored
    assert {*stored} - ONLY_STORED <= {name.lower() for name in columns(over_files, view, files=True)}


@pytest.mark.parametrize("view", VIEWS)
def test_the_rows_of_a_view_are_the_same_in_a_file_and_in_a_database(
    view: str, in_file: Ask, in_database: Ask
) -> None:
    names = ", ".join(columns(in_file, view))
    everything = f"SELECT {names} FROM {view}"  # noqa: S608 - names of ours
    first, second = (sorted(plain(ask(everything)), key=repr) for ask in (in_file, in_database))
    assert first == second
    assert first


def test_a_value_of_another_type_and_no_number_are_in_no_column(in_file: Ask) -> None:
    odd = in_file("SELECT serverIp, sslVersion, responseCode FROM report_answers WHERE totalTime = 100.0")
    assert odd == [(None, "TLSv1.3", 200)]
    # NaN is not JSON: such a row keeps its text, and has no metrics.
    lost = "SELECT count(*), count(metrics), count(numberOfHops) FROM report_answers WHERE layer = 'path-vis'"
    assert in_file(lost) == [(6, 6, 0)]


def test_neither_plan_nor_raw_row_is_in_a_view(in_file: Ask) -> None:
    shown = {name for view in VIEWS for name in columns(in_file, view)}
    assert not shown & {"plan_text", "plan_path", "raw", "content", "settings", "facts"}
