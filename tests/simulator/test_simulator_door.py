"""The door: what a real HTTP client meets on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Fault, Service, Settings

HEADERS = {"Authorization": "Bearer made-up"}
BODY = {"url": "https://www.example.com", "agents": [{"agentId": "3"}]}
Opened = AbstractAsyncContextManager[tuple[aiohttp.ClientSession, Service]]
Opener = Callable[..., Opened]


@pytest.fixture
def opened() -> Opener:
    @asynccontextmanager
    async def opener(
        *faults: Fault, speed: float = 1000.0, **settings: Any
    ) -> AsyncIterator[tuple[aiohttp.ClientSession, Service]]:
        service = Service(Settings(faults=faults, **settings))

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds / speed)

        async with (
            serve(service, time.time, sleep) as origin,
            aiohttp.ClientSession(origin, headers=HEADERS) as client,
        ):
            yield client, service

    return opener


async def create(client: aiohttp.ClientSession) -> aiohttp.ClientResponse:
    return await client.post("/v7/tests/http-server/instant", json=BODY)


async def test_a_creation_over_the_wire_is_a_creation_in_the_world(opened: Opener) -> None:
    async with opened() as (client, service):
        reply = await create(client)
        created = await reply.json(content_type="application/hal+json")
        assert reply.status == 201
        assert reply.headers["Server"] == "nginx"
        origin = str(reply.url.origin())
        assert reply.headers["Location"] == f"{origin}/v7/tests/http-server/{created['testId']}"
        assert service.witness()["creations"][0]["test_id"] == created["testId"]


async def test_a_rerun_is_answered_without_a_body_and_without_its_type(opened: Opener) -> None:
    async with opened() as (client, _):
        test_id = (await (await create(client)).json(content_type=None))["testId"]
        reply = await client.post(f"/v7/tests/{test_id}/run")
        assert (reply.status, await reply.read()) == (200, b"")
        assert "Content-Type" not in reply.headers
        assert reply.headers["Content-Length"] == "0"


async def test_health_and_witness_are_not_limited(opened: Opener) -> None:
    async with opened(organization_limit=1, token="another") as (client, _):
        for _ in range(5):
            assert (await (await client.get("/_simulator/health")).json()) == {"status": "ok"}
        witness = await (await client.get("/_simulator/witness")).json()
        assert witness["requests"] == {}
        assert (await client.get("/_simulator/else")).status == 404


async def test_a_reset_is_a_reset_and_the_witness_knows_what_was_taken(opened: Opener) -> None:
    for kind, creations in (("reset-before", 0), ("reset-after", 1)):
        async with opened(Fault(kind, "create")) as (client, service):
            with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
                await create(client)
            assert len(service.witness()["creations"]) == creations


async def test_a_truncated_body_ends_before_its_announced_length(opened: Opener) -> None:
    async with opened(Fault("truncated", "create")) as (client, _):
        reply = await create(client)
        assert reply.status == 201
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await reply.read()


async def test_an_endless_body_does_not_end(opened: Opener) -> None:
    async with opened(Fault("endless-body", "agents"), speed=100.0) as (client, _):
        reply = await client.get("/v7/agents")
        read = 0
        while read < 500_000:
            read += len(await reply.content.read(65_536))
        reply.close()


async def test_a_silent_answer_never_begins(opened: Opener) -> None:
    async with opened(Fault("silent-after", "create")) as (client, service):
        asked = asyncio.ensure_future(create(client))
        await _until_asked(service)
        assert len(service.witness()["creations"]) == 1
        assert not (await asyncio.wait([asked], timeout=0.2))[0]
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_a_slow_body_is_whole_in_the_end(opened: Opener) -> None:
    async with opened(Fault("slow-body", "agents", value=20.0)) as (client, _):
        reply = await client.get("/v7/agents")
        assert len((await reply.json(content_type=None))["agents"]) == 62


async def test_slow_headers_come_after_their_delay(opened: Opener) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    service = Service(Settings(faults=(Fault("slow-headers", "agents", value=33.0),), network_delay=0.0))
    async with serve(service, time.time, sleep) as origin, aiohttp.ClientSession(headers=HEADERS) as client:
        assert (await client.get(f"{origin}/v7/agents")).status == 200
    assert waited == [33.0]


async def test_the_date_header_is_ours_or_missing(opened: Opener) -> None:
    async with opened(Fault("no-date", nth=1), Fault("clock-jump", nth=2)) as (client, _):
        assert "Date" not in (await client.get("/v7/agents")).headers
        jumped = (await client.get("/v7/agents")).headers["Date"]
        usual = (await client.get("/v7/agents")).headers["Date"]
        assert jumped != usual


async def test_paths_and_queries_arrive_as_they_were_sent(opened: Opener) -> None:
    async with opened() as (client, _):
        assert (await client.get("/v7/agents", params={"agentTypes": "cloud,enterprise"})).status == 200
        reply = await client.get(URL("/v7/test-results/%2e%2e%2fagents/network", encoded=True))
        assert reply.status == 404
        assert json.loads(await reply.read())["status"] == 404


async def test_a_creation_with_an_enormous_body_is_refused(opened: Opener) -> None:
    async with opened() as (client, service):
        try:
            reply = await client.post("/v7/tests/http-server/instant", data=io.BytesIO(b"x" * 20_000_000))
            assert reply.status == 413
        except aiohttp.ClientOSError:
            pass  # the server may close before it has read everything
        assert service.witness()["creations"] == []


async def _until_asked(service: Service) -> None:
    while not service.witness()["requests"]:  # noqa: ASYNC110 - the service has no events, it is asked
        await asyncio.sleep(0.01)


async def test_the_door_closes_even_with_an_answer_on_the_way() -> None:
    service = Service(Settings(faults=(Fault("silent-before", "agents"),)))
    async with serve(service, time.time, asyncio.sleep) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rsplit(":", 1)[1]))
        writer.write(b"GET /v7/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer made-up\r\n\r\n")
        await _until_asked(service)
    assert await reader.read() == b"", "closed without an answer"
    writer.close()
    await writer.wait_closed()


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with serve(Service(Settings()), time.time, asyncio.sleep) as origin:
        port = int(origin.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="address already in use"):
            async with serve(Service(Settings()), time.time, asyncio.sleep, port=port):
                pytest.fail("two servers cannot have one port")
