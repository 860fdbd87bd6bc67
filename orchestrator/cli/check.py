"""`orchestrator check`: everything before the first creation, and nothing of it."""

from __future__ import annotations

import sys
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
    simulate_options,
)
from orchestrator.errors import Exit


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@plan_options
@json_option
@api_options
def check(plan: str, **options: Any) -> None:
    """Validate PLAN, resolve its agents, expand it, and estimate what it takes. Creates nothing."""
    from orchestrator.report.check import check_document  # noqa: PLC0415 - as above
    from orchestrator.terminal.check import print_check  # noqa: PLC0415 - as above
    from orchestrator.terminal.console import make_console  # noqa: PLC0415 - as above

    set_up_logging()
    loaded = read_plan(plan, options)

    async def work() -> Any:
        from orchestrator.actions.prepare import prepare  # noqa: PLC0415 - loaded when called

        async with session(options, reserve=loaded.budget.reserve, account=loaded.account_group) as opened:
            return await prepare(opened, loaded, seed=options["seed"])

    prepared = run_async(work)
    expansion, worth = prepared.expansion, prepared.estimate
    if options["as_json"]:
        from orchestrator.cli.reading import print_json  # noqa: PLC0415 - loaded when called

        print_json(check_document(loaded.name, loaded.api, expansion.specs, expansion.not_run, worth))
    else:
        print_check(
            make_console(sys.stdout), loaded.name, expansion.specs, expansion.not_run, worth, prepared.agents
        )
    raise SystemExit(int(Exit.CEILING if prepared.estimate.exceeded else Exit.OK))
