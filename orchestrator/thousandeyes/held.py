"""A transport to a simulated world in this process, on a clock that is held while a request is under way."""

from __future__ import annotations

from orchestrator.clock import HeldClock
from orchestrator.thousandeyes.protocol import NoAnswer, Reply, Request, Transport


class HeldTransport:
    """Sends by another transport. Time passes meanwhile only where the world rests before it answers.

    So the time-out, ``total`` seconds of this clock, tells of the world and never of this machine.
    """

    def __init__(self, inner: Transport, clock: HeldClock, total: float) -> None:
        self._inner, self._clock, self._total = inner, clock, total

    async def send(self, request: Request) -> Reply:
        """As :class:`Transport` promises."""
        with self._clock.hold(), self._clock.move_on_after(self._total):
            return await self._inner.send(request)
        raise NoAnswer(f"{request.method} {request.path}: no complete answer within {self._total:g} s")
