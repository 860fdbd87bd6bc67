"""The argument RUN: an id, the beginning of one, or `last`; a shell completes it from the store."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.options import Command


def _known(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from orchestrator.cli.bodies.reading import offered  # noqa: PLC0415 - loaded when a shell asks

    del parameter
    return [
        CompletionItem(name, help=text) for name, text in offered(context.params.get("store"), incomplete)
    ]


plan_option = click.option(
    "--plan",
    metavar="NAME",
    help="The newest run of this plan. Without it, `last` is that of any plan, a simulated one too.",
)


def run_argument(command: Command) -> Command:
    """RUN, by default the last one."""
    return click.argument("run", default="last", shell_complete=_known)(command)


def required_run_argument(command: Command) -> Command:
    """RUN, before other arguments."""
    return click.argument("run", shell_complete=_known)(command)
