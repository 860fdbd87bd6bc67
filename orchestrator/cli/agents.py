"""`orchestrator agents`: all agents, or those that a selector matches."""

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
from orchestrator.model import AgentState, AgentType


@click.command()
@click.option("--plan", type=click.Path(dir_okay=False), help="Take a named selector from this plan.")
@click.option("--selector", metavar="NAME", help="The selector's name in the plan.")
@click.option("--type", "types", multiple=True, type=click.Choice([one.value for one in AgentType]))
@click.option("--name", "names", multiple=True, metavar="PATTERN")
@click.option("--country", "countries", multiple=True, metavar="CODE")
@click.option("--location", "locations", multiple=True, metavar="PATTERN")
@click.option("--label", "labels", multiple=True, metavar="PATTERN")
@click.option("--state", "states", multiple=True, type=click.Choice([one.value for one in AgentState]))
@simulate_options
@plan_options
@json_option
@api_options
def agents(
    plan: str | None,
    selector: str | None,
    *,
    types: tuple[str, ...],
    names: tuple[str, ...],
    countries: tuple[str, ...],
    locations: tuple[str, ...],
    labels: tuple[str, ...],
    states: tuple[str, ...],
    world: World,
    reading: Reading,
    as_json: bool,
    access: Access,
) -> None:
    """List agents: all, those that options match, or those of a selector in a plan."""
    from orchestrator.cli.bodies import agents as body  # noqa: PLC0415 - start-up stays light

    given = body.given(types, names, countries, locations, labels, states)
    body.agents(plan, selector, given, reading, world, access, as_json=as_json)
