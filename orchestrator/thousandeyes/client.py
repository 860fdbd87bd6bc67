"""The transport: carries one request to the configured origin, and nothing anywhere else.

What an error means is decided by one question: can the API have seen the request? Only where certainly
nothing was written it is :class:`NotSent`; everything else is :class:`NoAnswer`, because a creation that may
have been taken must never be repeated blindly.

The token is in one header of one request and in nothing else: redirects are returned, not followed; an https
proxy sees a CONNECT; library exceptions, which carry request headers, are dropped and not chained; and if an
answer echoes the token, it is masked before anybody reads it.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
from collections.abc import Callable, Mapping
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from yarl import URL

from orchestrator.credentials import Credentials
from orchestrator.errors import UsageProblem
from orchestrator.model import Api
from orchestrator.safe import MASK
from orchestrator.thousandeyes.common import quoted
from orchestrator.thousandeyes.faults import Stage, Twice, translate
from orchestrator.thousandeyes.origin import is_loopback, parse_origin
from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Timeouts
from orchestrator.thousandeyes.proxy import Proxy, proxy_for

__all__ = ["HttpTransport", "Timeouts", "parse_origin"]

_MEBIBYTE = 1024 * 1024
_CHUNK = 64 * 1024
# A server may close an idle connection at the moment when it is used again, and then nobody knows whether the
# request was taken. Servers keep idle connections for 5 s and more, so those of the last 2 s are safe.
_KEEP_IDLE = 2.0
TIMEOUTS = Timeouts()
_ACCEPT_V7 = "application/hal+json, application/json, application/problem+json"
# Tokens of the API have 32 characters and more. A short stand-in for the simulator, such as "test", is a word
# of every answer and must not be replaced there.
_SHORTEST_ECHO = 16


class HttpTransport:
    """An async context manager that sends requests over HTTP. See :class:`Transport` for ``send``.

    ``now`` gives the times of the replies; ``max_body`` is in bytes. Raises :class:`UsageProblem` for a plain
    http origin that is not this machine, unless ``allow_http``.
    """

    def __init__(
        self,
        origin: str,
        credentials: Credentials,
        *,
        now: Callable[[], float],
        timeouts: Timeouts = TIMEOUTS,
        allow_http: bool = False,
        max_body: int = 32 * _MEBIBYTE,
        user_agent: str = "orchestrator",
        environ: Mapping[str, str] = os.environ,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = parse_origin(origin)
        self._plain = self.origin.startswith("http://")
        if self._plain and not allow_http and not is_loopback(self.origin):
            raise UsageProblem(
                f"{self.origin} is not encrypted, and the token would travel in clear",
                hint="use https://; plain http:// is for this machine, elsewhere it needs --allow-http",
            )
        self._credentials = credentials
        self._now = now
        self._timeouts = timeouts
        self._max_body = max_body
        self._user_agent = user_agent.encode("ascii", "replace").decode("ascii")
        self._proxy = proxy_for(self.origin, environ)
        self._tls = tls
        self._echoes = tuple(form.encode() for form in credentials.secrets() if len(form) >= _SHORTEST_ECHO)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        tls = self._tls if self._tls is not None or self._plain else ssl.create_default_context()
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(_begun)
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        self._session = aiohttp.ClientSession(
            # The dispatcher bounds what is under way; a second limit here would only hide waiting from it.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_IDLE, ssl=tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=self._timeouts.total, connect=self._timeouts.connect, sock_read=self._timeouts.read
            ),
            trust_env=False,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Reply:
        """Return the reply, whatever its status; one call is one request on the wire, never two.

        ``received`` is when the headers had come, which bounds the server's ``Date`` most tightly. Raises
        :class:`NotSent` or :class:`NoAnswer`.
        """
        stage = Stage()
        sent = self._now()
        try:
            return await self._exchange(request, stage, sent)
        except (aiohttp.ClientError, TimeoutError, OSError, Twice) as error:
            problem = translate(error, stage, f"{request.method} {request.path}", self._timeouts)
        # Outside of the handler: a chained library exception would carry the Authorization header along.
        raise problem

    async def _exchange(self, request: Request, stage: Stage, sent: float) -> Reply:
        if self._session is None:
            raise RuntimeError("the transport is used outside of its context")
        async with self._session.request(
            request.method,
            self._url(request),
            data=None if request.body is None else _encoded(request),
            headers=self._headers(request),
            # Without a body the library would claim one of application/octet-stream.
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
            middlewares=(stage.once,),
            trace_request_ctx=stage,
            proxy=self._proxy.url if self._proxy is not None else None,
            proxy_headers=_proxy_headers(self._proxy),
        ) as response:
            received = self._now()
            try:
                body = await self._body(response, request)
            except BaseException:
                response.close()
                raise
            headers = {name: self._masked_text(text) for name, text in _folded(response).items()}
            return Reply(response.status, headers, self._masked(body), sent, received)

    async def _body(self, response: aiohttp.ClientResponse, request: Request) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_chunked(_CHUNK):
            size += len(piece)
            if size > self._max_body:
                most = self._max_body / _MEBIBYTE
                raise NoAnswer(f"{request.method} {request.path}: the answer is larger than {most:g} MiB")
            pieces.append(piece)
        return b"".join(pieces)

    def _url(self, request: Request) -> URL:
        if not request.path.startswith(("/v6/", "/v7/")):
            raise ValueError(f"not a path of the API: {request.path!r}")
        # Encoded here and left alone by the library, which would otherwise rewrite a cursor's characters.
        query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in request.query)
        return URL(f"{self.origin}{request.path}{'?' if query else ''}{query}", encoded=True)

    def _headers(self, request: Request) -> dict[str, str]:
        api = Api.V6 if request.path.startswith("/v6/") else Api.V7
        headers = {
            "Accept": "application/json" if api is Api.V6 else _ACCEPT_V7,
            "Authorization": self._credentials.authorization(api),
            "User-Agent": self._user_agent,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _masked(self, body: bytes) -> bytes:
        for echo in self._echoes:
            if echo in body:
                body = body.replace(echo, MASK.encode())
        return body

    def _masked_text(self, text: str) -> str:
        for echo in self._echoes:
            text = text.replace(echo.decode(), MASK)
        return text


async def _begun(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    del session, params
    context.trace_request_ctx.begun = True


async def _connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    del session, params
    context.trace_request_ctx.connected = True


def _encoded(request: Request) -> bytes:
    """ASCII, so that a lone surrogate of a plan cannot break the encoding. Raises ``ValueError`` on NaN."""
    return json.dumps(request.body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _folded(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Lower-case names; a repeated header is joined with commas, as HTTP allows and readers can tell."""
    folded: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        folded[key] = f"{folded[key]}, {value}" if key in folded else value
    return folded


def _proxy_headers(proxy: Proxy | None) -> dict[str, str] | None:
    """For the CONNECT only; the library keeps them out of the tunnel."""
    if proxy is None or proxy.user is None:
        return None
    user = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {user}"}
