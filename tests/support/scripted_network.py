"""A network in the hands of a test: it answers nothing by itself.

Requests stay under way until the test ends one of them, in any order and in any way: as the simulated API
would, or refused, unreadable, lost with or without having been taken, or never sent.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import unquote

from virtual_time import VirtualLoop

from orchestrator.clock import LoopClock
from orchestrator.simulator.messages import SimReply, SimRequest
from orchestrator.simulator.service import Service
from orchestrator.thousandeyes.protocol import NoAnswer, NotSent, Reply, Request

EPOCH = 1_800_000_000.0
REFUSALS = {"400": 400, "401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503, "408": 408}
# What can come of a request; "taken" is answered as the API would.
CREATIONS = ("taken", "taken", "taken", "lost", "lost before", "not sent", "unreadable", *REFUSALS)
READS = ("taken", "taken", "taken", "lost", "not sent", "unreadable", "empty", *REFUSALS)


def sim_request(request: Request) -> SimRequest:
    """A request as the simulated API takes it."""
    headers = {"authorization": "Bearer x", "content-type": "application/json", "host": "api"}
    body = b"" if request.body is None else json.dumps(request.body).encode()
    return SimRequest(request.method, unquote(request.path), dict(request.query), headers, body)


class OutsideClock(LoopClock):
    """The loop's time, for those outside of it too."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    def wall(self) -> float:
        return EPOCH + self._loop.time()


@dataclass(slots=True)
class Pending:
    """A request under way."""

    request: Request
    sent: float
    answer: asyncio.Future[Reply]


class Network:
    """Answers nothing by itself."""

    def __init__(self, service: Service, clock: LoopClock) -> None:
        self.service, self.clock = service, clock
        self.pending: list[Pending] = []

    async def send(self, request: Request) -> Reply:
        pending = Pending(request, self.clock.now(), asyncio.get_running_loop().create_future())
        self.pending.append(pending)
        try:
            return await pending.answer
        finally:
            if pending in self.pending:
                self.pending.remove(pending)

    def answer(self, pending: Pending, how: str) -> None:
        """End one request as the machine wants it."""
        self.pending.remove(pending)
        what = f"{pending.request.method} {pending.request.path}"
        if how == "not sent":
            pending.answer.set_exception(NotSent(f"{what}: no connection"))
        elif how == "lost before":
            pending.answer.set_exception(NoAnswer(f"{what}: nothing came"))
        elif how in REFUSALS:
            pending.answer.set_result(self._reply(pending, SimReply(REFUSALS[how], {}, b"{}")))
        elif how == "empty":
            pending.answer.set_result(self._reply(pending, SimReply(200, {}, b'{"results": []}')))
        else:
            reply = self._reply(pending, self._taken(pending.request))
            if how == "lost":
                pending.answer.set_exception(NoAnswer(f"{what}: the connection broke"))
            elif how == "unreadable":
                spoiled = SimReply(reply.status, {}, b"<html>")
                pending.answer.set_result(self._reply(pending, spoiled))
            else:
                pending.answer.set_result(reply)

    def _taken(self, request: Request) -> SimReply:
        return self.service.handle(sim_request(request), self.clock.wall())

    def _reply(self, pending: Pending, reply: SimReply) -> Reply:
        names = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, names, reply.body, pending.sent, self.clock.now())
