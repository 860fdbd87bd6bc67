"""`explain` knows cells that were left out before anything was created, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import cli
from orchestrator.model import Agent, AgentType, NotRun
from orchestrator.store.opening import open_store

if TYPE_CHECKING:
    from report_rows import Make


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
