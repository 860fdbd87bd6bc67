"""The transport against a raw server on the loopback that misbehaves as told."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import struct
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from orchestrator.credentials import Credentials
from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.client import HttpTransport, Timeouts
from orchestrator.thousandeyes.protocol import NoAnswer, NotSent, Request

Start = Callable[..., AbstractAsyncContextManager[Any]]
Connect = Callable[..., HttpTransport]
Wire = tuple[Callable[..., bytes], Callable[..., Any]]

GET = Request("GET", "/v7/agents", (("agentTypes", "cloud,enterprise"), ("aid", "7")))
POST = Request(
    "POST", "/v7/tests/http-server/instant", (), {"url": "https://a.example/\ud800ä"}, instant=True
)
RERUN = Request("POST", "/v6/instant/5/rerun", instant=True)


@pytest.fixture
def exchange(raw_server: Start, transport_to: Connect) -> Callable[..., AbstractAsyncContextManager[Any]]:
    """A server with a handler and a transport to it."""

    @asynccontextmanager
    async def start(handler: Any, **options: Any) -> AsyncIterator[tuple[Any, HttpTransport]]:
        async with (
            raw_server(handler) as server,
            transport_to(f"http://127.0.0.1:{server.port}", **options) as transport,
        ):
            yield server, transport

    return start


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_request_is_what_was_asked_for_and_a_reply_what_came(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    handler = says(answer(b'{"agents":[]}', headers="X-Organization-Rate-Limit-Limit: 240\r\n"))
    async with exchange(handler) as (server, transport):
        reply = await transport.send(GET)
    assert reply.status == 200
    assert reply.body == b'{"agents":[]}'
    assert reply.headers["x-organization-rate-limit-limit"] == "240"
    assert reply.sent <= reply.received
    head = server.requests[0].decode()
    assert head.startswith("GET /v7/agents?agentTypes=cloud%2Centerprise&aid=7 HTTP/1.1\r\n")
    lines = {line.split(":")[0].lower() for line in head.split("\r\n")[1:] if line}
    assert lines == {"host", "accept", "accept-encoding", "authorization", "user-agent"}


async def test_a_body_is_ascii_json_and_has_its_type(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    async with exchange(says(answer(status="201 Created"))) as (server, transport):
        reply = await transport.send(POST)
    head, body = server.requests[0].split(b"\r\n\r\n")
    assert reply.status == 201
    assert b"content-type: application/json\r\n" in head.lower()
    assert body.isascii()
    assert json.loads(body) == POST.body


async def test_a_post_without_a_body_says_so_and_claims_no_type(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    async with exchange(says(answer(b""))) as (server, transport):
        reply = await transport.send(RERUN)
    assert reply.body == b""
    assert b"content-length: 0" in server.requests[0].lower()
    assert b"content-type" not in server.requests[0].lower()


async def test_basic_is_for_v6_with_an_address_only(raw_server: Start, wire: Wire, token: str) -> None:
    answer, says = wire
    credentials = Credentials(token, "ops@example.com")
    async with raw_server(says(answer())) as server:
        origin = f"http://127.0.0.1:{server.port}"
        async with HttpTransport(origin, credentials, now=lambda: 0.0, environ={}) as transport:
            await transport.send(GET)
            await transport.send(RERUN)
    assert f"Authorization: Bearer {token}".encode() in server.requests[0]
    assert b"Authorization: Basic " in server.requests[1]


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"]
)
async def test_a_redirect_is_returned_and_its_target_never_hears_of_us(
    status: str, raw_server: Start, exchange: Start, wire: Wire
) -> None:
    answer, says = wire
    async with raw_server(says(answer())) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/v7/agents\r\n"
        async with exchange(says(answer(status=status, headers=location))) as (_, transport):
            reply = await transport.send(GET)
            posted = await transport.send(POST)
    assert str(reply.status) == str(posted.status) == status[:3]
    assert reply.headers["location"].endswith("/v7/agents")
    assert elsewhere.requests == []


async def test_repeated_headers_are_joined_so_that_readers_can_tell(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    twice = "X-Organization-Rate-Limit-Limit: 240\r\n" * 2
    async with exchange(says(answer(headers=twice))) as (_, transport):
        assert (await transport.send(GET)).headers["x-organization-rate-limit-limit"] == "240, 240"


async def test_no_cookie_is_kept(raw_server: Start, transport_to: Connect, wire: Wire) -> None:
    answer, says = wire
    async with raw_server(says(answer(headers="Set-Cookie: session=1; Path=/\r\n"))) as server:
        # By name: for an address even a jar would keep nothing.
        transport = transport_to(f"http://localhost:{server.port}")
        async with transport:
            await transport.send(GET)
            await transport.send(GET)
    assert b"cookie" not in server.requests[1].lower()


async def test_a_refused_connection_was_not_sent(transport_to: Connect) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with transport_to(f"http://127.0.0.1:{port}") as transport:
        for request in (GET, POST):
            with pytest.raises(NotSent, match=f"no connection to 127.0.0.1:{port}: Connect"):
                await transport.send(request)


async def test_a_name_that_does_not_resolve_was_not_sent(
    transport_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with transport_to("https://nowhere.invalid") as transport:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        with pytest.raises(NotSent, match=r"no address found for nowhere.invalid:443"):
            await transport.send(POST)


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A port that takes connections and never says a word, so that a TLS handshake never ends."""
    gone = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    listener = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        await gone.wait()
        listener.close()
        await asyncio.sleep(0.01)


async def test_a_connection_that_does_not_come_about_in_time_was_not_sent(transport_to: Connect) -> None:
    times = Timeouts(connect=0.1, read=60.0, total=60.0)
    async with silence() as port, transport_to(f"https://127.0.0.1:{port}", timeouts=times) as transport:
        with pytest.raises(NotSent, match=r"no connection within 0.1 s"):
            await transport.send(POST)


async def test_a_total_timeout_while_connecting_was_not_sent(transport_to: Connect) -> None:
    times = Timeouts(connect=60.0, read=60.0, total=0.1)
    async with silence() as port, transport_to(f"https://127.0.0.1:{port}", timeouts=times) as transport:
        with pytest.raises(NotSent):
            await transport.send(POST)


async def close_silently(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.close()


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    reset(writer)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read()


async def drip_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for count in range(1000):
        writer.write(f"X-{count}: y\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def reset_in_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"testId"')
    await writer.drain()
    await asyncio.sleep(0.02)
    reset(writer)


DRIPS = (drip_headers, drip_body)


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (close_silently, "the connection was closed without an answer"),
        (reset_at_once, "the connection broke: Connection reset by peer"),
        (reset_in_body, "the (connection broke|answer)"),
        (say_nothing, "nothing came for 0.3 s"),
        (drip_headers, "no complete answer within 3 s"),
        (drip_body, "no complete answer within 3 s"),
        (endless_body, "the answer is larger than 1 MiB"),
        (
            (b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"testId":', True),
            "the answer's body broke off",
        ),
        (
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True),
            "what came is not an HTTP answer",
        ),
        (
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", False),
            "the answer",
        ),
        ((b"220 smtp.example ready\r\n\r\n", True), "what came is not an HTTP answer"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", False), "what came is not an HTTP answer"),
    ],
)
@pytest.mark.parametrize("request_", [GET, POST])
async def test_once_it_was_written_a_request_counts_as_taken(
    handler: Any,
    said: str,
    request_: Request,
    exchange: Start,
    wire: Wire,
    token: str,
) -> None:
    _, says = wire
    treat = says(handler[0], close=handler[1]) if isinstance(handler, tuple) else handler
    # Only what a case is about has a short time-out; on a slow machine another one might come first.
    times = Timeouts(
        connect=60.0, read=0.3 if handler is say_nothing else 60.0, total=3.0 if handler in DRIPS else 60.0
    )
    async with exchange(treat, timeouts=times, max_body=1024 * 1024) as (server, transport):
        with pytest.raises(NoAnswer, match=said) as caught:
            await transport.send(request_)
    assert len(server.requests) == 1, "one call is one request on the wire"
    shown = "".join(traceback.format_exception(caught.value))
    assert token not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "a chained library exception carries the Authorization header"


async def test_a_reused_connection_that_breaks_is_not_tried_again(exchange: Start, wire: Wire) -> None:
    answer, _ = wire
    served = 0

    async def once_then_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        del reader
        served += 1
        if served == 1:
            writer.write(answer())
        else:
            reset(writer)

    async with exchange(once_then_reset) as (server, transport):
        await transport.send(GET)
        with pytest.raises(NoAnswer):
            await transport.send(GET)
        assert server.connections == 1, "the second request went over the reused connection"
        assert len(server.requests) == 2


async def test_connections_are_reused(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    async with exchange(says(answer())) as (server, transport):
        for _ in range(5):
            await transport.send(GET)
        assert server.connections == 1


@pytest.mark.parametrize("handler", [say_nothing, drip_headers, drip_body, endless_body])
async def test_a_cancelled_request_leaves_no_connection_and_no_task(
    handler: Any,
    exchange: Start,
) -> None:
    # However fast this machine sends, the body must not have ended for being too large.
    async with exchange(handler, max_body=2**50) as (server, transport):
        before = {task for task in asyncio.all_tasks() if "RawServer" not in repr(task)}
        task = asyncio.create_task(transport.send(POST))
        while not server.requests:  # noqa: ASYNC110 - the server is a plain list of what came
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for session in (transport._session, transport._fresh):
            connector = session.connector
            assert not connector._acquired, "the connection was given back or closed"
            assert not any(connector._conns.values()), "and a half-read one is not kept for others"
        await asyncio.sleep(0)
        after = {each for each in asyncio.all_tasks() if "RawServer" not in repr(each)}
        assert after <= before
    gc.collect()


async def test_an_answer_that_echoes_the_token_is_masked_before_anybody_reads_it(
    exchange: Start, wire: Wire, token: str
) -> None:
    answer, says = wire
    body = json.dumps({"detail": f"bad token {token}"}).encode()
    async with exchange(says(answer(body, headers=f"X-Echo: Bearer {token}\r\n"))) as (_, transport):
        reply = await transport.send(GET)
    assert json.loads(reply.body) == {"detail": "bad token ***"}
    assert reply.headers["x-echo"] == "Bearer ***"


async def test_netrc_and_proxy_variables_of_the_process_change_nothing(
    exchange: Start,
    wire: Wire,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
) -> None:
    answer, says = wire
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with exchange(says(answer())) as (server, transport):
        await transport.send(GET)
    assert f"Bearer {token}".encode() in server.requests[0]


async def test_only_paths_of_the_api_are_sent(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    async with exchange(says(answer())) as (server, transport):
        for path in ("//evil.example/v7/", "https://evil.example/v7/", "/admin", "", "@evil.example/v7/"):
            with pytest.raises(ValueError, match="not a path of the API"):
                await transport.send(Request("GET", path))
    assert server.requests == []


async def test_a_query_arrives_as_it_was_meant(exchange: Start, wire: Wire) -> None:
    answer, says = wire
    async with exchange(says(answer())) as (server, transport):
        await transport.send(Request("GET", "/v7/x", (("cursor", "a+b/=&%2B ä"), ("aid", "7"))))
    assert server.requests[0].startswith(b"GET /v7/x?cursor=a%2Bb%2F%3D%26%252B%20%C3%A4&aid=7 ")


def test_plain_http_is_for_this_machine_or_by_an_explicit_flag() -> None:
    credentials = Credentials("t" * 20)
    with pytest.raises(UsageProblem, match="not encrypted"):
        HttpTransport("http://api.example", credentials, now=lambda: 0.0, environ={})
    HttpTransport("http://api.example", credentials, now=lambda: 0.0, allow_http=True, environ={})
    HttpTransport("http://localhost:8089/v7", credentials, now=lambda: 0.0, environ={})


async def test_a_transport_outside_of_its_context_is_a_defect() -> None:
    transport = HttpTransport("http://localhost:1", Credentials("t" * 20), now=lambda: 0.0, environ={})
    with pytest.raises(RuntimeError, match="outside of its context"):
        await transport.send(GET)


@pytest.mark.parametrize("request_", [POST, RERUN])
async def test_each_creation_has_a_connection_of_its_own_that_is_not_kept(
    request_: Request, exchange: Start, wire: Wire
) -> None:
    answer, says = wire
    async with exchange(says(answer(status="201 Created"))) as (server, transport):
        await transport.send(GET)
        for _ in range(3):
            await transport.send(request_)
        await transport.send(GET)
        assert server.connections == 4, "one for the reads, and one for each creation"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 201 Created\r\nLocation: /v7/tests/7\r\nContent-Length: 100\r\n\r\n{", 201),
        (
            b"HTTP/1.1 201 Created\r\nLocation: /v7/tests/7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            201,
        ),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\n{", 400),
        (b"HTTP/1.1 429 Too Many\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", 429),
    ],
)
async def test_an_answer_that_breaks_off_is_one_if_its_head_tells_enough(
    data: bytes, status: int, exchange: Start, wire: Wire
) -> None:
    _, says = wire
    async with exchange(says(data, close=True)) as (_, transport):
        reply = await transport.send(POST)
    assert (reply.status, reply.broken is not None) == (status, True)


async def test_a_body_without_an_end_does_not_take_the_place_of_a_creation_with_it(exchange: Start) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(b"HTTP/1.1 201 Created\r\nLocation: /v7/tests/7\r\nContent-Length: 9999\r\n\r\n{")
        await asyncio.Event().wait()

    async with exchange(endless, timeouts=Timeouts(connect=5.0, read=0.3, total=5.0)) as (_, transport):
        reply = await transport.send(POST)
    assert (reply.status, reply.headers["location"]) == (201, "/v7/tests/7")
    assert "nothing came for 0.3 s" in (reply.broken or "")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 300000\r\n\r\n{" + b" " * 299_998 + b"}",
    ],
)
async def test_time_that_is_up_does_not_win_over_an_answer_that_is_there(
    data: bytes, exchange: Start
) -> None:
    """As after SIGSTOP: the answer lies in the socket when the process goes on; every timer is overdue."""
    times = Timeouts(connect=1.0, read=0.1, total=0.2)

    async def stop_with_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        writer.write(data)
        await writer.drain()
        until = time.monotonic() + times.total + 0.1
        while time.monotonic() < until:
            time.sleep(0.01)  # noqa: ASYNC251 - the whole process is to stand still

    async with exchange(stop_with_an_answer, timeouts=times) as (_, transport):
        reply = await transport.send(POST)
    assert json.loads(reply.body) == {}
