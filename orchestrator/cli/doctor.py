"""`orchestrator doctor`: what works, what does not, and what could not be found out."""

from __future__ import annotations

import click

from orchestrator.cli.options import Access, api_options, json_option
from orchestrator.model import Api


@click.command()
@click.option("--api", type=click.Choice([one.value for one in Api]), default="v7", show_default=True)
@click.option(
    "--settings", is_flag=True, help="Show every setting and where it came from; without token and network."
)
@click.option("--plan", type=click.Path(dir_okay=False), help="With --settings: as for this plan.")
@json_option
@api_options
def doctor(api: str, *, settings: bool, plan: str | None, as_json: bool, access: Access) -> None:
    """Check token, origin, account group, clock, limits and store. Creates nothing."""
    from orchestrator.cli.bodies import doctor as body  # noqa: PLC0415 - start-up stays light

    if settings:
        body.settings(access, plan, as_json=as_json)
    elif plan is not None:
        raise click.UsageError("--plan is for --settings")
    else:
        body.doctor(Api(api), access, as_json=as_json)
