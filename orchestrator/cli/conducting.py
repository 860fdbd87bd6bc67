"""Conducting a run from a terminal: progress, signals, the summary, the exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import click

from orchestrator.actions.run import Attendance, Outcome, Waiting
from orchestrator.actions.session import Session
from orchestrator.cli.reading import print_json, tell_summary
from orchestrator.errors import Exit
from orchestrator.listeners.progress import ProgressListener
from orchestrator.records import RunRecord
from orchestrator.report.summary import summary
from orchestrator.terminal.live import Progress

SIGNALS = {signal.SIGINT: Exit.SIGINT, signal.SIGTERM: Exit.SIGTERM}


@dataclass(frozen=True, slots=True)
class Terminal:
    """Who attends a run from a terminal: sees how it stands, stops it by signals, is told what came of it."""

    quiet: bool
    as_json: bool
    grace: float
    wait: bool

    @property
    def waiting(self) -> Waiting:
        """With ``--wait`` it is said, unless quiet, for whom it waits."""
        return Waiting(self.wait, partial(say, quiet=self.quiet))

    @contextmanager
    def attend(self, run: RunRecord) -> Iterator[Attendance]:
        """Show how the run stands; the first signal ends creations, the second leaves at once."""
        progress = Progress(sys.stderr, f"{run.plan} {run.id}", quiet=self.quiet)
        progress.start()
        try:
            with anyio.open_signal_receiver(*SIGNALS) as received:
                yield Attendance(
                    listeners=[ProgressListener(progress.update)],
                    stops=self._stops(received, progress),
                    grace=self.grace,
                )
        finally:
            progress.stop()

    async def _stops(
        self, received: AsyncIterator[signal.Signals], progress: Progress
    ) -> AsyncIterator[Exit]:
        first = True
        async for number in received:
            if first:
                progress.message(
                    f"{signal.Signals(number).name}: no more creations; collecting what is paid for, at most "
                    f"{self.grace:.0f} s; once more leaves at once",
                    important=True,
                )
                first = False
            yield SIGNALS[signal.Signals(number)]

    async def tell(self, session: Session, outcome: Outcome) -> Exit:
        """Tell what came of a run. Returns its exit code."""
        if outcome.left_at_once:
            say(f"left at once; go on with: orchestrator resume {outcome.run.id}", quiet=False)
            return outcome.exit_code
        try:
            await _tell(session, outcome, quiet=self.quiet, as_json=self.as_json)
            sys.stdout.flush()
        except (BrokenPipeError, SystemExit):
            # The reader of our output has gone (rich makes an exit of it); the code is the truth anyway.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return outcome.exit_code


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
