"""Begin what was submitted, and go on with what stopped: a plan's run or a diagnosis, as it was begun."""

from __future__ import annotations

from orchestrator.actions import diagnose as diagnosing
from orchestrator.actions import run as running
from orchestrator.actions.question import load_question
from orchestrator.actions.run import AT_ONCE, Attend, Outcome, Waiting, unattended
from orchestrator.actions.session import Session
from orchestrator.errors import UsageProblem
from orchestrator.records import FINISHED, RunRecord, RunState


async def resume(
    session: Session,
    begun: RunRecord,
    *,
    unknown: str = "keep",
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
    claimed: bool = False,
) -> Outcome:
    """Go on where a run stopped, as :func:`orchestrator.actions.run.resume`; a diagnosis asks on."""
    story = diagnosing.resume if _asks_on(begun) else running.resume
    return await story(session, begun, unknown=unknown, waiting=waiting, attend=attend, claimed=claimed)


def _asks_on(run: RunRecord) -> bool:
    """Whether it is a diagnosis that stopped in the middle: one that ended says no more.

    Of one that another version wrote in other words, what is paid for is collected.
    """
    if run.settings.question is None or run.state in (*FINISHED, RunState.QUEUED):
        return False
    try:
        load_question(run.settings.question)
    except UsageProblem:
        return False
    return True
