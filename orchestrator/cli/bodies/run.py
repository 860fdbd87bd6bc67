"""What `orchestrator run`, `resume` and `rerun` do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.actions import going_on
from orchestrator.actions import run as actions
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.reading import named
from orchestrator.actions.run import Outcome, Wishes
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import opened_store, run_async, say, set_up_logging
from orchestrator.cli.bodies.conducting import Terminal
from orchestrator.cli.bodies.judging import Again, against, held, rounds
from orchestrator.cli.bodies.notifying import NO_RUN, notices_of, usual_channels
from orchestrator.cli.bodies.outputs import check_outputs
from orchestrator.cli.bodies.sessions import Otlp, read_plan, session, settings_of
from orchestrator.cli.options import Access, Attending, Breaking, Judged, Notifying, Reading, World
from orchestrator.errors import Exit
from orchestrator.records import RunRecord
from orchestrator.settings import Settings


def run(
    plan: str,
    reading: Reading,
    world: World,
    breaking: Breaking,
    access: Access,
    attending: Attending,
    judged: Judged,
    notifying: Notifying,
    *,
    in_order: bool,
    urgent: bool,
) -> None:
    """Run a plan; ends with the exit code of the run."""
    set_up_logging()
    check_outputs(attending.outputs)
    loaded, terminal = read_plan(plan, reading, quiet=attending.quiet), Terminal(attending)
    # What is simulated is nobody's business, unless somebody says so.
    usual = () if world.simulate else loaded.notify or usual_channels(notifying)
    notices = notices_of(notifying, access, usual, quiet=attending.quiet)
    wishes = Wishes(in_order, urgent, str(Path(plan).resolve()), notices.channels)

    async def work() -> Exit:
        settings = settings_of(access, plan_account=loaded.account_group, urgent=urgent)
        reserve = loaded.budget.reserve
        otlp = Otlp(attending.otlp, attending.quiet)
        async with session(
            settings, access, world, breaking, reserve=reserve, seed=reading.seed, otlp=otlp
        ) as opened:
            terminal.warn(opened)
            asked = await against(opened, judged)
            try:
                outcome = await actions.run(
                    opened,
                    loaded,
                    wishes=wishes,
                    seed=reading.seed,
                    waiting=terminal.waiting,
                    attend=terminal.attend,
                )
            except NO_RUN as problem:
                await notices.of_problem(opened, loaded.name, problem)
                raise
            again = _again(opened, terminal, wishes)
            first, quiet = outcome.run, attending.quiet
            outcome = await rounds(outcome, judged.rounds, again, quiet=quiet)
            found = await held(opened, first, outcome, asked, again, quiet=quiet)
            return await notices.around(
                opened, first, outcome, lambda: terminal.tell(opened, outcome, found), found
            )

    raise SystemExit(int(run_async(work)))


def resume(
    name: str,
    plan: str | None,
    access: Access,
    attending: Attending,
    notifying: Notifying,
    *,
    unknown: str,
) -> None:
    """Resume a run; ends with its exit code."""
    set_up_logging()
    check_outputs(attending.outputs)
    terminal = Terminal(attending)

    async def work() -> Exit:
        record, settings = await _begun(name, access, plan)
        # What is paid for is fetched, whoever can be told of it.
        usual = record.settings.notify
        notices = notices_of(notifying, access, usual, quiet=attending.quiet, lenient=True)
        otlp = Otlp(attending.otlp, attending.quiet, resumed=True)
        async with session(settings, access, reserve=record.settings.reserve, otlp=otlp) as opened:
            terminal.warn(opened)
            outcome = await going_on.resume(
                opened, record, unknown=unknown, waiting=terminal.waiting, attend=terminal.attend
            )
            return await notices.around(opened, outcome.run, outcome, lambda: terminal.tell(opened, outcome))

    raise SystemExit(int(run_async(work)))


def _again(opened: Session, terminal: Terminal, wishes: Wishes) -> Again:
    """Runs tests of a run again, attended as the run itself. Nobody is told of them by themselves."""
    wishes = replace(wishes, notify=())

    async def again(run: RunRecord, only: list[str] | None) -> Outcome:
        return await actions.rerun(
            opened, run, only=only, wishes=wishes, waiting=terminal.waiting, attend=terminal.attend
        )

    return again


def rerun(
    name: str,
    plan: str | None,
    access: Access,
    attending: Attending,
    judged: Judged,
    notifying: Notifying,
    *,
    failed: bool,
    in_order: bool,
    urgent: bool,
) -> None:
    """Run the tests of a run again; ends with the exit code of the new run."""
    set_up_logging()
    check_outputs(attending.outputs)
    terminal = Terminal(attending)

    async def work() -> Exit:
        record, settings = await _begun(name, access, plan, again=True, urgent=urgent)
        # A part of the tests stands for no run of the plan.
        usual = () if failed else record.settings.notify
        notices = notices_of(notifying, access, usual, quiet=attending.quiet)
        otlp = Otlp(attending.otlp, attending.quiet)
        async with session(settings, access, reserve=record.settings.reserve, otlp=otlp) as opened:
            terminal.warn(opened)
            asked, wishes = await against(opened, judged), Wishes(in_order, urgent, notify=notices.channels)
            left = None if attending.quiet else await actions.left_behind(opened, record, failed=failed)
            if left is not None:
                say(left)
            outcome = await actions.rerun(
                opened,
                record,
                failed=failed,
                wishes=wishes,
                waiting=terminal.waiting,
                attend=terminal.attend,
            )
            again = _again(opened, terminal, wishes)
            found = await held(opened, outcome.run, outcome, asked, again, quiet=attending.quiet)
            return await notices.around(
                opened, outcome.run, outcome, lambda: terminal.tell(opened, outcome, found), found
            )

    raise SystemExit(int(run_async(work)))


async def _begun(
    name: str, access: Access, plan: str | None = None, *, again: bool = False, urgent: bool = False
) -> tuple[RunRecord, Settings]:
    async with opened_store(access.store) as stored:
        record = await named(stored.store, name, plan)
        asked = settings_of(access, urgent=urgent, begun=True)
        return record, await settings_as_begun(stored, record, asked, again=again, account=access.aid)
