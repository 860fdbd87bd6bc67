"""What is in the outbox is carried to its channels: in order, each once, within half a minute in all.

Before a try it is written that it begins, after it what came of it. So a notice that a receiver took and that
is written down as sent is never sent again; one whose try was killed may have arrived, and says so when it is
sent again, under the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio

from orchestrator.addresses import Address, AddressBook
from orchestrator.clock import Clock
from orchestrator.courier.base import Courier, Parcel, Receipt
from orchestrator.errors import OrchestratorError, StoreProblem, UsageProblem, telling
from orchestrator.model import JsonObject
from orchestrator.notices.document import SCHEMA, delivered
from orchestrator.outbox import Channel, Notice
from orchestrator.report.times import utc
from orchestrator.runner.journal import durably
from orchestrator.store.opening import Opened

# Seconds in all, however many channels and notices there are: with what is written at its end half a minute.
# Tries of a notice, and pauses between them.
WHOLE = 29.0
TRIES = 3
PAUSES = (1.0, 2.0)
# What could not be delivered for a week is no news (seconds).
STALE = 7 * 86_400.0
# At one time; more are left to the next.
_MOST = 20
_AGAIN = "sent again: an earlier try may have arrived"


@dataclass(frozen=True, slots=True)
class Notifier:
    """How notices leave: by which addresses, and who carries them."""

    book: AddressBook
    courier: Courier

    def check(self, channels: Sequence[Channel]) -> tuple[Address, ...]:
        """The addresses of channels. Raises ``UsageProblem`` where one is not known or cannot be used."""
        addresses = self.book.require(channels)
        for address in addresses:
            self.courier.check(address)
        return addresses

    def secrets(self, channels: Sequence[Channel]) -> list[str]:
        """What must not be said of the addresses of channels, as far as they are known."""
        found: list[str] = []
        for channel in channels:
            with suppress(UsageProblem):  # told when it is tried
                address = self.book.find(channel.to)
                found += () if address is None else address.secrets()
        return found


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notice: ``sent``, or not yet, and why not."""

    channel: str
    sent: bool
    said: str
    notice: Notice | None = None


async def deliver(
    opened: Opened, notifier: Notifier, clock: Clock, *, channels: Sequence[str] | None = None
) -> list[Delivery]:
    """Deliver what is pending, on these channels or on all; one that hangs does not keep the others.

    Returns what was tried. Raises ``StoreProblem``.
    """
    pending = await opened.store.notices(pending=True, limit=1000)
    names = dict.fromkeys(one.channel for one in pending)
    wanted = [name for name in names if channels is None or name in channels]
    told: list[Delivery] = []

    async def one(name: str) -> None:
        await _to_channel(_Way(opened, notifier, clock, told.append), name)

    try:
        with anyio.move_on_after(WHOLE):
            async with anyio.create_task_group() as tasks:
                for name in wanted:
                    tasks.start_soon(one, name)
    except BaseExceptionGroup as group:
        raise telling(group) from group
    ended = {each.channel for each in told if not each.sent}
    left = [each for each in await opened.store.notices(pending=True, limit=1000) if each.channel in wanted]
    late = dict.fromkeys(each.channel for each in left if each.channel not in ended)
    return [*told, *(Delivery(name, False, f"no answer before {WHOLE:g} s were up") for name in late)]


async def try_channel(notifier: Notifier, name: str, at: float, key: str) -> Delivery:
    """Carry a message that tells nothing to a channel, once. Raises ``UsageProblem``."""
    (address,) = notifier.check([Channel(name)])
    title = "orchestrator: a test of this channel"
    text = f"{title}\nNothing is wrong. Notices of runs look like this one.\n{utc(at)}"
    document: JsonObject = {
        "schema": SCHEMA,
        "id": f"test/{key[:8]}",
        "event": "test",
        "title": title,
        "text": text,
    }
    receipt = await notifier.courier.carry(address, Parcel(title, text, document, key))
    return Delivery(name, receipt.taken, receipt.said)


@dataclass(frozen=True, slots=True)
class _Way:
    opened: Opened
    notifier: Notifier
    clock: Clock
    tell: Callable[[Delivery], None]


async def _to_channel(way: _Way, name: str) -> None:
    """The notices of one channel, the oldest first, until one cannot be delivered. Nobody else does so
    meanwhile."""
    try:
        address = way.notifier.book.find(name)
        if address is not None:
            way.notifier.courier.check(address)
    except UsageProblem as problem:
        way.tell(Delivery(name, False, problem.message))
        return
    if address is None:
        way.tell(Delivery(name, False, "no address of it is known here"))
        return
    lease = way.opened.lease.hold(f"notices to {name}", way.clock, wait=True, told=_ignore)
    try:
        async with lease:
            for _ in range(_MOST):
                pending = await way.opened.store.notices(channel=name, pending=True, limit=1)
                if not pending or not await _one(way, address, pending[0]):
                    return
    except StoreProblem:
        raise
    except OrchestratorError as problem:  # the lease: whoever has it delivers
        way.tell(Delivery(name, False, problem.message))


async def _one(way: _Way, address: Address, notice: Notice) -> bool:
    """Whether the next one is worth trying."""
    if way.clock.wall() - notice.draft.at > STALE:
        await durably(way.opened.store.give_up_notice(notice.n, way.clock.wall()))
        way.tell(Delivery(notice.channel, False, "given up: a week old", notice))
        return True
    receipt = Receipt(False, "not tried")
    for number in range(TRIES):
        receipt = await _try(way, address, notice)
        if receipt.taken or not receipt.again or number + 1 == TRIES:
            break
        await anyio.sleep(PAUSES[number])
    way.tell(Delivery(notice.channel, receipt.taken, receipt.said, notice))
    return receipt.taken


async def _try(way: _Way, address: Address, notice: Notice) -> Receipt:
    store = way.opened.store
    # What is known of the tries before this one.
    (current,) = await store.notices(channel=notice.channel, pending=True, limit=1)
    await durably(store.begin_notice(current.n))
    receipt = Receipt(False, "no answer before the time was up", doubtful=True)
    try:
        receipt = await way.notifier.courier.carry(address, _parcel(current))
    finally:
        sent = way.clock.wall() if receipt.taken else None
        error = None if receipt.taken else receipt.said
        await durably(store.end_notice(notice.n, sent=sent, error=error, doubtful=receipt.doubtful))
    return receipt


def _parcel(notice: Notice) -> Parcel:
    """What is carried at the next try of a notice."""
    document = delivered(replace(notice, tries=notice.tries + 1))
    text = str(document.get("text", ""))
    if notice.doubtful:
        text = f"{text}\n{_AGAIN}"
        document["text"] = text
    return Parcel(str(document.get("title", "")), text, document, notice.key)


def _ignore(_: str) -> None:
    """Nobody is told who is waited for."""
