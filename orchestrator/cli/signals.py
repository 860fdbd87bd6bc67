"""Signals that stop a run: heard from beginning to end, however often they come.

The first one lets what is paid for come in, the second leaves at once; what comes after that must not hit
the process in the middle of a commit. So the handlers stay, deaf, once a signal was heard, until it ends.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import anyio

from orchestrator.errors import Exit

# A terminal that goes away (an ssh connection that drops) is like a wish to stop.
STOPS = {
    signal.SIGINT: Exit.SIGINT,
    signal.SIGTERM: Exit.SIGTERM,
    signal.SIGHUP: Exit.SIGHUP,
}


@contextmanager
def heard_signals() -> Iterator[AsyncIterator[signal.Signals]]:
    """The signals as they come, inside a running event loop. Those that the process inherited as ignored (by
    ``nohup``, or as a job in the background) stay ignored."""
    loop = asyncio.get_running_loop()
    # Two have a meaning; more would wait for nothing.
    send, receive = anyio.create_memory_object_stream[signal.Signals](2)
    came: list[signal.Signals] = []
    listening = True

    def handle(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number))
        if listening:
            loop.call_soon_threadsafe(offer, came[-1])

    def offer(number: signal.Signals) -> None:
        with suppress(anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            send.send_nowait(number)

    heard = [number for number in STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        with send, receive:
            yield receive
    finally:
        listening = False
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)
