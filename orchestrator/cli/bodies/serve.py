"""What `orchestrator serve` does."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import click

from orchestrator.cli.bodies.common import opened_store, run_async, set_up_logging
from orchestrator.cli.masking import add_mask, mask
from orchestrator.clock import LoopClock
from orchestrator.credentials import Masker, find_credentials
from orchestrator.web.guard import Terms, terms_of
from orchestrator.web.server import serving
from orchestrator.web.shelf import Drawer, Shelf
from orchestrator.web.site import Site


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
            found = find_credentials({}, token_file=self.token_file, stdin=sys.stdin)
            add_mask(Masker(found))
        return terms_of(
            self.host,
            names=self.names,
            token=None if found is None else found.token,
            user_header=self.user_header,
            proxies=self.proxies,
        )


def serve(
    asked: Asked, organizations: tuple[str, ...], hooks: Path | None = None, *, store: str | None
) -> None:
    """Serve until a signal comes."""
    set_up_logging()
    terms = asked.terms()

    async def work() -> None:
        clock, stop = LoopClock(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with opened_store(store) as opened:
            site = Site(opened, Drawer(opened.url), Shelf(clock.now), clock, mask, organizations)
            alerts = None
            if hooks is not None:
                from orchestrator.cli.bodies.hooks import alerts_of  # noqa: PLC0415 - pages alone stay light

                alerts = await alerts_of(hooks, opened, clock, (*organizations, "")[0], store)
            async with anyio.create_task_group() as tasks:
                async with serving(site, terms, asked.host, asked.port, alerts) as origin:
                    if alerts is not None:
                        tasks.start_soon(alerts.run)
                    click.echo(f"pages on {origin}, Ctrl-C ends it", err=True)
                    await stop.wait()
                tasks.cancel_scope.cancel()

    try:
        run_async(work)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.UsageError(
            f"cannot listen on {asked.host}:{asked.port}: {reason}; choose another --port"
        ) from error
