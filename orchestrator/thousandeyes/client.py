"""The transport: carries one request to the configured origin, and nothing anywhere else.

What an error means is decided by one question: can the API have seen the request? Only where certainly
nothing was written it is :class:`NotSent`; everything else is :class:`NoAnswer`, because a creation that may
have been taken must never be repeated blindly.

The token is in one header of one request and in nothing else: redirects are returned, not followed; an https
proxy sees a CONNECT; library exceptions, which carry request headers, are dropped and not chained; and if an
answer echoes the token, it is masked before anybody reads it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiohttp
import anyio
from yarl import URL

from orchestrator.credentials import Credentials, masked_bytes
from orchestrator.errors import UsageProblem
from orchestrator.model import Api
from orchestrator.thousandeyes.common import quoted
from orchestrator.thousandeyes.faults import Stage, Twice, translate
from orchestrator.thousandeyes.origin import is_loopback, parse_origin
from orchestrator.thousandeyes.protocol import (
    NoAnswer,
    Reply,
    Request,
    Timeouts,
    head_tells_enough,
)
from orchestrator.thousandeyes.proxy import Proxy, proxy_for
from orchestrator.thousandeyes.watch import Limit, Watch

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["HttpTransport", "Timeouts", "parse_origin"]

_MEBIBYTE = 1024 * 1024
_CHUNK = 64 * 1024
# Seconds for which an idle connection is kept for reads: longer than a run pauses, whatever its windows. A
# server that keeps it for less closes it, which is seen before it is used again; where both happen at once,
# the read is asked again (``GoneIdle``).
KEEP_IDLE = 300.0
TIMEOUTS = Timeouts()
_ACCEPT_V7 = "application/hal+json, application/json, application/problem+json"


# Idle connections are probed by the operating system (seconds, seconds, times): so what is on the way, a
# firewall or an address translation, does not forget them, and one that is gone is known before it is used.
_PROBES = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


def probed(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for a connection that may be idle. Options that the system does not know are left out."""
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


# The exchange that this task has under way.
_UNDER_WAY: ContextVar[Stage] = ContextVar("under_way")


class _Connector(aiohttp.TCPConnector):
    """Tells the exchange that it has a connection. (The trace signals would, for much more CPU.)"""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(**settings)
        self._used: WeakSet[asyncio.BaseProtocol] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as the library calls it
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        stage, protocol = _UNDER_WAY.get(), connection.protocol
        if protocol is not None:
            stage.connected, stage.reused = True, protocol in self._used
            self._used.add(protocol)
        return connection


@dataclass(slots=True)
class _Came:
    """What has come of an answer so far. Times are those of the transport's clock."""

    sent: float
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    received: float = 0.0
    pieces: list[bytes] = field(default_factory=list)


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
        ca_file: str | None = None,
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
        self._ca_file = ca_file
        self._masked = masked_bytes(credentials)
        self._session: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._watch = Watch(grace=True)

    async def __aenter__(self) -> Self:
        tls = self._tls if self._tls is not None or self._plain else _trusting(self._ca_file)
        # The dispatcher bounds what is under way; a second limit here would only hide waiting from it.
        kept = _Connector(limit=0, keepalive_timeout=KEEP_IDLE, ssl=tls or True, socket_factory=probed)
        self._session = self._opened(kept)
        # On a connection that was used before, what comes first may be somebody else's answer, and it may be
        # closed at the moment when it is used again. Creations are few, and each has a connection of its own.
        once = _Connector(limit=0, force_close=True, ssl=tls or True)
        self._fresh = self._opened(once)
        return self

    def _opened(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        # The total is ours (``within``): the library's would win over an answer that is there.
        times = aiohttp.ClientTimeout(connect=self._timeouts.connect, sock_read=self._timeouts.read)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=times,
            trust_env=False,
            # Without a body the library would claim one of application/octet-stream.
            skip_auto_headers=("Content-Type",),
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions = (self._session, self._fresh)
        self._session = self._fresh = None
        # Also where whoever waits is cancelled: a session that is not closed would be told of at the end.
        with anyio.CancelScope(shield=True):
            for session in sessions:
                if session is not None:
                    await session.close()

    async def send(self, request: Request) -> Reply:
        """Return the reply, whatever its status; one call is one request on the wire, never two.

        ``received`` is when the headers had come, which bounds the server's ``Date`` most tightly. An answer
        that broke off is one all the same if its head tells enough. Raises :class:`NotSent` or
        :class:`NoAnswer`.
        """
        stage, came = Stage(), _Came(self._now())
        _UNDER_WAY.set(stage)
        limit = Limit(self._timeouts.total, self._timeouts.most)
        try:
            with self._watch.within(limit):
                await self._exchange(request, stage, came, limit)
        except (aiohttp.ClientError, TimeoutError, OSError, Twice) as error:
            times = replace(self._timeouts, total=limit.told)
            problem = translate(error, stage, f"{request.method} {request.path}", times)
        except NoAnswer as error:
            problem = error
        else:
            return self._reply(came)
        if came.status is not None and head_tells_enough(request, came.status, came.headers):
            return self._reply(came, broken=str(problem))
        # Outside of the handler: a chained library exception would carry the Authorization header along.
        raise problem

    def _reply(self, came: _Came, broken: str | None = None) -> Reply:
        headers = came.headers
        told = "\n".join(headers.values())
        if self._masked_text(told) != told:  # all at once: hardly ever is there anything to mask
            headers = {name: self._masked_text(text) for name, text in headers.items()}
        body = self._masked(b"".join(came.pieces))
        return Reply(came.status or 0, headers, body, came.sent, came.received, broken)

    def _masked_text(self, text: str) -> str:
        return self._masked(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    async def _exchange(self, request: Request, stage: Stage, came: _Came, limit: Limit) -> None:
        session = self._fresh if request.instant or request.alone else self._session
        if session is None:
            raise RuntimeError("the transport is used outside of its context")
        async with session.request(
            request.method,
            self._url(request),
            data=None if request.body is None else _encoded(request),
            headers=self._headers(request),
            allow_redirects=False,
            middlewares=(stage.once,),
            proxy=self._proxy.url if self._proxy is not None else None,
            proxy_headers=_proxy_headers(self._proxy),
        ) as response:
            came.status, came.headers, came.received = response.status, _folded(response), self._now()
            try:
                await self._body(response, request, came.pieces, limit)
            except BaseException:
                response.close()
                raise

    async def _body(
        self, response: aiohttp.ClientResponse, request: Request, pieces: list[bytes], limit: Limit
    ) -> None:
        size = 0
        while piece := await response.content.read(_CHUNK):
            size += len(piece)
            limit.heard(len(piece))
            if request.heard is not None:
                request.heard(len(piece))
            if size > self._max_body:
                most = self._max_body / _MEBIBYTE
                raise NoAnswer(f"{request.method} {request.path}: the answer is larger than {most:g} MiB")
            pieces.append(piece)

    def _url(self, request: Request) -> URL:
        if not request.path.startswith(("/v6/", "/v7/")):
            raise ValueError(f"not a path of the API: {request.path!r}")
        # Encoded here and left alone by the library, which would otherwise rewrite a cursor's characters.
        query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in request.query)
        return URL(f"{self.origin}{request.path}{'?' if query else ''}{query}", encoded=True)

    def _headers(self, request: Request) -> dict[str, str]:
        api = request.api
        headers = {
            "Accept": "application/json" if api is Api.V6 else _ACCEPT_V7,
            "Authorization": self._credentials.authorization(api),
            "User-Agent": self._user_agent,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return headers


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """What the system trusts, and the certificate authorities of a file (PEM) where one is named."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise UsageProblem(
                f"the certificates of --ca-file (TE_CA_FILE) cannot be used: {said}",
                hint="it names a file with certificates in PEM form",
            ) from None
    return context


def _encoded(request: Request) -> bytes:
    """ASCII, so that a lone surrogate of a plan cannot break the encoding. Raises ``ValueError`` on NaN."""
    return json.dumps(request.body, separators=(",", ":"), allow_nan=False).encode("ascii")


def _folded(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Lower-case names; a repeated header is joined with commas, as HTTP allows and readers can tell."""
    folded = {name.lower(): value for name, value in response.headers.items()}
    if len(folded) == len(response.headers):
        return folded
    folded.clear()
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
