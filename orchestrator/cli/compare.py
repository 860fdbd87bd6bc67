"""`orchestrator diff` and `orchestrator baseline`."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.options import Gate, gate_options, json_option, store_option
from orchestrator.cli.runnames import plan_option, run_argument

FORMATS = ("text", "markdown", "json", "jsonl", "junit", "html")


@click.command()
@click.argument("base", default="last-good")
@run_argument
@plan_option
@gate_options
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--target", "targets", multiple=True, metavar="PATTERN")
@click.option("--agent", "agents", multiple=True, metavar="ID|PATTERN")
@click.option("--layer", "layers", multiple=True, help="Only cells whose change is in this layer.")
@click.option("--all", "everything", is_flag=True, help="List cells that are the same, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something is worse.")
@store_option
def diff(
    base: str,
    run: str,
    plan: str | None,
    gate: Gate,
    *,
    form: str,
    output: Path | None,
    targets: tuple[str, ...],
    agents: tuple[str, ...],
    layers: tuple[str, ...],
    everything: bool,
    quiet: bool,
    store: str | None,
) -> None:
    """Hold RUN against BASE: what got better or worse, and whether it counts.

    BASE is `last-good`, `before`, the name of a baseline, or a run. Exit codes: 0 nothing worse that counts,
    1 worse, 2 no such run or baseline, 3 it cannot be judged.
    """
    from orchestrator.cli.bodies import compare as body  # noqa: PLC0415 - start-up stays light

    wanted = body.Wanted(form, output, targets, agents, layers, everything, quiet)
    body.diff(base, run, plan, gate, wanted, store=store)


@click.group()
def baseline() -> None:
    """Name runs that later ones are compared with."""


@baseline.command("set")
@click.argument("name")
@run_argument
@plan_option
@click.option("--note", help="A word on it.")
@click.option("--force", is_flag=True, help="Move a name that another run has.")
@store_option
def set_baseline(
    name: str, run: str, plan: str | None, note: str | None, force: bool, store: str | None
) -> None:
    """Give RUN the name NAME. A run with a name is never taken away by retention."""
    from orchestrator.cli.bodies import compare as body  # noqa: PLC0415 - start-up stays light

    body.pin(name, run, plan, note, force=force, store=store)


@baseline.command("list")
@json_option
@store_option
def list_baselines(as_json: bool, store: str | None) -> None:
    """List the baselines."""
    from orchestrator.cli.bodies import compare as body  # noqa: PLC0415 - start-up stays light

    body.baselines(as_json=as_json, store=store)


@baseline.command("remove")
@click.argument("name")
@store_option
def remove_baseline(name: str, store: str | None) -> None:
    """Forget NAME; its run stays."""
    from orchestrator.cli.bodies import compare as body  # noqa: PLC0415 - start-up stays light

    body.unpin(name, store=store)
