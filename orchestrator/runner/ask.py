"""Single questions to the API outside a run's schedule: agents, labels, account groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchestrator.budget.permits import Ledger, Permit
from orchestrator.clock import Clock
from orchestrator.errors import Refused, Unanswered
from orchestrator.runner.create import UNAUTHORIZED_HINT
from orchestrator.runner.wire import Wire
from orchestrator.schedule.backoff import backoff
from orchestrator.thousandeyes.outcomes import ReadOutcome, read_outcome
from orchestrator.thousandeyes.protocol import BadAnswer, Dialect, Reply, Request, TransportError

T = TypeVar("T")

TRIES = 4
REACH_HINT = "check the origin (TE_BASE_URL, --base-url), the network and the proxy"
# Waiting for a budget that other tools have exhausted: two windows and a little (seconds).
LONGEST_WAIT = 150.0


async def ask(
    wire: Wire,
    ledger: Ledger,
    clock: Clock,
    dialect: Dialect,
    request: Request,
    jitter: Callable[[], float],
    read: Callable[[bytes], T],
) -> tuple[T, Reply]:
    """Return what ``read`` makes of a successful reply's body, and the reply.

    Waits for the budget and tries again where that is harmless, also after a body that ``read`` cannot
    understand (``BadAnswer``). Raises :class:`Refused` (401, 403) or :class:`Unanswered`.
    """
    give_up = clock.now() + LONGEST_WAIT
    failures, hint = 0, REACH_HINT
    while True:
        permit = await permit_for(ledger, clock, give_up)
        try:
            reply = await wire.send(permit, request)
            outcome = read_outcome(reply.status, age=float("inf"))
            if outcome is ReadOutcome.ROWS:
                return read(reply.body), reply
            problem = problem_of(dialect, request, reply)
        except (TransportError, BadAnswer) as error:
            problem, outcome = str(error), ReadOutcome.AGAIN
            hint = getattr(error, "hint", None) or REACH_HINT
        if outcome is ReadOutcome.LIMITED:
            continue
        failures += 1
        if outcome is not ReadOutcome.AGAIN or failures >= TRIES or clock.now() >= give_up:
            raise Unanswered(
                problem,
                hint=hint,
            )
        await clock.sleep(backoff(failures, jitter()) / 4)


def problem_of(dialect: Dialect, request: Request, reply: Reply) -> str:
    """What an answer that is none says. Raises ``Refused`` where asking again is no use, or harms."""
    problem = dialect.problem(reply.status, reply.headers, reply.body)
    if reply.status == 401:
        raise Refused(f"the API refused the token (401): {problem}", hint=UNAUTHORIZED_HINT)
    if reply.status == 403:
        raise Refused(
            f"the API refused {request.path} (403): {problem}",
            hint="check the account group (TE_AID, account_group) and the role of the token's user",
        )
    return f"status {reply.status}: {problem}"


async def permit_for(ledger: Ledger, clock: Clock, give_up: float) -> Permit:
    """A permit for one call of the organization's. Raises ``Unanswered`` if there is none by ``give_up``."""
    while True:
        now = clock.now()
        permit = ledger.try_reserve(now, instant=False)
        if permit is not None:
            return permit
        if now >= give_up:
            if ledger.refused().bare:
                raise Unanswered(
                    "the API keeps answering 429 without saying which limit is meant",
                    hint="an address is blocked for a while after many refused tokens (401); try again later",
                )
            raise Unanswered(
                "the organization's calls were used up by others for too long", hint="try again later"
            )
        await clock.sleep(min(1.0, max(0.05, ledger.opens_at(now, instant=False) - now)))
