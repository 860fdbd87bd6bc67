"""The answers of a run as JSON lines or CSV; streamed, so memory stays flat.

Every writer takes a function that gives the rows afresh, because CSV (and a table) needs one pass to learn
their columns and a second one to write.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from orchestrator.model import Answer, AnswerStatus, Metric, Verdict
from orchestrator.near import folded
from orchestrator.records import CellRecord, StoredAnswer
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import csv_cell, json_line

Rows: TypeAlias = "Callable[[], AsyncIterator[StoredAnswer]]"
Out: TypeAlias = "Callable[[str], object]"

FIXED = (
    "run", "spec", "test", "test_id", "type", "target", "layer", "agent_id", "agent", "country", "server",
    "direction", "round_id", "date", "status", "error_type", "error", "verdict", "link",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to show; an empty tuple lets all pass.

    Agents are matched by id or by name, targets by name; both take ``*`` and ``?`` and ignore case.
    """

    layers: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    statuses: tuple[AnswerStatus, ...] = ()
    agents: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def keeps(self, row: StoredAnswer) -> bool:
        """Whether the row passes every filter that is set."""
        answer = row.answer
        return (
            (not self.layers or not answer.layer or answer.layer in self.layers)
            and (not self.verdicts or row.verdict in self.verdicts)
            and (not self.statuses or answer.status in self.statuses)
            and (not self.agents or answer.agent_id in self.agents or _matches(answer.agent, self.agents))
            and (not self.targets or _matches(row.target, self.targets))
        )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    name = folded(name)
    return any(fnmatchcase(name, folded(pattern)) for pattern in patterns)


def without_answer(cell: CellRecord, verdict: Verdict) -> StoredAnswer:
    """A cell that has no row, in the place of one: it has no layer, and its error says why nothing came."""
    reason = "; ".join(cell.reasons) or ("no answer came" if verdict is Verdict.NO_ANSWER else "not run")
    answer = Answer(
        layer="",
        agent_id=cell.agent_id,
        agent=cell.agent,
        country=cell.country,
        server=None,
        round_id=0,
        date=None,
        status=AnswerStatus.ERROR,
        error=reason,
        metrics={},
        raw="",
    )
    return StoredAnswer(cell.spec or "", cell.test, None, cell.type, cell.target, answer, verdict)


async def kept(rows: Rows, keep: Filter) -> AsyncIterator[StoredAnswer]:
    """The rows that pass the filter."""
    async for row in rows():
        if keep.keeps(row):
            yield row


def result_object(run: str, row: StoredAnswer) -> dict[str, object]:
    """One answer as the documented object. ``direction`` and ``hops`` only for answers that have them."""
    answer = row.answer
    document: dict[str, object] = {
        "schema": SCHEMA,
        "run": run,
        "spec": row.spec,
        "test_id": row.test_id,
        "type": row.type,
        "target": row.target,
        "layer": answer.layer or None,
        "agent_id": answer.agent_id,
        "agent": answer.agent,
        "country": answer.country,
        "server": answer.server,
        "round_id": answer.round_id if answer.layer else None,
        "date": answer.date,
        "status": answer.status.value if answer.layer else None,
        "error_type": answer.error_type,
        "error": answer.error,
        "verdict": None if row.verdict is None else row.verdict.value,
        "metrics": {name: _json_number(value) for name, value in answer.metrics.items()},
    }
    if answer.direction is not None:
        document["direction"] = answer.direction
    if answer.paths is not None:
        document["hops"] = [[asdict(hop) for hop in path.hops] for path in answer.paths]
    return document


def _json_number(value: Metric) -> Metric | None:
    """JSON has no NaN and no infinity; whatever could not be measured is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


async def write_jsonl(run: str, rows: Rows, out: Out, keep: Filter | None = None) -> int:
    """One JSON object a line, data unchanged, pure ASCII. Returns the number of rows."""
    written = 0
    async for row in kept(rows, keep or Filter()):
        out(json_line(result_object(run, row)) + "\n")
        written += 1
    return written


async def write_csv(run: str, rows: Rows, out: Out, keep: Filter | None = None) -> int:
    """A header and one line per answer: the fixed columns, then every metric of the rows shown, sorted.

    A metric named like a fixed column becomes ``metric.NAME``. Each record is one line: line breaks inside
    data are written out. Returns the number of rows without the header.
    """
    keep = keep or Filter()
    metrics = await _metric_names(rows, keep)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")

    def emit(cells: Sequence[str | int | float]) -> None:
        writer.writerow(cells)
        out(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()

    names = [f"metric.{name}" if name in FIXED else name for name in metrics]
    emit([*FIXED, *(csv_cell(name) for name in names)])
    written = 0
    async for row in kept(rows, keep):
        values = [csv_cell(value) for value in _fixed(run, row)]
        emit([*values, *(csv_cell(row.answer.metrics.get(name)) for name in metrics)])
        written += 1
    return written


async def _metric_names(rows: Rows, keep: Filter) -> list[str]:
    names: set[str] = set()
    async for row in kept(rows, keep):
        names.update(row.answer.metrics)
    return sorted(names)


def _fixed(run: str, row: StoredAnswer) -> tuple[Metric | None, ...]:
    answer = row.answer
    verdict = None if row.verdict is None else row.verdict.value
    return (
        *(run, row.spec, row.test, row.test_id, row.type, row.target, answer.layer),
        *(answer.agent_id, answer.agent, answer.country, answer.server, answer.direction),
        *(answer.round_id if answer.layer else None, answer.date),
        *(
            answer.status.value if answer.layer else None,
            answer.error_type,
            answer.error,
            verdict,
            answer.link,
        ),
    )
