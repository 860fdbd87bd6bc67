"""What `orchestrator check` does."""

from __future__ import annotations

import sys
from typing import NoReturn

from orchestrator.actions import check as checking
from orchestrator.cli.bodies.common import print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.notifying import book_of
from orchestrator.cli.bodies.sessions import read_plan, session, settings_of, token_mask
from orchestrator.cli.options import Access, Reading, World
from orchestrator.safe import terminal
from orchestrator.terminal.check import print_channels, print_check, print_offline
from orchestrator.terminal.console import make_console


def check(
    plan: str,
    reading: Reading,
    world: World,
    access: Access,
    notify_file: str | None,
    *,
    as_json: bool,
    cron: str | None,
    timezone: str,
) -> None:
    """Check a plan; ends with the exit code for a ceiling that it exceeds."""
    set_up_logging()
    loaded = read_plan(plan, reading)

    async def work() -> checking.Checked:
        settings = settings_of(access, plan_account=loaded.account_group)
        reserve = loaded.budget.reserve
        async with session(settings, access, world, reserve=reserve, seed=reading.seed) as opened:
            return await checking.check(
                opened,
                loaded,
                seed=reading.seed,
                book=book_of(notify_file),
                cron=cron,
                timezone=timezone,
            )

    checked = run_async(work)
    for note in checked.prepared.expansion.notes:
        say(terminal(note))
    if as_json:
        print_json(checked.document())
    else:
        prepared = checked.prepared
        print_check(
            make_console(sys.stdout),
            loaded.name,
            prepared.expansion.specs,
            prepared.expansion.not_run,
            prepared.estimate,
            prepared.agents,
            keep=loaded.keep,
            courtesy=loaded.courtesy,
            told=checked.told,
            monthly=checked.monthly,
        )
        print_channels(make_console(sys.stdout), loaded.notify, checked.reached)
    raise SystemExit(int(checked.exit_code))


def check_offline(
    plan: str, reading: Reading, access: Access, notify_file: str | None, *, as_json: bool
) -> NoReturn:
    """Check what needs neither token nor network; ends with the exit code."""
    set_up_logging()
    loaded = read_plan(plan, reading)
    checking.refuse_token_in(loaded, token_mask(access))
    checked = checking.check_offline(loaded, book_of(notify_file))
    if as_json:
        print_json(checked.document())
    else:
        print_offline(make_console(sys.stdout), checked.plan.name, checked.found)
        print_channels(make_console(sys.stdout), loaded.notify, checked.reached)
    raise SystemExit(int(checked.exit_code))
