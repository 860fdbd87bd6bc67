"""`orchestrator promote`: scheduled tests made of instant ones."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import Access, api_options
from orchestrator.cli.runnames import plan_option, required_run_argument

INTERVALS = {"1m": 60, "2m": 120, "5m": 300, "10m": 600, "15m": 900, "30m": 1800, "1h": 3600}


@click.command()
@required_run_argument
@plan_option
@click.option("--cause", type=click.IntRange(1), metavar="N", help="The tests of explanation N of the run.")
@click.option("--cell", metavar="TARGET@AGENT", help="The test of this cell, from its agent only.")
@click.option("--target", metavar="PATTERN", help="The tests of these targets.")
@click.option(
    "--interval", type=click.Choice([*INTERVALS]), default="5m", show_default=True, help="Between rounds."
)
@click.option("--name", help="What the test is to be called.  [default: PLAN: TEST TARGET]")
@click.option("--alerts", is_flag=True, help="With the account group's default alert rules.")
@click.option("--disabled", is_flag=True, help="There, but not running.")
@click.option("--terraform", is_flag=True, help="Write a resource for the vendor's provider instead of JSON.")
@click.option("--with-secrets", is_flag=True, help="Write passwords and headers as they are, not masked.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--create", is_flag=True, help="Create the scheduled tests. It asks first.")
@click.option("--yes", is_flag=True, help="Do not ask before they are created.")
@click.option("--again", is_flag=True, help="Also one whose creation was sent before, and its answer lost.")
@api_options
def promote(
    run: str,
    plan: str | None,
    *,
    cause: int | None,
    cell: str | None,
    target: str | None,
    interval: str,
    name: str | None,
    alerts: bool,
    disabled: bool,
    terraform: bool,
    with_secrets: bool,
    output: Path | None,
    create: bool,
    yes: bool,
    again: bool,
    access: Access,
) -> None:
    """Make scheduled tests of instant tests of RUN.

    Writes the JSON body for POST /v7/tests/TYPE, or Terraform. Nothing is created without --create. A
    scheduled test takes units in every round, for as long as it is there: the estimate is told.
    """
    from orchestrator.cli.bodies import promote as body  # noqa: PLC0415 - start-up stays light

    if sum(one is not None for one in (cause, cell, target)) != 1:
        raise click.UsageError("say which: one of --cause, --cell and --target")
    for option, value in (("--cell", cell), ("--target", target), ("--name", name)):
        if value is not None and not value.strip():
            raise click.UsageError(f"{option} is empty (is a variable empty?)")
    if create and (terraform or output is not None):
        raise click.UsageError("--create makes the tests at once: leave --terraform and -o out")
    if terraform and with_secrets:
        raise click.UsageError("secrets are variables in Terraform: leave --with-secrets out")
    if (yes or again) and not create:
        raise click.UsageError("--yes and --again are of --create")
    chosen = body.Chosen(cause, cell, target)
    running = body.Running(INTERVALS[interval], alerts, disabled, name)
    if create:
        body.create(run, plan, chosen, running, access, yes=yes, again=again)
    else:
        body.write(
            run, plan, chosen, running, output, access.store, terraform=terraform, secrets=with_secrets
        )
