"""`orchestrator run`, `resume` and `rerun`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.common import (
    api_options,
    json_option,
    plan_options,
    read_plan,
    run_async,
    session,
    set_up_logging,
    settings_of,
    simulate_options,
)
from orchestrator.cli.runnames import run_argument
from orchestrator.errors import Exit, UsageProblem
from orchestrator.runner.conductor import UNKNOWN_POLICIES

if TYPE_CHECKING:
    from orchestrator.store.base import Lease

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print nothing on success.")
wait_option = click.option("--wait", is_flag=True, help="Wait for another run of the plan to end.")
priority_option = click.option(
    "--priority", is_flag=True, help="Go before other runs on this host that talk to the same organization."
)
grace_option = click.option(
    "--grace", default=30.0, show_default=True, help="Seconds to go on collecting after the first signal."
)


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False))
@simulate_options
@plan_options
@click.option("--in-order", is_flag=True, help="Create tests in the order of the plan.")
@priority_option
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def run(plan: str, **options: Any) -> None:
    """Run PLAN: create its tests, collect their answers, judge them."""

    set_up_logging()
    loaded = read_plan(plan, options)

    async def work() -> Exit:
        from orchestrator.actions.prepare import Wishes, check_ceilings, prepare, store_run  # noqa: PLC0415 - as above
        from orchestrator.cli.conducting import conduct  # noqa: PLC0415 - loaded when called

        async with (
            session(options, reserve=loaded.budget.reserve, account=loaded.account_group) as opened,
            _locked(opened, loaded.name, options),
        ):
            prepared = await prepare(opened, loaded, seed=options["seed"])
            check_ceilings(prepared)
            wishes = Wishes(options["in_order"], options["priority"], str(Path(plan).resolve()))
            record = await store_run(opened, prepared, wishes)
            return await conduct(
                opened, record, quiet=options["quiet"], as_json=options["as_json"], grace=options["grace"]
            )

    raise SystemExit(int(run_async(work)))


@click.command()
@run_argument
@click.option(
    "--unknown",
    type=click.Choice(UNKNOWN_POLICIES),
    default="keep",
    show_default=True,
    help="Creations whose answer was lost: keep them unknown, retry (may pay twice), or skip.",
)
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def resume(run: str, **options: Any) -> None:
    """Go on where RUN stopped. Nothing that was created is created again."""
    set_up_logging()
    raise SystemExit(int(run_async(lambda: _go_on(run, options, again=False, failed=False))))


@click.command()
@run_argument
@click.option("--failed", is_flag=True, help="Only tests that failed or are incomplete.")
@click.option("--in-order", is_flag=True, help="In the order of the plan.")
@priority_option
@wait_option
@grace_option
@quiet_option
@json_option
@api_options
def rerun(run: str, *, failed: bool, **options: Any) -> None:
    """Run the tests of RUN again by their ids, and collect the new round."""
    set_up_logging()
    raise SystemExit(int(run_async(lambda: _go_on(run, options, again=True, failed=failed))))


async def _go_on(name: str, options: dict[str, Any], *, again: bool, failed: bool) -> Exit:
    from orchestrator.actions.prepare import Wishes, store_rerun  # noqa: PLC0415 - as above
    from orchestrator.cli.common import reading  # noqa: PLC0415 - loaded when called
    from orchestrator.cli.conducting import conduct  # noqa: PLC0415 - as above

    async with reading(options["store"]) as stored:
        record = await stored.store.run(name)
    origin = settings_of(options).origin
    if record.simulated:
        raise UsageProblem(
            f"run {record.id} was simulated, and its world has ended with it",
            hint="serve a world that lasts with `orchestrator simulator`, and name it with --base-url",
        )
    if record.origin != origin:
        raise UsageProblem(
            f"run {record.id} belongs to {record.origin}, not to {origin}",
            hint=f"give --base-url {record.origin}",
        )
    if record.settings.urgent and not again:
        options = {**options, "priority": True}
    async with (
        session(options, reserve=record.settings.reserve, account=record.account) as opened,
        _locked(opened, record.plan, options),
    ):
        # Whoever held the lock has gone on with it meanwhile.
        record = await opened.doors.store.run(record.id)
        if again:
            wishes = Wishes(options["in_order"], options["priority"])
            record = await store_rerun(opened, record, wishes, failed=failed)
        return await conduct(
            opened,
            record,
            quiet=options["quiet"],
            as_json=options["as_json"],
            unknown=options.get("unknown", "keep"),
            grace=options["grace"],
        )


def _locked(opened: Any, plan: str, options: dict[str, Any]) -> AbstractAsyncContextManager[None]:
    """The lock of the plan; with ``--wait`` it says, unless quiet, for whom it waits."""
    from orchestrator.cli.conducting import say  # noqa: PLC0415 - loaded when called

    told = partial(say, quiet=options["quiet"])
    lease: Lease = opened.opened.lease
    return lease.hold(plan, opened.doors.clock, wait=options["wait"], told=told)


__all__ = ["rerun", "resume", "run"]
