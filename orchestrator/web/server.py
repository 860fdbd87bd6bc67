"""The door to HTTP: requests become values, pages become answers, and nothing that goes wrong reaches a
stranger."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio
import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from orchestrator.alerts.take import MOST_BYTES
from orchestrator.alerts.values import Received
from orchestrator.defects import defect
from orchestrator.errors import OrchestratorError
from orchestrator.safe import terminal
from orchestrator.web.asking import NotFound, hook_of, loggable, wanted, wants_json
from orchestrator.web.guard import Asked, Refusal, Terms, is_among, refusal, strange_host
from orchestrator.web.hooks import Alerts
from orchestrator.web.shelf import Crowded, Page
from orchestrator.web.site import Site

# Connections at once, and seconds until the first request on one must be there: whoever is slow is let go.
MOST_CONNECTIONS: Final = 500
FIRST_WORDS: Final = 15.0
IDLE: Final = 30.0
# Bodies that are read at once, of senders that have proved themselves, and again of those whose proof is over
# the body; of the latter so many from one address. And seconds within which one must be there.
MOST_BODIES: Final = 16
MOST_BODIES_EACH: Final = 4
BODY_WITHIN: Final = 10.0

_log = structlog.get_logger("orchestrator.web")
# aiohttp tells of every client that leaves in the middle or speaks no HTTP.
_QUIET: Final = logging.getLogger("orchestrator.web.connections")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Server": "orchestrator",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    # Kept by nobody but the browser that asked, which asks whether it is still so.
    "Cache-Control": "private, no-cache",
}


class Door:
    """Answers requests from a site, for those who may ask by the terms; and takes alerts, if there are
    hooks."""

    def __init__(self, site: Site, terms: Terms, alerts: Alerts | None = None) -> None:
        self._site, self._terms, self._alerts = site, terms, alerts
        self._proven = anyio.CapacityLimiter(MOST_BODIES)
        self._unproven = anyio.CapacityLimiter(MOST_BODIES)
        self._peers = Counter[str]()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request; whatever goes wrong is an answer without a reason."""
        if isinstance(request.protocol, _Connection):
            request.protocol.spoke()
        try:
            return await self._answer(request)
        except OrchestratorError as problem:
            _log.warning("page failed", address=_address(request), why=terminal(problem.message))
        except Exception as error:
            # Whoever asks learns nothing of it, and the server goes on; the log has it.
            _log.error("defect", address=_address(request), **defect(error))
        return _plain(500, "This page could not be made.\n")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        hook = hook_of(request.raw_path)
        if hook is not None:
            return await self._hook(request, hook)
        refused = refusal(self._terms, _asked(request))
        if refused is not None:
            return _refused(request, refused)
        if request.method not in ("GET", "HEAD"):
            return _refused(request, Refusal(405, "a method that no page has", {"Allow": "GET, HEAD"}))
        as_json = wants_json(request.headers.get("Accept"))
        try:
            asked = wanted(request.raw_path)
        except NotFound as problem:
            plain = _refused(request, Refusal(404, str(problem)))
            return _sent(request, self._site.missing()) if as_json else plain
        try:
            page = await self._site.answer(asked, as_json=as_json)
        except Crowded:
            _log.warning("crowded", address=_address(request))
            return _plain(503, "Too many large pages are being made.\n", {"Retry-After": "5"})
        return _sent(request, page)

    async def _hook(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        """An alert: its sender proves itself by the hook's secret, and learns nothing but a status."""
        refused = strange_host(self._terms, _asked(request))
        if refused is None and request.method != "POST":
            refused = Refusal(405, "alerts are posted", {"Allow": "POST"})
        if refused is None and (self._alerts is None or not self._alerts.has(name)):
            refused = Refusal(404, "there is no such hook")
        if refused is not None or self._alerts is None:
            return _refused(request, refused or Refusal(404, "there are no hooks"))
        headers_alone = Received(_asked(request).headers, b"")
        verdict = self._alerts.stranger(name, headers_alone)
        if verdict is not None:
            return _plain(verdict.status, _WORDS.get(verdict.status, "Not taken.\n"))
        if self._alerts.proves_by_body(name):
            body = await self._body_of_anybody(request)
        else:
            body = await self._body(request, self._proven)
        if isinstance(body, Refusal):
            return _refused(request, body)
        verdict = self._alerts.take(name, replace(headers_alone, body=body))
        headers = {} if verdict.again is None else {"Retry-After": str(math.ceil(verdict.again))}
        return _plain(verdict.status, _WORDS.get(verdict.status, "Not taken.\n"), headers)

    async def _body_of_anybody(self, request: web.BaseRequest) -> bytes | Refusal:
        """The body of somebody whose proof can only be verified with it: a few at once from one address, so
        that one who sends slowly keeps nobody else out. A proxy speaks for many."""
        peer = request.remote or ""
        if is_among(peer, self._terms.proxies):
            return await self._body(request, self._unproven)
        if self._peers[peer] >= MOST_BODIES_EACH:
            return Refusal(503, "too many bodies of this address are being read", _LATER)
        self._peers[peer] += 1
        try:
            return await self._body(request, self._unproven)
        finally:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]

    async def _body(self, request: web.BaseRequest, reading: anyio.CapacityLimiter) -> bytes | Refusal:
        unfit = _unfit(request)
        if unfit is not None:
            return unfit
        if reading.available_tokens < 1:
            return Refusal(503, "too many bodies are being read", _LATER)
        async with reading:
            body = bytearray()
            with anyio.move_on_after(BODY_WITHIN):
                try:
                    async for piece in request.content.iter_any():
                        body += piece
                        if len(body) > MOST_BYTES:
                            return Refusal(413, f"a body of more than {MOST_BYTES} bytes", _CLOSE)
                except (ConnectionError, web.RequestPayloadError):
                    return Refusal(400, "its body was broken off", _CLOSE)
                return bytes(body)
        return Refusal(408, f"its body did not come within {BODY_WITHIN:.0f} s", _CLOSE)


_CLOSE: Final[Mapping[str, str]] = {"Connection": "close"}
_LATER: Final[Mapping[str, str]] = {"Retry-After": "5", **_CLOSE}


def _unfit(request: web.BaseRequest) -> Refusal | None:
    """Why a body is not read, by what its headers say of it."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        # What is small on the wire may be huge unpacked.
        return Refusal(415, "its body is compressed", _CLOSE)
    if request.content_length is not None and request.content_length > MOST_BYTES:
        return Refusal(413, f"a body of {request.content_length} bytes", _CLOSE)
    return None


def _asked(request: web.BaseRequest) -> Asked:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return Asked(request.remote, headers)


def _address(request: web.BaseRequest) -> str:
    return terminal(loggable(request.raw_path))


_WORDS: Final[Mapping[int, str]] = {
    200: "Heard.\n",
    202: "Taken.\n",
    400: "This is no alert.\n",
    401: "Who asks? A token is wanted.\n",
    403: "Not for you.\n",
    404: "There is no such page.\n",
    405: "Not by this method.\n",
    408: "Too slow.\n",
    413: "Too much.\n",
    415: "Not compressed.\n",
    422: "Not for this.\n",
    429: "Not now.\n",
    503: "Not now.\n",
    421: "Ask by an address, or by a name of this server.\n",
}


def _refused(request: web.BaseRequest, refused: Refusal) -> web.Response:
    # Whoever is not let in is worth a line; a page that there is not is asked for all day.
    usual = refused.status in (404, 405) and hook_of(request.raw_path) is None
    tell = _log.info if usual else _log.warning
    tell(
        "refused",
        status=refused.status,
        why=refused.why,
        method=terminal(request.method, 20),
        address=_address(request),
        peer=terminal(request.remote or "-"),
    )
    return _plain(refused.status, _WORDS[refused.status], refused.headers)


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, text=text, content_type="text/plain", headers={**HEADERS, **(headers or {})}
    )


def _sent(request: web.BaseRequest, page: Page) -> web.Response:
    headers = {**HEADERS, "Vary": "Accept, Authorization"}
    if page.goes_to is not None:
        return web.Response(status=page.status, headers={**headers, "Location": page.goes_to})
    if page.again is not None:
        # A header, and no element: the page can be kept, and be asked for once more without it.
        headers["Refresh"] = str(page.again)
    if page.tag is not None:
        headers["ETag"] = f'"{page.tag}"'
        if f'"{page.tag}"' in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
    return web.Response(
        status=page.status, body=page.body, content_type=page.kind, charset="utf-8", headers=headers
    )


class _Connection(RequestHandler):
    """A connection that is let go if no request comes, or if there are too many; what is no HTTP is refused
    in our words."""

    __slots__ = ("_first", "_others")

    def __init__(self, server: _Server, others: set[RequestHandler]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=_QUIET,
            access_log=None,  # type: ignore[arg-type] # as AppRunner takes it: none
            keepalive_timeout=IDLE,
            lingering_time=2.0,
            tcp_keepalive=False,
            # A few bytes would be unpacked to gigabytes, in the loop that answers everybody.
            auto_decompress=False,
        )
        self._others = others
        self._first: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._others.add(self)
        if len(self._others) > MOST_CONNECTIONS:
            self.force_close()
            return
        self._first = asyncio.get_running_loop().call_later(FIRST_WORDS, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.spoke()
        self._others.discard(self)
        super().connection_lost(exc)

    def spoke(self) -> None:
        """The whole head of a request has come."""
        if self._first is not None:
            self._first.cancel()
            self._first = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        del exc, message  # they tell of the inside
        why = "no HTTP that is understood here"
        _log.info("refused", status=status, why=why, peer=terminal(request.remote or "-"))
        self.keep_alive(False)
        return _plain(status if status in (400, 413, 431) else 400, "This is no request.\n")


class _Server(web.Server):
    """Makes the connections of ours."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)
        self._open: set[RequestHandler] = set()

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._open)


@asynccontextmanager
async def serving(
    site: Site, terms: Terms, host: str, port: int, alerts: Alerts | None = None
) -> AsyncIterator[str]:
    """Listen while the context lasts; gives the origin, as ``http://127.0.0.1:PORT``.

    Raises ``OSError`` where the port cannot be had.
    """
    runner = web.ServerRunner(_Server(Door(site, terms, alerts).handle), shutdown_timeout=2.0)
    await runner.setup()
    try:
        tcp = web.TCPSite(runner, host, port)
        await tcp.start()
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()
