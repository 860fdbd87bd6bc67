"""Before a run: check a plan, see which agents there are, examine what a run would need."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.actions import agents as listing
from orchestrator.actions import check as checking
from orchestrator.actions import doctor as examining
from orchestrator.actions.check import Checked
from orchestrator.actions.doctor import Diagnosis
from orchestrator.actions.session import Session
from orchestrator.addresses import AddressBook
from orchestrator.credentials import Credentials
from orchestrator.library.doors import Place, session_of, settings_of
from orchestrator.model import Api
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import Selection, Selector


async def check(
    plan: Plan,
    *,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    organization: str = "",
    store: Place = None,
    simulated: bool = False,
    seed: int = 0,
    cron: str | None = None,
    timezone: str = "UTC",
) -> Checked:
    """Resolve a plan's agents, expand it, and estimate what it takes. Creates nothing.

    The result has what the vendor tells of the units that are left (``told``), and with ``cron`` what the
    plan takes a month (``monthly``).

    Raises ``PlanInvalid`` for selectors that match nothing, ``Refused``, ``Unanswered``, ``UsageProblem``,
    ``StoreProblem``. A ceiling that the plan would exceed is told by the result.
    """
    settings = settings_of(
        base_url, account, store, plan_account=plan.account_group, organization=organization
    )
    reserve = plan.budget.reserve
    async with session_of(settings, credentials, reserve=reserve, simulated=simulated, seed=seed) as session:
        return await checking.check(
            session, plan, seed=seed, book=AddressBook(os.environ), cron=cron, timezone=timezone
        )


async def agents(
    selector: Selector | None = None,
    *,
    api: Api = Api.V7,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    organization: str = "",
    store: Place = None,
    simulated: bool = False,
    seed: int = 0,
) -> Selection:
    """The agents that a selector matches (``plan.selectors`` has those of a plan); without one, all.

    Raises ``Refused``, ``Unanswered``, ``UsageProblem``, ``StoreProblem``.
    """
    settings = settings_of(base_url, account, store, organization=organization)
    async with session_of(settings, credentials, reserve=0.0, simulated=simulated, seed=seed) as session:
        return await listing.agents(session, selector or Selector(), api, seed=seed)


async def doctor(
    *,
    api: Api = Api.V7,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    organization: str = "",
    store: Place = None,
) -> Diagnosis:
    """Examine settings, token, store, origin, account group, clock and limits. What is wrong is a finding."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Session]:
        settings = settings_of(base_url, account, store, organization=organization)
        async with session_of(settings, credentials, reserve=0.0) as session:
            yield session

    return await examining.doctor(opening(), api)
