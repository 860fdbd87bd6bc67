"""`orchestrator schema`."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of plans."""
    from orchestrator.plan.schema import schema as plan_schema  # noqa: PLC0415 - start-up stays light

    click.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))
