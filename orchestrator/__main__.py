"""The way in: ``orchestrator``, ``python -m orchestrator``. Ctrl-C shows no traceback, early or late."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

# As in ``errors.Exit``, which is not loaded yet.
_INTERRUPTED = 130


def main() -> None:
    """Load the command line and let it do its work. Does not return."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    # What loading makes stays, and nothing of it is garbage: going through it again and again is a tenth of a
    # start. The commands turn the collector on when their work begins.
    gc.disable()
    from orchestrator.cli import main as begin  # noqa: PLC0415 - the handler above stands before this is loaded

    try:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        begin()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        gc.freeze()  # nor is anything looked for, one last time, in what ends with the process
        # The exit code is decided; what is left is Python's own end, which takes its handlers away early: a
        # signal that was heard once, and comes again, would kill what has already ended.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_IGN)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
