"""Conducting a run from a terminal: progress, signals, the summary, the exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestrator.actions.reading import summed_up
from orchestrator.actions.run import Attendance, Outcome, Waiting
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import print_json, say
from orchestrator.cli.bodies.reading import tell_shown
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Attending
from orchestrator.cli.signals import STOPS, heard_signals
from orchestrator.cli.streams import undelivered
from orchestrator.errors import Exit
from orchestrator.listeners.progress import ProgressListener
from orchestrator.records import RunRecord
from orchestrator.terminal.live import Progress


@dataclass(frozen=True, slots=True)
class Terminal:
    """Who attends a run from a terminal: sees how it stands, stops it by signals, is told what came of it."""

    options: Attending

    @property
    def waiting(self) -> Waiting:
        """With ``--wait`` it is said, unless quiet, for whom it waits."""
        return Waiting(self.options.wait, _silent if self.options.quiet else say)

    def warn(self, session: Session) -> None:
        """Say once, unless quiet, what should be put right."""
        for caution in () if self.options.quiet else session.cautions.values():
            say(f"warning: {caution}")

    @contextmanager
    def attend(self, run: RunRecord) -> Iterator[Attendance]:
        """Show how the run stands; the first signal ends creations, the second leaves at once."""
        progress = Progress(sys.stderr, f"{run.plan} {run.id}", quiet=self.options.quiet)
        progress.start()
        try:
            with heard_signals() as received:
                yield Attendance(
                    listeners=[ProgressListener(progress.update)],
                    stops=self._stops(received, progress),
                    grace=self.options.grace,
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
                    f"{number.name}: no more creations; collecting what is paid for, at most "
                    f"{self.options.grace:.0f} s; once more leaves at once",
                    important=True,
                )
                first = False
            yield STOPS[number]

    async def tell(self, session: Session, outcome: Outcome) -> Exit:
        """Tell what came of a run. Returns its exit code."""
        if outcome.left_at_once:
            say(f"left at once; go on with: orchestrator resume {outcome.run.id}")
            return outcome.exit_code
        try:
            await _tell(session, outcome, quiet=self.options.quiet, as_json=self.options.as_json)
            sys.stdout.flush()
        except OSError as problem:
            return Exit(undelivered(problem, outcome.exit_code))
        return outcome.exit_code


async def _tell(session: Session, outcome: Outcome, *, quiet: bool, as_json: bool) -> None:
    store, run = session.doors.store, outcome.run
    now = session.doors.clock.wall()
    if as_json:
        print_json((await summed_up(store, run, now=now)).document(mask))
    if outcome.refused is not None:
        say(f"error: {outcome.refused}")
        say(f"hint: {outcome.hint}")
        say(f"once that is put right, go on with: orchestrator resume {run.id}")
    if outcome.exit_code in STOPS.values():
        say(f"interrupted; go on with: orchestrator resume {run.id}")
    if not as_json and not (quiet and outcome.exit_code is Exit.OK):
        shown = await summed_up(store, run, now=now)
        tell_shown(shown, sys.stderr if quiet else sys.stdout)


def _silent(text: str) -> None:
    """Nothing is said."""
