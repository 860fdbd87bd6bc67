"""What `orchestrator doctor` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from orchestrator.actions import doctor as examining
from orchestrator.actions.doctor import Health
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import print_json, run_async, set_up_logging
from orchestrator.cli.bodies.sessions import session, settings_of
from orchestrator.cli.options import Access
from orchestrator.model import Api
from orchestrator.safe import terminal

MARKS = {Health.OK: "ok  ", Health.WARNING: "warn", Health.FAILED: "FAIL", Health.UNKNOWN: "?   "}


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
