"""Which step goes next: the first that is due and that both budgets and the pacers allow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.budget.holders import ASK_AGAIN
from orchestrator.budget.permits import BudgetView, Ledger, LedgerView, Permit
from orchestrator.events import Waiting
from orchestrator.runner.pacer import Pacer
from orchestrator.schedule.pace import Load
from orchestrator.schedule.schedule import Schedule
from orchestrator.schedule.steps import Candidate, Step


@dataclass(frozen=True, slots=True)
class Go:
    """A step that goes now, with its permit. ``blind``: no header tells how its budgets stand."""

    step: Step
    permit: Permit
    blind: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing goes before ``until`` (monotonic seconds), for what is known now."""

    until: float
    reason: Waiting | None = None
    view: LedgerView | None = None


# Part of the organization's limit that others may spend before we count as one of several.
HARDLY = 0.05


class _Own:
    """What this process has spent of the organization's window, by the window's Reset."""

    def __init__(self) -> None:
        self._reset: float | None = None
        self._calls = 0

    def sent(self) -> None:
        """One more."""
        self._calls += 1

    def alone(self, budget: BudgetView) -> bool:
        """Whether hardly anybody else spends: no other tool, and no other process of ours."""
        if budget.limit is None or budget.remaining is None:
            return False
        if budget.reset != self._reset:
            # What was in flight at the end of a window may count in the next.
            self._reset, self._calls = budget.reset, budget.in_flight
        others = budget.limit - budget.remaining - self._calls
        return max(budget.others, others) <= HARDLY * budget.limit


class Chooser:
    """Joins the schedule, which names candidates, with the budgets and the pacers, which say when."""

    def __init__(self, schedule: Schedule, ledger: Ledger, pacer: Pacer) -> None:
        self._schedule = schedule
        self._ledger = ledger
        self._pacer = pacer
        self._own = _Own()

    def choose(self, now: float) -> Go | Wait:
        """The first candidate that may go; its permit is taken in the same step."""
        view = self._ledger.view(now)
        until, reason = math.inf, None
        for candidate in self._schedule.candidates(
            now, _load(view, alone=self._own.alone(view.organization))
        ):
            opens_at, why = self._paced(candidate, view, now)
            if opens_at <= now:
                permit = self._ledger.try_reserve(now, instant=candidate.instant, spare=candidate.spare)
                if permit is not None:
                    self._own.sent()
                    self._schedule.take(candidate.step, now)
                    return Go(candidate.step, permit, _blind(view, candidate))
                opens_at, why = self._affordable(candidate, now), _scarcer(view, candidate)
            until, reason = min(until, opens_at), reason or why
        reason = reason or self._schedule.creations_wait_for(now)
        return Wait(min(until, self._schedule.wake(now)), reason, view)

    def _affordable(self, candidate: Candidate, now: float) -> float:
        """When the budgets may have a permit for the candidate."""
        opens_at = self._ledger.opens_at(now, instant=candidate.instant, spare=candidate.spare)
        # Another process of this host goes first.
        return opens_at if opens_at > now else now + ASK_AGAIN

    def _paced(self, candidate: Candidate, view: LedgerView, now: float) -> tuple[float, Waiting | None]:
        """When the pacers allow the candidate, and that they are waited for if it is not now."""
        if not self._pacer.open(instant=candidate.instant, blind=_blind(view, candidate)):
            return now + 0.1, Waiting.SPACING
        if not candidate.instant:
            return now, None
        instant, to_create = view.instant_test, self._schedule.to_create
        opens_at = self._pacer.creation_opens_at(
            min(to_create, instant.free),
            _seconds_left(instant, view.server_time),
            last=to_create <= instant.free,
        )
        return opens_at, Waiting.SPACING if opens_at > now else None


def _seconds_left(budget: BudgetView, server_time: float) -> float:
    """Of the budget's window; a whole window where nothing is known."""
    if not budget.known or budget.reset is None or not math.isfinite(server_time):
        return budget.window
    return budget.reset - server_time


def _load(view: LedgerView, *, alone: bool) -> Load:
    return Load(
        organization_limit=view.organization.limit,
        instant_limit=view.instant_test.limit,
        instant_free=view.instant_test.free,
        reserve=view.organization.reserve,
        room=view.organization.room if view.organization.known else None,
        seconds_left=_seconds_left(view.organization, view.server_time),
        window=view.organization.window,
        alone=alone,
    )


def _blind(view: LedgerView, candidate: Candidate) -> bool:
    return view.organization.blind or (candidate.instant and view.instant_test.blind)


def _scarcer(view: LedgerView, candidate: Candidate) -> Waiting:
    scarce_instant = candidate.instant and view.instant_test.free < 1
    return Waiting.INSTANT_TEST if scarce_instant else Waiting.ORGANIZATION
