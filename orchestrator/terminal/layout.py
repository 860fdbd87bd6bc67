"""Lines that fit a terminal: wrapped at words, with a right column where there is room for one.

``width`` is that of the terminal in columns; ``None`` (a pipe, a file) leaves each line whole. Texts must be
escaped already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from orchestrator.terminal.console import say

if TYPE_CHECKING:
    from rich.console import Console

# From here on the right column stands at the right edge; below it goes to the end of the text.
WIDE = 90
# A line that is longer is hard to read, however wide the terminal is.
WIDEST = 110
_NARROWEST = 20
DOT = "·"
_GAP = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with what stands at its right edge, and the lines below it.

    ``inline`` is ``right`` where it has to follow a text. ``sign`` is printed before the text, in its own
    ``style``.
    """

    text: str
    right: str = ""
    inline: str = ""
    below: Sequence[str] = ()
    indent: int = 0
    hang: int = 0
    sign: str = ""
    style: str = ""
    bold: bool = False


def can_write(console: Console, text: str) -> bool:
    """Whether the stream behind the console has these characters."""
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def width_of(console: Console) -> int | None:
    """The columns of a terminal; ``None`` where nobody cuts a line."""
    return max(_NARROWEST, console.width) if console.is_terminal else None


def wrapped(text: str, width: int | None, *, indent: int = 0, hang: int | None = None) -> list[str]:
    """The text as lines of at most ``width`` columns, the first behind ``indent`` blanks, the others behind
    ``hang``. A word is broken only where it is longer than a line."""
    hang = indent if hang is None else hang
    if width is None:
        return [" " * indent + text]
    lines: list[str] = []
    room, begun = max(1, width - indent), ""
    for word in text.split(" "):
        joined = f"{begun} {word}" if begun else word
        if cell_len(joined) <= room:
            begun = joined
            continue
        if begun:
            lines.append(begun)
            room = max(1, width - hang)
        *whole, begun = _broken(word, room, max(1, width - hang))
        if whole:
            lines += whole
            room = max(1, width - hang)
    lines.append(begun)
    return [" " * (hang if n else indent) + line for n, line in enumerate(lines)]


def _broken(word: str, first: int, room: int) -> list[str]:
    """A word in pieces that fit."""
    pieces, piece, left = [], "", first
    for char in word:
        if piece and cell_len(piece + char) > left:
            pieces.append(piece)
            piece, left = "", room
        piece += char
    return [*pieces, piece]


def edge_of(entries: Iterable[Entry], width: int | None) -> int:
    """Where the right column ends: at the terminal's edge, but not far from the text."""
    needed = max((_needed(one) for one in entries), default=0)
    return min(WIDEST, needed) if width is None else min(WIDEST, width, max(WIDE - 4, needed))


def _needed(entry: Entry) -> int:
    sign = cell_len(entry.sign) + 1 if entry.sign else 0
    return entry.indent + sign + cell_len(entry.text) + _GAP + cell_len(entry.right)


def show(console: Console, entries: Sequence[Entry]) -> None:
    """Print them, their right columns below each other where there is room."""
    width = width_of(console)
    edge = edge_of(entries, width)
    for entry in entries:
        _show(console, entry, width, edge)


def _show(console: Console, entry: Entry, width: int | None, edge: int) -> None:
    sign = f"{entry.sign} " if entry.sign else ""
    fits = not entry.below and width is not None and _needed(entry) <= width
    beside = entry.right and (width is None or width >= WIDE or fits)
    below = list(entry.below)
    text = entry.text
    if entry.right and not beside:
        dot = DOT if can_write(console, DOT) else ";"
        if below:
            below[-1] = f"{below[-1]} {dot} {entry.inline or entry.right}"
        else:
            text = f"{text} {dot} {entry.inline or entry.right}"
    room = width if not beside or width is None else edge - _GAP - cell_len(entry.right)
    hang = entry.indent + max(entry.hang, cell_len(sign))
    first, *more = wrapped(text, room, indent=entry.indent + cell_len(sign), hang=hang)
    if beside:
        first = set_cell_size(first, max(cell_len(first), edge - _GAP - cell_len(entry.right)))
        first = f"{first}{' ' * _GAP}{entry.right}"
    weight = "bold" if entry.bold else ""
    line = Text(" " * entry.indent)
    if sign:
        line.append(entry.sign, style=entry.style)
        line.append(" ")
    line.append(first[entry.indent + cell_len(sign) :], style=weight)
    console.print(line, soft_wrap=True)
    for rest in more:
        say(console, rest, weight)
    for text in below:
        tell(console, text, indent=hang + 2, hang=hang + 2)


def tell(console: Console, text: str, style: str = "", *, indent: int = 0, hang: int | None = None) -> None:
    """A text in as many lines as it needs."""
    for line in wrapped(text, width_of(console), indent=indent, hang=hang):
        say(console, line, style)


def print_commands(console: Console, commands: Sequence[tuple[str, str]]) -> None:
    """What for, and the command, whole: beside it, or below where there is no room. It can be pasted."""
    width = width_of(console)
    words = max(cell_len(what) for what, _ in commands)
    beside = width is None or max(cell_len(command) for _, command in commands) + words + 4 <= width
    for what, command in commands:
        if beside:
            say(console, f"  {set_cell_size(what, words)}  {command}")
            continue
        say(console, f"  {what}")
        # A line that is continued by a backslash is one command for a shell.
        lines = wrapped(command, None if width is None else width - 2, indent=4, hang=6)
        for n, line in enumerate(lines, start=1):
            say(console, line if n == len(lines) else f"{line} \\")
