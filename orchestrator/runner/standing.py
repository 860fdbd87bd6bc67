"""How a run stands: for whoever shows it, and as the facts that its record keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.budget.permits import BudgetView, LedgerView
from orchestrator.estimate import finish_seconds
from orchestrator.events import BudgetStanding, Standing, Waiting
from orchestrator.events.verdicts import JUDGED_AS
from orchestrator.listeners.statistics import Statistics
from orchestrator.records import BudgetSeen, RunFacts, RunRecord, SilentAgent
from orchestrator.runner.context import Before, Context


def standing(context: Context, view: LedgerView, waiting_for: Waiting | None) -> Standing:
    """How the run stands now."""
    schedule, before, counted = context.schedule, context.before, context.telling.statistics
    now = context.clock.now()
    judged = {
        field: before.verdicts.get(verdict, 0) + counted.verdicts.get(verdict, 0)
        for verdict, field in JUDGED_AS.items()
    }
    return Standing(
        planned=before.planned,
        created=before.created + counted.created,
        open=schedule.open_tests,
        closed=before.planned - len(context.tests),
        answers=counted.answers,
        errors=counted.error_rows,
        elapsed=now - before.began,
        organization=_standing(view.organization, view.server_time),
        instant_test=_standing(view.instant_test, view.server_time),
        eta_seconds=_seconds_left(context, view, now),
        waiting_for=waiting_for,
        cells=before.cells,
        **judged,
    )


def run_facts(
    run: RunRecord,
    before: Before,
    counted: Statistics,
    view: LedgerView,
    now: float,
    stopped: str | None,
    silent: Sequence[SilentAgent] = (),
) -> RunFacts:
    """The facts of the run so far, ``now`` (monotonic); ``stopped`` says why it ends before its plan does.

    ``silent`` are the agents that it ends without.
    """
    return replace(
        run.facts,
        requests=before.requests + counted.requests,
        organization=_seen(view.organization),
        instant_test=_seen(view.instant_test),
        waits={reason.value: round(seconds, 1) for reason, seconds in counted.waits.items()},
        stopped=stopped,
        seconds=round(before.seconds + now - before.began, 3),
        headline=None,  # of an earlier session: no longer true
        silent_agents=tuple(silent),
    )


def _seconds_left(context: Context, view: LedgerView, now: float) -> float | None:
    schedule = context.schedule
    left = finish_seconds(
        creations=schedule.to_create,
        open_layers=schedule.open_layers,
        layers_per_test=max(1.0, schedule.open_layers / max(1, schedule.open_tests)),
        organization_limit=view.organization.limit,
        instant_limit=view.instant_test.limit,
    )
    if not schedule.to_create:
        # What is left is the last answer, which has been waited for since the last creation.
        left -= now - max(context.before.began, context.last_creation)
    return left if left > 0.0 else None


def _standing(budget: BudgetView, server_time: float) -> BudgetStanding:
    resets_in = None
    if budget.reset is not None and math.isfinite(server_time):
        resets_in = budget.reset - server_time
    remaining = budget.remaining if budget.known else None
    return BudgetStanding(budget.limit, remaining, resets_in, round(budget.others), budget.blind)


def _seen(budget: BudgetView) -> BudgetSeen | None:
    if budget.limit is None:
        return None
    return BudgetSeen(budget.limit, budget.remaining, budget.reset, round(budget.others, 1))
