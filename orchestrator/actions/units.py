"""Units: what is left of them this month, what a plan takes a month, what the vendor counted of a run.

Whoever may not see the organization's billing gets a sentence instead, and everything goes on with our own
table of prices.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import takewhile

from orchestrator.actions.session import Session
from orchestrator.allotment import Allotment, Counted, Told, Untold, percent
from orchestrator.errors import OrchestratorError, Refused, UsageProblem
from orchestrator.model import Api
from orchestrator.queueing.slots import check_cron, slots
from orchestrator.records import RunRecord
from orchestrator.report.promotion import MONTH
from orchestrator.thousandeyes import usage

# After a run its count is waited for so long (seconds): the run is over, whatever is told.
PATIENCE = 15.0
_NOT_ALLOWED = (
    "this token may not see the units that are left (the permission 'View Billing' would let it); what a "
    "plan takes is told by our own table"
)
_OF_V6 = "API v6 has no call that tells the units that are left; what a plan takes is told by our own table"


async def units_left(session: Session, api: Api) -> Told:
    """What the vendor says is left of this period, or why it does not. One read, and one more for quotas."""
    if api is Api.V6:
        return Untold(_OF_V6)
    account = session.settings.account
    speaks = session.dialect(api)
    try:
        told, _ = await session.ask(speaks, usage.usage(account), usage.read_usage)
    except Refused as error:
        return Untold(_NOT_ALLOWED if "403" in error.message else error.message)
    except OrchestratorError as error:
        return Untold(f"what is left of the units could not be read: {error.message}")
    return replace(told, quota=await _quota(session, account))


async def _quota(session: Session, account: str | None) -> float | None:
    """Hardly anybody may read it, and nobody needs to."""
    try:
        quota, _ = await session.ask(
            session.dialect(Api.V7), usage.quotas(), lambda body: usage.read_quotas(body, account)
        )
    except OrchestratorError:
        return None
    return quota


def runs_a_month(cron: str, timezone: str, now: float) -> int:
    """How often a cron expression fires in 30 days from ``now`` (epoch seconds).

    Raises ``UsageProblem`` for what is no cron expression or no zone, ``MissingExtra`` without cronsim.
    """
    try:
        check_cron(cron, timezone, now)
        return sum(1 for _ in takewhile(lambda slot: slot <= now + MONTH, slots(cron, timezone, now)))
    except ValueError as error:
        raise UsageProblem(f"--cron: {error}") from error


async def counted(session: Session, run: RunRecord, tests: Collection[str]) -> Counted | None:
    """What the vendor has counted of these tests since the run began; ``None`` where it does not tell.

    Its count may be hours late, and lack tests.
    """
    if run.api is Api.V6 or not tests:
        return None
    clock = session.doors.clock
    request = usage.units_of_tests(run.account, _iso(run.started), _iso(clock.wall() + 1.0))
    ids = frozenset(tests)
    pages: list[Counted] = []
    with clock.move_on_after(PATIENCE), suppress(OrchestratorError):
        pages, _ = await session.ask_all(
            session.dialect(run.api), request, lambda body: usage.read_units_of_tests(body, ids)
        )
    if not pages:
        return None
    return sum(pages, Counted())


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def resolved(share: float, told: Told) -> float | str:
    """The ceiling in units that a share of what is left comes to, or why there is none."""
    if isinstance(told, Allotment):
        return share * told.left
    return (
        f"budget.max_units is {percent(share)} of the units that are left, and {told.why}; nothing is "
        "created beyond a ceiling that nobody knows: give a number of units"
    )
