"""The shape of it: the matrix as a small picture, equal neighbours joined to one stroke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from orchestrator.report.html.signs import NOT_PLANNED, SIGNS
from orchestrator.report.html.view import Mark, Row, Run, Thumb

_FILLS = {sign.css: sign.fill for sign in SIGNS.values()}
_SHADES = {f"s{n}": "f" for n in range(4)}


def thumb(rows: Sequence[Row], columns: int) -> Thumb:
    """The picture: one unit a cell, rows that stand for many targets left out."""
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(rows):
        for css, x, width in _strokes(row.cells):
            paths.setdefault(css, []).append(f"M{x} {y}h{width}v1h-{width}z")
    runs = (Run(css, _FILLS.get(css, "#ffffff"), "".join(path)) for css, path in sorted(paths.items()))
    text = f"Matrix of {len(rows)} targets by {columns} columns; what is marked does not pass"
    return Thumb(columns, len(rows), tuple(runs), text)


def _strokes(cells: Sequence[Mark | None]) -> Iterator[tuple[str, int, int]]:
    x = 0
    for css, ones in groupby(cells, _class):
        width = len(list(ones))
        if css is not None:
            yield css, x, width
        x += width


def _class(mark: Mark | None) -> str | None:
    if mark is None:
        return None
    return NOT_PLANNED if mark.css == NOT_PLANNED else _SHADES.get(mark.css, mark.css)
