"""One request with its permit: sent, and settled whatever happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from orchestrator.budget.permits import Ledger, Permit
from orchestrator.budget.readings import Limits
from orchestrator.clock import Clock
from orchestrator.events import RequestAnswered, RequestFailed, RequestSent, Sending
from orchestrator.listeners.telling import Telling
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import (
    GoneIdle,
    NoAnswer,
    NotSent,
    Reply,
    Request,
    Transport,
)
from orchestrator.thousandeyes.watch import Limit, Watch

# A permit whose request has not left for so long: whoever else counts with it may have given it up (seconds).
STALE = 80.0
LIMITED, _REFUSED = 429, 400


class Wire:
    """The transport and the ledger joined; what is sent and what comes of it is told."""

    def __init__(
        self,
        transport: Transport,
        ledger: Ledger,
        clock: Clock,
        telling: Telling,
        lapsed: Callable[[], bool] | None = None,
    ) -> None:
        self._lapsed = lapsed
        self._transport = transport
        self._ledger = ledger
        self._clock = clock
        self._tell = telling.tell
        self._watch = Watch(grace=False)

    def of(self, telling: Telling, lapsed: Callable[[], bool]) -> Wire:
        """The same wire, whose requests are told to others, and that sends nothing once the run has
        ``lapsed``."""
        return Wire(self._transport, self._ledger, self._clock, telling, lapsed)

    async def send(
        self,
        permit: Permit,
        request: Request,
        what: Sending = Sending.READ,
        *,
        spec: str | None = None,
        patience: float = math.inf,
        most: float = math.inf,
    ) -> Reply:
        """Return the reply, whatever its status. The permit is ended in every case, cancellation included.

        ``what`` and ``spec`` are told and mean nothing here. ``patience`` is real seconds, for a read; an
        answer that makes progress has longer, up to ``most``. The transport has its own time-outs.

        A read whose idle connection was closed goes out once more if there is a permit for it: it is one
        request more on the wire. Raises ``NotSent``, also for a permit that is so old that it may have
        expired, or ``NoAnswer``.
        """
        if self._clock.now() - permit.sent > STALE:
            self._ledger.release(permit, self._clock.now())
            raise NotSent(f"its permit had waited for more than {STALE:.0f} s")
        try:
            return await self._once(permit, request, what, spec, patience, most)
        except GoneIdle:
            again = None if request.instant else self._ledger.try_reserve(self._clock.now(), instant=False)
            if again is None:
                raise
        return await self._once(again, replace(request, alone=True), what, spec, patience, most)

    async def _once(
        self, permit: Permit, request: Request, what: Sending, spec: str | None, patience: float, most: float
    ) -> Reply:
        began = self._clock.now()
        self._tell(RequestSent(what), spec)
        try:
            reply = await self._answer(permit, request, patience, most)
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
        now, limits = self._clock.now(), read_limits(reply.headers)
        # Who waited for a window of the ledger after a refusal by another limit would hold up everybody.
        elsewhere = request.own_limit and reply.status == LIMITED and _has_left(limits)
        self._ledger.settle(permit, limits, now, status=_REFUSED if elsewhere else reply.status)
        self._tell(RequestAnswered(what, reply.status, round(now - began, 3)), spec)
        return reply

    async def _answer(self, permit: Permit, request: Request, patience: float, most: float) -> Reply:
        if self._lapsed is not None and self._lapsed():
            raise NotSent("this host was suspended, and the run may be another process's by now")
        if not self._ledger.stands(permit, self._clock.now()):
            raise NotSent("its permit has waited too long to be counted")
        if math.isinf(patience):
            return await self._transport.send(request)
        limit = Limit(patience, most)
        try:
            with self._watch.within(limit):
                return await self._transport.send(request.hearing(limit.heard))
        except TimeoutError:
            seconds = limit.seconds
        raise NoAnswer(f"{request.method} {request.path}: no answer within {seconds:.0f} s")

    def unused(self, permit: Permit) -> None:
        """The permit's request was never sent."""
        self._ledger.release(permit, self._clock.now())


def _has_left(limits: Limits) -> bool:
    """Whether the headers say that the organization has calls left."""
    return limits.organization is not None and limits.organization.remaining > 0
