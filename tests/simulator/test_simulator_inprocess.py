"""The service without sockets: the same delays and faults, in virtual time."""

from __future__ import annotations

import math

from orchestrator.simulator.inprocess import InProcess
from orchestrator.simulator.service import Fault, Service, Settings, SimReply, SimRequest

HEADERS = {"authorization": "Bearer made-up"}
ASK = SimRequest("GET", "/v7/agents", {}, HEADERS)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


async def ask(
    *faults: Fault, patience: float = math.inf, network_delay: float = 0.5
) -> tuple[SimReply | type[Exception], float]:
    clock = Clock()
    service = Service(Settings(faults=faults, network_delay=network_delay))
    door = InProcess(service, clock.now, clock.sleep, patience)
    started = clock.time
    try:
        reply: SimReply | type[Exception] = await door.send(ASK)
    except (ConnectionResetError, TimeoutError) as error:
        reply = type(error)
    return reply, clock.time - started


async def test_a_reply_takes_its_network_delay() -> None:
    reply, taken = await ask()
    assert isinstance(reply, SimReply)
    assert reply.status == 200
    assert 0.25 <= taken <= 0.75


async def test_broken_wires_are_exceptions() -> None:
    assert (await ask(Fault("reset-before")))[0] is ConnectionResetError
    assert (await ask(Fault("reset-after")))[0] is ConnectionResetError
    assert (await ask(Fault("truncated")))[0] is ConnectionResetError


async def test_silence_lasts_as_long_as_patience_does() -> None:
    assert await ask(Fault("silent-before"), patience=30.0) == (TimeoutError, 30.0)
    assert await ask(Fault("endless-body"), patience=30.0) == (TimeoutError, 30.0)
    assert (await ask(Fault("silent-before")))[0] is TimeoutError, "infinite patience must not hang"


async def test_slow_answers_take_their_time_or_more_than_patience_has() -> None:
    reply, taken = await ask(Fault("slow-body", value=20.0), network_delay=0.0)
    assert isinstance(reply, SimReply)
    assert taken == 20.0
    assert await ask(Fault("slow-body", value=40.0), patience=30.0) == (TimeoutError, 30.0)
    assert await ask(Fault("slow-headers", value=40.0), patience=30.0) == (TimeoutError, 30.0)


async def test_links_begin_with_the_production_api_when_nobody_says_otherwise() -> None:
    reply, _ = await ask()
    assert isinstance(reply, SimReply)
    assert b'"href":"https://api.thousandeyes.com/v7/agents"' in reply.body
