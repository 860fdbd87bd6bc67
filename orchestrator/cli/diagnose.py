"""`orchestrator diagnose`: what is broken, seen from where, in a time box."""

from __future__ import annotations

import click

from orchestrator.cli.asking import Asking, Telling, asking_options, telling_options
from orchestrator.cli.options import (
    Access,
    Breaking,
    Reading,
    World,
    api_options,
    breaking_options,
    plan_options,
    simulate_options,
)


@click.command()
@click.argument("targets", nargs=-1, metavar="TARGET...")
@asking_options
@telling_options
@simulate_options
@breaking_options
@plan_options
@api_options
def diagnose(
    targets: tuple[str, ...],
    *,
    asking: Asking,
    telling: Telling,
    world: World,
    breaking: Breaking,
    reading: Reading,
    access: Access,
) -> None:
    """Find out what is broken, seen from where, in a time box; print a ticket.

    TARGET is a URL, host:port, a name, 'NAME TYPE', an address, or an agent's id or name. Several contrast
    each other.

    \b
    orchestrator diagnose https://shop.example.com
    orchestrator diagnose vpn.example.com:443 --control www.example.com:443
    """
    from orchestrator.cli.bodies import diagnose as body  # noqa: PLC0415 - start-up stays light

    if not targets and asking.preset is None:
        raise click.UsageError("Missing argument 'TARGET...': what is to be diagnosed?")
    if telling.yes and not telling.share:
        raise click.UsageError("--yes is of --share")
    if (breaking.culprits or breaking.noise is not None) and not world.simulate:
        raise click.UsageError("--culprit and --noise break the simulated world: they need --simulate")
    body.diagnose(targets, asking, telling, world, breaking, reading, access)
