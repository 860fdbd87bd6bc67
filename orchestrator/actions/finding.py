"""Which run is meant by a name, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.errors import UsageProblem
from orchestrator.near import near
from orchestrator.records import RunRecord, RunState
from orchestrator.store.base import Archive
from orchestrator.store.opening import Opened

# Runs of a plan among which its last one is: those after it only confirm it.
_LATEST = 5
# Runs that are looked through for the names of plans.
PLANS_SEARCHED = 1000


async def as_it_stands(opened: Opened, run: RunRecord) -> RunRecord:
    """A run that is said to go on, while nobody holds its lease, was killed: it is interrupted."""
    if run.state is RunState.RUNNING and not await opened.store.goes_on(run):
        return replace(run, state=RunState.INTERRUPTED)
    return run


async def named(archive: Archive, name: str, plan: str | None = None) -> RunRecord:
    """The run with this id, the beginning of one, or ``last``: of any plan, or of the one that is named.

    Raises ``UsageProblem`` if there is none or more than one, or if it is a run of another plan.
    """
    if plan is None:
        return await archive.run(name)
    newest = [one for one in await archive.runs(_LATEST, plan) if not one.settings.confirms]
    if not newest:
        raise UsageProblem(await no_run_of(archive, plan), hint="`orchestrator runs` lists them")
    if name == "last":
        return newest[0]
    found = await archive.run(name)
    if found.plan != plan:
        raise UsageProblem(
            f"run {found.id} is one of plan {found.plan!r}, not of {plan!r}", hint="name the run or its plan"
        )
    return found


async def no_run_of(archive: Archive, plan: str) -> str:
    """That there is no run of a plan, and which plan was probably meant."""
    known = {run.plan for run in await archive.runs(PLANS_SEARCHED)}
    return f"there is no run of plan {plan!r}{proposed(plan, known)}"


def proposed(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, as a question; nothing if none is near."""
    meant = near(word, known)
    return f"; did you mean {meant!r}?" if meant else ""


async def find(opened: Opened, name: str, plan: str | None = None) -> RunRecord:
    """The run that :func:`named` finds, as it stands. Raises ``UsageProblem`` as it does."""
    return await as_it_stands(opened, await named(opened.store, name, plan))
