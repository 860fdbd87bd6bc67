"""`orchestrator agents`: all agents, or those that a selector matches."""

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
from orchestrator.errors import UsageProblem
from orchestrator.model import AgentState, AgentType, Api


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
def agents(**options: Any) -> None:
    """List agents: all, those that options match, or those of a selector in a plan."""
    from orchestrator.plan.selectors import select, uses_labels  # noqa: PLC0415 - loaded when called

    set_up_logging()
    selector, api, account = _selector(options)

    async def work() -> Any:
        async with session(options, reserve=0.0, account=account) as opened:
            # People look for labels, so they are listed unless a selector does without them.
            labels = uses_labels(selector) or options["plan"] is None
            return select(selector, await opened.agents(api, labels=labels), options["seed"])

    _tell(run_async(work), as_json=options["as_json"])


def _selector(options: dict[str, Any]) -> tuple[Any, Api, str | None]:
    from orchestrator.plan.selectors import Selector  # noqa: PLC0415 - loaded when called

    if options["plan"] is None:
        if options["selector"]:
            raise click.UsageError("--selector names a selector of a plan: give --plan too")
        selector = Selector(
            types=tuple(map(AgentType, options["types"])),
            names=options["names"],
            countries=tuple(code.upper() for code in options["countries"]),
            locations=options["locations"],
            labels=options["labels"],
            states=tuple(map(AgentState, options["states"])),
        )
        return selector, Api(options["api"] or "v7"), None
    plan = read_plan(options["plan"], options)
    name = options["selector"]
    if name not in plan.selectors:
        known = ", ".join(plan.selectors) or "none"
        raise UsageProblem(
            f"plan {plan.name!r} has no selector {name!r}" if name else "which selector of the plan?",
            hint=f"give --selector with one of: {known}",
        )
    return plan.selectors[name], plan.api, plan.account_group


def _tell(selection: Any, *, as_json: bool) -> None:
    from orchestrator.cli.reading import print_json  # noqa: PLC0415 - loaded when called
    from orchestrator.terminal.console import make_console  # noqa: PLC0415 - as above
    from orchestrator.terminal.text import print_agents  # noqa: PLC0415 - as above

    if not as_json:
        print_agents(make_console(sys.stdout), selection.agents, selection.left_out)
        return
    print_json(
        {
            "schema": 1,
            "agents": [_row(agent) for agent in selection.agents],
            "left_out": [{**_row(agent), "reason": reason} for agent, reason in selection.left_out],
        }
    )


def _row(agent: Any) -> dict[str, object]:
    return {
        "agent_id": agent.id,
        "agent": agent.name,
        "type": agent.type.value,
        "country": agent.country,
        "location": agent.location,
        "state": agent.state.value,
        "labels": list(agent.labels),
    }
