"""Single answers and faults without a server. (A mock replaces the library's timeouts and traces; those are
tested against real sockets.)"""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest
from aioresponses import aioresponses

from orchestrator.budget.readings import LimitReading
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import NoAnswer, NotSent, Request
from orchestrator.thousandeyes.v7 import V7

Connect = Callable[..., HttpTransport]
ORIGIN = "https://api.thousandeyes.com"
GET = Request("GET", "/v7/account-groups")


async def test_a_429_is_a_reply_with_its_limits_and_its_problem(
    transport_to: Connect, response_class: type[aiohttp.ClientResponse]
) -> None:
    headers = {
        "X-Organization-Rate-Limit-Limit": "240",
        "X-Organization-Rate-Limit-Remaining": "0",
        "X-Organization-Rate-Limit-Reset": "1795000020",
    }
    with aioresponses() as mocked:
        payload = {"title": "Too Many Requests", "status": 429}
        mocked.get(
            f"{ORIGIN}/v7/account-groups",
            status=429,
            payload=payload,
            headers=headers,
            response_class=response_class,
        )
        async with transport_to(ORIGIN) as transport:
            reply = await transport.send(GET)
    assert reply.status == 429
    assert read_limits(reply.headers).organization == LimitReading(240, 0, 1795000020.0)
    assert V7().problem(reply.status, reply.headers, reply.body) == "Too Many Requests"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (aiohttp.ServerDisconnectedError(), NoAnswer),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), NoAnswer),
        (aiohttp.ClientPayloadError("truncated"), NoAnswer),
        (aiohttp.SocketTimeoutError(), NoAnswer),
        (TimeoutError(), NoAnswer),
        (aiohttp.ConnectionTimeoutError(), NotSent),
    ],
)
async def test_without_proof_that_nothing_was_written_a_request_counts_as_taken(
    fault: Exception, kind: type[Exception], transport_to: Connect
) -> None:
    with aioresponses() as mocked:
        mocked.get(f"{ORIGIN}/v7/account-groups", exception=fault)
        async with transport_to(ORIGIN) as transport:
            with pytest.raises(kind) as caught:
                await transport.send(GET)
    assert type(caught.value) is kind
    assert "GET /v7/account-groups: " in str(caught.value)
