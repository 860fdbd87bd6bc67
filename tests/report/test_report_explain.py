"""`explain` knows cells that were left out before anything was created, and journals of other versions."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from click.testing import CliRunner, Result
from simulated_run import virtual_run

from orchestrator.cli import cli
from orchestrator.model import Agent, AgentType, Hop, NotRun, Verdict
from orchestrator.model import Path as Trace
from orchestrator.report.explain import explanation
from orchestrator.report.stories import Explained, Story
from orchestrator.simulator.settings import Settings as World
from orchestrator.store.opening import open_store

if TYPE_CHECKING:
    from report_rows import Make

PLAN = """
version: 1
name: hops
agents: {here: {type: cloud, sample: {count: 3}}}
tests:
  - {name: reach, type: http-server, targets: ["https://h0.example.com"], agents: here, path_details: true}
"""


@pytest.fixture
def path(make: Make, tmp_path: Path) -> Path:
    path = tmp_path / "o.db"

    async def store() -> None:
        async with open_store(str(path)) as opened:
            left_out = [NotRun("web", "http-server", "portal", "1007", "the agent is \x1b[31moffline")]
            agents = [Agent("1007", "branch-07", AgentType.ENTERPRISE)]
            await opened.store.create_run(make.run(facts={}), (), left_out, agents)

    anyio.run(store)
    return path


def explain(path: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["explain", "last", *words, "--store", str(path)])


@pytest.mark.parametrize("cell", ["portal", "PORT", "portal@branch-07", "portal@1007"])
def test_a_cell_that_was_left_out_is_explained_harmlessly(path: Path, cell: str) -> None:
    said = explain(path, cell)
    assert said.exit_code == 0, said.output
    assert "portal on branch-07 was left out of test web: the agent is" in said.output
    assert "\x1b" not in said.output


def test_the_document_tells_of_it_as_data(path: Path) -> None:
    told = json.loads(explain(path, "portal", "--json").output)
    assert told["tests"] == []
    assert told["left_out"][0]["agent_id"] == "1007"


def test_another_target_is_still_unknown(path: Path) -> None:
    said = explain(path, "elsewhere")
    assert said.exit_code != 0


def test_a_journal_of_another_version_is_explained(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    test = make.test(name=None, intended=None, created=None, closed=None)

    async def store() -> None:
        async with open_store(str(path)) as opened:
            agents = [Agent(key, f"branch-{key}", AgentType.ENTERPRISE) for key in test.spec.agents]
            await opened.store.create_run(make.run(facts={}), [test], (), agents)

    anyio.run(store)
    rows = [
        ("waited", {"for": "wip", "seconds": 41.0}),
        ("circuit", {"failures": 5, "seconds": 10.0}),
        ("look", {"layer": "network", "rows": 1, "of": 2, "complete": False, "skipped": 3, "status": "rows"}),
        ("look", {"layer": "path-vis", "status": "failed", "detail": "no hops yet"}),
        ("given_up", {}),
        ("thawed", {"by": "\x1b[31msun"}),
        ("waited", {"for": "spring", "seconds": 3.0}),
    ]
    db = sqlite3.connect(path)
    with db:
        db.executemany(
            "INSERT INTO events (run_n, spec, at, kind, facts) VALUES (1, ?, ?, ?, ?)",
            [
                (test.spec.key, make.started + n, kind, json.dumps(facts))
                for n, (kind, facts) in enumerate(rows)
            ],
        )
    db.close()
    told = json.loads(explain(path, "portal", "--json").output)["tests"][0]["steps"]
    assert [step["text"] for step in told] == [
        "planned",
        "waited 41 s for open tests to finish",
        "5 failures in a row, everything pauses for 10 s",
        "looked at network: 1 of 2 agents answered, 3 unreadable rows",
        "looked at path-vis: no hops yet",
        "given up: its lost creation is not looked for any more",
        "thawed: by \\x1b[31msun",
        "waited: for spring, seconds 3.0",
    ]


def test_the_document_tells_the_last_hop_of_each_path_of_the_agents_that_were_asked_for(make: Make) -> None:
    trace = Trace("7", (Hop(1, "192.0.2.1"), Hop(2, "192.0.2.2", time=3.0), Hop(3)))
    row = make.row(agent_id="1001", round_id=7, paths=(trace, Trace(None, ()))).answer
    story = Story(make.test(), (), (make.cell(),), (row,))
    document = json.loads(json.dumps(Explained(make.run(), (story,), ()).document()))
    assert document["tests"][0]["paths"] == [
        {
            "agent_id": "1001", "round_id": 7, "path": "7",
            "last_hop": {
                "number": 2, "address": "192.0.2.2", "rdns": None, "network": None, "prefix": None,
                "location": None, "time": 3.0, "loss": None, "mpls": None,
            },
        },
        {"agent_id": "1001", "round_id": 7, "path": None, "last_hop": None},
    ]  # fmt: skip


@pytest.mark.parametrize(("cell", "paths"), [("h0", 0), ("h0.example.com@Vienna, Austria", 3)])
def test_the_paths_of_a_cell_are_told_where_its_agent_is_asked_for(
    cell: str, paths: int, tmp_path: Path
) -> None:
    virtual_run(PLAN, World(seed=5), store=tmp_path / "o.db")
    said = explain(tmp_path / "o.db", cell)
    assert said.exit_code == 0, said.output
    assert said.output.count("was the last that answered") == paths, said.output


def test_a_test_without_an_agent_named_tells_its_bad_cells_by_their_reasons(make: Make) -> None:
    test = make.test()
    bad = [make.cell(agent=f"agent {n}", verdict=Verdict.FAIL, reasons=("refused",)) for n in range(8)]
    bad.append(make.cell(agent="slow \x1b[31mone", verdict=Verdict.WARN, reasons=("late",)))
    lines = explanation(make.run(), test, (), bad=bad)
    named = ", ".join(f"agent {n}" for n in range(6))
    assert f"  fail from {named} and 2 more: refused" in lines
    assert "  warn from slow \\x1b[31mone: late" in lines
