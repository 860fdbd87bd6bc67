"""`orchestrator run`, `resume` and `rerun`."""

from __future__ import annotations

import click

from orchestrator.cli.options import (
    Access,
    Attending,
    Breaking,
    Gate,
    Judged,
    Judging,
    Notifying,
    Reading,
    World,
    api_options,
    attending_options,
    breaking_options,
    judging_options,
    notify_options,
    plan_options,
    priority_option,
    simulate_options,
)
from orchestrator.cli.runnames import plan_option, run_argument
from orchestrator.records import UNKNOWN_POLICIES


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@breaking_options
@plan_options
@click.option("--in-order", is_flag=True, help="Create tests in the order of the plan.")
@priority_option
@click.option(
    "--rounds",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="So many rounds, one after the other: a baseline that knows what is normal.",
)
@judging_options
@attending_options
@notify_options
@api_options
def run(
    plan: str,
    *,
    world: World,
    breaking: Breaking,
    reading: Reading,
    in_order: bool,
    priority: bool,
    rounds: int,
    judging: Judging,
    gate: Gate,
    attending: Attending,
    notifying: Notifying,
    access: Access,
) -> None:
    """Run PLAN: create its tests, collect their answers, judge them."""
    from orchestrator.cli.bodies import run as body  # noqa: PLC0415 - start-up stays light

    if (breaking.culprits or breaking.noise is not None) and not world.simulate:
        raise click.UsageError("--culprit and --noise break the simulated world: they need --simulate")
    body.run(
        plan,
        reading,
        world,
        breaking,
        access,
        attending,
        Judged(judging, gate, rounds),
        notifying,
        in_order=in_order,
        urgent=priority,
    )


@click.command()
@run_argument
@plan_option
@click.option(
    "--unknown",
    type=click.Choice(UNKNOWN_POLICIES),
    default="keep",
    show_default=True,
    help="Creations whose answer was lost: keep them unknown, retry (may pay twice), or skip.",
)
@attending_options
@notify_options
@api_options
def resume(
    run: str,
    plan: str | None,
    *,
    unknown: str,
    attending: Attending,
    notifying: Notifying,
    access: Access,
) -> None:
    """Go on where RUN stopped. Nothing that was created is created again."""
    from orchestrator.cli.bodies import run as body  # noqa: PLC0415 - start-up stays light

    body.resume(run, plan, access, attending, notifying, unknown=unknown)


@click.command()
@run_argument
@plan_option
@click.option("--failed", is_flag=True, help="Only tests that failed or are incomplete.")
@click.option("--in-order", is_flag=True, help="In the order of the plan.")
@priority_option
@judging_options
@attending_options
@notify_options
@api_options
def rerun(
    run: str,
    plan: str | None,
    *,
    failed: bool,
    in_order: bool,
    priority: bool,
    judging: Judging,
    gate: Gate,
    attending: Attending,
    notifying: Notifying,
    access: Access,
) -> None:
    """Run the tests of RUN again by their ids, and collect the new round."""
    from orchestrator.cli.bodies import run as body  # noqa: PLC0415 - start-up stays light

    judged = Judged(judging, gate)
    body.rerun(
        run, plan, access, attending, judged, notifying, failed=failed, in_order=in_order, urgent=priority
    )
