"""The argument RUN: an id, the beginning of one, or `last`; a shell completes it from the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.common import as_it_stands, reading, run_async
from orchestrator.errors import OrchestratorError

Command = Callable[..., Any]
# As many as fit a screen.
OFFERED = 20


def _known(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest runs that begin so; none of a store that cannot be read: a prompt is no place to say so."""
    del parameter
    store = context.params.get("store")

    async def work() -> list[CompletionItem]:
        async with reading(store) as opened:
            found = [await as_it_stands(run, opened) for run in await opened.store.runs(OFFERED)]
        return [
            CompletionItem(run.id, help=f"{run.plan}, {run.state}")
            for run in found
            if run.id.startswith(incomplete)
        ]

    try:
        return run_async(work)
    except OrchestratorError:
        return []


def run_argument(command: Command) -> Command:
    """RUN, by default the last one."""
    return click.argument("run", default="last", shell_complete=_known)(command)


def required_run_argument(command: Command) -> Command:
    """RUN, before other arguments."""
    return click.argument("run", shell_complete=_known)(command)
