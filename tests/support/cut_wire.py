"""A wire to a database server that can be cut at a word that is sent, or hang while both ends stay open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from urllib.parse import urlsplit, urlunsplit


class Fault(Enum):
    """What happens when the word is sent."""

    UNSENT = auto()  # it never arrives, and the connection ends
    UNANSWERED = auto()  # it arrives, and the connection ends before the answer does
    HANGS = auto()  # nothing arrives any more, and nobody is told


class Wire:
    """Passes everything on, until ``fault`` is set: then the next ``word`` brings it, on its connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.fault: Fault | None = None
        self.word = b"COMMIT"
        self.faults = 0
        # Called in between: when the word has arrived, and its answer is lost.
        self.meanwhile: Callable[[], None] = lambda: None
        self.refuses = False
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End every connection now."""
        for writer in self._writers:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.refuses:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._writers |= ends
        try:
            answers = asyncio.create_task(self._pass(there, writer))
            self._tasks.add(answers)
            await self._listen(reader, back, answers)
            answers.cancel()
            with suppress(asyncio.CancelledError):
                await answers
        finally:
            for end in ends:
                end.transport.abort()
            self._writers -= ends

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.transport.abort()

    async def _listen(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, answers: asyncio.Task[None]
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                if self.fault is None or self.word not in chunk:
                    back.write(chunk)
                    await back.drain()
                    continue
                fault, self.fault = self.fault, None
                self.faults += 1
                if fault is Fault.HANGS:
                    answers.cancel()
                    while await reader.read(65536):
                        pass
                elif fault is Fault.UNANSWERED:
                    answers.cancel()
                    back.write(chunk)
                    await back.drain()
                    back.write_eof()
                    await asyncio.sleep(0)
                    self.meanwhile()
                return


@asynccontextmanager
async def wired(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the server of a database, and the URL of that database by way of it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    wire = Wire(parts.hostname, parts.port)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    user = f"{parts.username}@" if parts.username else ""
    try:
        yield wire, urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{wire.port}"))
    finally:
        wire.cut()
        server.close()
