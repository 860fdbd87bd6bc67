"""Tables as text: Markdown that reads well in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what it shows, and rows of cells that are text already."""

    title: str
    about: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table with its columns aligned; the first column to the left, figures to the right."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rule = tuple("-" * width if n == 0 else "-" * (width - 1) + ":" for n, width in enumerate(widths))
        body = [self.head, rule, *self.rows]
        shown = "\n".join(_line(line, widths) for line in body)
        return f"### {self.title}\n\n{self.about}\n\n{shown}\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.ljust(width) if n == 0 else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"
