"""A shell completes runs from the store, and says nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from click.shell_completion import ShellComplete

from orchestrator.cli import cli
from orchestrator.store.opening import open_store

if TYPE_CHECKING:
    from report_rows import Make

COMMANDS = ("show", "resume", "rerun", "reconcile", "results", "report", "explain")


def offered(command: str, begun: str, *options: str) -> list[str]:
    shell = ShellComplete(cli, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE")
    return [item.value for item in shell.get_completions([command, *options], begun)]


@pytest.mark.parametrize("command", COMMANDS)
def test_runs_are_completed_from_the_store(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    path = tmp_path / "o.db"
    run = make.run()

    async def store() -> None:
        async with open_store(str(path)) as opened:
            await opened.store.create_run(run, (), (), ())

    anyio.run(store)
    assert offered(command, run.id[:3], "--store", str(path)) == [run.id]
    assert offered(command, "nothing", "--store", str(path)) == []
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(path))
    assert offered(command, run.id) == [run.id]


@pytest.mark.parametrize("content", [None, b"not a database" * 100])
def test_a_store_that_cannot_be_read_completes_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "o.db"
    if content is not None:
        path.write_bytes(content)
    assert offered("show", "6", "--store", str(path)) == []
    assert path.exists() == (content is not None), "completion must not make a store"
