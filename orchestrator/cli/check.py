"""`orchestrator check`: everything before the first creation, and nothing of it."""

from __future__ import annotations

import click

from orchestrator.cli.options import (
    Access,
    Reading,
    World,
    api_options,
    json_option,
    plan_options,
    simulate_options,
)


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@plan_options
@json_option
@api_options
def check(plan: str, *, world: World, reading: Reading, as_json: bool, access: Access) -> None:
    """Validate PLAN, resolve its agents, expand it, and estimate what it takes. Creates nothing."""
    from orchestrator.cli.bodies import check as body  # noqa: PLC0415 - start-up stays light

    body.check(plan, reading, world, access, as_json=as_json)
