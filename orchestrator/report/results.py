"""The answers of a run as JSON lines, CSV or a table of plain lines; streamed, so memory stays flat.

Every writer takes a function that gives the rows afresh, because CSV and tables need one pass to learn
their columns and a second one to write.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from orchestrator.model import Answer, AnswerStatus, Metric, Verdict
from orchestrator.near import folded
from orchestrator.records import StoredAnswer
from orchestrator.report.summary import SCHEMA
from orchestrator.safe import clip, csv_cell, json_line, terminal
from orchestrator.testtypes.layers import BOOL, COUNT, METRICS, PLAIN, TEXT

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
            (not self.layers or answer.layer in self.layers)
            and (not self.verdicts or row.verdict in self.verdicts)
            and (not self.statuses or answer.status in self.statuses)
            and (not self.agents or answer.agent_id in self.agents or _matches(answer.agent, self.agents))
            and (not self.targets or _matches(row.target, self.targets))
        )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    name = folded(name)
    return any(fnmatchcase(name, folded(pattern)) for pattern in patterns)


async def _kept(rows: Rows, keep: Filter) -> AsyncIterator[StoredAnswer]:
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
        "layer": answer.layer,
        "agent_id": answer.agent_id,
        "agent": answer.agent,
        "country": answer.country,
        "server": answer.server,
        "round_id": answer.round_id,
        "date": answer.date,
        "status": answer.status.value,
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
    async for row in _kept(rows, keep or Filter()):
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
    async for row in _kept(rows, keep):
        values = [csv_cell(value) for value in _fixed(run, row)]
        emit([*values, *(csv_cell(row.answer.metrics.get(name)) for name in metrics)])
        written += 1
    return written


async def _metric_names(rows: Rows, keep: Filter) -> list[str]:
    names: set[str] = set()
    async for row in _kept(rows, keep):
        names.update(row.answer.metrics)
    return sorted(names)


def _fixed(run: str, row: StoredAnswer) -> tuple[Metric | None, ...]:
    answer = row.answer
    verdict = None if row.verdict is None else row.verdict.value
    return (
        *(run, row.spec, row.test, row.test_id, row.type, row.target, answer.layer),
        *(answer.agent_id, answer.agent, answer.country, answer.server, answer.direction, answer.round_id),
        *(answer.date, answer.status.value, answer.error_type, answer.error, verdict, answer.link),
    )


_HEADINGS = ("target", "agent", "country", "layer", "date", "verdict", "answer")
# Kinds of metrics that have a name for their unit but are read without it.
_UNSHOWN_UNITS = frozenset({PLAIN, COUNT, TEXT, BOOL})
# No column but the last grows beyond this many characters.
_WIDEST = 48
# The answer keeps at least this much of a narrow terminal; the line then wraps.
_NARROWEST_ANSWER = 24


async def write_table(
    rows: Rows,
    out: Out,
    keep: Filter | None = None,
    *,
    width: int | None = None,
    paint: Callable[[str, str], str] | None = None,
    names: Mapping[str, str] | None = None,
) -> int:
    """Aligned lines for a person. ``width`` (of a terminal) bounds them; ``None`` leaves them whole.
    ``names`` has the agents' names for people by id.

    ``paint(text, verdict)`` may colour the column of the verdict. Returns the number of rows.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - JSON lines and CSV do without it

    keep = keep or Filter()
    widths = [len(heading) for heading in _HEADINGS]
    async for row in _kept(rows, keep):
        for column, text in enumerate(_cells(row, names)[:-1]):
            widths[column] = max(widths[column], min(_WIDEST, cell_len(text)))
    room = None if width is None else max(_NARROWEST_ANSWER, width - sum(widths[:-1]) - 2 * len(widths[:-1]))

    def line(cells: Sequence[str], verdict: str | None) -> str:
        parts = []
        for column, text in enumerate(cells[:-1]):
            padded = set_cell_size(_fitted(text, widths[column], cell_len), widths[column])
            parts.append(paint(padded, verdict) if paint and verdict and column == 5 else padded)
        last = cells[-1] if room is None else _fitted(cells[-1], room, cell_len)
        return "  ".join([*parts, last]).rstrip() + "\n"

    out(line(_HEADINGS, None))
    written = 0
    async for row in _kept(rows, keep):
        out(line(_cells(row, names), row.verdict.value if row.verdict else None))
        written += 1
    return written


def _fitted(text: str, width: int, measure: Callable[[str], int]) -> str:
    """Text that takes at most ``width`` columns; a cut is shown."""
    while measure(text) > width:
        text = clip(text, min(len(text) - 1, width))
    return text


def _cells(row: StoredAnswer, names: Mapping[str, str] | None) -> tuple[str, ...]:
    answer = row.answer
    agent = (names or {}).get(answer.agent_id) or answer.agent or answer.agent_id
    layer = "/".join(part for part in (answer.layer, answer.server, answer.direction) if part)
    failed = answer.status is AnswerStatus.ERROR
    return (
        *(terminal(row.target), terminal(agent), terminal(answer.country or "-")),
        *(terminal(layer), terminal(answer.date or "-"), row.verdict.value if row.verdict else "-"),
        terminal(answer.error or "error") if failed else _measured(answer),
    )


def _measured(answer: Answer) -> str:
    """The metrics in the API's order with their units, as one would read them out; six digits at most."""
    units = METRICS.get(answer.layer, {})
    parts = []
    for name, value in answer.metrics.items():
        unit = units.get(name, PLAIN)
        shown = f" {unit}" if unit not in _UNSHOWN_UNITS and not isinstance(value, str) else ""
        parts.append(f"{name} {_short(value)}{shown}")
    return terminal(", ".join(parts)) if parts else "-"


def _short(value: Metric) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
