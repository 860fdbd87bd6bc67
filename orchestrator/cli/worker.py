"""`orchestrator worker`: carry out what others submit."""

from __future__ import annotations

import click

from orchestrator.cli.options import grace_option
from orchestrator.cli.serving import Serving, serving_options


@click.command()
@serving_options
@grace_option
def worker(*, serving: Serving, grace: float) -> None:
    """Carry out runs that were submitted, and schedules, until stopped.

    The first signal lets what is paid for come in and hands the runs on to other workers; the second leaves
    at once. Start as many as you like, on as many hosts as you like.
    """
    from orchestrator.cli.bodies import worker as body  # noqa: PLC0415 - start-up stays light

    if serving.health:
        body.health(serving)
    else:
        body.worker(serving, grace=grace)
