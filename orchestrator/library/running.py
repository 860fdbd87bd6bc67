"""Run a plan, go on with a run, run its tests again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from orchestrator.actions import going_on, reading
from orchestrator.actions import run as running
from orchestrator.actions.begun import settings_as_begun
from orchestrator.actions.deliver import Delivery
from orchestrator.actions.run import Outcome, Waiting, Wishes
from orchestrator.actions.session import Session
from orchestrator.actions.telling import NO_RUN, Teller
from orchestrator.clock import LoopClock
from orchestrator.credentials import Credentials
from orchestrator.errors import Exit
from orchestrator.events import Listener
from orchestrator.insight.look import Insight
from orchestrator.library.doors import Place, session_of, settings_of, stored
from orchestrator.library.notifying import teller_of
from orchestrator.library.reading import cells, results
from orchestrator.outbox import Channel
from orchestrator.plan.model import Plan
from orchestrator.records import CellRecord, RunRecord, StoredAnswer
from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a run came to. ``summary`` is the document of ``show --json``; ``insight`` is what its bad
    cells share, as values; ``store`` is as :func:`run_plan` takes it; ``told`` is what became of the notices
    of it and of what was left to be delivered."""

    id: str
    exit_code: Exit
    summary: dict[str, object]
    store: str
    insight: Insight
    told: tuple[Delivery, ...] = ()

    def answers(self) -> AsyncIterator[StoredAnswer]:
        """Every answer, in the order of the plan, read page by page from the store."""
        return results(self.id, store=self.store)

    def cells(self) -> AsyncIterator[CellRecord]:
        """Every cell with its state, verdict and reasons, in the order of the plan."""
        return cells(self.id, store=self.store)


async def run_plan(
    plan: Plan,
    *,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    organization: str = "",
    store: Place = None,
    simulated: bool = False,
    urgent: bool = False,
    wait: bool = False,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
    notify: Sequence[Channel] | None = None,
    otlp: str | None = None,
) -> FinishedRun:
    """Run a plan to its end and return what it came to. Cancel the caller to leave at once; a run resumes.

    ``notify`` is who is told of it: by default the plan's own channels, unless it is simulated. ``listeners``
    hear what happens, on the event loop; one that raises hears no more, and the run goes on. ``otlp`` is the
    address of an OpenTelemetry collector that is told too; what it does not take is logged.
    Raises ``PlanBusy`` unless ``wait``, ``PlanInvalid`` for selectors that match nothing,
    ``CeilingExceeded``, ``Refused``, ``Unanswered``, ``UsageProblem``, ``StoreProblem``.
    """
    settings = settings_of(
        base_url,
        account,
        store,
        plan_account=plan.account_group,
        urgent=urgent,
        organization=organization,
    )
    reserve = plan.budget.reserve
    usual = () if simulated else plan.notify
    teller = teller_of(usual if notify is None else notify)
    opening = session_of(
        settings, credentials, reserve=reserve, simulated=simulated, seed=seed, listeners=listeners, otlp=otlp
    )
    wishes = Wishes(urgent=urgent, notify=teller.channels)
    async with opening as session:
        try:
            outcome = await running.run(session, plan, wishes=wishes, seed=seed, waiting=Waiting(wait))
        except NO_RUN as problem:
            await teller.of_problem(session, plan.name, problem)
            raise
        return await _finished(outcome, session, teller)


async def resume(
    run: str = "last",
    *,
    plan: str | None = None,
    unknown: str = "keep",
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
    wait: bool = False,
    listeners: Sequence[Listener] = (),
    notify: Sequence[Channel] | None = None,
    otlp: str | None = None,
) -> FinishedRun:
    """Go on where a run stopped; nothing that was created is created again.

    ``unknown`` is what to do with creations whose answer was lost: ``keep`` them unknown, ``retry`` (may pay
    twice), or ``skip``. ``notify`` is who is told, by default whom the run was begun for. Raises
    ``UsageProblem``, also for a run of another origin and a simulated one; ``PlanBusy`` unless ``wait``,
    ``StoreProblem``.
    """
    begun, settings = await _begun(run, plan, settings_of(base_url, account, store))
    reserve, teller = begun.settings.reserve, teller_of(begun.settings.notify if notify is None else notify)
    opening = session_of(settings, credentials, reserve=reserve, listeners=listeners, otlp=otlp, resumed=True)
    async with opening as session:
        outcome = await going_on.resume(session, begun, unknown=unknown, waiting=Waiting(wait))
        return await _finished(outcome, session, teller)


async def rerun(
    run: str = "last",
    *,
    plan: str | None = None,
    failed: bool = False,
    in_order: bool = False,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
    urgent: bool = False,
    wait: bool = False,
    listeners: Sequence[Listener] = (),
    notify: Sequence[Channel] | None = None,
    otlp: str | None = None,
) -> FinishedRun:
    """Run the tests of a run again by their ids, all or those that ``failed``; returns the new run.

    ``notify`` is who is told, by default whom the run was for, unless only a part of it runs again. Raises
    ``NothingToDo`` if none failed, ``UsageProblem`` as :func:`resume` and if no test has an id, ``PlanBusy``
    unless ``wait``, ``StoreProblem``.
    """
    asked = settings_of(base_url, account, store, urgent=urgent)
    parent, settings = await _begun(run, plan, asked, again=True)
    usual = () if failed else parent.settings.notify
    teller = teller_of(usual if notify is None else notify)
    reserve, wishes = parent.settings.reserve, Wishes(in_order, urgent, notify=teller.channels)
    opening = session_of(settings, credentials, reserve=reserve, listeners=listeners, otlp=otlp)
    async with opening as session:
        outcome = await running.rerun(session, parent, failed=failed, wishes=wishes, waiting=Waiting(wait))
        return await _finished(outcome, session, teller)


async def _begun(
    run: str, plan: str | None, settings: Settings, *, again: bool = False
) -> tuple[RunRecord, Settings]:
    async with stored(settings.store) as opened:
        record = await reading.named(opened.store, run, plan)
        return record, await settings_as_begun(opened, record, settings, again=again)


async def _finished(outcome: Outcome, session: Session, teller: Teller) -> FinishedRun:
    store = session.opened.store
    told = await teller.of_run(session, outcome)
    shown = await reading.summed_up(store, outcome.run, now=LoopClock().wall())
    document = shown.document(session.mask)
    return FinishedRun(
        outcome.run.id, outcome.exit_code, document, session.settings.store, shown.insight, told
    )
