"""What the commands do that only read the store: runs, show, results, report, explain."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import click

from orchestrator.actions import reading
from orchestrator.actions.asked import Asked
from orchestrator.actions.reading import Shown
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.compare import asked_for, tell_held
from orchestrator.cli.bodies.outputs import write_file
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Gate
from orchestrator.cli.streams import as_utf8, gathering
from orchestrator.clock import LoopClock
from orchestrator.errors import OrchestratorError
from orchestrator.insight.document import document
from orchestrator.model import AnswerStatus, Verdict
from orchestrator.records import RunRecord
from orchestrator.report.cells import CELL_FORMATS, Cells, judged
from orchestrator.report.formats import RESULTS, TABLES
from orchestrator.report.results import Filter
from orchestrator.report.runs import runs_document
from orchestrator.report.source import Source
from orchestrator.report.stories import Explained
from orchestrator.store.opening import pick_store, store_exists
from orchestrator.terminal.cells import write_cells
from orchestrator.terminal.console import make_console, painter
from orchestrator.terminal.results import write_table
from orchestrator.terminal.summary import print_explained, print_summary
from orchestrator.terminal.text import print_runs
from orchestrator.testtypes import DETAILS, METRICS

# As many runs as fit a screen are offered to a shell.
OFFERED = 20


def offered(store: str | None, begun: str) -> list[tuple[str, str]]:
    """The newest runs that begin so, each with a word on it; none of a store that cannot be read.

    A prompt is no place to say why.
    """
    try:
        found = run_async(lambda: _runs(store, OFFERED, None))
    except OrchestratorError:
        return []
    return [(run.id, f"{run.plan}, {run.state}") for run in found if run.id.startswith(begun)]


def runs(limit: int, plan: str | None, *, as_json: bool, store: str | None) -> None:
    """List runs; without a store there are none."""
    set_up_logging()

    async def work() -> tuple[RunRecord, ...]:
        return await _runs(store, limit, plan) if await store_exists(pick_store(store, os.environ)) else ()

    async def none_of(plan: str) -> str:
        async with opened_store(store) as opened:
            return await reading.no_run_of(opened.store, plan)

    found = run_async(work)
    if as_json:
        print_json(runs_document(found, mask))
    if not found and plan is not None and run_async(lambda: store_exists(pick_store(store, os.environ))):
        say(run_async(lambda: none_of(plan)))
    elif not as_json:
        print_runs(make_console(sys.stdout), found, mask=mask)


async def _runs(store: str | None, limit: int, plan: str | None) -> tuple[RunRecord, ...]:
    async with opened_store(store) as opened:
        return await reading.runs(opened, limit=limit, plan=plan)


# A screen is for a look: of a run with more cells it tells verdicts only, unless a base is named.
_COMPARED = 2_000


def show(
    run: str,
    plan: str | None,
    against: str | None,
    gate: Gate,
    *,
    as_json: bool,
    verbose: bool,
    store: str | None,
) -> None:
    """Show what a run came to, and to people by itself what changed since the last good run."""
    set_up_logging()
    asked = asked_for(against, gate)
    if asked is None and not as_json:
        asked = Asked(most=_COMPARED)

    async def work() -> Shown:
        async with opened_store(store) as opened:
            return await reading.show(opened, run, now=LoopClock().wall(), plan=plan, asked=asked)

    shown = run_async(work)
    if as_json:
        print_json(shown.document(mask))
        return
    tell_shown(shown, sys.stdout, verbose=verbose)
    if shown.held is not None:
        tell_held(shown.held, sys.stdout)


def tell_shown(shown: Shown, stream: TextIO, *, verbose: bool = False) -> None:
    """The summary for people, with what is wrong and what to do next."""
    print_summary(make_console(stream), shown.overview, verbose=verbose, mask=mask)


def results(
    run: str,
    plan: str | None,
    form: str,
    output: Path | None = None,
    *,
    layers: Sequence[str],
    verdicts: Sequence[str],
    statuses: Sequence[str],
    agents: Sequence[str],
    targets: Sequence[str],
    cause: int | None,
    cells: bool,
    store: str | None,
) -> None:
    """Print the answers of a run, or its cells; or write them to a file."""
    set_up_logging()
    _check_choice("--verdict", verdicts, [*Verdict])
    _check_choice("--layer", layers, [*METRICS, DETAILS])
    if cells and (layers or statuses):
        raise click.UsageError("--layer and --status are of answers: leave them out with --cells")
    keep = reading.keeping(
        layers, [Verdict(one) for one in verdicts], [AnswerStatus(one) for one in statuses], agents, targets
    )

    if cells and form in TABLES:
        raise click.UsageError(f"--cells is not written as {form}")
    if form in TABLES and output is None and sys.stdout.isatty():
        raise click.UsageError(f"{form} is nothing for a terminal: name a file with -o")

    async def work(write: Callable[[bytes], object] | None) -> None:
        async with opened_store(store) as opened:
            source = await reading.source(opened, run, now=LoopClock().wall(), plan=plan)
            for sentence in await reading.unmatched(source, keep):
                say(sentence)
            explained = source if cause is None else await reading.explained_by(source, cause)
            source = explained if cells else reading.with_silent(explained, keep, always=cause is not None)
            if form in TABLES:
                await TABLES[form].write(source, write or sys.stdout.buffer.write, keep)
                return
            with gathering(sys.stdout.write if write is None else as_utf8(write)) as out:
                if cells:
                    await _write_cells(source, form, out, lambda: judged(source, keep))
                elif form in RESULTS:
                    await RESULTS[form].write(source, out, keep)
                else:
                    await _write_table(source, out, keep)

    if output is None:
        run_async(lambda: work(None))
    else:
        write_file(output, lambda write: run_async(lambda: work(write)))


def _check_choice(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    wrong = [one for one in given if one not in known]
    if wrong:
        raise click.UsageError(f"{option} takes {', '.join(known)}, not {wrong[0]!r}")


async def _write_table(source: Source, out: Callable[[str], object], keep: Filter) -> None:
    console = make_console(sys.stdout)
    await write_table(
        source.results,
        out,
        keep,
        width=console.width if console.is_terminal else None,
        paint=painter(console),
        names=await source.names(),
    )


async def _write_cells(source: Source, form: str, out: Callable[[str], object], cells: Cells) -> None:
    if form in CELL_FORMATS:
        await CELL_FORMATS[form](source.run.id, cells, out)
        return
    console = make_console(sys.stdout)
    width = console.width if console.is_terminal else None
    await write_cells(cells, out, width=width, paint=painter(console), names=await source.names())


def insight(run: str, plan: str | None, *, cells: bool, as_json: bool, store: str | None) -> None:
    """What is wrong with a run as a whole; with ``cells`` each cause lists its bad cells."""
    set_up_logging()

    async def work() -> Shown:
        async with opened_store(store) as opened:
            return await reading.show(opened, run, now=LoopClock().wall(), plan=plan)

    shown = run_async(work)
    if as_json:
        print_json(document(shown.insight, mask, cells=cells))
    else:
        print_explained(make_console(sys.stdout), shown.overview, cells=cells, mask=mask)


def explain(
    run: str, plan: str | None, cell: str, agent: str | None, *, as_json: bool, store: str | None
) -> None:
    """Tell the story of a cell."""
    from orchestrator.actions import explain as explaining  # noqa: PLC0415 - start-up stays light

    set_up_logging()

    async def work() -> Explained:
        async with opened_store(store) as opened:
            record = await reading.find(opened, run, plan)
            return await explaining.explain(opened.store, record, cell, agent)

    explained = run_async(work)
    if as_json:
        print_json(explained.document(mask))
    else:
        for line in explained.lines(mask):
            click.echo(line)
