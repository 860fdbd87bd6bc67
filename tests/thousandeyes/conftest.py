"""A raw server whose every answer is scripted, specs of every type, and the shim for mocked answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from orchestrator.credentials import Credentials
from orchestrator.model import Json, Spec
from orchestrator.testtypes import TEST_TYPES, layers_of
from orchestrator.thousandeyes.client import HttpTransport, Timeouts

TOKEN = "sesame-0123456789abcdef-0123456789abcdef"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """What came in, and how each connection is treated: by ``handler``, once a request was read."""

    handler: Handler
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        me = asyncio.current_task()
        assert me is not None
        self.tasks.add(me)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ),
                    0,
                )
                self.requests.append(head + await reader.readexactly(length))
                await self.handler(reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self.tasks.discard(me)
            writer.close()


def answer(body: bytes = b"{}", status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def says(data: bytes, *, close: bool = False) -> Handler:
    """A handler that writes these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if close:
            writer.close()

    return handle


@pytest.fixture
def raw_server() -> Callable[..., contextlib.AbstractAsyncContextManager[RawServer]]:
    """Start a server on the loopback: ``async with raw_server(handler) as server``."""

    @contextlib.asynccontextmanager
    async def start(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
        raw = RawServer(handler)
        listener = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
        raw.port = listener.sockets[0].getsockname()[1]
        try:
            yield raw
        finally:
            listener.close()
            left = list(raw.tasks)  # connections that the test left open
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for _ in range(10):  # a transport closes its socket in one of the turns after
                await asyncio.sleep(0)

    return start


@pytest.fixture
def wire() -> tuple[Callable[..., bytes], Callable[..., Handler]]:
    """The makers of answers and of handlers."""
    return answer, says


@pytest.fixture
def token() -> str:
    """A token that is long enough to be told from words."""
    return TOKEN


@pytest.fixture
def transport_to() -> Callable[..., HttpTransport]:
    """A transport that no slow machine makes give up, with an empty environment."""

    def make(origin: str, **changes: Any) -> HttpTransport:
        options: dict[str, Any] = {
            "now": asyncio.get_running_loop().time,
            "timeouts": Timeouts(connect=60.0, read=60.0, total=60.0),
            "environ": {},
        }
        return HttpTransport(origin, Credentials(TOKEN), **{**options, **changes})

    return make


FIELDS: Mapping[str, Mapping[str, Json]] = {
    "agent-to-server": {"server": "portal.example.com:443", "protocol": "tcp", "numPathTraces": 5},
    "agent-to-agent": {
        "targetAgentId": "77",
        "direction": "bidirectional",
        "protocol": "udp",
        "dscpId": "46",
    },
    "dns-server": {"domain": "example.com A", "dnsServers": ["ns1.example.com", "ns2.example.com"]},
    "dns-trace": {"domain": "example.com A", "dnsTransportProtocol": "tcp"},
    "dnssec": {"domain": "example.com A"},
    "http-server": {"url": "https://portal.example.com", "httpTimeLimit": 10, "sslVersionId": "6"},
    "page-load": {"url": "https://portal.example.com", "pageLoadTimeLimit": 20, "authType": "basic"},
    "web-transactions": {"url": "https://portal.example.com", "transactionScript": "import {By} from 'x';"},
    "api": {"url": "https://portal.example.com", "requests": [{"name": "one", "url": "https://a.example"}]},
    "ftp-server": {
        "url": "ftp://files.example.com",
        "username": "reader",
        "password": "hush",
        "requestType": "download",
    },
    "sip-server": {
        "targetSipCredentials": {"port": 5060, "sipRegistrar": "sip.example.com", "protocol": "tls"}
    },
    "voice": {"targetAgentId": "77", "codecId": "0", "duration": 10},
}


@pytest.fixture
def make_spec() -> Callable[..., Spec]:
    """A realistic spec of a type; the test names what it is about."""

    def make(type_name: str, *, raw: Mapping[str, Json] | None = None, **fields: Json) -> Spec:
        chosen = {**FIELDS[type_name], **fields}
        servers = chosen.get("dnsServers")
        return Spec(
            key="0123456789ab",
            test="block",
            type=type_name,
            target="portal",
            fields={name: value for name, value in chosen.items() if value is not None},
            agents=("11", "12"),
            layers=layers_of(type_name, chosen),
            deadline=180.0,
            raw=raw or {},
            servers=len(servers) if isinstance(servers, list) else 1,
        )

    return make


@pytest.fixture(params=sorted(TEST_TYPES))
def type_name(request: pytest.FixtureRequest) -> str:
    """Each of the twelve types."""
    return str(request.param)


class MockedResponse(aiohttp.ClientResponse):
    """aiohttp 3.14 wants a keyword that aioresponses 0.7.9 does not give yet; a later one is left alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def response_class() -> type[aiohttp.ClientResponse]:
    """Pass it to every mocked answer."""
    return MockedResponse
