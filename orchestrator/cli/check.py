"""`orchestrator check`: everything before the first creation, and nothing of it."""

from __future__ import annotations

import click

from orchestrator.cli.options import (
    Access,
    Reading,
    World,
    api_options,
    json_option,
    notify_file_option,
    plan_options,
    simulate_options,
)


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@plan_options
@click.option("--offline", is_flag=True, help="Only what needs neither token nor network.")
@click.option("--cron", metavar="EXPR", help="When it is to run, as '17 5 * * 1-5': what it takes a month.")
@click.option("--timezone", metavar="ZONE", help="Of --cron; UTC.")
@notify_file_option
@json_option
@api_options
def check(
    plan: str,
    *,
    world: World,
    reading: Reading,
    offline: bool,
    cron: str | None,
    timezone: str | None,
    notify_file: str | None,
    as_json: bool,
    access: Access,
) -> None:
    """Validate PLAN, resolve its agents, expand it, and estimate what it takes. Creates nothing."""
    from orchestrator.cli.bodies import check as body  # noqa: PLC0415 - start-up stays light

    if offline and world.simulate:
        raise click.UsageError("--offline asks nobody, also not the simulator; give one of the two")
    if offline and cron is not None:
        raise click.UsageError("--cron needs the list of agents, for the price; leave --offline out")
    if timezone is not None and cron is None:
        raise click.UsageError("--timezone is that of --cron, which was not given")
    if offline:
        body.check_offline(plan, reading, access, notify_file, as_json=as_json)
    body.check(
        plan, reading, world, access, notify_file, as_json=as_json, cron=cron, timezone=timezone or "UTC"
    )
