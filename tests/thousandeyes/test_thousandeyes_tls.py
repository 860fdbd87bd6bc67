"""TLS and proxies: what a wrong certificate means, and what a proxy gets to see."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchestrator.actions.session import resolve
from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.protocol import NotSent, Request
from orchestrator.thousandeyes.proxy import proxy_for

Start = Callable[..., AbstractAsyncContextManager[Any]]
Connect = Callable[..., HttpTransport]
Wire = tuple[Callable[..., bytes], Callable[..., Any]]
GET = Request("GET", "/v7/agents")
ORIGIN = "https://api.thousandeyes.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_side(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def client_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_trusted_certificate_is_spoken_to(
    authority: trustme.CA, raw_server: Start, transport_to: Connect, wire: Wire
) -> None:
    answer, says = wire
    async with raw_server(says(answer()), server_side(authority, "127.0.0.1")) as server:
        origin = f"https://127.0.0.1:{server.port}"
        async with transport_to(origin, tls=client_side(authority)) as transport:
            assert (await transport.send(GET)).status == 200


async def test_an_unknown_authority_was_not_sent_to(
    authority: trustme.CA, raw_server: Start, transport_to: Connect, wire: Wire
) -> None:
    answer, says = wire
    async with raw_server(says(answer()), server_side(authority, "127.0.0.1")) as server:
        transport = transport_to(f"https://127.0.0.1:{server.port}")
        async with transport:
            with pytest.raises(NotSent, match="is not trusted: unable to get local issuer certificate"):
                await transport.send(GET)
    assert server.requests == [], "the token must not reach a server that is not proven"


async def test_a_certificate_for_another_name_was_not_sent_to(
    authority: trustme.CA, raw_server: Start, transport_to: Connect, wire: Wire
) -> None:
    answer, says = wire
    async with raw_server(says(answer()), server_side(authority, "api.thousandeyes.com")) as server:
        origin = f"https://127.0.0.1:{server.port}"
        async with transport_to(origin, tls=client_side(authority)) as transport:
            with pytest.raises(NotSent, match="is not trusted"):
                await transport.send(GET)
    assert server.requests == []


async def test_a_server_without_tls_was_not_sent_to(raw_server: Start, transport_to: Connect) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(shout, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with transport_to(f"https://127.0.0.1:{port}") as transport:
        with pytest.raises(NotSent, match=r"no (TLS )?connection"):
            await transport.send(GET)
    listener.close()


@asynccontextmanager
async def tunnel(to: int = 0, refuse: bytes | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy that understands CONNECT and notes whatever it sees before the tunnel and in it."""
    seen: list[bytes] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                seen.append(data)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if refuse is not None:
            writer.write(refuse)
            await writer.drain()
            writer.close()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", to)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, upstream_writer), pipe(upstream_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1], seen
    finally:
        listener.close()
        await asyncio.sleep(0.02)


async def test_a_proxy_sees_a_connect_and_never_the_token(
    authority: trustme.CA, raw_server: Start, transport_to: Connect, wire: Wire, token: str
) -> None:
    answer, says = wire
    async with (
        raw_server(says(answer()), server_side(authority, "api.thousandeyes.com")) as server,
        tunnel(server.port) as (port, seen),
    ):
        environ = {"https_proxy": f"http://some%40one:hush@127.0.0.1:{port}"}
        async with transport_to(ORIGIN, tls=client_side(authority), environ=environ) as transport:
            assert (await transport.send(GET)).status == 200
    assert token.encode() in server.requests[0], "the origin got it"
    assert b"proxy-authorization" not in server.requests[0].lower()
    assert seen[0].startswith(b"CONNECT api.thousandeyes.com:443 ")
    assert b"proxy-authorization: basic" in seen[0].lower()
    assert all(token.encode() not in data for data in seen), "the proxy did not"


async def test_a_proxy_that_refuses_was_not_sent(transport_to: Connect, token: str) -> None:
    async with tunnel(refuse=b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (port, seen):
        transport = transport_to(ORIGIN, environ={"HTTPS_PROXY": f"127.0.0.1:{port}"})
        async with transport:
            with pytest.raises(NotSent, match="the proxy refused the connection with status 403"):
                await transport.send(GET)
    assert token.encode() not in b"".join(seen)


async def test_a_proxy_that_is_not_there_was_not_sent(transport_to: Connect) -> None:
    async with transport_to(ORIGIN, environ={"HTTPS_PROXY": "http://127.0.0.1:9"}) as transport:
        with pytest.raises(NotSent, match=r"no connection to the proxy 127\.0\.0\.1:9"):
            await transport.send(GET)


@pytest.mark.parametrize(
    ("origin", "environ"),
    [
        ("http://127.0.0.1:8089", {"http_proxy": "http://p:1", "https_proxy": "http://p:1"}),
        ("https://127.0.0.1:8089", {"https_proxy": "http://p:1"}),
        ("https://localhost", {"HTTPS_PROXY": "http://p:1"}),
        ("http://api.example", {"http_proxy": "http://p:1", "all_proxy": "http://p:1"}),
        (ORIGIN, {}),
        (ORIGIN, {"https_proxy": "  "}),
        (ORIGIN, {"https_proxy": "http://p:1", "no_proxy": "*"}),
        (ORIGIN, {"https_proxy": "http://p:1", "NO_PROXY": "x.example, thousandeyes.com"}),
        (ORIGIN, {"https_proxy": "http://p:1", "no_proxy": ".ThousandEyes.com"}),
        (f"{ORIGIN}:8443", {"https_proxy": "http://p:1", "no_proxy": "api.thousandeyes.com:8443"}),
    ],
)
def test_no_proxy_is_used(origin: str, environ: dict[str, str]) -> None:
    assert proxy_for(origin, environ) is None


def test_a_proxy_is_read_with_its_user_apart_and_never_shows_the_password() -> None:
    proxy = proxy_for(
        ORIGIN, {"HTTPS_PROXY": "http://us%3Aer:hu%40sh@proxy.example:3128", "NO_PROXY": "eyes.com"}
    )
    assert proxy is not None
    assert (proxy.url, proxy.user, proxy.password) == ("http://proxy.example:3128", "us:er", "hu@sh")
    assert "hu@sh" not in repr(proxy)


@pytest.mark.parametrize("address", ["socks5://user:hush@p:1", "http://", "http://p:hush", "ftp://p:1"])
def test_a_proxy_that_cannot_be_used_is_wrong_usage_instead_of_silence(address: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        proxy_for(ORIGIN, {"https_proxy": address})
    assert "hush" not in caught.value.message


async def test_the_authority_of_a_file_is_trusted_besides_the_systems(
    authority: trustme.CA, raw_server: Start, transport_to: Connect, wire: Wire, tmp_path: Path
) -> None:
    answer, says = wire
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    async with raw_server(says(answer()), server_side(authority, "127.0.0.1")) as server:
        origin = f"https://127.0.0.1:{server.port}"
        async with transport_to(origin, ca_file=str(file)) as transport:
            assert (await transport.send(GET)).status == 200
        for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            async with transport_to(origin, environ={other: str(file)}) as transport:
                with pytest.raises(NotSent, match="is not trusted") as caught:
                    await transport.send(GET)
            assert "SSL_CERT_FILE" in (caught.value.hint or "")
            assert f"{other}" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [None, "", "no certificate"])
async def test_a_file_without_an_authority_is_wrong_usage(
    content: str | None, transport_to: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageProblem, match=r"the certificates of --ca-file \(TE_CA_FILE\) cannot be used"):
        async with transport_to("https://127.0.0.1:9", ca_file=str(file)):
            pass


def test_the_authority_is_named_by_the_flag_or_by_the_environment() -> None:
    environ = {"TE_CA_FILE": " of-the-environment.pem "}
    assert resolve(environ, ca_file="of-the-flag.pem").ca_file == "of-the-flag.pem"
    assert resolve(environ).ca_file == "of-the-environment.pem"
    assert resolve({}).ca_file is None
