"""How the budgets of each world stand: now, where processes share them, and as a run last saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from orchestrator import jsontext
from orchestrator.actions.session import Session
from orchestrator.budget.holders import Holders
from orchestrator.budget.ledger import LocalLedger
from orchestrator.budget.permits import BudgetView
from orchestrator.catalogue import Which
from orchestrator.records import BudgetSeen, RunRecord
from orchestrator.report.site.values import Budgets, Standing
from orchestrator.store.opening import Opened

# Runs that are looked through for what was last seen of a world's budgets.
_RUNS = 10


@dataclass(frozen=True, slots=True)
class _Now:
    organization: Standing
    instant_test: Standing
    processes: int


async def budgets(opened: Opened, organizations: Sequence[str], now: float) -> tuple[Budgets, ...]:
    """The budgets of each world that a run talked to: of each organization that is named, or that the store
    keeps runs under.

    ``now`` is monotonic seconds. Worlds of the built-in simulator have budgets that nobody shares: of these
    there is only what the newest run saw.
    """
    found = []
    names = dict.fromkeys(("", *organizations, *await opened.store.organizations()))
    for origin, account in await opened.store.worlds():
        seen = await _last_seen(opened, origin, account)
        for organization in names:
            live = await _now(opened, origin, organization, now)
            if live is not None or not organization:
                found.append(
                    Budgets(
                        origin=origin,
                        account=account,
                        organization=organization,
                        processes=0 if live is None else live.processes,
                        now=None
                        if live is None
                        else {"organization": live.organization, "instant_test": live.instant_test},
                        run=None if seen is None else seen.id,
                        at=None if seen is None else (seen.finished or seen.started),
                        seen={} if seen is None else _budgets_of(seen),
                    )
                )
    return tuple(found)


def left(session: Session) -> dict[str, int]:
    """What may still be sent in this window, of the limits that are known, as the session sees it now."""
    view = session.doors.ledger.view(session.doors.clock.now())
    named = {"organization": view.organization, "instant_test": view.instant_test}
    return {name: budget.free for name, budget in named.items() if budget.known}


async def _last_seen(opened: Opened, origin: str, account: str | None) -> RunRecord | None:
    for run in await opened.store.runs_page(Which(origin=origin, account=account), None, _RUNS):
        if _budgets_of(run):
            return run
    return None


def _budgets_of(run: RunRecord) -> dict[str, BudgetSeen]:
    return {name: one for name, one in run.facts.budgets.items() if one is not None}


async def _now(opened: Opened, origin: str, organization: str, now: float) -> _Now | None:
    looked = await opened.peek(origin, organization, now)
    if looked is None:
        return None
    body, then = looked
    ledger, holders = LocalLedger(rng=Random(0)), Holders()  # noqa: S311 - nothing is drawn for a look
    try:
        data: dict[str, Any] = jsontext.read(body)
        ledger.load(data["ledger"])
        holders.load(data["holders"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    view = ledger.view(then)
    at = view.server_time
    return _Now(_standing(view.organization, at), _standing(view.instant_test, at), len(holders.all))


def _standing(view: BudgetView, at: float) -> Standing:
    known = view.reset is not None and at > 0
    return Standing(
        limit=view.limit,
        free=view.free if view.known else None,
        in_flight=view.in_flight,
        others=view.others,
        reserve=view.reserve,
        seconds_left=max(0.0, (view.reset or 0.0) - at) if known else None,
        known=view.known,
    )
