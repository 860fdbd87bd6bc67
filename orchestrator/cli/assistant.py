"""`orchestrator mcp`: the tools of an assistant."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import (
    Access,
    Breaking,
    Number,
    World,
    api_options,
    breaking_options,
    simulate_options,
)


@click.command()
@click.option(
    "--plans",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder whose plans may be checked and run; nothing beside it is read.",
)
@click.option(
    "--plan-env",
    multiple=True,
    metavar="NAME",
    help="A variable that these plans may read as ${env:NAME} (repeatable).",
)
@click.option("--allow-creations", is_flag=True, help="Let the assistant run and diagnose: that costs units.")
@click.option(
    "--max-units",
    type=Number(0, 1e6, min_open=True),
    help="Ceiling on the units of all that it starts; required with --allow-creations.",
)
@click.option(
    "--max-creations",
    type=click.IntRange(1, 100_000),
    help="Ceiling on the tests of all that it starts; required with --allow-creations.",
)
@simulate_options
@breaking_options
@api_options
def mcp(
    *,
    plans: Path | None,
    plan_env: tuple[str, ...],
    allow_creations: bool,
    max_units: float | None,
    max_creations: int | None,
    world: World,
    breaking: Breaking,
    access: Access,
) -> None:
    """Tools for an assistant, over the Model Context Protocol on standard input and output.

    Read-only, unless started with --allow-creations and both ceilings. Needs the extra [mcp]. A client starts
    this command; docs/assistant.md has its configuration. Ends with 0 when the client goes away.
    """
    from orchestrator.cli.bodies import assistant as body  # noqa: PLC0415 - start-up stays light

    if allow_creations and (max_units is None or max_creations is None):
        raise click.UsageError("--allow-creations needs --max-units and --max-creations: it has no default")
    if not allow_creations and (max_units is not None or max_creations is not None):
        raise click.UsageError("--max-units and --max-creations are for --allow-creations")
    if (breaking.culprits or breaking.noise is not None) and not world.simulate:
        raise click.UsageError("--culprit and --noise break the simulated world: they need --simulate")
    body.serve(body.Terms(plans, plan_env, max_units, max_creations), world, breaking, access)
