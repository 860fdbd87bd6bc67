"""The command line. Commands are imported when they are called: `--help` must not load an HTTP client."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from orchestrator.cli.configured import configuration_options, with_configuration
from orchestrator.cli.masking import mask
from orchestrator.cli.streams import prepare_streams, undelivered
from orchestrator.errors import Exit, NothingToDo, OrchestratorError, PlanInvalid
from orchestrator.near import near
from orchestrator.safe import hide_userinfo, visible
from orchestrator.settings import LOG_LEVEL, settle

# Command -> module of this package and one line for the overview, in the order of the overview.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run a plan: create its tests, collect their answers, judge them."),
    "diagnose": ("diagnose", "Find out what is broken, seen from where, in a time box."),
    "check": ("check", "Validate, resolve and estimate a plan; creates nothing."),
    "resume": ("run", "Go on where a run stopped."),
    "rerun": ("run", "Run the same tests again by their ids."),
    "reconcile": ("reconcile", "List, adopt or give up creations whose answer was lost."),
    "runs": ("reading", "List the runs in the store."),
    "show": ("reading", "Show what a run came to."),
    "results": ("reading", "Print the answers of a run as a table, JSON lines or CSV."),
    "report": ("reading", "Write a report of a run: Markdown, HTML, JUnit or JSON."),
    "explain": ("reading", "Tell the story of one cell: what it waited for, each look, what came of it."),
    "diff": ("compare", "Hold a run against an earlier one: what got better or worse."),
    "baseline": ("compare", "Name runs that later ones are compared with."),
    "promote": ("promote", "Make scheduled tests of instant ones, as JSON or Terraform."),
    "worker": ("worker", "Carry out runs that were submitted, and schedules."),
    "submit": ("queue", "Put a run into the queue, for whichever worker is free."),
    "cancel": ("queue", "Ask for a run to be stopped, wherever it runs."),
    "queue": ("queue", "Show what waits, what runs and where."),
    "schedule": ("schedule", "Plans that run by themselves, at their times."),
    "notify": ("notify", "Try a channel, list notices, send what is left."),
    "organizations": ("organizations", "Organizations of a store that several hosts share."),
    "agents": ("agents", "List agents, or those that a plan's selector matches."),
    "doctor": ("doctor", "Check token, origin, account group, clock, limits and store."),
    "store": ("store", "Tell what the store holds; prune old runs."),
    "serve": ("serve", "Serve the runs as web pages, for reading."),
    "mcp": ("assistant", "Tools for an assistant: read, and run within ceilings."),
    "schema": ("schema", "Print the JSON Schema of plans, for editors."),
    "simulator": ("simulator_command", "Serve the simulated API on loopback."),
    "completion": ("completion", "Print the shell completion script."),
    "man": ("man", "Print the manual page."),
}


class Undelivered(Exception):
    """Output could not be written. click would make an exit code of its own of a closed pipe."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Lazy(click.Group):
    """A group that knows its commands' names and loads a command when it is called."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click gives it no type
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except OSError as problem:  # --help and --version print here
            raise Undelivered(problem) from problem

    def invoke(self, ctx: click.Context) -> object:
        try:
            result: object = super().invoke(ctx)
        except OSError as problem:
            raise Undelivered(problem) from problem
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"orchestrator.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a defect of ours, and soon seen
        return with_configuration(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            meant = near(word, COMMANDS)
            proposal = f" Did you mean '{meant}'?" if meant else ""
            ctx.fail(f"No such command {word[:80]!r}.{proposal}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


EPILOG = """\b
Exit codes: 0 all collected, expectations held; 1 an expectation failed; 2 wrong usage or plan;
3 incomplete; 4 refused by the API; 5 another run of the plan; 6 a ceiling; 70 a defect of ours;
129, 130, 143 interrupted (the run can be resumed); 141 nobody read the output.
"""


@click.group(
    "orchestrator", cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG
)
@click.version_option(package_name="orchestrator", prog_name="orchestrator")
@click.option(
    "--log-level",
    metavar="LEVEL",
    help=f"{', '.join(LOG_LEVEL.choices)} [env: {LOG_LEVEL.variables[0]}].",
)
@click.option("--log-json", is_flag=True, help="Write logs as JSON lines.")
@click.pass_context
def cli(context: click.Context, log_level: str | None, log_json: bool) -> None:
    """Batch orchestrator for ThousandEyes instant tests.

    \b
    orchestrator run plans/quickstart.yaml --simulate   # no account needed
    orchestrator check PLAN && orchestrator run PLAN    # with TE_TOKEN set
    """
    context.obj = {"log_level": log_level, "log_json": log_json}


cli.params += configuration_options(hidden=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point: every way out has its exit code, and no traceback reaches a user by default."""
    prepare_streams()
    code = _code_of(arguments)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = undelivered(error, code)
    sys.exit(int(code))


def _code_of(arguments: Sequence[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _check_words(arguments)
        code = cli.main(args=arguments, prog_name="orchestrator", standalone_mode=False)
    except click.exceptions.Abort:
        code = Exit.SIGINT
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OrchestratorError as error:
        tell_error(error)
        code = error.exit_code
    except Undelivered as error:
        code = undelivered(error.problem, Exit.OK)
    except SystemExit as end:  # how a command ends with a code
        code = end.code
    except Exception as error:
        tell_defect(error)
        code = Exit.DEFECT
    assert code is None or isinstance(code, int)  # noqa: S101 - no command ends with a text
    return int(code or 0)


def _check_words(words: Sequence[str]) -> None:
    """No system can pass these to a program, but a program can pass them to us."""
    for word in words:
        try:
            possible = "\0" not in word and os.fsencode(word) is not None
        except UnicodeEncodeError:
            possible = False
        if not possible:
            raise click.UsageError(f"{word[:80]!r} cannot be a word of a command line")


def tell_error(error: OrchestratorError) -> None:
    """What happened and what to do next, escaped, on stderr."""
    # The problems of a plan begin with file, line and column, as editors and compilers expect.
    prefix = "" if isinstance(error, PlanInvalid | NothingToDo) else "error: "
    for line in mask(error.message).splitlines() or [""]:
        click.echo(f"{prefix}{visible(hide_userinfo(line))}", err=True)
    if error.hint:
        click.echo(f"hint: {visible(mask(error.hint))}", err=True)


def tell_defect(error: Exception) -> None:
    """A defect of ours: one line, and the traceback only if the log level is debug."""
    click.echo(f"defect: {type(error).__name__}: {visible(mask(str(error)))}", err=True)
    level = settle(LOG_LEVEL, environ=os.environ).text or ""
    if level.lower() == "debug" or "debug" in sys.argv:
        text = mask("".join(traceback.format_exception(error)))
        click.echo("\n".join(visible(line) for line in text.splitlines()), err=True)
    click.echo(
        "hint: this is a defect of orchestrator; what was collected is kept, and a run can be resumed",
        err=True,
    )
