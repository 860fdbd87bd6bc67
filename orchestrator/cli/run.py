"""`orchestrator run`, `resume` and `rerun`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.common import (
    api_options,
    json_option,
    plan_options,
    read_plan,
    run_async,
    session,
    set_up_logging,
    settings_of,
    simulate_options,
)
from orchestrator.cli.runnames import run_argument
from orchestrator.errors import Exit
from orchestrator.records import UNKNOWN_POLICIES

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing on success.")
wait_option = click.option("--wait", is_flag=True, help="Wait for another run of the plan to end.")
priority_option = click.option(
    "--priority", is_flag=True, help="Go before other runs on this host that talk to the same organization."
)
grace_option = click.option(
    "--grace", default=30.0, show_default=True, help="Seconds to go on collecting after the first signal."
)


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@plan_options
@click.option("--in-order", is_flag=True, help="Create tests in the order of the plan.")
@priority_option
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def run(plan: str, **options: Any) -> None:
    """Run PLAN: create its tests, collect their answers, judge them."""

    set_up_logging()
    loaded = read_plan(plan, options)

    async def work() -> Exit:
        from orchestrator.actions import run as action  # noqa: PLC0415 - loaded when called
        from orchestrator.cli.conducting import Terminal  # noqa: PLC0415 - as above

        terminal = Terminal(options["quiet"], options["as_json"], options["grace"], options["wait"])
        async with session(options, reserve=loaded.budget.reserve, account=loaded.account_group) as opened:
            outcome = await action.run(
                opened,
                loaded,
                wishes=action.Wishes(options["in_order"], options["priority"], str(Path(plan).resolve())),
                seed=options["seed"],
                waiting=terminal.waiting,
                attend=terminal.attend,
            )
            return await terminal.tell(opened, outcome)

    raise SystemExit(int(run_async(work)))


@click.command()
@run_argument
@click.option(
    "--unknown",
    type=click.Choice(UNKNOWN_POLICIES),
    default="keep",
    show_default=True,
    help="Creations whose answer was lost: keep them unknown, retry (may pay twice), or skip.",
)
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def resume(run: str, **options: Any) -> None:
    """Go on where RUN stopped. Nothing that was created is created again."""
    set_up_logging()
    raise SystemExit(int(run_async(lambda: _go_on(run, options, again=False, failed=False))))


@click.command()
@run_argument
@click.option("--failed", is_flag=True, help="Only tests that failed or are incomplete.")
@click.option("--in-order", is_flag=True, help="In the order of the plan.")
@priority_option
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def rerun(run: str, *, failed: bool, **options: Any) -> None:
    """Run the tests of RUN again by their ids, and collect the new round."""
    set_up_logging()
    raise SystemExit(int(run_async(lambda: _go_on(run, options, again=True, failed=failed))))


async def _go_on(name: str, options: dict[str, Any], *, again: bool, failed: bool) -> Exit:
    from orchestrator.actions import run as action  # noqa: PLC0415 - loaded when called
    from orchestrator.cli.common import reading  # noqa: PLC0415 - as above
    from orchestrator.cli.conducting import Terminal  # noqa: PLC0415 - as above

    async with reading(options["store"]) as stored:
        record = await stored.store.run(name)
    settings = action.as_begun(record, settings_of(options), again=again)
    options = {**options, "priority": settings.urgent}
    terminal = Terminal(options["quiet"], options["as_json"], options["grace"], options["wait"])
    waiting, attend = terminal.waiting, terminal.attend
    async with session(options, reserve=record.settings.reserve, account=record.account) as opened:
        if again:
            wishes = action.Wishes(options["in_order"], options["priority"])
            outcome = await action.rerun(
                opened, record, failed=failed, wishes=wishes, waiting=waiting, attend=attend
            )
        else:
            unknown = options["unknown"]
            outcome = await action.resume(opened, record, unknown=unknown, waiting=waiting, attend=attend)
        return await terminal.tell(opened, outcome)


__all__ = ["rerun", "resume", "run"]
