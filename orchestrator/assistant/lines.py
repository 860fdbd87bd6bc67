"""Standard input as lines, without a thread that somebody would have to wait for at the end.

The SDK's own reader blocks in a thread, and a process that is told to end would hang in it until its client
says one word more.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

# A request is a few hundred bytes, with the text of a plan up to some hundred thousand. Of a longer line the
# rest is dropped, and what is left is no request.
MOST = 4_000_000
_PIECE = 65_536


class Lines:
    """The lines of a file descriptor, as text, to its end. Iterate once, inside an event loop."""

    def __init__(self, number: int, most: int = MOST) -> None:
        self._number, self._most = number, most

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        # Its reader waits until what it read was taken: nobody fills the memory.
        taken = threading.Semaphore(16)

        def read() -> None:
            piece = b"?"
            while piece:
                taken.acquire()
                try:
                    piece = os.read(self._number, _PIECE)
                except OSError:
                    piece = b""
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(queue.put_nowait, piece)

        threading.Thread(target=read, name="standard input", daemon=True).start()
        line = bytearray()
        while piece := await queue.get():
            taken.release()
            *whole, rest = piece.split(b"\n")
            for part in whole:
                line += part[: self._most - len(line)]
                yield line.decode("utf-8", "replace")
                line.clear()
            line += rest[: self._most - len(line)]
        if line:
            yield line.decode("utf-8", "replace")
