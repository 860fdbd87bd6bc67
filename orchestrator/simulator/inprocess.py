"""The service without sockets, for virtual time: the same delays and faults as behind the door."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from orchestrator.simulator.messages import SimReply, SimRequest, Wire
from orchestrator.simulator.service import Service


@dataclass(frozen=True, slots=True)
class InProcess:
    """Carries requests to a service in this process.

    ``now`` gives simulated epoch seconds, ``sleep`` waits simulated seconds. Links in the answers begin with
    the settings' ``base_url``, else with the request's ``host`` header, else with the production API.
    With ``halves`` an answer that had begun when it broke off is returned, with half of its body and its wire
    fault; every other reply has none then.
    """

    service: Service
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    patience: float = math.inf
    halves: bool = False

    async def send(self, request: SimRequest) -> SimReply:
        """The reply after its delay.

        Raises ConnectionResetError where the wire breaks, TimeoutError where no whole answer would come
        within ``patience`` simulated seconds (at once when patience is infinite).
        """
        reply = self.service.handle(request, self.now())
        wire = reply.wire
        waiting = reply.delay
        if wire is not None and wire.kind is Wire.SLOW:
            waiting += wire.seconds
        endless = wire is not None and wire.kind in {Wire.HANG, Wire.ENDLESS}
        half = replace(reply, body=reply.body[: len(reply.body) // 2])
        begun = self.halves and reply.delay <= self.patience
        if endless or waiting > self.patience:
            await self.sleep(self.patience if math.isfinite(self.patience) else reply.delay)
            if begun and wire is not None and wire.kind is not Wire.HANG:
                return half
            raise TimeoutError("no answer in time")
        await self.sleep(waiting)
        if begun and wire is not None and wire.kind is Wire.TRUNCATE:
            return half
        if wire is not None and wire.kind in {Wire.RESET, Wire.TRUNCATE}:
            raise ConnectionResetError("connection reset by peer")
        return replace(reply, wire=None) if self.halves else reply
