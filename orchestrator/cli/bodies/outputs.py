"""Reports that a run writes at its end (``-o FILE``): refused beforehand where they cannot be, then whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.actions import reading
from orchestrator.actions.asked import Asked
from orchestrator.cli.bodies.common import say
from orchestrator.cli.streams import as_utf8, gathering
from orchestrator.errors import UsageProblem
from orchestrator.files import check_writable, replacing
from orchestrator.report.formats import BY_SUFFIX, unknown_ending

if TYPE_CHECKING:
    from orchestrator.actions.session import Session
    from orchestrator.report.comparison import Held


def check_outputs(paths: Sequence[Path]) -> None:
    """Raise ``UsageError`` for an ending that means no report, ``UsageProblem`` for no place to write to."""
    for path in paths:
        if path.suffix.lower() not in BY_SUFFIX:
            raise click.UsageError(unknown_ending(path))
        try:
            check_writable(path)
        except (OSError, ValueError) as error:
            raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError | ValueError) -> UsageProblem:
    """A file that has no place."""
    reason = getattr(error, "strerror", None) or error
    return UsageProblem(
        f"{path} cannot be written: {reason}",
        hint="name a file in a folder that you may write to",
    )


def write_file(path: Path, work: Callable[[Callable[[bytes], object]], object]) -> None:
    """Write a file whole or not at all: ``work`` gets what writes to it.

    Raises ``UsageProblem`` where it cannot be written.
    """
    try:
        with replacing(path) as file:
            work(file.write)
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error


async def write_outputs(session: Session, run: str, paths: Sequence[Path], held: Held | None = None) -> None:
    """Write the reports of a run, with what it was ``held`` against; one that cannot be written is told, and
    changes no exit code."""
    asked = None if held is None else Asked(held=held)
    for path in paths:
        form = BY_SUFFIX[path.suffix.lower()]
        now = session.doors.clock.wall()
        try:
            with replacing(path) as file, gathering(as_utf8(file.write)) as out:
                await reading.write_report(session.opened, run, form, out, now=now, asked=asked)
        except (OSError, ValueError) as error:
            say(f"error: {unwritable(path, error).message}")
            say(f"hint: write it anew with: orchestrator report {run} --format {form} -o FILE")
