"""Conducting a run from a terminal: progress, signals, the summary, the exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from orchestrator.actions.compare import Held, code_of
from orchestrator.actions.reading import Compared, compared, summed_up
from orchestrator.actions.run import Attendance, Outcome, Waiting
from orchestrator.actions.session import Session
from orchestrator.cli.bodies.common import print_json, say
from orchestrator.cli.bodies.compare import tell_held
from orchestrator.cli.bodies.outputs import write_outputs
from orchestrator.cli.bodies.reading import tell_shown
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Attending
from orchestrator.cli.signals import STOPS, heard_signals
from orchestrator.cli.streams import undelivered
from orchestrator.errors import Exit
from orchestrator.listeners.progress import ProgressListener
from orchestrator.records import RunRecord
from orchestrator.report.commands import repeat_command
from orchestrator.report.headline import many
from orchestrator.terminal.live import Progress

# Cells that are named when they have not recovered.
_NAMED = 8


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
        planned = run.facts.planned
        if run.parent is not None and planned is not None:
            reruns = f"{many(planned.tests, 'test')} again, {run.facts.units:g} units (estimate)"
            progress.message(f"runs {reruns}; nothing is created anew")
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

    async def tell(self, session: Session, outcome: Outcome, held: Held | None = None) -> Exit:
        """Tell what came of a run, what it came to against another one, and write its reports.

        Returns its exit code.
        """
        if held is not None:
            code = Exit(code_of(outcome.exit_code, held.comparison.judgement.exit_code))
            outcome = replace(outcome, exit_code=code, run=replace(outcome.run, exit_code=int(code)))
        await write_outputs(session, outcome.run.id, self.options.outputs, held)
        if outcome.left_at_once:
            say(f"left at once; {_go_on(outcome.run)}")
            return outcome.exit_code
        try:
            await _tell(session, outcome, held, self.options)
            sys.stdout.flush()
        except OSError as problem:
            return Exit(undelivered(problem, outcome.exit_code))
        return outcome.exit_code


async def _tell(session: Session, outcome: Outcome, held: Held | None, options: Attending) -> None:
    store, run, quiet = session.doors.store, outcome.run, options.quiet
    shown = None
    if options.as_json or not (quiet and outcome.exit_code is Exit.OK):
        now = session.doors.clock.wall()
        shown = await summed_up(store, run, now=now, known=outcome.insight)
    if options.as_json and shown is not None:
        gate = {} if held is None else {"gate": held.gate_document(mask)}
        print_json({**shown.document(mask), **gate})
    if outcome.refused is not None:
        say(f"error: {outcome.refused}")
        say(f"hint: {outcome.hint}")
        say(f"once that is put right, {_go_on(run)}")
    if outcome.exit_code in STOPS.values():
        say(f"interrupted; {_go_on(run)}")
    if run.parent is not None and not quiet:
        _tell_compared(await compared(store, run))
    if shown is not None and not options.as_json:
        stream = sys.stderr if quiet else sys.stdout
        tell_shown(shown, stream, verbose=options.verbose)
        if held is not None:
            tell_held(held, stream)


def _tell_compared(found: Compared) -> None:
    """What became of the cells that were bad before a re-run."""
    if found.recovered or found.still:
        more = f" and {len(found.still) - _NAMED} more" if len(found.still) > _NAMED else ""
        which = f" ({', '.join(found.still[:_NAMED])}{more})" if found.still else ""
        recovered, still = many(found.recovered, "cell"), len(found.still)
        say(f"of those that were bad before, {recovered} recovered and {still} did not{which}")


def _go_on(run: RunRecord) -> str:
    """What to do with a run that has not come to its end. The world of a simulated one has."""
    if not run.simulated:
        return f"go on with: orchestrator resume {run.id}"
    again = repeat_command(run)
    return "its simulated world has ended with it" + (f"; begin anew with: {again}" if again else "")


def _silent(text: str) -> None:
    """Nothing is said."""
