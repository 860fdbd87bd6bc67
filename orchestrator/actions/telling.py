"""Tell of a run where nobody looks on: note it, deliver, and let nothing of that harm the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions.deliver import Delivery, Notifier
from orchestrator.actions.notify import Ended
from orchestrator.actions.run import Outcome
from orchestrator.actions.session import Session
from orchestrator.errors import CeilingExceeded, OrchestratorError, Refused, Unanswered
from orchestrator.outbox import Channel

# That a plan could not be run at all is told for these.
NO_RUN = (Refused, CeilingExceeded, Unanswered)


@dataclass(frozen=True, slots=True)
class Teller:
    """Who is told of runs, and how. What goes wrong with that changes nothing of a run.

    ``mask`` takes the addresses out of a text.
    """

    notifier: Notifier | None
    channels: tuple[Channel, ...]
    mask: Callable[[str], str] = str

    async def of_run(self, session: Session, outcome: Outcome) -> tuple[Delivery, ...]:
        """Tell what a run changed. What goes wrong with that is in what is returned, if anywhere."""
        if not self.channels:
            return ()
        ended = Ended(outcome.run, int(outcome.exit_code), outcome.insight)
        try:
            await noting.note(session.doors.store, ended, self.channels, self._masked(session))
            return await self._deliver(session)
        except OrchestratorError as problem:
            return tuple(Delivery(one.to, False, problem.message) for one in self.channels)

    async def of_problem(self, session: Session, plan: str, problem: OrchestratorError) -> None:
        """Tell that a plan could not be run at all."""
        if not self.channels:
            return
        settings = session.settings
        world = ("simulated" if session.simulated else settings.origin, settings.account)
        at, mask = session.doors.clock.wall(), self._masked(session)
        try:
            await noting.note_problem(session.doors.store, plan, world, problem, at, self.channels, mask)
            await self._deliver(session)
        except OrchestratorError:
            return  # the problem itself is told

    def _masked(self, session: Session) -> Callable[[str], str]:
        return lambda text: self.mask(session.mask(text))

    async def _deliver(self, session: Session) -> tuple[Delivery, ...]:
        if self.notifier is None:
            return ()
        names = [one.to for one in self.channels]
        told = await delivering.deliver(session.opened, self.notifier, session.doors.clock, channels=names)
        return tuple(told)
