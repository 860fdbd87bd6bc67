"""A diagnosis on stderr: at most twelve lines that are redrawn; without a terminal a line for each change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from orchestrator.diagnosis.picture import Mark, Picture
from orchestrator.insight.words import Sentence, count, written
from orchestrator.model import Verdict
from orchestrator.safe import terminal, visible
from orchestrator.terminal.keys import Unechoed
from orchestrator.terminal.layout import wrapped

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import RenderableType
    from rich.live import Live

MOST_LINES = 12
_WIDEST = 120
_STYLES = {
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.PASS: "green",
    Verdict.NO_ANSWER: "yellow",
}

Mask = Callable[[str], str]
# A line as parts, each with its style.
Line = tuple[tuple[str, str], ...]


class Screen:
    """Shows pictures on ``stream``; ``quiet`` shows nothing. It has no clock: the time comes with each."""

    def __init__(
        self, stream: TextIO, *, quiet: bool = False, live: bool | None = None, mask: Mask = str
    ) -> None:
        self._stream, self._quiet, self._mask = stream, quiet, mask
        self._wants_live = stream.isatty() if live is None else live
        self._live: Live | None = None
        self._keys = Unechoed(stream)
        self._last: object = None

    def start(self, run: str) -> None:
        """Take the terminal, if there is one. ``run`` is the id to watch it by."""
        if self._quiet:
            return
        if not self._wants_live or not self._began():
            self._write(f"run {run}: orchestrator show {run} tells how it stands")

    def _began(self) -> bool:
        from rich.live import Live  # noqa: PLC0415 - only a terminal needs it

        from orchestrator.terminal.console import make_console  # noqa: PLC0415 - likewise

        console = make_console(self._stream)
        if not console.is_terminal or console.is_dumb_terminal:
            return False
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._keys.begin()
        self._live.start()
        return True

    def update(self, picture: Picture) -> None:
        """Show how it looks now."""
        if self._quiet:
            return
        if self._live is not None:
            width = min(_WIDEST, self._live.console.width)
            self._live.update(_renderable(lines(picture, width, self._mask)), refresh=True)
            return
        now = (picture.claim, bool(picture.second), picture.stage)
        if now != self._last:
            self._last = now
            self._write(line(picture, self._mask))

    def message(self, text: str) -> None:
        """One line above the view, also when quiet; ``text`` is escaped."""
        if self._live is not None:
            from rich.text import Text  # noqa: PLC0415 - loaded already with the view

            self._live.console.print(Text(terminal(text)), soft_wrap=True)
        else:
            self._write(terminal(text))

    def stop(self) -> None:
        """Give the terminal back; harmless when called twice."""
        if self._live is not None:
            live, self._live = self._live, None
            try:
                live.stop()
            finally:
                self._keys.restore()
            self._quiet = True

    def _write(self, text: str) -> None:
        # A reader that has gone (`2>&1 | head`) must not end the run.
        with suppress(OSError):
            self._stream.write(f"{text}\n")
            self._stream.flush()


def clock(seconds: float) -> str:
    """``0:41``."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def line(picture: Picture, mask: Mask = str) -> str:
    """How it looks, in one line; data in it is escaped."""
    sure = f" ({picture.sure})" if picture.sure else ""
    parts = [f"{clock(picture.elapsed)} {_text(picture.sentence, mask)}{sure}"]
    if picture.second:
        parts.append(picture.second)
    if picture.stage:
        parts.append(picture.next)
    return "; ".join(parts)


def lines(picture: Picture, width: int, mask: Mask = str) -> list[Line]:
    """The screen, at most :data:`MOST_LINES` lines of at most ``width`` columns."""
    made = [
        *_head(picture, width, mask),
        *_sentence(picture, width, mask),
        *_told("", picture.details, width, 2, mask),
        *_told("Cannot be told yet: ", (picture.untold,) if picture.untold else (), width, 1, mask),
        (),
        *_marks(picture, width),
        *_plain("second wave  ", picture.second, width),
        *_plain("", picture.next, width),
    ]
    return made[:MOST_LINES]


def _head(picture: Picture, width: int, mask: Mask) -> Iterator[Line]:
    time = f"{clock(picture.elapsed)} of {clock(picture.box)}"
    cost = picture.cost
    what = (
        f"{count(cost.tests, 'test')}, {count(cost.agents, 'agent')}, "
        f"{cost.units:.2f} units of {cost.most_units:g}"
    )
    right = f"{time}   {what}"
    title = _text(picture.title, mask)
    if cell_len(title) + 3 + cell_len(right) <= width:
        gap = width - cell_len(title) - cell_len(right)
        yield ((title, "bold"), (" " * gap + right, ""))
        return
    yield ((_cut(title, width - cell_len(time) - 3), "bold"), (f"   {time}", ""))
    yield ((_cut(what, width), "dim"),)


def _sentence(picture: Picture, width: int, mask: Mask) -> Iterator[Line]:
    text = _text(picture.sentence, mask)
    if picture.sure:
        text = f"{text}  [{picture.sure}]"
    for told in _few(text, width, 2):
        yield ((told, "bold"),)


def _told(head: str, sentences: Sequence[Sentence], width: int, most: int, mask: Mask) -> Iterator[Line]:
    if not sentences:
        return
    text = head + ". ".join(_text(one, mask) for one in sentences)
    for told in _few(text, width, most):
        yield ((told, ""),)


def _plain(head: str, text: str, width: int) -> Iterator[Line]:
    if text:
        yield ((_cut(f"  {head}{text}", width), "dim"),)


def _few(text: str, width: int, most: int) -> list[str]:
    """At most so many lines; that it was cut is shown."""
    found = wrapped(text, width, indent=2)
    if len(found) <= most:
        return found
    kept = found[:most]
    kept[-1] = _cut(f"{kept[-1]} {found[most].strip()}", width)
    return kept


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(1, width - 1)).rstrip() + "\u2026"


def _marks(picture: Picture, width: int) -> Iterator[Line]:
    """Each agent by its country and sign, inside and outside."""
    for name, marks in (("inside ", picture.inside), ("outside", picture.outside)):
        if not marks:
            continue
        fits = max(1, (width - 11) // 6)
        for first in range(0, min(len(marks), 2 * fits), fits):
            head = f"  {name}  " if not first else " " * 11
            row: list[tuple[str, str]] = [(head, "dim")]
            for mark in marks[first : first + fits]:
                row += [(f"{_country(mark)} ", ""), (mark.sign, _STYLES.get(mark.verdict, "dim")), ("  ", "")]  # type: ignore[arg-type] # what is open has no style
            yield tuple(row)


def _country(mark: Mark) -> str:
    return terminal(mark.country, 2)


def _text(sentence: Sentence, mask: Mask) -> str:
    return visible(mask(written(sentence, lambda part: terminal(part, 200))))


def _renderable(made: Sequence[Line]) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    return Text("\n").join(
        Text.assemble(*((text, style) for text, style in one), no_wrap=True, overflow="ellipsis")
        for one in made
    )
