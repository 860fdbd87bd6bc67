"""Targets by what came of them, and sites the same way: the worst first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model import Verdict
from orchestrator.report.html.before import squares, then
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.material import Material
from orchestrator.report.html.signs import badness, bar_of
from orchestrator.report.html.text import DASH, median, milliseconds, shown
from orchestrator.report.html.view import Entry, Strip, Table

STRIP, STRIP_HEIGHT = 190.0, 16.0
BAR = 90.0
_QUANTILES = 10
_CAUSES = 6
# In this order; a column whose numbers are all 0 is left out, but for the first two.
_HEADS: tuple[tuple[str, tuple[Verdict | None, ...]], ...] = (
    ("pass", (Verdict.PASS,)),
    ("fail", (Verdict.FAIL,)),
    ("warn", (Verdict.WARN,)),
    ("no answer", (Verdict.NO_ANSWER,)),
    ("partial", (Verdict.PARTIAL,)),
    ("open", (None,)),
    ("not run", (Verdict.NOT_RUN,)),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """A log scale from the fastest to the slowest cell of the run, milliseconds."""

    low: float
    high: float

    def x(self, value: float) -> int:
        """Where a time stands on a strip."""
        if self.high <= self.low:
            return round(STRIP / 2)
        place = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return round(4 + (STRIP - 8) * min(1.0, place))


@dataclass(frozen=True, slots=True)
class _Of:
    """A line to be: what it is of, and its cells."""

    small: str
    name: str
    place: str
    cells: Sequence[Cell]
    row: tuple[str, str] | None = None


def targets(material: Material) -> Table:
    """A line for each target, the worst first."""
    known = (
        _Of(shown(row[0]), shown(row[1]), "", tuple(cells.values()), row)
        for row, cells in material.grid.items()
    )
    return _table(material, known, lambda cell: cell.time, "targets")


def sites(material: Material) -> Table | None:
    """A line for each agent; ``None`` where there is one only."""
    if len(material.by_agent) < 2:
        return None
    known = (
        _Of("", shown(material.name(agent)), _place(material, agent), cells)
        for agent, cells in material.by_agent.items()
    )
    return _table(material, known, lambda cell: cell.latency, "agents")


def _place(material: Material, agent_id: str) -> str:
    agent = material.agents.get(agent_id)
    if agent is None:
        return material.by_agent[agent_id][0].country
    # An agent without a place of its own is often called by it.
    where = agent.location if agent.location and agent.location != agent.name else ""
    return ", ".join(shown(one) for one in (where, agent.country, agent.network) if one)


def _table(
    material: Material, known: Iterable[_Of], time_of: Callable[[Cell], float | None], what: str
) -> Table:
    lines = sorted(known, key=lambda one: _rank(one.cells))
    seen = {cell.verdict for cell in material.cells}
    heads = [head for head in _HEADS if head[0] in ("pass", "fail") or seen & set(head[1])]
    times = [time for cell in material.cells if (time := time_of(cell)) is not None and time > 0]
    scale = Scale(min(times), max(times)) if times else None
    most = material.size.lines
    read = [one for one in material.since.trail if one.cells is not None]
    notes = []
    if len(lines) > most:
        notes.append(
            f"{most} of {len(lines)} {what} are shown, the worst first; all are in the results as CSV"
        )
    marks = material.size.marks
    if scale is not None and marks is not None and any(len(one.cells) > marks for one in lines):
        notes.append(f"with more than {marks} times in a line its marks are tenths of them" if marks else
                     "the marks are tenths of the times")  # fmt: skip
    return Table(
        heads=tuple(name for name, _ in heads),
        entries=tuple(_entry(material, one, heads, scale, time_of) for one in lines[:most]),
        places="where" if any(one.place for one in lines) else "",
        times=scale is not None,
        scale="" if scale is None else f"{milliseconds(scale.low)} to {milliseconds(scale.high)}",
        notes=tuple(notes),
        runs=1 + len(read) if lines and lines[0].row is not None and read else 0,
        before=bool(material.before) and any(one.row is not None for one in lines),
    )


def _rank(cells: Iterable[Cell]) -> tuple[int, int, int]:
    failing, silent, warning = badness(cells)
    return (-failing - silent, -failing, -warning)


def _entry(
    material: Material,
    one: _Of,
    heads: Sequence[tuple[str, tuple[Verdict | None, ...]]],
    scale: Scale | None,
    time_of: Callable[[Cell], float | None],
) -> Entry:
    count = Counter(cell.verdict for cell in one.cells)
    times = [time for cell in one.cells if (time := time_of(cell)) is not None]
    causes = sorted({number for cell in one.cells for number in material.cause_of.get(cell.key, ())})
    was, middle = then(material, one.cells) if one.row is not None and material.before else (None, None)
    return Entry(
        small=one.small,
        name=one.name,
        place=one.place,
        bar=bar_of(count, BAR),
        numbers=tuple(sum(count[verdict] for verdict in verdicts) for _, verdicts in heads),
        strip=None if scale is None or not times else _strip(scale, times, material.size.marks, middle),
        median=milliseconds(median(times)) if times else DASH,
        causes=tuple(causes[:_CAUSES]),
        squares=None if one.row is None else squares(material.since.trail, one.row, one.cells),
        then=was,
    )


def _strip(scale: Scale, times: Sequence[float], most: int | None, before: float | None) -> Strip:
    """A mark for each time, or for each tenth of them where they are many; a long one for the median, a
    triangle for that of before."""
    ordered = sorted(times)
    drawn = ordered if most is None or len(ordered) <= most else list(_quantiles(ordered))
    marks = "".join(f"M{x} 4v8" for x in dict.fromkeys(scale.x(time) for time in drawn))
    middle = median(ordered) or 0.0
    text = f"{milliseconds(ordered[0])} to {milliseconds(ordered[-1])}, median {milliseconds(middle)}"
    if before is None:
        return Strip(marks, f"M{scale.x(middle)} 1v14", text)
    triangle = f"M{scale.x(before)} 4l-3-4h6z"
    return Strip(marks, f"M{scale.x(middle)} 1v14", text, triangle)


def _quantiles(ordered: Sequence[float]) -> Iterator[float]:
    last = len(ordered) - 1
    yield from (ordered[round(last * n / _QUANTILES)] for n in range(_QUANTILES + 1))
