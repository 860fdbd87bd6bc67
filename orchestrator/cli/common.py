"""Options and doors that several commands share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import click

from orchestrator.cli.masking import add_mask, mask
from orchestrator.errors import telling
from orchestrator.model import Api
from orchestrator.safe import terminal
from orchestrator.settings import Settings, pick_account, pick_origin
from orchestrator.store.opening import Opened, open_store, pick_store

if TYPE_CHECKING:
    from orchestrator.plan.model import Plan
    from orchestrator.records import RunRecord

T = TypeVar("T")
Command = Callable[..., Any]

store_option = click.option("--store", metavar="PATH", help="Where runs are kept [env: ORCHESTRATOR_STORE].")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def api_options(command: Command) -> Command:
    """Where to talk to and as whom."""
    options = (
        click.option(
            "--token-file", metavar="FILE", help="Read the token from a file, or - for standard input."
        ),
        click.option("--base-url", metavar="URL", help="Origin of the API [env: TE_BASE_URL]."),
        click.option("--aid", metavar="ID", help="Account group [env: TE_AID]."),
        click.option(
            "--organization", default="", metavar="NAME", help="Tells organizations' budgets apart."
        ),
        click.option("--allow-http", is_flag=True, help="Accept plain http:// beyond loopback."),
        store_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def plan_options(command: Command) -> Command:
    """How a plan is read."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="NAME=VALUE",
        help="Override a variable of the plan (repeatable).",
    )(command)
    command = click.option(
        "--api", type=click.Choice([one.value for one in Api]), help="API version, over that of the plan."
    )(command)
    return click.option("--seed", default=0, show_default=True, help="Repeats samples of agents.")(command)


def simulate_options(command: Command) -> Command:
    """The built-in simulator instead of the API."""
    command = click.option(
        "--speed",
        type=click.FloatRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        help="How much faster than life the simulated world runs.",
    )(command)
    return click.option("--simulate", is_flag=True, help="Use the built-in simulator; no account needed.")(
        command
    )


def read_plan(path: str, options: Mapping[str, Any]) -> Plan:
    """The plan of a command with :func:`plan_options`. Raises ``PlanInvalid``."""
    from orchestrator.plan.load import load_plan  # noqa: PLC0415 - start-up stays light

    api = None if options["api"] is None else Api(options["api"])
    plan = load_plan(Path(path), sets=sets_of(options["sets"]), environ=os.environ, api=api)
    for note in () if options.get("quiet") else plan.notes:
        click.echo(terminal(note), err=True)
    return plan


def sets_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` pairs as a mapping."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--set takes NAME=VALUE, not {pair!r}")
        found[name] = value
    return found


def settings_of(options: Mapping[str, Any], plan_account: str | None = None) -> Settings:
    """The settings of a command with :func:`api_options`."""
    from orchestrator.thousandeyes.origin import parse_origin  # noqa: PLC0415 - start-up stays light

    return Settings(
        origin=parse_origin(pick_origin(options["base_url"], os.environ)),
        store=pick_store(options["store"], os.environ),
        account=pick_account(options["aid"], os.environ, plan_account),
        organization=options["organization"],
        allow_http=options["allow_http"],
        urgent=bool(options.get("priority")),
    )


def set_up_logging() -> None:
    """Logs to stderr, masked."""
    from orchestrator.listeners.log import configure_logging, level_of  # noqa: PLC0415 - start-up stays light

    wanted = click.get_current_context().obj or {}
    level = level_of(wanted.get("log_level"), os.environ)
    configure_logging(level, bool(wanted.get("log_json")), mask)


@asynccontextmanager
async def session(
    options: Mapping[str, Any], *, reserve: float, account: str | None = None
) -> AsyncIterator[Any]:
    """A session with the API, or with the simulator if ``--simulate`` was given."""
    from orchestrator import app  # noqa: PLC0415 - start-up stays light
    from orchestrator.credentials import Masker, find_credentials  # noqa: PLC0415 - as above
    from orchestrator.listeners.log import LogListener  # noqa: PLC0415 - as above

    settings = settings_of(options, account)
    if options.get("simulate"):
        async with app.simulate(
            settings,
            reserve=reserve,
            listeners=[LogListener()],
            speed=options["speed"],
            seed=options.get("seed", 0),
        ) as opened:
            yield opened
        return
    credentials = find_credentials(os.environ, token_file=options["token_file"], stdin=sys.stdin)
    add_mask(Masker(credentials))
    async with app.connect(settings, credentials, reserve=reserve, listeners=[LogListener()]) as opened:
        yield opened


def like_a_filter() -> None:
    """End silently when the reader of our output goes (`| head`), as commands that only print do."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@asynccontextmanager
async def reading(store: str | None) -> AsyncIterator[Opened]:
    """The store alone, for commands that only read; they do not make one. Raises ``UsageProblem``."""
    async with open_store(pick_store(store, os.environ), make=False) as opened:
        yield opened


async def as_it_stands(record: RunRecord, opened: Opened) -> RunRecord:
    """A run that is said to go on, while nobody holds its lock, was killed: it is interrupted."""
    from orchestrator.records import RunState  # noqa: PLC0415 - start-up stays light

    if record.state is RunState.RUNNING and not await opened.lease.is_held(record.plan):
        return replace(record, state=RunState.INTERRUPTED)
    return record


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine; out of a group comes the one exception that tells the most."""
    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        raise telling(group) from group
