"""Who is told of a run from the command line: found before anything is created, told when all is durable."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestrator import app
from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions.compare import Held, code_of
from orchestrator.actions.deliver import Delivery, Notifier
from orchestrator.actions.notify import Ended
from orchestrator.actions.run import Outcome
from orchestrator.actions.session import Session
from orchestrator.actions.telling import NO_RUN
from orchestrator.addresses import Address, AddressBook, channels_of
from orchestrator.cli.bodies.common import say
from orchestrator.cli.configured import configured
from orchestrator.cli.masking import add_mask, mask
from orchestrator.cli.options import Access, Notifying
from orchestrator.clock import Clock
from orchestrator.credentials import mask_of_secrets
from orchestrator.errors import Exit, OrchestratorError, UsageProblem
from orchestrator.outbox import Channel, On
from orchestrator.records import RunRecord
from orchestrator.settings import CA_FILE, NOTIFY, settle
from orchestrator.store.opening import Opened


def book_of(file: str | None, given: dict[str, Address] | None = None) -> AddressBook:
    """Where addresses are looked for."""
    return AddressBook(os.environ, file, given or {})


def hide(addresses: Sequence[Address], *, quiet: bool = False) -> None:
    """From now on no text leaves with these addresses. What should be put right is said, unless quiet."""
    for address in addresses:
        add_mask(mask_of_secrets(address.secrets()))
        if address.caution is not None and not quiet:
            say(f"warning: {address.caution}")


@dataclass(frozen=True, slots=True)
class Notices:
    """The channels of a run, and who carries notices to them."""

    notifier: Notifier
    channels: tuple[Channel, ...] = ()
    quiet: bool = False

    async def of_problem(self, session: Session, plan: str, problem: OrchestratorError) -> None:
        """Tell that a plan could not be run at all."""
        settings = session.settings
        world = ("simulated" if session.simulated else settings.origin, settings.account)
        await self.of_none(session.opened, session.doors.clock, world, plan, problem)

    async def of_none(
        self,
        opened: Opened,
        clock: Clock,
        world: tuple[str, str | None],
        plan: str,
        problem: OrchestratorError,
    ) -> None:
        """The same where there was not even a session."""
        if not self.channels:
            return
        try:
            at = clock.wall()
            await noting.note_problem(opened.store, plan, world, problem, at, self.channels, mask)
            await self._deliver(opened, clock)
        except OrchestratorError as trouble:
            _unwell(trouble)

    async def of_run(self, session: Session, run: RunRecord, code: Exit) -> None:
        """Tell of a run that has ended, which somebody else conducted; ``code`` is what it ended with."""
        if not self.channels:
            return
        try:
            await noting.note(session.doors.store, Ended(run, int(code)), self.channels, mask)
        except OrchestratorError as trouble:
            _unwell(trouble)
        await self._deliver(session.opened, session.doors.clock)

    async def deliver(self, opened: Opened, clock: Clock) -> None:
        """Deliver what is left for these channels of runs that others told of."""
        if not self.channels:
            return
        try:
            names = [one.to for one in self.channels]
            told = await delivering.deliver(opened, self.notifier, clock, channels=names)
        except OrchestratorError as trouble:
            _unwell(trouble)
            return
        tell_deliveries(told, quiet=self.quiet)

    async def around(
        self,
        session: Session,
        first: RunRecord,
        outcome: Outcome,
        tell: Callable[[], Awaitable[Exit]],
        held: Held | None = None,
    ) -> Exit:
        """Note what the run changed, ``tell`` what came of it, deliver the notices.

        Returns what ``tell`` does, whatever becomes of the notices.
        """
        if not self.channels or outcome.left_at_once:
            return await tell()
        code, comparison = outcome.exit_code, None if held is None else held.comparison
        if comparison is not None:
            code = Exit(code_of(code, comparison.judgement.exit_code))
        ended = Ended(outcome.run, int(code), outcome.insight, comparison)
        try:
            await noting.note(session.doors.store, ended, self.channels, mask, first=first)
        except OrchestratorError as trouble:
            _unwell(trouble)
        try:
            return await tell()
        finally:
            await self._deliver(session.opened, session.doors.clock)

    async def _deliver(self, opened: Opened, clock: Clock) -> None:
        await self.deliver(opened, clock)


def tell_deliveries(told: Sequence[Delivery], *, quiet: bool = False) -> None:
    """What became of notices, on stderr; when quiet, only of those that were not delivered."""
    for one in told:
        if not one.sent:
            kept = "given up" if one.said.startswith("given up") else "kept for the next run of the plan"
            say(f"notice to {one.channel} not delivered: {one.said}; {kept} (orchestrator notify list)")
        elif not quiet and one.notice is not None:
            say(f"told {one.channel}: {one.notice.draft.document.get('title', '')}")


def _unwell(trouble: OrchestratorError) -> None:
    say(f"notices: {trouble.message}; the run itself is kept, and the next run of the plan tells of it")


def notices_of(
    asked: Notifying,
    access: Access,
    usual: Sequence[Channel] = (),
    *,
    quiet: bool,
    lenient: bool = False,
) -> Notices:
    """Who is told: the ``usual`` channels, and those that were asked for.

    Raises ``UsageProblem`` where an address is not known or cannot be used, before anything is created. With
    ``lenient`` only for those that were asked for: of the others notices are kept.
    """
    own, given = channels_of(asked.notify, On(asked.notify_on))
    hide([*given.values()])
    if asked.no_notify:
        if asked.notify:
            raise UsageProblem("--notify and --no-notify contradict each other", hint="give one of them")
        return Notices(app.notifier(book_of(None)), quiet=quiet)
    channels = {one.to: one for one in (*usual, *own)}
    notifier = app.notifier(
        book_of(asked.notify_file, given), settle(CA_FILE, flag=access.ca_file, environ=os.environ).text
    )
    hide(notifier.check([*(own if lenient else channels.values())]), quiet=quiet)
    if lenient:
        hide([found for one in usual if (found := notifier.book.find(one.to)) is not None], quiet=quiet)
    return Notices(notifier, tuple(channels.values()), quiet)


def usual_channels(asked: Notifying) -> tuple[Channel, ...]:
    """The channels of a file of configuration, for a plan that names none."""
    names = settle(NOTIFY, file=configured().get(NOTIFY)).value
    assert isinstance(names, tuple)  # noqa: S101 - so it is read
    return tuple(Channel(name, On(asked.notify_on)) for name in names)


__all__ = ["NO_RUN", "Notices", "book_of", "hide", "notices_of", "tell_deliveries", "usual_channels"]
