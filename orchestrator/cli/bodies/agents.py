"""What `orchestrator agents` does."""

from __future__ import annotations

import sys

import click

from orchestrator.actions import agents as listing
from orchestrator.cli.bodies.common import print_json, run_async, set_up_logging
from orchestrator.cli.bodies.sessions import read_plan, session, settings_of
from orchestrator.cli.options import Access, Reading, World
from orchestrator.model import AgentState, AgentType, Api
from orchestrator.plan.selectors import Selection, Selector
from orchestrator.terminal.console import make_console
from orchestrator.terminal.text import print_agents


def given(
    types: tuple[str, ...],
    names: tuple[str, ...],
    countries: tuple[str, ...],
    locations: tuple[str, ...],
    labels: tuple[str, ...],
    states: tuple[str, ...],
) -> Selector:
    """The selector that the options make."""
    return Selector(
        types=tuple(map(AgentType, types)),
        names=names,
        countries=tuple(code.upper() for code in countries),
        locations=locations,
        labels=labels,
        states=tuple(map(AgentState, states)),
    )


def agents(
    plan: str | None,
    name: str | None,
    selector: Selector,
    reading: Reading,
    world: World,
    access: Access,
    *,
    as_json: bool,
) -> None:
    """List the agents of a plan's selector, or of ``selector``."""
    set_up_logging()
    api, account = Api(reading.api or "v7"), None
    if name and plan is None:
        raise click.UsageError("--selector names a selector of a plan: give --plan too")
    if plan is not None and selector != Selector():
        raise click.UsageError(
            "a selector of a plan has its own keys: give --plan and --selector, or --type, --name, "
            "--country, --location, --label and --state"
        )
    if plan is not None:
        loaded = read_plan(plan, reading)
        selector, api, account = listing.selector_of(loaded, name), loaded.api, loaded.account_group

    async def work() -> Selection:
        settings = settings_of(access, plan_account=account)
        async with session(settings, access, world, reserve=0.0, seed=reading.seed) as opened:
            # People look for labels, so they are listed unless a selector of a plan does without them.
            return await listing.agents(opened, selector, api, seed=reading.seed, labels=plan is None)

    selection = run_async(work)
    if as_json:
        print_json(listing.agents_document(selection))
    else:
        print_agents(make_console(sys.stdout), selection.agents, selection.left_out)
