"""The vendor's own SDK, pointed at the simulator on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from thousandeyes_sdk.core import ApiClient, Configuration

from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service, Settings

# Results come within milliseconds, and no limit is met.
QUICK: dict[str, Any] = {
    "latency": 0.001,
    "network_delay": 0.0,
    "organization_limit": 100_000,
    "instant_limit": 10_000,
    "all_online": True,
}


class Vendor:
    """Calls of the SDK, each in a thread of its own because the SDK is synchronous."""

    def __init__(self, service: Service, client: Any) -> None:
        self.service = service
        self.client = client

    async def call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(method, *arguments, **options)


Opener = Callable[..., Any]


@pytest.fixture
def open_vendor() -> Opener:
    @asynccontextmanager
    async def opener(now: Callable[[], float] = time.time, **settings: Any) -> AsyncIterator[Vendor]:
        service = Service(Settings(**{**QUICK, **settings}))
        async with serve(service, now, asyncio.sleep) as origin:
            configuration = Configuration(host=f"{origin}/v7", access_token="made-up")
            with ApiClient(configuration) as client:
                yield Vendor(service, client)
                client.rest_client.pool_manager.clear()

    return opener
