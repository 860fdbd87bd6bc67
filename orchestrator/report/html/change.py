"""The matrix by what changed: an arrow and percent where a cell's time is another one than before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model import Verdict
from orchestrator.report.html.axes import Axes, Column
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.material import Grid
from orchestrator.report.html.signs import NOT_PLANNED, SIGNS, sign_of
from orchestrator.report.html.text import shown
from orchestrator.report.html.view import Key, Mark, Row, View

# Smaller changes are left blank: milliseconds, and a share of the time before.
LEAST_MS, LEAST_SHARE = 20.0, 0.15
UP, DOWN = "\u2191", "\u2193"
_BLANK = Mark(NOT_PLANNED)
# From this share on, upwards and downwards, it is the next shade.
_UPWARDS, _DOWNWARDS = (0.5, 1.0), (0.3,)
_CAPTION = "How much slower or faster than before a cell is, percent; blank within 15 % or 20 ms"


def moved(before: float, now: float) -> float | None:
    """By which share of it a time changed; ``None`` where that is nothing."""
    if before <= 0 or abs(now - before) < LEAST_MS or abs(now - before) < LEAST_SHARE * before:
        return None
    return now / before - 1


def change_views(grid: Grid, axes: Axes) -> Iterator[View]:
    """The view of what changed, if it is known how it was before."""
    if not grid.before:
        return
    rows = tuple(
        Row(shown(block), shown(target), tuple(_mark(grid, one, block, target) for one in axes.columns))
        for block, target in axes.rows
    )
    keys = (
        Key("u1", UP, "slower, percent"),
        Key("v1", DOWN, "faster"),
        Key("q", "", "empty: within 15 % or 20 ms, or not known"),
    )
    yield View("c", "Change, %", _CAPTION, keys, rows, heat=True)


def _mark(grid: Grid, column: Column, block: str, target: str) -> Mark | None:
    cells = grid.grid[block, target]
    if column.many:
        return _of_many(grid, [cells[one] for one in column.agents if one in cells])
    cell = cells.get(column.agents[0])
    if cell is None:
        return _BLANK
    share = change_of(grid, cell)
    if share is not None:
        return Mark(_css(share), in_short(share))
    return Mark(SIGNS[cell.verdict].css, sign_of(cell)) if cell.verdict is not Verdict.PASS else None


def change_of(grid: Grid, cell: Cell) -> float | None:
    """By which share the time of a cell changed, if it did."""
    before = grid.before.get(cell.key)
    return None if before is None or cell.time is None else moved(before, cell.time)


def _of_many(grid: Grid, cells: Sequence[Cell]) -> Mark | None:
    """How many of a group's cells are slower, else how many are faster."""
    if not cells:
        return _BLANK
    shares = [share for cell in cells if (share := change_of(grid, cell)) is not None]
    up, down = sum(one > 0 for one in shares), sum(one < 0 for one in shares)
    if not up and not down:
        return None
    sign, number, css = (UP, up, "u1") if up else (DOWN, down, "v1")
    return Mark(css, f"{sign}{number}/{len(cells)}")


def _css(share: float) -> str:
    if share > 0:
        return f"u{sum(share >= one for one in _UPWARDS)}"
    return f"v{sum(-share >= one for one in _DOWNWARDS)}"


def in_short(share: float) -> str:
    """``↑159``, ``↓40``; a factor where a number would be too long."""
    if share >= 9.995:
        return f"{UP}{min(1 + share, 9999):.0f}x"
    return f"{UP if share > 0 else DOWN}{abs(100 * share):.0f}"
