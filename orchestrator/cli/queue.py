"""`orchestrator submit`, `cancel` and `queue`: runs that wait for workers."""

from __future__ import annotations

import click

from orchestrator.cli.moments import Moment
from orchestrator.cli.options import (
    Access,
    Reading,
    api_options,
    json_option,
    plan_options,
    store_option,
)
from orchestrator.cli.runnames import required_run_argument


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@plan_options
@click.option("--priority", is_flag=True, help="Before all runs that were submitted without.")
@click.option("--at", type=Moment(), metavar="TIME", help="Not before: 2026-12-01T05:00+01:00, or +90m.")
@click.option("--expires", type=Moment(), metavar="TIME", help="Not begun by then, it is skipped.")
@click.option("--skip-busy", is_flag=True, help="Skip it while another run of the plan goes on.")
@click.option(
    "--wait/--detach", "wait", default=True, show_default=True, help="Watch it to its end; Ctrl-C leaves it."
)
@json_option
@api_options
def submit(
    plan: str,
    *,
    reading: Reading,
    priority: bool,
    at: float | None,
    expires: float | None,
    skip_busy: bool,
    wait: bool,
    as_json: bool,
    access: Access,
) -> None:
    """Put a run of PLAN into the queue, for whichever worker is free.

    The plan is checked here first. With --wait the command ends with the exit code of the run.
    """
    from orchestrator.cli.bodies import queue as body  # noqa: PLC0415 - start-up stays light

    asked = body.Asked(priority, at, expires, skip_busy=skip_busy)
    body.submit(plan, reading, access, asked, wait=wait, as_json=as_json)


@click.command()
@required_run_argument
@click.option("--now", is_flag=True, help="Leave at once; what is paid for is not waited for.")
@store_option
def cancel(run: str, *, now: bool, store: str | None) -> None:
    """Ask for RUN to be stopped, wherever it runs; one that waits never begins."""
    from orchestrator.cli.bodies import queue as body  # noqa: PLC0415 - start-up stays light

    body.cancel(run, now=now, store=store)


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Runs shown.")
@json_option
@store_option
def queue(limit: int, *, as_json: bool, store: str | None) -> None:
    """Show what waits, what runs and where, and the workers."""
    from orchestrator.cli.bodies import queue as body  # noqa: PLC0415 - start-up stays light

    body.queue(limit, as_json=as_json, store=store)
