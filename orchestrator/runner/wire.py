"""One request with its permit: sent, and settled whatever happens."""

from __future__ import annotations

import math

import anyio

from orchestrator.budget.permits import Ledger, Permit
from orchestrator.clock import Clock
from orchestrator.events import RequestAnswered, RequestFailed, RequestSent, Sending
from orchestrator.listeners.telling import Telling
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import NoAnswer, NotSent, Reply, Request, Transport


class Wire:
    """The transport and the ledger joined; what is sent and what comes of it is told."""

    def __init__(self, transport: Transport, ledger: Ledger, clock: Clock, telling: Telling) -> None:
        self._transport = transport
        self._ledger = ledger
        self._clock = clock
        self._tell = telling.tell

    def of(self, telling: Telling) -> Wire:
        """The same wire, whose requests are told to others."""
        return Wire(self._transport, self._ledger, self._clock, telling)

    async def send(
        self,
        permit: Permit,
        request: Request,
        what: Sending = Sending.READ,
        *,
        spec: str | None = None,
        patience: float = math.inf,
    ) -> Reply:
        """Return the reply, whatever its status. The permit is ended in every case, cancellation included.

        ``what`` and ``spec`` are told and mean nothing here. ``patience`` is real seconds, for a read; the
        transport has its own time-outs. Raises ``NotSent`` or ``NoAnswer``.
        """
        began = self._clock.now()
        self._tell(RequestSent(what), spec)
        try:
            reply = await self._answer(request, patience)
        except NotSent as error:
            self._ledger.release(permit, self._clock.now())
            self._tell(RequestFailed(what, str(error)), spec)
            raise
        except Exception as error:
            self._ledger.lost(permit, self._clock.now())
            self._tell(RequestFailed(what, str(error)), spec)
            raise
        except BaseException:  # cancelled: the request may have been taken
            self._ledger.lost(permit, self._clock.now())
            raise
        now = self._clock.now()
        self._ledger.settle(permit, read_limits(reply.headers), now, status=reply.status)
        self._tell(RequestAnswered(what, reply.status, round(now - began, 3)), spec)
        return reply

    async def _answer(self, request: Request, patience: float) -> Reply:
        with anyio.CancelScope(deadline=anyio.current_time() + patience):
            return await self._transport.send(request)
        raise NoAnswer(f"{request.method} {request.path}: no answer within {patience:g} s")

    def unused(self, permit: Permit) -> None:
        """The permit's request was never sent."""
        self._ledger.release(permit, self._clock.now())
