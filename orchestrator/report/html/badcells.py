"""The bad cells one by one, under the cause that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.insight.values import CellKey
from orchestrator.model import Verdict
from orchestrator.report.html.causes import headed
from orchestrator.report.html.cells import Cell, words_of_parts
from orchestrator.report.html.material import Material
from orchestrator.report.html.signs import SIGNS, sign_of, word_of
from orchestrator.report.html.text import WHAT_LIMIT, median, milliseconds, percent, shown, tenth
from orchestrator.report.html.view import BadCell, BadCells, Part, Segment, Times

PER_CAUSE = 50  # where not all bad cells can be listed
_BAR = 120.0
_FILLS = ("#86a8cc", "#4673a6", "#7b6ba8", "#c8400b", "#5f8f7a", "#b9bec6")
_LISTED = (Verdict.FAIL, Verdict.WARN, Verdict.PARTIAL)


@dataclass(frozen=True, slots=True)
class Group:
    """Bad cells of one cause; ``cells`` are the first of ``total``."""

    number: int | None
    title: tuple[Part, ...]
    cells: tuple[Cell, ...]
    total: int


def grouped(material: Material) -> tuple[Group, ...]:
    """Every bad cell with the first of its causes, those without any last. What is silent has no line.

    All are listed if they are at most ``layout.cells``, else some of each cause.
    """
    found: dict[int | None, list[Cell]] = {}
    for row in material.grid.values():
        for cell in row.values():
            if cell.verdict in _LISTED:
                number = next(iter(material.cause_of.get(cell.key, ())), None)
                found.setdefault(number, []).append(cell)
    total = sum(len(cells) for cells in found.values())
    most = material.layout.cells
    each = total if total <= most else min(PER_CAUSE, most // len(found))
    order = sorted(found, key=lambda number: (number is None, number or 0))
    return tuple(
        Group(number, _title(material, number), tuple(found[number][:each]), len(found[number]))
        for number in order
    )


def _title(material: Material, number: int | None) -> tuple[Part, ...]:
    if number is None:
        return (Part("Without a common cause"),)
    return headed(material.insight.points[number - 1].text)[0]


def refs_of(groups: Iterable[Group]) -> Mapping[CellKey, int]:
    """The number of each cell that has a line, from 1."""
    cells = (cell for group in groups for cell in group.cells)
    return {cell.key: number for number, cell in enumerate(cells, 1)}


def bad_cells(
    material: Material, groups: Sequence[Group], refs: Mapping[CellKey, int]
) -> tuple[BadCells, ...]:
    """The groups as they are shown."""
    usual = _Usual(material)
    shown_groups = []
    for at, group in enumerate(groups):
        lines = tuple(_line(material, cell, refs[cell.key], usual) for cell in group.cells)
        more = group.total - len(lines)
        shown_groups.append(
            BadCells(
                number=group.number,
                title=group.title,
                total=f"{group.total} cell{'' if group.total == 1 else 's'}",
                cells=lines,
                more=f"{more} more of this cause are not listed here" if more else "",
                parts=any(line.times for line in lines),
                links=any(line.link for line in lines),
                open=at == 0,
            )
        )
    return tuple(shown_groups)


def _line(material: Material, cell: Cell, ref: int, usual: _Usual) -> BadCell:
    return BadCell(
        id=ref,
        block=shown(cell.key.test),
        target=shown(cell.key.target),
        agent=shown(material.name(cell.key.agent_id)),
        country=shown(cell.country),
        css=SIGNS[cell.verdict].css,
        sign=sign_of(cell),
        word=word_of(cell),
        what=shown(cell.why, WHAT_LIMIT),
        servers=tuple(shown(one, 200) for one in cell.servers),
        loss=percent(cell.loss),
        latency=milliseconds(cell.latency),
        times=usual.times(cell),
        link=cell.link,
    )


class _Usual:
    """What the parts of a target's time are where it passes: the reference of a bad cell."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._known: dict[tuple[str, str], tuple[float, ...]] = {}

    def times(self, cell: Cell) -> Times | None:
        """The parts of a cell, and those that are usual for its target, to one scale."""
        before = self._of(cell.row) if cell.parts else ()
        whole = max(sum(cell.parts), sum(before))
        if whole <= 0:
            return None
        words = words_of_parts(cell.kind)
        usual = f"; usual: {_told(before, words)}" if before else ""
        return Times(_segments(cell.parts, whole), _segments(before, whole), _told(cell.parts, words) + usual)

    def _of(self, row: tuple[str, str]) -> tuple[float, ...]:
        if row not in self._known:
            good = [
                cell.parts
                for cell in self._material.grid[row].values()
                if cell.verdict is Verdict.PASS and cell.parts
            ]
            self._known[row] = tuple(median(values) or 0.0 for values in zip(*good, strict=False))
        return self._known[row]


def _segments(values: Sequence[float], whole: float) -> tuple[Segment, ...]:
    segments, x = [], 0.0
    for n, value in enumerate(values):
        width = _BAR * value / whole
        if width >= 0.05:
            segments.append(Segment("", _FILLS[n % len(_FILLS)], tenth(x), tenth(width)))
        x += width
    return tuple(segments)


def _told(values: Sequence[float], words: Sequence[str]) -> str:
    return ", ".join(f"{word} {milliseconds(value)}" for word, value in zip(words, values, strict=False))
