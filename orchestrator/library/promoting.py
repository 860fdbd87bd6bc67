"""Make scheduled tests of the instant ones of a run, as documents or at the API."""

from __future__ import annotations

from orchestrator.actions import promote as making
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.promote import INTERVAL, Choice, Promotion, Schedule, Scheduled
from orchestrator.clock import LoopClock
from orchestrator.credentials import Credentials
from orchestrator.errors import UsageProblem
from orchestrator.library.doors import Place, session_of, settings_of, stored


async def promote(
    run: str = "last",
    *,
    cause: int | None = None,
    cell: str | None = None,
    target: str | None = None,
    interval: int = INTERVAL,
    alerts: bool = False,
    enabled: bool = True,
    name: str | None = None,
    plan: str | None = None,
    store: Place = None,
) -> Promotion:
    """The scheduled tests that tests of a run become, as ``orchestrator promote``; creates nothing.

    One of ``cause`` (its number), ``cell`` (TARGET@AGENT) and ``target`` (a pattern) says which. ``interval``
    is seconds. Raises ``UsageProblem``, ``StoreProblem``.
    """
    choice = Choice(cause, cell, target)
    if [cause, cell, target].count(None) != 2:
        raise UsageProblem("cause, cell and target say which tests", hint="give one of them")
    schedule = Schedule(interval, alerts, enabled, name)
    async with stored(store) as opened:
        return await making.promote(opened, run, choice, schedule, now=LoopClock().wall(), plan=plan)


async def create_promoted(
    promotion: Promotion,
    *,
    again: bool = False,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
) -> tuple[Scheduled, ...]:
    """Create them, in the world of their run and each once, whoever ordered it before; **they take units for
    as long as they are there**.

    ``again`` sends one whose answer was lost before once more, and may make it twice. Raises ``UsageProblem``
    for such an order without it, and for a run of another origin or a simulated one; ``Refused``,
    ``Unanswered``, ``StoreProblem``. What was created before that stays, and is told by a next order.
    """
    settings = settings_of(base_url, account, store)
    async with stored(store) as opened:
        own = await settings_as_begun(opened, promotion.run, settings, again=True, account=account)
    made: list[Scheduled] = []
    async with session_of(own, credentials, reserve=0.0) as session:
        await making.create(session, promotion, made.append, again=again)
    return tuple(made)
