"""`orchestrator simulator`: the simulated API as a server, in real time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli.options import Breaking, Command, Number, breaking_options, together

DEFAULT_PORT = 8089


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was said of the simulated world; what was not is as in its scenario."""

    organization_limit: int | None
    instant_limit: int | None
    window: float | None
    aligned: bool | None
    latency: float | None
    others: float | None
    seed: int | None


def world_options(command: Command) -> Command:
    """The simulated world: ``chosen``, a :class:`Chosen`."""
    positive = Number(0, 1e9, min_open=True)
    return together(
        "chosen",
        Chosen,
        command,
        click.option("--organization-limit", type=click.IntRange(1), help="Calls per window [default: 240]."),
        click.option(
            "--instant-limit", type=click.IntRange(1), help="Instant tests per window [default: 24]."
        ),
        click.option("--window", type=positive, help="Seconds per window [default: 60]."),
        click.option(
            "--aligned/--anchored", default=None, help="Windows follow the clock, or the first request."
        ),
        click.option("--latency", type=positive, help="Results this much slower [default: 1]."),
        click.option("--others", type=Number(0, 1), help="Share that others eat [default: 0]."),
        click.option("--seed", type=int, help="Another world with the same rules [default: 1]."),
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535))
@click.option("--scenario", type=click.Path(dir_okay=False, path_type=Path), help="YAML or JSON settings.")
@world_options
@breaking_options
@click.option("--fault", "faults", multiple=True, metavar="KIND[:MATCH[:P]]", help="P: 0..1, #n or #n+.")
@click.option("--list-faults", is_flag=True, help="List the faults and end.")
@click.option("--list-culprits", is_flag=True, help="List what can be broken, and end.")
def simulator(
    host: str,
    port: int,
    scenario: Path | None,
    *,
    chosen: Chosen,
    breaking: Breaking,
    faults: tuple[str, ...],
    list_faults: bool,
    list_culprits: bool,
) -> None:
    """Serve the simulated API (v6 and v7), with its limits, agents, tests and faults.

    Takes the token in TE_TOKEN, or any token if that is not set. Ends with exit code 0 on SIGINT and SIGTERM.
    What it saw is at /_simulator/witness, and /_simulator/health answers as soon as it is ready.
    """
    from orchestrator.cli.bodies import simulator as body  # noqa: PLC0415 - start-up stays light

    if list_faults:
        body.print_faults()
    elif list_culprits:
        body.print_culprits(scenario)
    else:
        body.simulator(host, port, scenario, chosen, breaking, faults)
