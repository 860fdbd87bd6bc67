"""The door to a terminal, or to whatever stands in its place. Data never reaches it as markup.

Colours follow rich's rules: none unless the stream is a terminal, none with ``NO_COLOR`` or ``TERM=dumb``;
``FORCE_COLOR`` asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from typing import TextIO

# Wider than any line that we write: a pipe or a file gets each line whole.
_UNBOUNDED = 100_000
# Blanks between the columns of a table.
_GAP = 2

STYLES = {
    "pass": "green",
    "warn": "yellow",
    "fail": "bold red",
    "error": "red",
    "partial": "yellow",
    "no-answer": "yellow",
    "no answer": "yellow",
    "not-run": "dim",
    "complete": "green",
    "incomplete": "yellow",
    "interrupted": "yellow",
    "refused": "bold red",
    "running": "cyan",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever uses the console decides what a reader that has gone means; rich would exit with 1."""
        raise BrokenPipeError


def make_console(stream: TextIO, *, color: bool | None = None) -> Console:
    """A console on ``stream``. ``color`` overrides the environment: ``False`` for ``--no-color``."""
    terminal = stream.isatty()
    return _Console(
        file=stream,
        width=None if terminal else _UNBOUNDED,
        no_color=None if color is None else not color,
        force_terminal=True if color else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def say(console: Console, text: str, style: str = "") -> None:
    """One line, kept whole; data in it must be escaped already (``safe.terminal``)."""
    console.print(Text(text, style=style), soft_wrap=True)


def table(
    console: Console,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    styled: int | None = None,
    indent: int = 0,
    keep_first: bool = False,
) -> None:
    """Aligned columns without a frame; the cells must be escaped already.

    ``keep_first`` never folds the first column: an id is copied.
    ``styled`` is the column whose word chooses its colour. On a terminal long cells are folded, between words
    as long as there is room for the longest one; elsewhere every row is one line without trailing blanks.
    """
    cells = list(rows)
    lines = [headings, *cells] if headings else cells
    columns = max((len(line) for line in lines), default=0)
    room = console.width - indent - _GAP * max(0, columns - 1) if console.is_terminal else None
    widths = _widths(lines, columns, room, keep_first=keep_first)
    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    grid.show_header = bool(headings)
    for column in range(columns):
        whole = keep_first and column == 0
        heading = headings[column] if headings else ""
        grid.add_column(heading, overflow="fold", no_wrap=whole, width=widths[column] if widths else None)
    for row in cells:
        grid.add_row(*(Text(cell, STYLES.get(cell, "") if n == styled else "") for n, cell in enumerate(row)))
    indented = Padding(grid, (0, 0, 0, indent), expand=False)
    if console.is_terminal:
        console.print(indented)
        return
    with console.capture() as captured:
        console.print(indented)
    for line in captured.get().split("\n")[:-1]:
        console.print(Text(line.rstrip()), soft_wrap=True)


def _widths(
    lines: Sequence[Sequence[str]], columns: int, room: int | None, *, keep_first: bool
) -> list[int] | None:
    """Widths at which no word is broken; ``None`` where every cell fits as it is, or no such widths do."""
    natural = [max((cell_len(line[n]) for line in lines if n < len(line)), default=0) for n in range(columns)]
    if room is None or sum(natural) <= room:
        return None
    least = [
        whole if keep_first and n == 0 else _longest_word(line[n] for line in lines if n < len(line))
        for n, whole in enumerate(natural)
    ]
    spare = room - sum(least)
    if spare < 0:
        return None
    wanted = [whole - word for whole, word in zip(natural, least, strict=True)]
    widths, left, over = [], spare, sum(wanted)
    for word, more in zip(least, wanted, strict=True):
        given = left * more // over if over else 0
        widths.append(word + given)
        left, over = left - given, over - more
    return widths


def _longest_word(cells: Iterable[str]) -> int:
    return max((cell_len(word) for cell in cells for word in cell.split(" ")), default=0)


def painter(console: Console) -> Callable[[str, str], str] | None:
    """A function that colours a text by a word such as a verdict; ``None`` where there are no colours."""
    system = console.color_system
    if system is None or console.no_color:
        return None

    def paint(text: str, word: str) -> str:
        with console.capture() as captured:
            console.print(Text(text, style=Style.parse(STYLES.get(word, ""))), end="", soft_wrap=True)
        return captured.get()

    return paint
