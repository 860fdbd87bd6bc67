"""Which agents there are, or those that a selector matches."""

from __future__ import annotations

from orchestrator.actions.session import Session
from orchestrator.errors import UsageProblem
from orchestrator.model import Agent, Api
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import Selection, Selector, select, uses_labels
from orchestrator.report.summary import SCHEMA


async def agents(
    session: Session, selector: Selector, api: Api, *, seed: int = 0, labels: bool = True
) -> Selection:
    """The agents that a selector matches, and those that it matches and cannot use, each with the reason.

    Without ``labels`` they are listed only if the selector needs them. Raises ``Refused`` and ``Unanswered``.
    """
    listed = await session.agents(api, labels=labels or uses_labels(selector))
    return select(selector, listed, seed)


def selector_of(plan: Plan, name: str | None) -> Selector:
    """The selector of this name in a plan. Raises ``UsageProblem``, which names those that there are."""
    if name is not None and name in plan.selectors:
        return plan.selectors[name]
    known = ", ".join(plan.selectors) or "none"
    raise UsageProblem(
        f"plan {plan.name!r} has no selector {name!r}" if name else "which selector of the plan?",
        hint=f"give --selector with one of: {known}",
    )


def agents_document(selection: Selection) -> dict[str, object]:
    """The document of ``agents --json``."""
    return {
        "schema": SCHEMA,
        "agents": [_row(agent) for agent in selection.agents],
        "left_out": [{**_row(agent), "reason": reason} for agent, reason in selection.left_out],
    }


def _row(agent: Agent) -> dict[str, object]:
    return {
        "agent_id": agent.id,
        "agent": agent.name,
        "type": agent.type.value,
        "country": agent.country,
        "location": agent.location,
        "state": agent.state.value,
        "labels": list(agent.labels),
    }
