"""What happens when nobody reads: talk on stderr is then for nobody, data on stdout was not delivered."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO


# Characters.
GATHERED = 65_536


class Unfailing(io.TextIOBase):
    """stderr whose reader may go: a dead terminal, a closed pipe, a full disk is no reason to stop a run."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override] # of text, as every text stream
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override] # nobody sets it
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override] # as above
        return self._stream.errors


def prepare_streams() -> None:
    """Make stdout and stderr fit for whatever they are connected to. May be called again."""
    # Closed by the caller (`>&-`): nobody listens, and that is no reason to stop.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that this locale cannot write must not end a report.
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stderr, Unfailing):
        sys.stderr = Unfailing(sys.stderr)


def _nowhere() -> TextIO:
    """A stream in the place of one that was closed: some write text to it, some bytes."""
    return Path(os.devnull).open("w", encoding="utf-8")


def undelivered(problem: OSError, code: int) -> int:
    """The exit code of a command that came to ``code`` and could not say so on stdout, for this ``problem``.

    What went wrong with the run itself is told first. A terminal that has gone took its person with it.
    """
    on_terminal = _is_terminal()
    _silence()
    if isinstance(problem, BrokenPipeError):
        return Exit.PIPE if code == Exit.OK else code
    if on_terminal and problem.errno in (errno.EIO, errno.ENXIO):
        return code
    click.echo(f"error: {problem.strerror or problem}", err=True)
    click.echo("hint: what was collected is kept; check where the output goes", err=True)
    return Exit.INCOMPLETE if code == Exit.OK else code


def _is_terminal() -> bool:
    with suppress(OSError, ValueError):
        return sys.stdout.isatty()
    return False


def _silence() -> None:
    """Let what is still buffered go nowhere: Python would complain at exit, and change the exit code."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def gathering(write: Callable[[str], object]) -> Iterator[Callable[[str], object]]:
    """Takes text and writes it on in large pieces.

    A run has a hundred thousand lines, and a stream that nobody buffers takes each of them for a system call.
    """
    parts: list[str] = []
    size = 0

    def pass_on() -> None:
        nonlocal size
        text, size = "".join(parts), 0
        parts.clear()
        write(text)

    def take(text: str) -> None:
        nonlocal size
        parts.append(text)
        size += len(text)
        if size >= GATHERED:
            pass_on()

    try:
        yield take
    finally:
        if parts:
            pass_on()


def as_utf8(write: Callable[[bytes], object]) -> Callable[[str], object]:
    """Writes text as UTF-8; what cannot be encoded becomes backslashes."""
    return lambda text: write(text.encode("utf-8", "backslashreplace"))
