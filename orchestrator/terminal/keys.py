"""Keys that are typed while a view is drawn: not echoed into it, and left for whoever reads them next."""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO


class Unechoed:
    """The echo of the terminal behind a stream, turned off until :meth:`restore`; nothing elsewhere.

    Signals of the keyboard still come. It is restored at every end that a process can see: what ends without
    :meth:`restore` does so at exit. A job in the background leaves the terminal alone: to touch it would
    stop it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._before: list[Any] | None = None

    def begin(self) -> None:
        """Turn the echo off."""
        with suppress(ImportError, OSError, ValueError):
            import termios  # noqa: PLC0415 - only where there are such terminals

            terminal = self._stream.fileno()
            if not os.isatty(terminal) or not _in_front(terminal):
                return
            with suppress(termios.error):
                before = termios.tcgetattr(terminal)
                silent = list(before)
                silent[3] &= ~termios.ECHO
                atexit.register(self.restore)
                self._before = before
                termios.tcsetattr(terminal, termios.TCSADRAIN, silent)

    def restore(self) -> None:
        """As it was before; harmless when called twice."""
        if self._before is None:
            return
        before, self._before = self._before, None
        atexit.unregister(self.restore)
        with suppress(ImportError, OSError, ValueError):
            import termios  # noqa: PLC0415 - as above

            terminal = self._stream.fileno()
            if _in_front(terminal):
                with suppress(termios.error):
                    termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _in_front(terminal: int) -> bool:
    return os.tcgetpgrp(terminal) == os.getpgrp()
