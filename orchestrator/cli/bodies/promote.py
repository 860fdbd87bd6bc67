"""What `orchestrator promote` does: write scheduled tests, or create them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.actions import promote as promoting
from orchestrator.actions import reading
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.promote import Choice, Promotion, Schedule, Scheduled
from orchestrator.cli.bodies.common import opened_store, run_async, say, set_up_logging
from orchestrator.cli.bodies.outputs import write_file
from orchestrator.cli.bodies.sessions import session, settings_of
from orchestrator.cli.options import Access
from orchestrator.clock import LoopClock
from orchestrator.errors import UsageProblem
from orchestrator.report.promotion import Promoted
from orchestrator.safe import terminal
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which tests; one of them is set."""

    cause: int | None
    cell: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class Running:
    """How they are to run; ``interval`` in seconds."""

    interval: int
    alerts: bool
    disabled: bool
    name: str | None


def write(
    run: str,
    plan: str | None,
    chosen: Chosen,
    running: Running,
    output: Path | None,
    store: str | None,
    *,
    terraform: bool,
    secrets: bool,
) -> None:
    """Write what would be created."""
    set_up_logging()

    async def work() -> Promotion:
        async with opened_store(store) as opened:
            return await _promotion(opened, run, plan, chosen, running)

    promotion = run_async(work)
    tests = promotion.tests
    text = promotion.terraform() if terraform else promotion.text(secrets=secrets)
    if output is None:
        sys.stdout.write(text)
    else:
        write_file(output, lambda out: out(text.encode("utf-8", "backslashreplace")))
    for one in tests:
        say(_told(one))
    masked = sum(len(one.secrets()) for one in tests)
    if masked and terraform:
        say(f"{masked} secret values are variables: give them as TF_VAR_... in the environment")
    elif masked and not secrets:
        say(f"{masked} secret values are masked; --with-secrets writes them")
    if promotion.run.simulated:
        say("the run was simulated: its agents exist nowhere")


async def _promotion(
    opened: Opened, run: str, plan: str | None, chosen: Chosen, running: Running
) -> Promotion:
    choice = Choice(chosen.cause, chosen.cell, chosen.target)
    schedule = Schedule(running.interval, running.alerts, not running.disabled, running.name)
    return await promoting.promote(opened, run, choice, schedule, now=LoopClock().wall(), plan=plan)


def _told(one: Promoted) -> str:
    return f"{terminal(one.name)}: POST {one.path}, about {one.units:.1f} units in 30 days"


def create(
    run: str, plan: str | None, chosen: Chosen, running: Running, access: Access, *, yes: bool, again: bool
) -> None:
    """Create them; asks first."""
    set_up_logging()
    settings = settings_of(access, begun=True)

    async def prepare() -> tuple[Promotion, Settings]:
        async with opened_store(access.store) as opened:
            record = await reading.find(opened, run, plan)
            own = await settings_as_begun(opened, record, settings, again=True, account=access.aid)
            return await _promotion(opened, run, plan, chosen, running), own

    promotion, own = run_async(prepare)
    if not yes:
        _ask(promotion)

    def told(done: Scheduled) -> None:
        was = "is there already" if done.before else "created"
        click.echo(f"{terminal(done.test_id)}\t{terminal(done.test.name)}\t{was}")

    async def work() -> None:
        async with session(own, access, reserve=0.0) as opened:
            await promoting.create(opened, promotion, told, again=again, waiting=say)

    run_async(work)


def _ask(promotion: Promotion) -> None:
    """Raises ``UsageProblem`` where nobody can answer, and ``Abort`` for a no."""
    if not sys.stdin.isatty():
        raise UsageProblem(
            "nobody is there to be asked whether these may be created",
            hint="look at them without --create, then give --yes",
        )
    for one in promotion.tests:
        click.echo(_told(one), err=True)
    click.confirm("Create them?", abort=True, err=True)
