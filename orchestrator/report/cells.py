"""Every cell of a run, one a line: what came of it and why, which layer broke first, which cause has it.

Cells without a row are among them: those without an answer, those not run, those left out beforehand.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from orchestrator.insight.look import Insight
from orchestrator.insight.values import CellKey
from orchestrator.lifecycle import SpecState
from orchestrator.model import Verdict
from orchestrator.records import CellRecord, StoredAnswer
from orchestrator.report.overview import causes, key_of
from orchestrator.report.results import Filter, Out, Writing, named_like
from orchestrator.report.source import Source
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import csv_cell, json_line

COLUMNS = (
    "run", "spec", "test", "type", "target", "agent_id", "agent", "country", "state", "verdict", "phase",
    "cause", "reasons",
)  # fmt: skip
# A creation that may have left: what is open of it counts as without an answer, as in the summary.
SENT = (SpecState.CREATING, SpecState.WAITING, SpecState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell with its place in the insight. ``verdict`` is as the summary counts it, also of an open cell;
    ``phase`` and ``cause`` (the number of an explanation) are ``None`` where there is none."""

    cell: CellRecord
    verdict: Verdict
    phase: str | None
    cause: int | None


Cells: TypeAlias = "Callable[[], AsyncIterator[Judged]]"


async def judged(source: Source, keep: Filter) -> AsyncIterator[Judged]:
    """The cells that pass the filter, in the order of the plan."""
    insight = await source.insight()
    numbers = causes(insight)
    sent = {test.spec.key for test in await source.tests() if test.state in SENT}
    async for cell in source.cells():
        one = _judged(cell, insight, numbers, sent=cell.spec in sent)
        if _keeps(keep, one):
            yield one


def _judged(cell: CellRecord, insight: Insight, numbers: dict[CellKey, int], *, sent: bool) -> Judged:
    key = key_of(cell)
    phase = insight.phases.get(key)
    open_ = Verdict.NO_ANSWER if sent else Verdict.NOT_RUN
    return Judged(cell, cell.verdict or open_, None if phase is None else phase.word, numbers.get(key))


def _keeps(keep: Filter, one: Judged) -> bool:
    cell = one.cell
    return (
        (not keep.verdicts or one.verdict in keep.verdicts)
        and (not keep.agents or cell.agent_id in keep.agents or named_like(cell.agent, keep.agents))
        and (not keep.targets or named_like(cell.target, keep.targets))
    )


def of_cause(source: Source, cells: frozenset[CellKey]) -> Source:
    """The source with these cells only, and their answers."""

    async def results() -> AsyncIterator[StoredAnswer]:
        async for row in source.results():
            if CellKey(row.test, row.target, row.answer.agent_id) in cells:
                yield row

    async def some() -> AsyncIterator[CellRecord]:
        async for cell in source.cells():
            if key_of(cell) in cells:
                yield cell

    return replace(source, results=results, cells=some, metric_names=None)


async def write_cells_jsonl(run: str, cells: Cells, out: Out) -> int:
    """One JSON object a line. Returns the number of cells."""
    written = 0
    async for one in cells():
        cell = one.cell
        document = {
            "schema": SCHEMA,
            "run": run,
            "spec": cell.spec,
            "test": cell.test,
            "type": cell.type,
            "target": cell.target,
            "agent_id": cell.agent_id,
            "agent": cell.agent,
            "country": cell.country,
            "state": cell.state.value,
            "verdict": one.verdict.value,
            "phase": one.phase,
            "cause": one.cause,
            "reasons": [*cell.reasons],
        }
        out(json_line(document) + "\n")
        written += 1
    return written


async def write_cells_csv(run: str, cells: Cells, out: Out) -> int:
    """A header and one line per cell; reasons are joined by semicolons. Returns the number of cells."""
    emit = csv.writer(Writing(out), lineterminator="\n").writerow
    emit(COLUMNS)
    written = 0
    async for one in cells():
        cell = one.cell
        values = (
            run, cell.spec, cell.test, cell.type, cell.target, cell.agent_id, cell.agent, cell.country,
            cell.state.value, one.verdict.value, one.phase, one.cause, "; ".join(cell.reasons),
        )  # fmt: skip
        emit([csv_cell(value) for value in values])
        written += 1
    return written


CELL_FORMATS = {"jsonl": write_cells_jsonl, "csv": write_cells_csv}
