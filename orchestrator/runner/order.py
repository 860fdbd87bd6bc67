"""One creation outside a run's schedule, sent once: what may have been taken is never asked for again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock
from orchestrator.runner.ask import LONGEST_WAIT, permit_for, problem_of
from orchestrator.runner.wire import Wire
from orchestrator.thousandeyes.outcomes import CreationOutcome, creation_outcome
from orchestrator.thousandeyes.protocol import Dialect, NoAnswer, NotSent, Reply, Request

T = TypeVar("T")


class Declined(Exception):
    """The API certainly did not take it; why, in words."""


class InDoubt(Exception):
    """It may have been taken; what was heard last, in words."""


async def _at_once(_: Reply) -> None:
    """The ledger waits."""


async def order(
    wire: Wire,
    ledger: Ledger,
    clock: Clock,
    dialect: Dialect,
    request: Request,
    read: Callable[[Reply], T],
    intend: Callable[[], Awaitable[None]],
    limited: Callable[[Reply], Awaitable[None]] = _at_once,
) -> T:
    """Return what ``read`` makes of the answer. A refusal of a limit is waited out: it takes nothing.

    ``intend`` makes it durable that the request is sent, once there is a permit for it. ``limited`` waits for
    a limit that the ledger knows nothing of, or raises. Raises
    :class:`Declined` or :class:`InDoubt`; ``Refused`` for a token or a permission (401, 403), and
    ``Unanswered`` where the budget is not free in time: then nothing was taken.
    """
    give_up = clock.now() + LONGEST_WAIT
    intended = False
    while True:
        permit = await permit_for(ledger, clock, give_up)
        if not intended:
            try:
                await intend()
            except BaseException:
                wire.unused(permit)
                raise
            intended = True
        try:
            reply = await wire.send(permit, request)
        except NotSent as error:
            raise Declined(str(error)) from error
        except NoAnswer as error:
            raise InDoubt(str(error)) from error
        outcome = creation_outcome(reply.status)
        if outcome is CreationOutcome.LIMITED:
            await limited(reply)
            continue
        if outcome is CreationOutcome.CREATED:
            return read(reply)
        problem = problem_of(dialect, request, reply)
        raise (InDoubt if outcome is CreationOutcome.AMBIGUOUS else Declined)(problem)
