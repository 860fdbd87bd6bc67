"""What is kept of runs, read from an open store: which there are, how one stands, answers, reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from orchestrator.actions.asked import Asked
from orchestrator.actions.finding import as_it_stands, find, named, no_run_of, proposed
from orchestrator.actions.source import source_of
from orchestrator.errors import UsageProblem
from orchestrator.insight.document import Mask, document
from orchestrator.insight.look import Insight
from orchestrator.model import AnswerStatus, Verdict
from orchestrator.near import folded
from orchestrator.records import CellRecord, Counts, RunRecord, StoredAnswer, TestRecord
from orchestrator.report.cells import SENT, of_cause
from orchestrator.report.comparison import Held
from orchestrator.report.formats import REPORTS
from orchestrator.report.headline import headline
from orchestrator.report.html.layout import Layout
from orchestrator.report.names import agent_names
from orchestrator.report.overview import Overview, overview
from orchestrator.report.results import Filter, without_answer
from orchestrator.report.shared import snapshots_document
from orchestrator.report.source import Source
from orchestrator.report.summary import summary
from orchestrator.store.base import Archive
from orchestrator.store.opening import Opened
from orchestrator.testtypes import DETAILS, METRICS

# Runs of a list whose cells are counted, because nothing was said of them yet.
COUNTED = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """What a run came to: ``overview`` is what is told to people, of which the rest are parts.

    ``insight`` says what is wrong, ``unknown`` are the lost creations that nobody has given up, ``now`` is
    when it was read (epoch seconds).
    """

    overview: Overview

    @property
    def run(self) -> RunRecord:
        """The run itself."""
        return self.overview.run

    @property
    def counts(self) -> Counts:
        """What its tests and cells came to."""
        return self.overview.counts

    @property
    def insight(self) -> Insight:
        """What its bad cells share."""
        return self.overview.insight

    @property
    def unknown(self) -> tuple[TestRecord, ...]:
        """Its lost creations."""
        return self.overview.unknown

    @property
    def now(self) -> float:
        """When it was read."""
        return self.overview.now

    @property
    def held(self) -> Held | None:
        """The run against the base that was named, if one was."""
        since = self.overview.since
        return since.held if since is not None and since.asked else None

    def document(self, mask: Mask = str) -> dict[str, object]:
        """The summary document of ``show --json``; with the gate, if a base was named."""
        gate = {} if self.held is None else {"gate": self.held.gate_document(mask)}
        told = summary(self.run, self.counts, now=self.now)
        shared = {"snapshots": snapshots_document(self.overview.shared, mask)}
        return {**told, **shared, "insight": document(self.insight, mask), **gate}


async def runs(opened: Opened, *, limit: int = 20, plan: str | None = None) -> tuple[RunRecord, ...]:
    """The newest runs as they stand, newest first, all or those of one plan, with their headlines.

    A run that has none (it goes on, or was killed) gets one of its counts, but only so many of them.
    """
    found = [await as_it_stands(opened, run) for run in await opened.store.runs(limit, plan)]
    bare = [run.id for run in found if run.facts.headline is None][:COUNTED]
    return tuple([await _counted(opened.store, run) if run.id in bare else run for run in found])


async def _counted(archive: Archive, run: RunRecord) -> RunRecord:
    return replace(run, facts=replace(run.facts, headline=headline(run, await archive.counts(run.id))))


async def show(
    opened: Opened, name: str, *, now: float, plan: str | None = None, asked: Asked | None = None
) -> Shown:
    """What a run came to, held against what was ``asked`` for. Raises ``UsageProblem`` if there is no such
    run or base."""
    return await summed_up(opened.store, await find(opened, name, plan), now=now, asked=asked)


async def summed_up(
    archive: Archive,
    run: RunRecord,
    *,
    now: float,
    known: Insight | None = None,
    asked: Asked | None = None,
) -> Shown:
    """What a run that was found came to; its insight, if it is ``known`` already, is not computed again."""
    return Shown(await overview(source_of(archive, run, now, known, asked)))


async def source(
    opened: Opened, name: str, *, now: float, plan: str | None = None, asked: Asked | None = None
) -> Source:
    """What the formats of results and reports read. Raises ``UsageProblem`` if there is no such run."""
    return source_of(opened.store, await find(opened, name, plan), now, asked=asked)


def keeping(
    layers: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
    statuses: Sequence[AnswerStatus] = (),
    agents: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Filter:
    """Which answers to keep; what is empty lets all pass. Agents by id or pattern, targets by pattern.

    Raises ``UsageProblem`` for a layer that no type of test has.
    """
    known = [*METRICS, DETAILS]
    wrong = [layer for layer in layers if layer not in known]
    if wrong:
        raise UsageProblem(f"no layer is named {wrong[0]!r}", hint=f"the layers are {', '.join(known)}")
    return Filter(tuple(layers), tuple(verdicts), tuple(statuses), tuple(agents), tuple(targets))


async def report(
    opened: Opened,
    name: str,
    form: str,
    *,
    now: float,
    plan: str | None = None,
    layout: Layout | None = None,
    asked: Asked | None = None,
) -> bytes:
    """The report of a run in one of the formats of ``REPORTS``, whole, as UTF-8.

    The run is held against what was ``asked`` for; by itself, in the formats that are for people, against the
    last good run. What cannot be encoded is written with backslashes. Raises ``UsageProblem`` for a format, a
    run or a base that there is not, and for a layout of a format that has none.
    """
    parts: list[bytes] = []

    def keep(text: str) -> None:
        parts.append(text.encode("utf-8", "backslashreplace"))

    await write_report(opened, name, form, keep, now=now, plan=plan, layout=layout, asked=asked)
    return b"".join(parts)


async def write_report(
    opened: Opened,
    name: str,
    form: str,
    out: Callable[[str], object],
    *,
    now: float,
    plan: str | None = None,
    layout: Layout | None = None,
    asked: Asked | None = None,
) -> None:
    """The same piece by piece, so that a large one is never whole in memory. Raises as :func:`report`."""
    if form not in REPORTS:
        raise UsageProblem(f"no report is named {form!r}", hint=f"the formats are {', '.join(REPORTS)}")
    write, laid_out = REPORTS[form].write, REPORTS[form].laid_out
    if layout is not None:
        if laid_out is None:
            able = ", ".join(one.name for one in REPORTS.values() if one.laid_out is not None)
            raise UsageProblem(f"a report as {form} has one layout", hint=f"those with a layout: {able}")
        write = laid_out(layout)
    if asked is None and REPORTS[form].for_people:
        asked = Asked()
    await write(await source(opened, name, now=now, plan=plan, asked=asked), out)


def with_silent(source: Source, keep: Filter, *, always: bool = False) -> Source:
    """The source with a line, after the answers, for each cell without one, if the filter asks for those, or
    ``always``.

    A cell whose test is still open counts as in the summary: as ``no-answer`` once its creation was sent, and
    nothing of it came.
    """
    wanted = {Verdict.NO_ANSWER, Verdict.NOT_RUN}
    wanted &= {*keep.verdicts} if keep.verdicts or not always else wanted
    silent = replace(source, results=lambda: _with_silent(source, wanted), metric_names=None)
    return silent if wanted else source


async def _with_silent(source: Source, wanted: set[Verdict]) -> AsyncIterator[StoredAnswer]:
    begun: set[tuple[str | None, str]] = set()
    async for row in source.results():
        if row.verdict is None:
            begun.add((row.spec, row.answer.agent_id))
        yield row
    sent = {test.spec.key for test in await source.tests() if test.state in SENT}
    async for cell in source.cells():
        if (cell.spec, cell.agent_id) in begun:
            continue
        verdict = cell.verdict or (Verdict.NO_ANSWER if cell.spec in sent else Verdict.NOT_RUN)
        if verdict in wanted:
            yield without_answer(cell, verdict)


async def explained_by(source: Source, number: int) -> Source:
    """The source with the cells of one explanation, as they are numbered for people, and their answers.

    Raises ``UsageProblem`` for a number that is not there.
    """
    points = (await source.insight()).points
    if not 1 <= number <= len(points):
        run = source.run.id
        known = f"they are numbered 1 to {len(points)}" if len(points) > 1 else "there is one, number 1"
        raise UsageProblem(
            f"run {run} has no explanation {number}: {known if points else 'it has none'}",
            hint=f"`orchestrator explain {run}` lists them",
        )
    return of_cause(source, frozenset(points[number - 1].cells))


async def unmatched(source: Source, keep: Filter) -> list[str]:
    """A sentence for each target and agent that a filter names and the run does not have."""
    targets, agents = await _named_in(source)
    told = [("target", one, targets) for one in keep.targets if not _any(one, targets)]
    told += [("agent", one, agents) for one in keep.agents if not _any(one, agents)]
    return [
        f"no {what} of run {source.run.id} matches {one!r}{proposed(one, known)}" for what, one, known in told
    ]


async def _named_in(source: Source) -> tuple[set[str], set[str]]:
    """The targets of a run, and the names and ids of its agents; also of what was left out."""
    targets: set[str] = set()
    agents: set[str] = set()
    async for cell in source.cells():
        targets.add(cell.target)
        agents.update((cell.agent_id, cell.agent))
    return targets, agents


def _any(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(folded(name), folded(pattern)) for name in names)


@dataclass(frozen=True, slots=True)
class Compared:
    """The cells of a re-run that were bad in the run before it: how many ``recovered``, and those that did
    not, as TARGET@AGENT."""

    recovered: int
    still: tuple[str, ...]


async def compared(archive: Archive, again: RunRecord) -> Compared:
    """What a re-run changed for the better, cell by cell; nothing for a run that is none."""
    if again.parent is None:
        return Compared(0, ())
    names = agent_names((await archive.agents(again.id)).values())
    bad = {(one.spec, one.agent_id) async for one in archive.cells(again.parent) if not _is_good(one)}
    recovered, still = 0, []
    async for cell in archive.cells(again.id):
        if (cell.spec, cell.agent_id) not in bad:
            continue
        if _is_good(cell):
            recovered += 1
        else:
            still.append(f"{cell.target}@{names.get(cell.agent_id, cell.agent)}")
    return Compared(recovered, tuple(still))


def _is_good(cell: CellRecord) -> bool:
    return cell.verdict in (Verdict.PASS, Verdict.WARN)


# What else is asked for here: which run is meant.
__all__ = ("as_it_stands", "find", "named", "no_run_of", "proposed")
