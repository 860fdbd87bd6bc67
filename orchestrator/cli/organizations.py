"""`orchestrator organizations`: whose runs a store of several hosts keeps."""

from __future__ import annotations

import math

import click

from orchestrator.cli.options import json_option, store_option
from orchestrator.cli.store import Age


class Kept(Age):
    """How long something is kept: an age, or ``ever``."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; infinite for ``ever``."""
        ever = str(value).strip().lower() == "ever"
        return math.inf if ever else super().convert(value, param, ctx)


@click.group()
def organizations() -> None:
    """Organizations of a store that several hosts share.

    Once one is written down, --organization must name one of them.
    """


@organizations.command("list")
@json_option
@store_option
def listed(as_json: bool, store: str | None) -> None:
    """List them."""
    from orchestrator.cli.bodies import organizations as body  # noqa: PLC0415 - start-up stays light

    body.listed(as_json=as_json, store=store)


@organizations.command("set")
@click.argument("name")
@click.option("--base-url", metavar="URL", help="Where its API is.")
@click.option("--called", metavar="NAME", help="How the API calls it, where that is another name.")
@click.option(
    "--aid", "aids", multiple=True, metavar="ID", help="An account group that runs may name; repeatable."
)
@click.option(
    "--token",
    metavar="REFERENCE",
    help="Where hosts find its token: env:TE_TOKEN_NAME, file:NAME, credential:NAME.",
)
@click.option("--most-runs", type=click.IntRange(1, 1000), metavar="N", help="Runs under way at once.")
@click.option("--keep-answers", type=Kept(), metavar="AGE", help="How long answers are kept: 30d, or ever.")
@click.option("--keep-raw", type=Kept(), metavar="AGE", help="How long their raw rows are kept.")
@click.option("--keep-runs", type=Kept(), metavar="AGE", help="How long runs are kept.")
@json_option
@store_option
def write(name: str, *, as_json: bool, store: str | None, **changes: object) -> None:
    """Write down NAME, or change what is named here of it."""
    from orchestrator.cli.bodies import organizations as body  # noqa: PLC0415 - start-up stays light

    body.write(name, changes, as_json=as_json, store=store)


@organizations.command()
@click.argument("name")
@click.option("--reason", metavar="TEXT", help="Told to whoever wants to run something for it.")
@store_option
def pause(name: str, *, reason: str | None, store: str | None) -> None:
    """Let NAME rest: none of its runs begins."""
    from orchestrator.cli.bodies import organizations as body  # noqa: PLC0415 - start-up stays light

    body.pause(name, reason, paused=True, store=store)


@organizations.command()
@click.argument("name")
@store_option
def resume(name: str, *, store: str | None) -> None:
    """Let NAME go on."""
    from orchestrator.cli.bodies import organizations as body  # noqa: PLC0415 - start-up stays light

    body.pause(name, None, paused=False, store=store)
