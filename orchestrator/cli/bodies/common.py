"""What every body needs: the log, the store, and ways to say something."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import anyio
import click

from orchestrator.cli.masking import mask
from orchestrator.errors import telling
from orchestrator.listeners.log import configure_logging, level_of
from orchestrator.safe import visible
from orchestrator.store.opening import Opened, open_store, pick_store

T = TypeVar("T")


def set_up_logging() -> None:
    """Logs to stderr, masked."""
    wanted = click.get_current_context().obj or {}
    configure_logging(level_of(wanted.get("log_level"), os.environ), bool(wanted.get("log_json")), mask)


def opened_store(store: str | None) -> AbstractAsyncContextManager[Opened]:
    """The store alone, for commands that only read; they do not make one. Raises ``UsageProblem``."""
    return open_store(pick_store(store, os.environ), make=False)


def run_async(work: Callable[[], Awaitable[T]]) -> T:
    """Run a command's coroutine; out of a group comes the one exception that tells the most."""
    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        raise telling(group) from group


def print_json(document: object) -> None:
    """One JSON document on stdout; ASCII only, so that no terminal or pipe chokes on hostile text."""
    click.echo(json.dumps(document, indent=2))


def say(text: str) -> None:
    """A word on stderr, masked and escaped."""
    click.echo(visible(mask(text)), err=True)
