"""Diagnose an incident."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.actions import diagnose as diagnosing
from orchestrator.actions.diagnose import AGENTS, BOX, Diagnosed, Question
from orchestrator.credentials import Credentials
from orchestrator.diagnosis.places import places
from orchestrator.events import Listener
from orchestrator.library.doors import Place, session_of, settings_of
from orchestrator.model import Api
from orchestrator.plan.model import Plan


async def diagnose(
    targets: Sequence[str],
    *,
    whence: Sequence[str] = (),
    agents: int = AGENTS,
    box: float = BOX,
    controls: Sequence[str] = (),
    against: str | None = None,
    preset: Plan | None = None,
    waves: bool = True,
    confirm: bool = True,
    share: bool = False,
    api: Api = Api.V7,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    organization: str = "",
    store: Place = None,
    simulated: bool = False,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
    otlp: str | None = None,
) -> Diagnosed:
    """Find out what is broken, seen from where, as ``orchestrator diagnose``. Cancel the caller to leave.

    ``whence`` is what ``--from`` takes, ``box`` the time box in seconds, ``preset`` a plan that is run
    instead. ``share`` makes a public snapshot of the worst test, which anybody who has its link can see.

    Raises ``UsageProblem``, ``PlanBusy`` while somebody diagnoses the same targets, ``CeilingExceeded``,
    ``Refused``, ``Unanswered``, ``StoreProblem``.
    """
    question = Question(
        targets=tuple(targets),
        whence=places(whence),
        agents=agents,
        box=box,
        controls=tuple(controls),
        against=against,
        preset=preset,
        waves=waves,
        confirm=confirm,
        share=share,
        api=api,
        seed=seed,
    )
    plan_account = None if preset is None else preset.account_group
    settings = settings_of(
        base_url, account, store, plan_account=plan_account, urgent=True, organization=organization
    )
    opening = session_of(
        settings, credentials, reserve=0.0, simulated=simulated, seed=seed, listeners=listeners, otlp=otlp
    )
    async with opening as session:
        return await diagnosing.diagnose(session, question)
