"""One request with its permit: sent, and settled whatever happens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import anyio

from orchestrator.budget.permits import Ledger, Permit
from orchestrator.clock import Clock
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import NoAnswer, NotSent, Reply, Request, Transport


@dataclass(slots=True)
class Tally:
    """Requests of a run, for its summary."""

    creations: int = 0
    reruns: int = 0
    reads: int = 0
    refused_429: int = 0
    errors: int = 0


class Wire:
    """The transport, the ledger and the tally joined. Knows nothing of what requests mean."""

    def __init__(self, transport: Transport, ledger: Ledger, clock: Clock, tally: Tally) -> None:
        self._transport = transport
        self._ledger = ledger
        self._clock = clock
        self.tally = tally

    async def send(self, permit: Permit, request: Request, *, patience: float = math.inf) -> Reply:
        """Return the reply, whatever its status. The permit is ended in every case, cancellation included.

        ``patience`` is real seconds, for a read; the transport has its own time-outs. Raises ``NotSent`` or
        ``NoAnswer``.
        """
        try:
            reply = await self._answer(request, patience)
        except NotSent:
            self._ledger.release(permit, self._clock.now())
            self.tally.errors += 1
            raise
        except Exception:
            self._ledger.lost(permit, self._clock.now())
            self.tally.errors += 1
            raise
        except BaseException:  # cancelled: the request may have been taken
            self._ledger.lost(permit, self._clock.now())
            raise
        self._ledger.settle(permit, read_limits(reply.headers), self._clock.now(), status=reply.status)
        if reply.status == 429:
            self.tally.refused_429 += 1
        elif reply.status >= 400:
            self.tally.errors += 1
        return reply

    async def _answer(self, request: Request, patience: float) -> Reply:
        with anyio.CancelScope(deadline=anyio.current_time() + patience):
            return await self._transport.send(request)
        raise NoAnswer(f"{request.method} {request.path}: no answer within {patience:g} s")

    def unused(self, permit: Permit) -> None:
        """The permit's request was never sent."""
        self._ledger.release(permit, self._clock.now())
