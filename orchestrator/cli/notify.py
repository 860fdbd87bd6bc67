"""`orchestrator notify`."""

from __future__ import annotations

import click

from orchestrator.cli.options import json_option, notify_file_option, store_option
from orchestrator.cli.runnames import plan_option

ca_file_option = click.option(
    "--ca-file", metavar="FILE", help="Certificates (PEM) to trust too. [TE_CA_FILE]"
)


@click.group()
def notify() -> None:
    """Notices of what runs changed: try a channel, list what it was told, send what is left."""


@notify.command("test")
@click.argument("name")
@notify_file_option
@ca_file_option
def test_channel(name: str, notify_file: str | None, ca_file: str | None) -> None:
    """Send a test message to the channel NAME."""
    from orchestrator.cli.bodies import notify as body  # noqa: PLC0415 - start-up stays light

    body.test(name, notify_file, ca_file)


@notify.command("list")
@click.argument("run", default="")
@plan_option
@click.option("--pending", is_flag=True, help="Only what is not delivered yet.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@store_option
def list_notices(
    run: str, plan: str | None, *, pending: bool, limit: int, as_json: bool, store: str | None
) -> None:
    """List the notices of RUN, or the newest of all runs, and what is not delivered yet."""
    from orchestrator.cli.bodies import notify as body  # noqa: PLC0415 - start-up stays light

    body.listed(run, plan, pending=pending, limit=limit, as_json=as_json, store=store)


@notify.command("send")
@click.argument("names", nargs=-1)
@notify_file_option
@ca_file_option
@store_option
def send(names: tuple[str, ...], notify_file: str | None, ca_file: str | None, store: str | None) -> None:
    """Send what is not delivered yet, to the channels NAMES or to all."""
    from orchestrator.cli.bodies import notify as body  # noqa: PLC0415 - start-up stays light

    body.send(names, notify_file, ca_file, store=store)
