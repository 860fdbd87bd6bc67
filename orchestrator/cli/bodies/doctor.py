"""What `orchestrator doctor` does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from orchestrator.actions import doctor as examining
from orchestrator.actions.doctor import Health
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.sessions import read_plan, session, settings_of
from orchestrator.cli.configured import configured, named_file, said
from orchestrator.cli.options import Access, Reading
from orchestrator.configuration import Configuration
from orchestrator.configuration.places import NAME, config_file
from orchestrator.configuration.showing import document, lines, shown
from orchestrator.credentials import token_place
from orchestrator.errors import Exit, UsageProblem
from orchestrator.model import Api
from orchestrator.plan.settings import said_by_plan
from orchestrator.safe import terminal
from orchestrator.settings import CONFIG, LOG_LEVEL, STORE, TOKEN, Settled, Source
from orchestrator.store.opening import pick_store

MARKS = {Health.OK: "ok  ", Health.WARNING: "warn", Health.FAILED: "FAIL", Health.UNKNOWN: "?   "}


def settings(access: Access, plan: str | None, *, as_json: bool) -> None:
    """Show every setting, its value and where it came from."""
    context = click.get_current_context()
    configuration = configured(context)
    flags = {**said(context), LOG_LEVEL.key: (context.obj or {}).get("log_level")}
    known = {
        CONFIG.key: config_file(named_file(context), os.environ),
        TOKEN.key: token_place(os.environ, access.token_file, configuration.get(TOKEN)),
        STORE.key: Settled(pick_store(None, {}), Source.DEFAULT),
    }
    planned = {} if plan is None else said_by_plan(read_plan(plan, Reading(), quiet=True))
    rows = shown(flags, os.environ, planned, configuration, known)
    wrong = _wrong(access)
    if as_json:
        print_json(document(rows, configuration, wrong))
    else:
        for line in [*lines(rows, configuration), *(f"wrong: {terminal(one, 400)}" for one in wrong)]:
            click.echo(line)
        _tell_of_what_is_not_read(configuration)
    raise SystemExit(int(Exit.USAGE if wrong else Exit.OK))


def _wrong(access: Access) -> list[str]:
    """What commands would refuse of the settings: of each that is told, what is the matter."""
    told = []
    for asked in (lambda: settings_of(access), set_up_logging):
        try:
            asked()
        except UsageProblem as problem:
            told.append(problem.message)
    return told


def _tell_of_what_is_not_read(configuration: Configuration) -> None:
    if Path(NAME).is_file() and configuration.file is None:
        say(f"{NAME} of the current folder is not read by itself; to read it: --config {NAME}")


def doctor(api: Api, access: Access, *, as_json: bool) -> None:
    """Tell what was found; ends with the exit code of the diagnosis."""
    set_up_logging()

    @asynccontextmanager
    async def opening() -> AsyncIterator[Session]:
        async with session(settings_of(access), access, reserve=0.0) as opened:
            yield opened

    diagnosis = run_async(lambda: examining.doctor(opening(), api))
    if as_json:
        print_json(diagnosis.document())
    else:
        for found in diagnosis.findings:
            click.echo(f"{MARKS[found.state]}  {found.what:<14} {terminal(found.text, 400)}")
    raise SystemExit(int(diagnosis.exit_code))
