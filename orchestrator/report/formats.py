"""The one table of formats: what a run can be written as, for the command line, the library and the tests.

A format is a function of records: it asks the :class:`~orchestrator.report.source.Source` for what it needs
and gives text, piece by piece.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from orchestrator.insight.document import document
from orchestrator.report import results
from orchestrator.report.html.layout import Layout
from orchestrator.report.markdown import CELLS, LINKS, ticket
from orchestrator.report.names import with_names
from orchestrator.report.overview import overview
from orchestrator.report.shared import snapshots_document
from orchestrator.report.source import Source
from orchestrator.report.summary import summary

Out = Callable[[str], object]
Writer = Callable[[Source, Out], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """A document about a run as a whole. ``suffix`` is that of a file in this format.

    ``laid_out`` gives a writer for another layout than the usual, where the format has one. ``for_people``:
    it tells by itself what changed since the last good run; the others only where a base was named.
    """

    name: str
    suffix: str
    write: Writer
    laid_out: Callable[[Layout], Writer] | None = None
    for_people: bool = False


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """The answers of a run, one a line."""

    name: str
    suffix: str
    write: Callable[[Source, Out, results.Filter], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """The answers of a run as a file for programs: bytes."""

    name: str
    suffix: str
    write: Callable[[Source, Callable[[bytes], object], results.Filter], Awaitable[int]]


async def _markdown(source: Source, out: Out) -> None:
    out(ticket(await overview(source, most=CELLS, links=LINKS)))


async def _junit(source: Source, out: Out) -> None:
    from orchestrator.report.junit import write_junit  # noqa: PLC0415 - start-up stays light

    names = await source.names()
    tests = await source.tests() if source.each_test is None else source.each_test(None)
    points = (await source.insight()).points
    await write_junit(
        source.run,
        lambda: with_names(source.cells(), names),
        out,
        tests=tests,
        points=points,
        now=source.now,
        since=None if source.since is None else await source.since(),
    )


async def _json(source: Source, out: Out) -> None:
    told = summary(source.run, await source.counts(), now=source.now)
    found = document(await source.insight())
    since = None if source.since is None else await source.since()
    gate = {} if since is None or since.held is None else {"gate": since.held.gate_document()}
    shared = {"snapshots": snapshots_document(await source.shared())}
    out(json.dumps({**told, **shared, "insight": found, **gate}, indent=2) + "\n")


async def _jsonl(source: Source, out: Out, keep: results.Filter) -> int:
    return await results.write_jsonl(source.run.id, source.results, out, keep)


async def _csv(source: Source, out: Out, keep: results.Filter) -> int:
    return await results.write_csv(source.run.id, source.results, out, keep, names=source.metric_names)


async def _prometheus(source: Source, out: Out) -> None:
    from orchestrator.report.prometheus import prometheus  # noqa: PLC0415 - start-up stays light

    out(await prometheus(source))


async def _parquet(source: Source, out: Callable[[bytes], object], keep: results.Filter) -> int:
    from orchestrator.report.parquet import write_parquet  # noqa: PLC0415 - start-up stays light

    return await write_parquet(source.run.id, source.results, out, keep)


def _html(layout: Layout) -> Writer:
    async def write(source: Source, out: Out) -> None:
        from orchestrator.report.html.write import html  # noqa: PLC0415 - start-up stays light

        out(await html(source, layout))

    return write


def _named(*formats: ReportFormat) -> Mapping[str, ReportFormat]:
    return MappingProxyType({one.name: one for one in formats})


REPORTS = _named(
    ReportFormat("markdown", ".md", _markdown, for_people=True),
    ReportFormat("junit", ".xml", _junit),
    ReportFormat("json", ".json", _json),
    ReportFormat("prometheus", ".prom", _prometheus),
    ReportFormat("html", ".html", _html(Layout()), _html, for_people=True),
)


# The report that a file's ending means.
BY_SUFFIX = MappingProxyType({one.suffix: one.name for one in REPORTS.values()})


def form_of(file: PurePath | None) -> str:
    """The report that a file's ending means; ``markdown`` for one that means none."""
    return BY_SUFFIX.get("" if file is None else file.suffix.lower(), "markdown")


def unknown_ending(file: PurePath, otherwise: str = "") -> str:
    """What is said of a file whose ending means no report."""
    return f"-o takes files that end in {', '.join(BY_SUFFIX)}, not {file.name[:80]!r}{otherwise}"


# Besides these the command line has a table for people, which is drawn by the width of their terminal.
RESULTS: Mapping[str, ResultFormat] = MappingProxyType(
    {one.name: one for one in (ResultFormat("jsonl", ".jsonl", _jsonl), ResultFormat("csv", ".csv", _csv))}
)
# Those that are no text.
TABLES: Mapping[str, TableFormat] = MappingProxyType(
    {one.name: one for one in (TableFormat("parquet", ".parquet", _parquet),)}
)


def results_form(file: PurePath | None) -> str | None:
    """The format of answers that a file's ending means."""
    known = {one.suffix: name for formats in (RESULTS, TABLES) for name, one in formats.items()}
    return known.get("" if file is None else file.suffix.lower())
