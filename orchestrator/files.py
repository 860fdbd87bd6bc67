"""Files that users name: read without ever hanging, and written whole or not at all."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Of a pipe or a terminal: seconds without a byte until it is given up.
PATIENCE = 10.0


def read_file(path: Path, most: int, *, patience: float = PATIENCE) -> bytes:
    """At most ``most`` bytes of a file, or of a pipe such as a shell's ``<(command)``.

    Raises ``OSError`` and ``ValueError`` (a name that can be none); ``TimeoutError`` for a pipe to which
    nobody writes during ``patience`` seconds.
    """
    # To open a pipe without a writer would wait for one.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        regular = stat.S_ISREG(os.fstat(number).st_mode)
        parts: list[bytes] = []
        left = most
        while left > 0:
            if not regular and not select.select([number], [], [], patience)[0]:
                raise TimeoutError(None, f"it is a pipe, and nothing came out of it for {patience:g} s")
            try:
                part = os.read(number, left)
            except BlockingIOError:  # another reader was quicker
                continue
            if not part:
                break
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(number)


def check_writable(path: Path) -> None:
    """Raise ``OSError`` or ``ValueError`` where :func:`replacing` could not write. It leaves nothing."""
    with suppress(_Unused), replacing(path):
        raise _Unused


class _Unused(Exception):
    """Nothing was to be written."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` at the end of the block, whole; after an exception nothing has
    changed. What is no regular file (``/dev/stdout``, a pipe) is written as it goes.

    Raises ``OSError`` and ``ValueError``.
    """
    if path.is_dir():
        raise IsADirectoryError(None, "it is a folder")
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    real = path.resolve()  # a link stays a link
    part = real.with_name(f".{real.name[:200]}.{os.getpid()}.part")
    try:
        with part.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if real.exists():
            part.chmod(stat.S_IMODE(real.stat().st_mode))
        part.replace(real)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
