"""What every body needs: the log, the store, and ways to say something."""

from __future__ import annotations

import errno
import gc
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import anyio
import click

from orchestrator.cli.configured import configured
from orchestrator.cli.masking import mask
from orchestrator.errors import telling
from orchestrator.listeners.log import configure_logging, level_of
from orchestrator.safe import visible
from orchestrator.settings import LOG_LEVEL
from orchestrator.store.opening import Opened, open_store, pick_store
from orchestrator.store.operating import Measures

T = TypeVar("T")

# Objects that are made between two looks for cycles.
_SELDOM = 50_000


def set_up_logging() -> None:
    """Logs to stderr, masked."""
    wanted = click.get_current_context().obj or {}
    configure_logging(
        level_of(wanted.get("log_level"), os.environ, configured().get(LOG_LEVEL)),
        bool(wanted.get("log_json")),
        mask,
    )


def opened_store(
    store: str | None, *, measures: Measures | None = None
) -> AbstractAsyncContextManager[Opened]:
    """The store alone, for commands that only read; they do not make one. Raises ``UsageProblem``."""
    # Of what is read nothing refers to itself: the collector would go through all of it for nothing, often.
    gc.set_threshold(_SELDOM, 20, 100)
    return open_store(pick_store(store, os.environ), make=False, measures=measures)


def cannot_listen(host: str, port: int, error: OSError) -> click.UsageError:
    """That an address cannot be listened on, and which half of it to choose anew."""
    reason = error.strerror or str(error)
    half = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
    return click.UsageError(f"cannot listen on {host}:{port}: {reason}; choose another {half}")


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run a command's coroutine; out of a group comes the one exception that tells the most."""
    found: list[T] = []
    gc.enable()  # see ``__main__``

    async def kept() -> None:
        found.append(await work())

    try:
        # Not what anyio returns: asyncio's way of putting SIGINT back spells the result out, twice.
        anyio.run(kept)
    except BaseExceptionGroup as group:
        raise telling(group) from group
    return found[0]


def print_json(document: object) -> None:
    """One JSON document on stdout; ASCII only, so that no terminal or pipe chokes on hostile text."""
    click.echo(json.dumps(document, indent=2))


def say(text: str) -> None:
    """A word on stderr, masked and escaped."""
    click.echo(visible(mask(text)), err=True)
