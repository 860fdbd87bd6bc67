"""Conducting a run from a terminal: progress, signals, the summary, the exit code."""

from __future__ import annotations

import math
import os
import signal
import sys

import anyio
import click

from orchestrator.app import Session
from orchestrator.budget.permits import BudgetView
from orchestrator.cli.reading import print_json, tell_summary
from orchestrator.errors import Exit
from orchestrator.estimate import finish_seconds
from orchestrator.records import RunRecord
from orchestrator.report.summary import summary
from orchestrator.runner.conductor import Conductor, Outcome, Standing
from orchestrator.terminal.live import BudgetLine, Progress, Snapshot

# After the first signal: how long what is paid for is still collected (seconds).
GRACE = 30.0
SIGNALS = {signal.SIGINT: Exit.SIGINT, signal.SIGTERM: Exit.SIGTERM}


async def conduct(
    session: Session,
    run: RunRecord,
    *,
    quiet: bool,
    as_json: bool,
    unknown: str = "keep",
    grace: float = GRACE,
) -> Exit:
    """Conduct a stored run and tell what came of it. Returns its exit code."""
    progress = Progress(sys.stderr, f"{run.plan} {run.id}", quiet=quiet)
    conductor = Conductor(
        session.doors,
        session.dialect(run.api),
        run,
        pacing=session.pacing,
        show=lambda standing: progress.update(_snapshot(standing)),
        unknown=unknown,
    )
    outcome: Outcome | None = None
    left_by: list[Exit] = []
    progress.start()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_signals, conductor, progress, tasks.cancel_scope, left_by, grace)
            outcome = await conductor.run()
            tasks.cancel_scope.cancel()
    finally:
        progress.stop()
    if outcome is None:
        code = left_by[0]
        say(f"left at once; go on with: orchestrator resume {run.id}", quiet=False)
        await conductor.abandon(code)
        return code
    try:
        await _tell(session, outcome, quiet=quiet, as_json=as_json)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # The reader of our output has gone (rich makes an exit of it); the code is the truth all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit_code


async def _watch_signals(
    conductor: Conductor,
    progress: Progress,
    scope: anyio.CancelScope,
    left_by: list[Exit],
    grace: float,
) -> None:
    """The first signal stops creations and lets what is paid for come in; the second leaves at once."""
    with anyio.open_signal_receiver(*SIGNALS) as received:
        async for number in received:
            code = SIGNALS[signal.Signals(number)]
            left_by.append(code)
            if len(left_by) > 1:
                scope.cancel()
                return
            progress.message(
                f"{signal.Signals(number).name}: no more creations; collecting what is paid for, at most "
                f"{grace:.0f} s; once more leaves at once",
                important=True,
            )
            conductor.interrupt(code, grace)


async def _tell(session: Session, outcome: Outcome, *, quiet: bool, as_json: bool) -> None:
    store, run = session.doors.store, outcome.run
    if as_json:
        print_json(summary(run, outcome.counts, now=session.doors.clock.wall()))
    if outcome.refused is not None:
        say(f"error: {outcome.refused}", quiet=False)
        say(f"hint: {outcome.hint}", quiet=False)
        say(f"once that is put right, go on with: orchestrator resume {run.id}", quiet=False)
    if outcome.exit_code in SIGNALS.values():
        say(f"interrupted; go on with: orchestrator resume {run.id}", quiet=False)
    if not as_json and not (quiet and outcome.exit_code is Exit.OK):
        await tell_summary(store, run, sys.stderr if quiet else sys.stdout)


def say(text: str, *, quiet: bool) -> None:
    """A word on stderr, masked and escaped."""
    from orchestrator.cli.masking import mask  # noqa: PLC0415 - only where something is said
    from orchestrator.safe import visible  # noqa: PLC0415 - as above

    if not quiet:
        click.echo(visible(mask(text)), err=True)


def _snapshot(standing: Standing) -> Snapshot:
    view = standing.situation.view
    instant, organization = view.instant_test, view.organization
    left = finish_seconds(
        creations=standing.to_create,
        open_layers=standing.open_layers,
        layers_per_test=max(1.0, standing.open_layers / max(1, standing.open)),
        organization_limit=organization.limit,
        instant_limit=instant.limit,
    )
    if not standing.to_create:
        # What is left is the last answer, which has been waited for since the last creation.
        left -= standing.now - standing.last_creation
    return Snapshot(
        planned=standing.planned,
        created=standing.created,
        open=standing.open,
        closed=standing.closed,
        answers=standing.answers,
        errors=standing.errors,
        organization=_line(organization, view.server_time),
        instant_test=_line(instant, view.server_time),
        eta_seconds=left if left > 0.0 else None,
        waiting_for=standing.situation.waiting_for,
        elapsed=standing.elapsed,
    )


def _line(budget: BudgetView, server_time: float) -> BudgetLine:
    resets_in = None
    if budget.reset is not None and math.isfinite(server_time):
        resets_in = budget.reset - server_time
    remaining = budget.remaining if budget.known else None
    return BudgetLine(budget.limit, remaining, resets_in, round(budget.others), budget.blind)
