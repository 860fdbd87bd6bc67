"""What `report` does: a document about a run, on stdout or in a file, and its style beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import quote

import click

from orchestrator.actions import reading
from orchestrator.actions.asked import Asked
from orchestrator.cli.bodies.common import opened_store, run_async, set_up_logging
from orchestrator.cli.bodies.compare import asked_for
from orchestrator.cli.bodies.outputs import write_file
from orchestrator.cli.options import Access, Gate, Sharing
from orchestrator.cli.streams import as_utf8, gathering
from orchestrator.clock import LoopClock
from orchestrator.errors import OrchestratorError, UsageProblem
from orchestrator.report.html.layout import CELLS, By, Layout, Parts, Sheet, columns_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; what is ``None`` was not said. ``css`` to ``columns`` are of a layout."""

    form: str
    output: Path | None = None
    css: Path | None = None
    cells: int | None = None
    part: str | None = None
    columns: str | None = None

    @property
    def has_layout(self) -> bool:
        """Whether anything was said about the layout."""
        return any(getattr(self, one.name) is not None for one in fields(self)[2:])


def report(
    run: str,
    plan: str | None,
    wanted: Wanted,
    against: str | None,
    gate: Gate,
    sharing: Sharing,
    access: Access,
) -> None:
    """Write a report of a run, after the snapshots that were asked for; also if those failed."""
    set_up_logging()
    asked = asked_for(against, gate)
    problem: OrchestratorError | None = None
    if sharing.share is not None:
        from orchestrator.cli.bodies.sharing import make_snapshots  # noqa: PLC0415 - start-up stays light

        problem = make_snapshots(run, plan, sharing.share, access, sharing)
    _write(run, plan, wanted, asked, access.store)
    if problem is not None:
        raise problem


def _write(run: str, plan: str | None, wanted: Wanted, asked: Asked | None, store: str | None) -> None:
    style: list[str] = []
    layout = _layout(wanted, style) if wanted.has_layout else None

    async def work(write: Callable[[bytes], object]) -> None:
        async with opened_store(store) as opened:
            with gathering(as_utf8(write)) as out:
                now = LoopClock().wall()
                await reading.write_report(
                    opened, run, wanted.form, out, now=now, plan=plan, layout=layout, asked=asked
                )

    if wanted.output is None:
        run_async(lambda: work(sys.stdout.buffer.write))
    else:
        write_file(wanted.output, lambda write: run_async(lambda: work(write)))
    if wanted.css is not None:
        write_file(wanted.css, lambda write: write("".join(style).encode()))


def _layout(wanted: Wanted, style: list[str]) -> Layout:
    try:
        columns = columns_of(wanted.columns or By.COUNTRY)
    except ValueError as error:
        raise click.UsageError(f"--columns: {error}") from error
    part = Parts(wanted.part or Parts.ALL)
    if wanted.css is not None and part is Parts.SUMMARY:
        raise click.UsageError("--css is for the whole report: a summary for a mail carries its style")
    return Layout(
        columns=columns,
        cells=CELLS if wanted.cells is None else wanted.cells,
        part=part,
        sheet=None if wanted.css is None else Sheet(_address(wanted.css, wanted.output), style.append),
    )


def _address(css: Path, output: Path | None) -> str:
    """The address of the style as the page's file sees it."""
    if output is not None and css.absolute() == output.absolute():
        raise UsageProblem("the style and the report cannot be one file", hint="name two files")
    folder = output.absolute().parent if output is not None else Path.cwd()
    return quote(os.fsencode(Path(os.path.relpath(css.absolute(), folder)).as_posix()))
