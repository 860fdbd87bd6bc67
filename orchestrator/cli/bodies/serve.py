"""What `orchestrator serve` does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import click

from orchestrator.actions.run import GRACE
from orchestrator.cli.bodies.common import cannot_listen, opened_store, run_async, set_up_logging
from orchestrator.cli.masking import add_mask, mask
from orchestrator.cli.options import Access
from orchestrator.cli.signals import STOPS
from orchestrator.clock import LoopClock
from orchestrator.credentials import Masker, find_credentials
from orchestrator.errors import Exit, UsageProblem
from orchestrator.web.guard import Terms, terms_of
from orchestrator.web.server import serving
from orchestrator.web.shelf import Drawer, Shelf
from orchestrator.web.site import Site

# Seconds for what comes after a diagnosis has ended: its sentence is found, and whoever waits for it is told.
TELLING = 15.0
# Seconds that a diagnosis has to leave after the second signal.
LEAVING = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to listen, and who may ask, as it was said."""

    host: str
    port: int
    token_file: str | None
    user_header: str | None
    proxies: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def terms(self) -> Terms:
        """Who may ask. Raises ``UsageProblem``."""
        found = None
        if self.token_file is not None:
            try:
                found = find_credentials({}, token_file=self.token_file, stdin=sys.stdin)
            except UsageProblem as problem:
                # What is said of a missing one speaks of the token of the API.
                raise UsageProblem(
                    problem.message,
                    hint="it names the file with the token that whoever looks at the pages has to know; "
                    "make one with `openssl rand -hex 32`",
                ) from problem
            add_mask(Masker(found))
        return terms_of(
            self.host,
            names=self.names,
            token=None if found is None else found.token,
            user_header=self.user_header,
            proxies=self.proxies,
        )


class Stop:
    """The signals that came: the first ends the server, the second whatever it still waits for."""

    def __init__(self) -> None:
        self.first, self._second = asyncio.Event(), asyncio.Event()
        self._codes: list[Exit] = []
        # What is left soon after the second one, whatever it is at.
        self.scope: anyio.CancelScope | None = None

    def came(self, number: signal.Signals) -> None:
        """One more has come."""
        self._codes.append(STOPS[number])
        if not self.first.is_set():
            self.first.set()
            return
        self._second.set()
        if self.scope is not None:
            self.scope.deadline = min(self.scope.deadline, anyio.current_time() + LEAVING)

    async def stops(self) -> AsyncIterator[Exit]:
        """The stops for a diagnosis, also for one that begins after them."""
        await self.first.wait()
        yield self._codes[0]
        await self._second.wait()
        yield self._codes[1]


def serve(
    asked: Asked, organizations: tuple[str, ...], hooks: Path | None = None, *, store: str | None
) -> None:
    """Serve until a signal comes."""
    set_up_logging()
    terms = asked.terms()

    async def work() -> None:
        clock, stop = LoopClock(), Stop()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.came, number)
        async with opened_store(store) as opened:
            site = Site(opened, Drawer(opened.url), Shelf(clock.now), clock, mask, organizations)
            alerts = None
            if hooks is not None:
                from orchestrator.cli.bodies.hooks import alerts_of  # noqa: PLC0415 - pages alone stay light

                organization = (*organizations, "")[0]
                access = Access(None, None, None, organization, allow_http=False, ca_file=None, store=store)
                alerts = await alerts_of(hooks, opened, clock, access, stop.stops)
            async with anyio.create_task_group() as tasks:
                async with serving(site, terms, asked.host, asked.port, alerts) as origin:
                    if alerts is not None:
                        tasks.start_soon(alerts.run)
                    click.echo(f"pages on {origin}, Ctrl-C ends it", err=True)
                    await stop.first.wait()
                    if alerts is not None:
                        alerts.close()
                # What is paid for is still collected, and told: only then is whoever hangs left.
                tasks.cancel_scope.deadline = anyio.current_time() + GRACE + TELLING
                stop.scope = tasks.cancel_scope

    try:
        run_async(work)
    except OSError as error:
        raise cannot_listen(asked.host, asked.port, error) from error
