"""What `orchestrator notify` does."""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress

from orchestrator import app
from orchestrator.actions import deliver as delivering
from orchestrator.actions.notify import catch_up_all
from orchestrator.actions.reading import named
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.notifying import book_of, hide, notices_of, tell_deliveries
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Access, Notifying
from orchestrator.clock import LoopClock
from orchestrator.errors import Exit, UsageProblem
from orchestrator.outbox import CHANNEL, Channel, Notice
from orchestrator.report.notices import HEADINGS, notice_document, notice_row
from orchestrator.safe import terminal
from orchestrator.terminal.console import make_console, table

# What is not delivered is always listed, up to so much.
_MOST = 1000


def test(name: str, notify_file: str | None, ca_file: str | None) -> None:
    """Send a test message; ends with ``INCOMPLETE`` where it is not taken."""
    set_up_logging()
    if "://" in name:
        asked = Notifying((name,), notify_file=notify_file)
        told = notices_of(asked, _access(ca_file, None), quiet=False)
        notifier, name = told.notifier, told.channels[0].to
    else:
        _check_name(name)
        notifier = app.notifier(book_of(notify_file), ca_file)
        hide(notifier.check([Channel(name)]))

    async def work() -> delivering.Delivery:
        return await delivering.try_channel(notifier, name, LoopClock().wall(), secrets.token_hex(16))

    found = run_async(work)
    if not found.sent:
        say(f"error: a test message to {name} was not delivered: {found.said}")
        raise SystemExit(int(Exit.INCOMPLETE))
    say(f"a test message was delivered to {name}: {found.said}")


def listed(
    run: str, plan: str | None, *, pending: bool, limit: int, as_json: bool, store: str | None
) -> None:
    """List notices, those that are pending among them."""
    set_up_logging()

    async def work() -> list[Notice]:
        async with opened_store(store) as opened:
            outbox = opened.store
            of_run = (await named(outbox, run, plan)).id if run else None
            of_plan = plan if of_run is None else None
            left = await outbox.notices(plan=of_plan, run=of_run, pending=True, limit=_MOST)
            if pending:
                return left
            newest = await outbox.notices(plan=of_plan, run=of_run, limit=limit)
            return sorted({one.n: one for one in (*left, *newest)}.values(), key=lambda one: one.n)

    found = run_async(work)
    if as_json:
        print_json({"schema": 1, "notices": [notice_document(one) for one in found]})
        return
    if not found:
        say("no notice is pending" if pending else "there is no notice")
        return
    rows = [[terminal(mask(cell)) for cell in notice_row(one)] for one in found]
    table(make_console(sys.stdout), HEADINGS, rows, keep_first=True)


def send(names: tuple[str, ...], notify_file: str | None, ca_file: str | None, *, store: str | None) -> None:
    """Note what nobody lived to note, send what is pending; ends with ``INCOMPLETE`` if something is left."""
    set_up_logging()
    for name in names:
        _check_name(name)
    book = book_of(notify_file)
    notifier = app.notifier(book, ca_file)
    hide(notifier.check([Channel(name) for name in names]))

    async def work() -> list[delivering.Delivery]:
        async with opened_store(store) as opened:
            await catch_up_all(opened.store, mask)
            pending = await opened.store.notices(pending=True, limit=_MOST)
            for name in dict.fromkeys(one.channel for one in pending):
                with suppress(UsageProblem):  # told when it is tried
                    if (found := book.find(name)) is not None:
                        hide([found])
            return await delivering.deliver(opened, notifier, LoopClock(), channels=names or None)

    told = run_async(work)
    tell_deliveries(told)
    if not told:
        say("nothing is left to be sent")
    if any(not one.sent for one in told):
        raise SystemExit(int(Exit.INCOMPLETE))


def _check_name(name: str) -> None:
    if not CHANNEL.fullmatch(name):
        raise UsageProblem(
            f"this is no name of a channel ({len(name)} characters)",
            hint="a name has letters, digits, dashes and underscores",
        )


def _access(ca_file: str | None, store: str | None) -> Access:
    return Access(None, None, None, "", False, ca_file, store)
