"""Aligned lines of any number of rows, streamed: one pass to learn the widths, one to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from orchestrator.safe import clip

Out = Callable[[str], object]
Paint = Callable[[str, str], str]

# No column but the last grows beyond this many columns of the terminal.
_WIDEST = 48
# With less than this left beside the others, the last column gets a line of its own.
_NARROWEST_LAST = 24
_LEAST, _GAP, _INDENT = 4, 2, 4


class AlignedRow(NamedTuple):
    """One row, escaped, and the word that chooses the colour of its painted column."""

    cells: Sequence[str]
    word: str | None = None


class Columns:
    """Lines of columns; ``width`` (of a terminal) bounds them, ``None`` leaves them whole.

    :meth:`learn` each row, then ask for the text of each. ``painted`` is the column that ``paint`` may
    colour. ``keep_first``: the first column, an id, is never cut.
    """

    def __init__(
        self,
        headings: Sequence[str],
        width: int | None = None,
        *,
        painted: int = -1,
        paint: Paint | None = None,
        keep_first: bool = False,
    ) -> None:
        self._headings = headings
        self._width = width
        self._painted = painted
        self._paint = paint
        self._keep_first = keep_first
        self._widths = [len(heading) for heading in headings[:-1]]

    def learn(self, cells: Sequence[str]) -> None:
        """Make room for a row."""
        for column, text in enumerate(cells[:-1]):
            self._widths[column] = max(self._widths[column], min(_WIDEST, cell_len(text)))

    @property
    def below(self) -> bool:
        """Whether the last column gets a line of its own."""
        others = sum(self._widths) + _GAP * len(self._widths)
        return self._width is not None and self._width - others < _NARROWEST_LAST

    def fit(self) -> None:
        """Narrow the widest columns until they fit; to be called when all rows are known."""
        first = 1 if self._keep_first else 0
        while self._width is not None and self.below and self._beside > self._width:
            largest = max(range(first, len(self._widths)), key=lambda n: self._widths[n])
            if self._widths[largest] <= _LEAST:
                return
            self._widths[largest] -= 1

    @property
    def _beside(self) -> int:
        return sum(self._widths) + _GAP * (len(self._widths) - 1)

    def heading(self) -> str:
        """The text of the headings."""
        return self.line(AlignedRow(self._headings))

    def line(self, line: AlignedRow) -> str:
        """The text of a row, with its line breaks."""
        parts = []
        for column, text in enumerate(line.cells[:-1]):
            padded = set_cell_size(fitted(text, self._widths[column]), self._widths[column])
            colour = self._paint if column == self._painted else None
            parts.append(colour(padded, line.word) if colour and line.word else padded)
        last, width = line.cells[-1], self._width
        if width is None:
            return "  ".join([*parts, last]).rstrip() + "\n"
        if self.below:
            return f"{'  '.join(parts).rstrip()}\n{' ' * _INDENT}{fitted(last, width - _INDENT)}\n"
        room = width - sum(self._widths) - _GAP * len(self._widths)
        return "  ".join([*parts, fitted(last, room)]).rstrip() + "\n"


async def write_aligned(columns: Columns, lines: Callable[[], AsyncIterator[AlignedRow]], out: Out) -> int:
    """Write all rows. Returns their number."""
    async for line in lines():
        columns.learn(line.cells)
    columns.fit()
    out(columns.heading())
    number = 0
    async for line in lines():
        out(columns.line(line))
        number += 1
    return number


def fitted(text: str, width: int) -> str:
    """Text that takes at most ``width`` columns; a cut is shown."""
    while cell_len(text) > width > 0:
        text = clip(text, min(len(text) - 1, width))
    return text
