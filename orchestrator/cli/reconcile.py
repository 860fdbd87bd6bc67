"""`orchestrator reconcile`: creations whose answer was lost."""

from __future__ import annotations

import click

from orchestrator.cli.options import json_option, store_option
from orchestrator.cli.runnames import run_argument


@click.command()
@run_argument
@click.option(
    "--adopt",
    "adopted",
    multiple=True,
    metavar="SPEC=TESTID",
    help="The test of SPEC exists: this is its id.",
)
@click.option(
    "--give-up", "given_up", multiple=True, metavar="SPEC", help="SPEC stays unknown; say no more of it."
)
@click.option(
    "--again", "again", multiple=True, metavar="SPEC", help="`resume` is to create SPEC again: may pay twice."
)
@click.option(
    "--organization",
    default="",
    metavar="NAME",
    help="Refuse a RUN of another organization.",
)
@json_option
@store_option
def reconcile(
    run: str,
    adopted: tuple[str, ...],
    given_up: tuple[str, ...],
    again: tuple[str, ...],
    organization: str,
    as_json: bool,
    store: str | None,
) -> None:
    """List the creations of RUN whose answer was lost; adopt those that were found, or give them up.

    Look for the marker in square brackets among the tests of the product. An adopted test is collected
    by `orchestrator resume`.
    """
    from orchestrator.cli.bodies import reconcile as body  # noqa: PLC0415 - start-up stays light

    body.reconcile(run, adopted, given_up, again, organization=organization, as_json=as_json, store=store)
