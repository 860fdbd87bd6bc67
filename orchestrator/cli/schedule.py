"""`orchestrator schedule`: plans that run by themselves."""

from __future__ import annotations

import click

from orchestrator.cli.options import json_option, store_option

organization_argument = click.argument("organization")
name_argument = click.argument("name")


@click.group()
def schedule() -> None:
    """Plans that run by themselves: workers carry them out."""


@schedule.command()
@click.argument("file", type=click.Path(dir_okay=False))
@store_option
def apply(file: str, store: str | None) -> None:
    """Write the schedules of FILE, new ones or in the place of those with their names.

    The file has one key, `schedules`: see docs/many-hosts.md. Its plans are checked, and kept with it.
    """
    from orchestrator.cli.bodies import schedule as body  # noqa: PLC0415 - start-up stays light

    body.apply(file, store=store)


@schedule.command("list")
@click.option("--organization", metavar="NAME", help="Only those of this organization.")
@json_option
@store_option
def list_schedules(organization: str | None, *, as_json: bool, store: str | None) -> None:
    """List schedules, with when each fires next."""
    from orchestrator.cli.bodies import schedule as body  # noqa: PLC0415 - start-up stays light

    body.listed(organization, as_json=as_json, store=store)


@schedule.command("next")
@click.option("--count", type=click.IntRange(1, 100), default=5, show_default=True, help="Times of each.")
@click.option("--organization", metavar="NAME", help="Only those of this organization.")
@store_option
def next_times(count: int, organization: str | None, store: str | None) -> None:
    """Show when schedules fire next, each in its own zone."""
    from orchestrator.cli.bodies import schedule as body  # noqa: PLC0415 - start-up stays light

    body.next_times(count, organization, store=store)


@schedule.command()
@organization_argument
@name_argument
@click.option("--resume", is_flag=True, help="Let it go on; what it missed is not made up for.")
@store_option
def pause(organization: str, name: str, *, resume: bool, store: str | None) -> None:
    """Let a schedule rest."""
    from orchestrator.cli.bodies import schedule as body  # noqa: PLC0415 - start-up stays light

    body.pause(organization, name, paused=not resume, store=store)


@schedule.command()
@organization_argument
@name_argument
@store_option
def remove(organization: str, name: str, store: str | None) -> None:
    """Forget a schedule; its runs stay."""
    from orchestrator.cli.bodies import schedule as body  # noqa: PLC0415 - start-up stays light

    body.remove(organization, name, store=store)
