"""Tell channels of runs, see what they were told, send what is left."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence

from orchestrator import app
from orchestrator.actions import deliver as delivering
from orchestrator.actions import notify as noting
from orchestrator.actions import reading
from orchestrator.actions.deliver import Delivery, Notifier
from orchestrator.actions.telling import Teller
from orchestrator.addresses import AddressBook
from orchestrator.clock import LoopClock
from orchestrator.credentials import mask_of_secrets
from orchestrator.library.doors import Place, stored
from orchestrator.outbox import Channel, Notice
from orchestrator.settings import CA_FILE, settle


async def list_notices(
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
    teller = teller_of([Channel(name) for name in channels])
    async with stored(store) as opened:
        await noting.catch_up_all(opened.store, teller.mask)
        told = await delivering.deliver(opened, _notifier(), LoopClock(), channels=channels or None)
        return tuple(told)


async def try_channel(channel: str) -> Delivery:
    """Send a test message to a channel. Raises ``UsageProblem`` where no address of it is known."""
    return await delivering.try_channel(_notifier(), channel, LoopClock().wall(), secrets.token_hex(16))


def teller_of(channels: Sequence[Channel]) -> Teller:
    """Who tells these channels, by the addresses of systemd's credentials and the environment.

    Raises ``UsageProblem`` where one is not known or cannot be used.
    """
    notifier = _notifier()
    hidden = [one for address in notifier.check(channels) for one in address.secrets()]
    return Teller(notifier, tuple(channels), mask_of_secrets(hidden))


def _notifier() -> Notifier:
    return app.notifier(AddressBook(os.environ), settle(CA_FILE, environ=os.environ).text)
