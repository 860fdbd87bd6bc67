"""Tell channels of runs, see what they were told, send what is left."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator import app
from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions import reading
from orchestrator.actions.deliver import Delivery, Notifier
from orchestrator.actions.notify import Ended
from orchestrator.actions.run import Outcome
from orchestrator.actions.session import Session
from orchestrator.addresses import AddressBook
from orchestrator.clock import LoopClock
from orchestrator.credentials import mask_of_secrets
from orchestrator.errors import CeilingExceeded, OrchestratorError, Refused, Unanswered
from orchestrator.library.doors import Place, stored
from orchestrator.outbox import Channel, Notice

# That a plan could not be run at all is told for these.
NO_RUN = (Refused, CeilingExceeded, Unanswered)


async def notices(
    run: str | None = None,
    *,
    plan: str | None = None,
    pending: bool = False,
    limit: int = 100,
    store: Place = None,
) -> tuple[Notice, ...]:
    """The newest notices in the order in which they were made, all or those of a run or a plan; or those that
    are ``pending``, the oldest first. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        of_run = None if run is None else (await reading.named(opened.store, run, plan)).id
        found = await opened.store.notices(
            plan=plan if run is None else None, run=of_run, pending=pending, limit=limit
        )
        return tuple(found)


async def send_notices(channels: Sequence[str] = (), *, store: Place = None) -> tuple[Delivery, ...]:
    """Send what is not delivered yet, to these channels or to all; what became of each that was tried.

    Runs that ended and that nobody lived to tell of are told, too. Raises ``UsageProblem``, ``StoreProblem``.
    """
    teller = Teller.of([Channel(name) for name in channels])
    async with stored(store) as opened:
        await noting.catch_up_all(opened.store, teller.mask)
        told = await delivering.deliver(opened, teller.notifier, LoopClock(), channels=channels or None)
        return tuple(told)


async def try_channel(channel: str) -> Delivery:
    """Send a test message to a channel. Raises ``UsageProblem`` where no address of it is known."""
    notifier = Teller.of(()).notifier
    return await delivering.try_channel(notifier, channel, LoopClock().wall(), secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Teller:
    """Who is told of a run, and how. Addresses are those of systemd's credentials and the environment."""

    notifier: Notifier
    channels: tuple[Channel, ...]
    mask: Callable[[str], str] = str

    @classmethod
    def of(cls, channels: Sequence[Channel], *, ca_file: str | None = None) -> Teller:
        """Raises ``UsageProblem`` where an address is not known or cannot be used."""
        notifier = app.notifier(AddressBook(os.environ), ca_file or os.environ.get("TE_CA_FILE") or None)
        hidden = [one for address in notifier.check(channels) for one in address.secrets()]
        return cls(notifier, tuple(channels), mask_of_secrets(hidden))

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
        names = [one.to for one in self.channels]
        told = await delivering.deliver(session.opened, self.notifier, session.doors.clock, channels=names)
        return tuple(told)
