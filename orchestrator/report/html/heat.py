"""The matrix by numbers: six shades of one colour, the number printed in each cell."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model import Verdict
from orchestrator.report.html.axes import Axes, Column
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.material import Grid
from orchestrator.report.html.signs import NOT_PLANNED, SIGNS, sign_of
from orchestrator.report.html.text import short, shown
from orchestrator.report.html.view import Key, Mark, Row, View

SHADES = 6
_BLANK = Mark(NOT_PLANNED)


@dataclass(frozen=True, slots=True)
class _Measure:
    """One number of a cell. ``wanted``: the size of the run allows it."""

    id: str
    title: str
    caption: str
    of: Callable[[Cell], float | None]
    wanted: bool


def heat_views(material: Grid, axes: Axes) -> Iterator[View]:
    """A view for each number that the size allows and that some cell has."""
    size = material.size
    # Kinds of tests that measure packets only have no time but their latency: one view is enough.
    other = any(cell.time is not None and cell.time != cell.latency for cell in material.cells)
    lost = any(cell.loss for cell in material.cells)
    measures = (
        _Measure(
            "t", "Time, ms", "The main time of each kind of test, milliseconds", _time, size.times and other
        ),
        _Measure("s", "Server wait, ms", "What the server took to answer, milliseconds", _wait, size.waits),
        _Measure(
            "l",
            "Latency, ms",
            "The round trip over the network, milliseconds",
            _latency,
            size.latencies or (size.times and not other),
        ),
        _Measure("p", "Loss, %", "Packets that were lost, percent", _loss, size.waits and lost),
    )
    for measure in measures:
        view = _view(material, axes, measure) if measure.wanted else None
        if view is not None:
            yield view


def _time(cell: Cell) -> float | None:
    return cell.time


def _wait(cell: Cell) -> float | None:
    return cell.wait


def _latency(cell: Cell) -> float | None:
    return cell.latency


def _loss(cell: Cell) -> float | None:
    return cell.loss


def _view(material: Grid, axes: Axes, measure: _Measure) -> View | None:
    values = sorted(value for cell in material.cells if (value := measure.of(cell)) is not None)
    if not values:
        return None
    bounds = _bounds(values)
    marks = [Mark(f"h{shade}") for shade in range(SHADES)]
    rows = tuple(
        Row(
            shown(block),
            shown(target),
            tuple(_mark(material, column, block, target, measure, bounds) for column in axes.columns),
        )
        for block, target in axes.rows
    )
    keys = (*_keys(bounds, values, marks), Key("q", "", "empty: not measured"))
    return View(measure.id, measure.title, measure.caption, keys, rows, heat=True)


def _bounds(values: Sequence[float]) -> tuple[float, ...]:
    """What parts the values into six groups alike in number; fewer where many are equal."""
    cuts = (values[len(values) * n // SHADES] for n in range(1, SHADES))
    return tuple(dict.fromkeys(cut for cut in cuts if cut > values[0]))


def _keys(bounds: Sequence[float], values: Sequence[float], marks: Sequence[Mark]) -> Iterator[Key]:
    lows = [values[0], *bounds]
    for shade, low in enumerate(lows):
        last = shade == len(lows) - 1
        high = values[-1] if last else bounds[shade]
        yield Key(marks[shade].css, short(low), f"to {short(high)}")


def _mark(
    material: Grid, column: Column, block: str, target: str, measure: _Measure, bounds: Sequence[float]
) -> Mark | None:
    cell = material.grid[block, target].get(column.agents[0])
    if cell is None:
        return _BLANK
    value = measure.of(cell)
    if value is not None:
        return Mark(f"h{bisect_right(bounds, value)}", short(value))
    if cell.verdict is Verdict.PASS:
        return None
    return Mark(SIGNS[cell.verdict].css, sign_of(cell))
