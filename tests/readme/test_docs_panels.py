"""docs/deploy: where panels are. Of report.json each query is asked, as the reader, of a database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
import pytest
from analysis_runs import DAY, SHOP, START, WIKI, stored_weeks
from builders import make_run
from documentation import ROOT
from stores import migrated

from orchestrator.queueing.values import Place
from orchestrator.records import RunState
from orchestrator.store.opening import open_store

if TYPE_CHECKING:
    from postgres_server import PostgresServer

DEPLOY = ROOT / "docs" / "deploy"
DASHBOARD = json.loads((DEPLOY / "report.json").read_text("utf-8"))
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
FROM, TO = START - DAY, START + 40 * DAY
# What Grafana writes for its own words, and for the variables of the dashboard.
WRITTEN: tuple[tuple[str, str], ...] = (
    (r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN to_timestamp({FROM}) AND to_timestamp({TO})"),
    (r"\$__unixEpochFilter\(([^)]*)\)", rf"\1 BETWEEN {FROM} AND {TO}"),
    (r"\$organization\b", "'acme','other'"),
    (r"\$plan\b", "'sweep','runbook'"),
)
Ask = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def ask(postgres: PostgresServer) -> Iterator[Ask]:
    """Asks as the role that the page names."""
    url = postgres.create()
    with psycopg.connect(url) as db:
        db.execute((DEPLOY / "roles.sql").read_bytes())
    migrated(url)

    async def fill() -> None:
        async with open_store(url, organization="acme") as opened:
            await stored_weeks(opened.store)
            assert opened.queue is not None
            queued = make_run("65000000000000d1", plan="sweep", state=RunState.QUEUED)
            await opened.queue.submit(queued, Place("acme", priority=3))

    anyio.run(fill)
    with psycopg.connect(url.replace("postgres@", "orchestrator_reader@"), autocommit=True) as db:

        def asked(query: str, metric: str = "totalTime") -> list[dict[str, Any]]:
            for word, written in (*WRITTEN, (r"\$metric\b", metric)):
                query = re.sub(word, written, query)
            assert "$" not in query
            found = db.execute(query.encode())
            assert found.description is not None
            names = [column.name for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

        yield asked
    postgres.drop(url)


def query_of(title: str) -> str:
    [target] = PANELS[title]["targets"]
    return str(target["rawSql"])


@pytest.mark.parametrize("title", PANELS)
def test_each_panel_has_something_to_show(ask: Ask, title: str) -> None:
    found = ask(query_of(title))
    # These are about the last days of the real clock, and these runs are of a day to come or gone.
    assert found or title == "Worst cells, last 7 days"
    if PANELS[title]["targets"][0]["format"] == "time_series":
        assert {"time", "metric"} < found[0].keys()
        times = [row["time"] for row in found]
        assert times == sorted(times)
        assert all(time.tzinfo is not None for time in times)


def test_panels_say_what_the_runs_came_to(ask: Ask) -> None:
    assert ask(query_of("Waiting")) == [{"waiting": 1}]
    assert [row["run"] for row in ask(query_of("Queue"))] == ["65000000000000d1"]
    slowest = {row["target"]: row["median"] for row in ask(query_of("Slowest targets"))}
    assert slowest == {SHOP: 120.0, WIKI: 56.0}
    units = ask(query_of("Units a day"))
    assert [row["units"] for row in units] == [0.5, 0.5, 2.25], "of one that was stopped those of its plan"
    bad = ask(query_of("Cells that did not pass, by plan and day"))
    assert next(row["bad"] for row in bad if row["metric"] == "sweep") > 0


@pytest.mark.parametrize("metric", VARIABLES["metric"]["query"].split(","))
def test_the_slowest_targets_can_be_asked_of_each_metric_that_is_offered(metric: str, ask: Any) -> None:
    with suppress(IndexError):
        assert ask(query_of("Slowest targets"), metric)[0]["answers"] > 0


@pytest.mark.parametrize("name", ["organization", "plan"])
def test_what_can_be_chosen_is_asked_of_the_database(ask: Ask, name: str) -> None:
    found = {row[name] for row in ask(VARIABLES[name]["query"])}
    assert found == {"organization": {"acme"}, "plan": {"sweep", "runbook", "trial"}}[name]


@pytest.mark.parametrize("name", ["dashboard.json", "report.json"])
def test_panels_overlap_nowhere(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads((DEPLOY / name).read_text("utf-8"))["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        assert all(target.get("expr") or target.get("rawSql") for target in panel["targets"])
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_panels_lack_no_variable() -> None:
    named = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert {name for name in named if not name.startswith("__")} == VARIABLES.keys()
