"""The door: a loopback HTTP server in front of the service. It shapes nothing; it delays and breaks."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakSet

from aiohttp import web

from orchestrator.simulator.messages import SimReply, SimRequest, Wire
from orchestrator.simulator.planted import unmet as unmet_culprits
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings

_LOG: Final = logging.getLogger(__name__)
# Pieces of a slow body, and of one without an end.
_PIECES, _PIECE = 20, b" " * 4096
# A body that a creation never reaches; more is refused by the server itself.
_MAX_BODY: Final = 16 * 1024 * 1024
# Close with a reset instead of a polite end: linger for no time at all.
_NO_LINGER: Final = struct.pack("ii", 1, 0)

Sleep = Callable[[float], Awaitable[None]]


class _Undated(web.Response):
    """An answer without a Date header, which the server would add by itself."""


async def _tidy(_request: web.Request, response: web.StreamResponse) -> None:
    """Headers that the server added and the API would not send."""
    response.headers["Server"] = "nginx"
    if isinstance(response, _Undated):
        response.headers.popall("Date", None)
    if isinstance(response, web.Response) and not response.body:
        response.headers.popall("Content-Type", None)


class Door:
    """Carries requests to the service and answers back, with their delays and faults."""

    def __init__(self, service: Service, now: Callable[[], float], sleep: Sleep) -> None:
        self._service = service
        self._now = now
        self._sleep = sleep
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        if request.transport is not None:
            self._transports.add(request.transport)
        asked = SimRequest(
            method=request.method,
            path=request.raw_path.partition("?")[0],
            query=dict(request.query),
            headers={name.lower(): text for name, text in request.headers.items()},
            body=await request.read(),
        )
        reply = self._service.handle(asked, self._now())
        if reply.delay > 0:
            await self._sleep(reply.delay)
        if reply.wire is None:
            return self._whole(reply)
        return await self._broken(request, reply)

    async def drop(self) -> None:
        """Let go of connections whose client does not read what was written for it."""
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)  # a transport closes its socket in the turn after

    @staticmethod
    def _whole(reply: SimReply) -> web.Response:
        kind = web.Response if "Date" in reply.headers else _Undated
        return kind(status=reply.status, body=reply.body, headers=dict(reply.headers))

    async def _broken(self, request: web.Request, reply: SimReply) -> web.StreamResponse:
        assert reply.wire is not None  # noqa: S101 - the caller looked
        kind = reply.wire.kind
        if kind is Wire.HANG:
            await self._sleep(math.inf)  # until the client gives up: its going cancels the handler
        if kind is Wire.RESET:
            _reset(request)
            return web.Response()
        response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
        body = reply.body or b" "
        if kind is Wire.ENDLESS:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(body)
        await response.prepare(request)
        if kind is Wire.ENDLESS:
            await self._endless(response)
        elif kind is Wire.SLOW:
            await self._slow(response, body, reply.wire.seconds)
        else:
            await response.write(body[: len(body) // 2])
            _reset(request, abort=False)
        return response

    async def _slow(self, response: web.StreamResponse, body: bytes, seconds: float) -> None:
        step = max(1, -(-len(body) // _PIECES))
        for start in range(0, len(body), step):
            await self._sleep(seconds / _PIECES)
            await response.write(body[start : start + step])
        await response.write_eof()

    async def _endless(self, response: web.StreamResponse) -> None:
        while True:
            await response.write(_PIECE)
            await self._sleep(0.01)


def _reset(request: web.Request, *, abort: bool = True) -> None:
    """End the connection: at once, or after what was written has left."""
    transport = request.transport
    if transport is None:
        return
    if abort:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    else:
        transport.close()


@asynccontextmanager
async def serve(
    service: Service,
    now: Callable[[], float],
    sleep: Sleep,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Listen while the context lasts; yields the origin, as ``http://127.0.0.1:PORT``.

    ``now`` gives simulated epoch seconds, ``sleep`` waits simulated seconds. Raises OSError if the port
    cannot be had.
    """
    service.scheme = "http" if tls is None else "https"
    application = web.Application(client_max_size=_MAX_BODY)
    door = Door(service, now, sleep)
    application.router.add_route("*", "/{anything:.*}", door.handle)
    application.on_response_prepare.append(_tidy)
    runner = web.AppRunner(
        application,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.1,
        # A client that leaves in the middle is what some faults are for, not an incident.
        logger=_LOG,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=tls)
        await site.start()
        bound = runner.addresses[0][1]
        shown = f"[{host}]" if ":" in host else host
        yield f"{service.scheme}://{shown}:{bound}"
    finally:
        await runner.cleanup()
        await door.drop()


@asynccontextmanager
async def serve_world(
    world: Settings, now: Callable[[], float], sleep: Sleep, unmet: Callable[[str], object] | None = None
) -> AsyncIterator[str]:
    """As :func:`serve`, a world of its own. At the end ``unmet`` is told of each culprit that met nothing."""
    service = Service(world)
    async with serve(service, now, sleep) as origin:
        yield origin
    if unmet is not None:
        for sentence in unmet_culprits(service.world):
            unmet(sentence)
