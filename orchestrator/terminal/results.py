"""The answers of a run as a table for people: aligned lines, streamed, so memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size

from orchestrator.model import Answer, AnswerStatus, Metric
from orchestrator.records import StoredAnswer
from orchestrator.report.results import Filter, Out, Rows, kept
from orchestrator.safe import clip, terminal
from orchestrator.testtypes.layers import BOOL, COUNT, METRICS, PLAIN, TEXT

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
    keep = keep or Filter()
    widths = [len(heading) for heading in _HEADINGS]
    async for row in kept(rows, keep):
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
    async for row in kept(rows, keep):
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
