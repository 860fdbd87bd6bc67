"""The matrix: which target fails from where, one table for each way to look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.insight.values import CellKey, Phase
from orchestrator.model import Verdict
from orchestrator.report.html.axes import Axes, Column, Rest, axes
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.change import change_views
from orchestrator.report.html.heat import heat_views
from orchestrator.report.html.layout import LABEL
from orchestrator.report.html.material import Grid
from orchestrator.report.html.signs import NOT_PLANNED, SIGNS, WORDS, badness, sign_of, word_of
from orchestrator.report.html.text import shown
from orchestrator.report.html.thumb import thumb
from orchestrator.report.html.view import Heading, Key, Mark, Matrix, Row, View

_BLANK = Mark(NOT_PLANNED)
_TITLE = 160


def matrix(material: Grid, refs: Mapping[CellKey, int]) -> Matrix | None:
    """The matrix with all of its views; ``refs`` numbers the bad cells that have a line of their own."""
    if not material.cells:
        return None
    found = axes(material)
    rows = [*_rows(material, found, refs)]
    verdict = View(
        "v",
        "Verdict",
        "Which target fails from where; an empty cell passes",
        tuple(_keys(material)),
        (*rows, *(_rest(one) for one in found.rest)),
    )
    return Matrix(
        by=_by(material.layout.columns),
        groups=tuple(Heading(name, width) for name, width in found.groups),
        columns=tuple(one.label for one in found.columns),
        starts=found.starts,
        views=(verdict, *heat_views(material, found), *change_views(material, found)),
        thumb=thumb(rows, len(found.columns)),
        notes=tuple(notes_of(material, found)),
    )


def _rows(material: Grid, found: Axes, refs: Mapping[CellKey, int]) -> Iterator[Row]:
    for block, target in found.rows:
        cells = material.grid[block, target]
        marks = tuple(_mark(material, one, cells, refs) for one in found.columns)
        yield Row(shown(block), shown(target), marks)


def _mark(
    material: Grid, column: Column, cells: Mapping[str, Cell], refs: Mapping[CellKey, int]
) -> Mark | None:
    if column.many:
        return _of_many([cells[one] for one in column.agents if one in cells])
    cell = cells.get(column.agents[0])
    if cell is None:
        return _BLANK
    if cell.verdict is Verdict.PASS:
        return None
    title = _title(material, cell) if material.size.titles else None
    return Mark(SIGNS[cell.verdict].css, sign_of(cell), refs.get(cell.key), title)


def _title(material: Grid, cell: Cell) -> str:
    why = f": {shown(cell.why, _TITLE)}" if cell.why else ""
    return f"{shown(cell.key.target)} from {shown(material.name(cell.key.agent_id))}, {word_of(cell)}{why}"


def _of_many(cells: Sequence[Cell]) -> Mark | None:
    """How many of a group's cells are bad, and the shade of that part."""
    if not cells:
        return _BLANK
    failing, silent, warning = badness(cells)
    if failing:
        return Mark(f"s{min(3, 4 * failing // len(cells))}", f"{failing}/{len(cells)}")
    if silent:
        return Mark("n", f"{silent}/{len(cells)}")
    return Mark("w", f"{warning}/{len(cells)}") if warning else None


def _rest(rest: Rest) -> Row:
    bad = f", {rest.bad} of them with bad cells" if rest.bad else ", all pass"
    return Row(shown(rest.block), f"{rest.targets} targets", (), f"{rest.targets} targets{bad}")


def _keys(material: Grid) -> Iterator[Key]:
    """The signs that are in this matrix, with what they mean."""
    seen = {cell.verdict for cell in material.cells}
    for phase in Phase:
        if any(cell.phase is phase and cell.verdict is Verdict.FAIL for cell in material.cells):
            yield Key("f", phase.letter, WORDS[phase])
    warned = {cell.phase for cell in material.cells if cell.verdict is Verdict.WARN}
    yield from (Key("w", p.letter.lower(), f"warning: {WORDS[p]}") for p in Phase if p in warned)
    for verdict in (Verdict.NO_ANSWER, Verdict.PARTIAL, None, Verdict.NOT_RUN):
        if verdict in seen:
            yield Key(SIGNS[verdict].css, SIGNS[verdict].mark, SIGNS[verdict].word)
    if len(material.cells) < len(material.grid) * len(material.by_agent):
        yield Key(NOT_PLANNED, "", "not in the plan")
    yield Key("k", "", "empty: passes")


def notes_of(material: Grid, found: Axes) -> Iterator[str]:
    """What is left out of a matrix."""
    if found.rest:
        yield (
            f"{len(found.rows)} of {found.targets} targets are shown one by one, those with bad cells; "
            "all are in the results as CSV"
        )
    if any(one.many for one in found.columns):
        yield (
            f"{len(material.by_agent)} agents are too many for a column each: "
            "a column is a group, its cells say how many of them are bad"
        )
    left = [
        name
        for name, there in (
            ("time", material.size.times),
            ("latency", material.size.latencies),
            ("server wait", material.size.waits),
        )
        if not there
    ]
    if left:
        yield f"{len(material.grid) * len(material.by_agent)} cells: without a view of {_or(left)}"


def _or(words: Iterable[str]) -> str:
    known = list(words)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}"


def _by(columns: str) -> str:
    return f"label {shown(columns.removeprefix(LABEL))}" if columns.startswith(LABEL) else columns
