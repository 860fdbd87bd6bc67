"""The answers of a run as a table for people: aligned lines, streamed, so memory stays flat."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from orchestrator.model import Answer, AnswerStatus, Metric
from orchestrator.records import StoredAnswer
from orchestrator.report.results import Filter, Out, Rows, kept
from orchestrator.safe import terminal
from orchestrator.terminal.columns import AlignedRow, Columns, write_aligned
from orchestrator.testtypes.layers import BOOL, COUNT, METRICS, PLAIN, TEXT

_HEADINGS = ("target", "test", "agent", "country", "layer", "date", "verdict", "answer")
# Kinds of metrics that have a name for their unit but are read without it.
_UNSHOWN_UNITS = frozenset({PLAIN, COUNT, TEXT, BOOL})


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
    keep = keep or Filter()

    async def lines() -> AsyncIterator[AlignedRow]:
        async for row in kept(rows, keep):
            yield AlignedRow(_cells(row, names), row.verdict.value if row.verdict else None)

    return await write_aligned(Columns(_HEADINGS, width, painted=6, paint=paint), lines, out)


def _cells(row: StoredAnswer, names: Mapping[str, str] | None) -> tuple[str, ...]:
    answer = row.answer
    agent = (names or {}).get(answer.agent_id) or answer.agent or answer.agent_id
    layer = "/".join(part for part in (answer.layer, answer.server, answer.direction) if part)
    failed = answer.status is AnswerStatus.ERROR
    return (
        *(terminal(row.target), terminal(row.test), terminal(agent), terminal(answer.country or "-")),
        *(terminal(layer or "-"), terminal(answer.date or "-"), row.verdict.value if row.verdict else "-"),
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
