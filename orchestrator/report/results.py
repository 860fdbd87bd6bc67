"""The answers of a run as JSON lines or CSV; streamed, so memory stays flat.

Every writer takes a function that gives the rows afresh, because CSV (and a table) needs one pass to learn
their columns and a second one to write.
"""

from __future__ import annotations

import csv
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from orchestrator.jsontext import write_finite
from orchestrator.model import Answer, AnswerStatus, Metric, Verdict
from orchestrator.near import folded
from orchestrator.records import CellRecord, StoredAnswer
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import csv_cell, json_line

Rows: TypeAlias = "Callable[[], AsyncIterator[StoredAnswer]]"
Out: TypeAlias = "Callable[[str], object]"
# The names of the metrics of all rows, from whoever knows them without a pass over the rows.
Names: TypeAlias = "Callable[[], Awaitable[Collection[str]]]"

# So many texts up to this length are remembered as cells of CSV: those of a target or an agent come again and
# again.
_REMEMBERED, _SHORT = 4096, 200

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

    @property
    def is_open(self) -> bool:
        """Whether it lets all pass."""
        return self == _OPEN

    def keeps(self, row: StoredAnswer) -> bool:
        """Whether the row passes every filter that is set."""
        answer = row.answer
        return (
            (not self.layers or not answer.layer or answer.layer in self.layers)
            and (not self.verdicts or row.verdict in self.verdicts)
            and (not self.statuses or answer.status in self.statuses)
            and (not self.agents or answer.agent_id in self.agents or named_like(answer.agent, self.agents))
            and (not self.targets or named_like(row.target, self.targets))
        )


_OPEN = Filter()


def named_like(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is like one of these patterns."""
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
    everything = keep.is_open
    async for row in rows():
        if everything or keep.keeps(row):
            yield row


def result_object(run: str, row: StoredAnswer) -> dict[str, object]:
    """One answer as the documented object. ``direction`` and ``hops`` only for answers that have them."""
    answer = row.answer
    document: dict[str, object] = {
        "schema": SCHEMA,
        "run": run,
        "spec": row.spec,
        "test": row.test,
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
        "metrics": answer.metrics
        if _all_plain(answer.metrics)
        else {name: _json_number(value) for name, value in answer.metrics.items()},
    }
    if answer.direction is not None:
        document["direction"] = answer.direction
    if answer.paths is not None:
        document["hops"] = [[asdict(hop) for hop in path.hops] for path in answer.paths]
    return document


def _json_number(value: Metric) -> Metric | None:
    """JSON has no NaN and no infinity; whatever could not be measured is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _all_plain(metrics: Mapping[str, Metric]) -> bool:
    """Whether no number is one that JSON lacks, or that is spelled with an exponent."""
    return all(
        type(value) is not float or 1e-4 <= abs(value) < 1e16 or value == 0.0 for value in metrics.values()
    )


def _line(run: str, row: StoredAnswer) -> str:
    """The object in one line. The quick encoder spells exponents in its own way, so it gets none."""
    document, answer = result_object(run, row), row.answer
    quick = answer.paths is None and document["metrics"] is answer.metrics
    return (write_finite(document) if quick else None) or json_line(document)


async def write_jsonl(run: str, rows: Rows, out: Out, keep: Filter | None = None) -> int:
    """One JSON object a line, data unchanged, pure ASCII. Returns the number of rows."""
    written = 0
    async for row in kept(rows, keep or Filter()):
        out(_line(run, row) + "\n")
        written += 1
    return written


async def write_csv(
    run: str, rows: Rows, out: Out, keep: Filter | None = None, *, names: Names | None = None
) -> int:
    """A header and one line per answer: the fixed columns, then every metric of the rows shown, sorted.

    A metric named like a fixed column becomes ``metric.NAME``. Each record is one line: line breaks inside
    data are written out. ``names`` spares a pass over the rows where all of them are shown. Returns the
    number of rows without the header.
    """
    keep = keep or _OPEN
    known = await names() if names is not None and keep.is_open else await _metric_names(rows, keep)
    metrics = sorted(known)
    emit = csv.writer(Writing(out), lineterminator="\n").writerow
    emit([*FIXED, *(csv_cell(f"metric.{name}" if name in FIXED else name) for name in metrics)])
    place = {name: len(FIXED) + n for n, name in enumerate(metrics)}
    blank: list[str | int | float] = [""] * (len(FIXED) + len(metrics))
    cell, written = _Cells(), 0
    async for row in kept(rows, keep):
        line = blank.copy()
        line[: len(FIXED)] = [cell[value] for value in fixed(run, row)]
        for name, value in row.answer.metrics.items():
            if (at := place.get(name)) is not None:
                line[at] = value if type(value) is int else csv_cell(value)
        emit(line)
        written += 1
    return written


@dataclass(frozen=True, slots=True)
class Writing:
    """What a CSV writer takes for a file."""

    write: Out


class _Cells(dict[str | int | None, str | int | float]):
    """What stands in the fixed columns as cells of CSV, the last ones remembered."""

    def __missing__(self, value: str | int | None) -> str | int | float:
        found = csv_cell(value)
        if not isinstance(value, str) or len(value) <= _SHORT:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[value] = found
        return found


async def _metric_names(rows: Rows, keep: Filter) -> set[str]:
    names: set[str] = set()
    async for row in kept(rows, keep):
        names.update(row.answer.metrics)
    return names


def fixed(run: str, row: StoredAnswer) -> tuple[str | int | None, ...]:
    """What stands in the columns of :data:`FIXED`."""
    answer = row.answer
    came = bool(answer.layer)
    return (
        run, row.spec, row.test, row.test_id, row.type, row.target, answer.layer, answer.agent_id,
        answer.agent, answer.country, answer.server, answer.direction, answer.round_id if came else None,
        answer.date, answer.status if came else None, answer.error_type, answer.error, row.verdict,
        answer.link,
    )  # fmt: skip
