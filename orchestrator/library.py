"""The package as a library: what the command line can do, as coroutines. See ``docs/library.md``.

A run is named as on the command line: by its id, its beginning, or ``last``; with ``plan``, one of that plan.
What is not named (token, store, ...) is looked for where the command line looks. Raises the errors of
:mod:`orchestrator.errors`; a failed test is a record in the result.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions import agents as listing
from orchestrator.actions import check as checking
from orchestrator.actions import compare as comparing
from orchestrator.actions import doctor as examining
from orchestrator.actions import explain as explaining
from orchestrator.actions import prune as pruning
from orchestrator.actions import reading
from orchestrator.actions import reconcile as reconciling
from orchestrator.actions import run as running
from orchestrator.actions.check import Checked
from orchestrator.actions.compare import Held
from orchestrator.actions.doctor import Diagnosis
from orchestrator.actions.reading import Shown
from orchestrator.actions.reconcile import LostCreations
from orchestrator.actions.run import Outcome, Waiting, Wishes
from orchestrator.actions.session import Session, resolve
from orchestrator.app import SIMULATED_SPEED, connect, simulate
from orchestrator.clock import LoopClock
from orchestrator.compare.gate import Strictness
from orchestrator.credentials import Credentials, find_credentials
from orchestrator.errors import Exit, UsageProblem, telling
from orchestrator.events import Listener
from orchestrator.holdings import Holdings
from orchestrator.insight.look import Insight
from orchestrator.listeners.telling import Guarded
from orchestrator.model import AnswerStatus, Api, Verdict
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import Selection, Selector
from orchestrator.records import Baseline, CellRecord, RunRecord, StoredAnswer
from orchestrator.report.stories import Explained
from orchestrator.report.upkeep import Pruned
from orchestrator.settings import Settings
from orchestrator.store.opening import Opened, open_store, pick_store, store_exists

# Where runs are kept: a path, or a URL as ``--store`` takes it; ``None`` is the default place.
Place = Path | str | None

# -- running ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a run came to. ``summary`` is the document of ``show --json``; ``insight`` is what its bad
    cells share, as values; ``store`` is as :func:`run_plan` takes it."""

    id: str
    exit_code: Exit
    summary: dict[str, object]
    store: str
    insight: Insight

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
    store: Place = None,
    simulated: bool = False,
    urgent: bool = False,
    wait: bool = False,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
) -> FinishedRun:
    """Run a plan to its end and return what it came to. Cancel the caller to leave at once; a run resumes.

    ``listeners`` hear what happens, on the event loop; one that raises hears no more, and the run goes on.
    Raises ``PlanBusy`` unless ``wait``, ``PlanInvalid`` for selectors that match nothing,
    ``CeilingExceeded``, ``Refused``, ``Unanswered``, ``UsageProblem``, ``StoreProblem``.
    """
    settings = _settings(base_url, account, store, plan_account=plan.account_group, urgent=urgent)
    reserve = plan.budget.reserve
    opening = _session(
        settings, credentials, reserve=reserve, simulated=simulated, seed=seed, listeners=listeners
    )
    async with opening as session:
        outcome = await running.run(
            session, plan, wishes=Wishes(urgent=urgent), seed=seed, waiting=Waiting(wait)
        )
        return await _finished(outcome, session)


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
) -> FinishedRun:
    """Go on where a run stopped; nothing that was created is created again.

    ``unknown`` is what to do with creations whose answer was lost: ``keep`` them unknown, ``retry`` (may pay
    twice), or ``skip``. Raises ``UsageProblem``, also for a run of another origin and a simulated one;
    ``PlanBusy`` unless ``wait``, ``StoreProblem``.
    """
    begun, settings = await _begun(run, plan, _settings(base_url, account, store))
    reserve = begun.settings.reserve
    async with _session(settings, credentials, reserve=reserve, listeners=listeners) as session:
        outcome = await running.resume(session, begun, unknown=unknown, waiting=Waiting(wait))
        return await _finished(outcome, session)


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
) -> FinishedRun:
    """Run the tests of a run again by their ids, all or those that ``failed``; returns the new run.

    Raises ``NothingToDo`` if none failed, ``UsageProblem`` as :func:`resume` and if no test has an id,
    ``PlanBusy`` unless ``wait``, ``StoreProblem``.
    """
    asked = _settings(base_url, account, store, urgent=urgent)
    parent, settings = await _begun(run, plan, asked, again=True)
    reserve, wishes = parent.settings.reserve, Wishes(in_order, urgent)
    async with _session(settings, credentials, reserve=reserve, listeners=listeners) as session:
        outcome = await running.rerun(session, parent, failed=failed, wishes=wishes, waiting=Waiting(wait))
        return await _finished(outcome, session)


# -- before a run -----------------------------------------------------------------------------------------


async def check(
    plan: Plan,
    *,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
    simulated: bool = False,
    seed: int = 0,
) -> Checked:
    """Resolve a plan's agents, expand it, and estimate what it takes. Creates nothing.

    Raises ``PlanInvalid`` for selectors that match nothing, ``Refused``, ``Unanswered``, ``UsageProblem``,
    ``StoreProblem``. A ceiling that the plan would exceed is told by the result.
    """
    settings = _settings(base_url, account, store, plan_account=plan.account_group)
    reserve = plan.budget.reserve
    async with _session(settings, credentials, reserve=reserve, simulated=simulated, seed=seed) as session:
        return await checking.check(session, plan, seed=seed)


async def agents(
    selector: Selector | None = None,
    *,
    api: Api = Api.V7,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
    simulated: bool = False,
    seed: int = 0,
) -> Selection:
    """The agents that a selector matches (``plan.selectors`` has those of a plan); without one, all.

    Raises ``Refused``, ``Unanswered``, ``UsageProblem``, ``StoreProblem``.
    """
    settings = _settings(base_url, account, store)
    async with _session(settings, credentials, reserve=0.0, simulated=simulated, seed=seed) as session:
        return await listing.agents(session, selector or Selector(), api, seed=seed)


async def doctor(
    *,
    api: Api = Api.V7,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
) -> Diagnosis:
    """Examine settings, token, store, origin, account group, clock and limits. What is wrong is a finding."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Session]:
        async with _session(_settings(base_url, account, store), credentials, reserve=0.0) as session:
            yield session

    return await examining.doctor(opening(), api)


# -- what is kept -----------------------------------------------------------------------------------------


async def runs(*, limit: int = 20, plan: str | None = None, store: Place = None) -> tuple[RunRecord, ...]:
    """The newest runs, newest first, all or those of one plan; none where there is no store.

    Raises ``UsageProblem`` for a store that cannot be one, ``StoreProblem``.
    """
    if not await store_exists(_place(store)):
        return ()
    async with _stored(store) as opened:
        return await reading.runs(opened, limit=limit, plan=plan)


async def show(run: str = "last", *, plan: str | None = None, store: Place = None) -> Shown:
    """What a run came to, also one that goes on. Raises ``UsageProblem``, ``StoreProblem``."""
    async with _stored(store) as opened:
        return await reading.show(opened, run, now=LoopClock().wall(), plan=plan)


async def results(
    run: str = "last",
    *,
    plan: str | None = None,
    layers: Sequence[str] = (),
    verdicts: Sequence[Verdict] = (),
    statuses: Sequence[AnswerStatus] = (),
    agents: Sequence[str] = (),
    targets: Sequence[str] = (),
    store: Place = None,
) -> AsyncIterator[StoredAnswer]:
    """The answers of a run in the order of the plan, read page by page; what is empty lets all pass.

    Agents by id or pattern, targets by pattern. Raises ``UsageProblem``, ``StoreProblem``.
    """
    keep = reading.keeping(layers, verdicts, statuses, agents, targets)
    async with _stored(store) as opened:
        record = await reading.find(opened, run, plan)
        async for answer in opened.store.results(record.id):
            if keep.keeps(answer):
                yield answer


async def cells(
    run: str = "last", *, plan: str | None = None, store: Place = None
) -> AsyncIterator[CellRecord]:
    """The cells of a run in the order of the plan, read page by page. Raises as :func:`results`."""
    async with _stored(store) as opened:
        record = await reading.find(opened, run, plan)
        async for cell in opened.store.cells(record.id):
            yield cell


async def make_report(
    run: str = "last", *, form: str = "markdown", plan: str | None = None, store: Place = None
) -> bytes:
    """A report of a run in one of the formats of ``orchestrator report``, as UTF-8.

    Raises ``UsageProblem``, ``StoreProblem``.
    """
    async with _stored(store) as opened:
        return await reading.report(opened, run, form, now=LoopClock().wall(), plan=plan)


async def explain(
    run: str, cell: str, *, agent: str | None = None, plan: str | None = None, store: Place = None
) -> Explained:
    """The story of a cell: a target's name or a part of it, a spec's key, or TARGET@AGENT.

    Raises ``UsageProblem``, also for a cell that the run does not have, ``StoreProblem``.
    """
    async with _stored(store) as opened:
        return await explaining.explain(opened.store, await reading.find(opened, run, plan), cell, agent)


async def prune(
    *,
    keep: int | None = None,
    older_than: float | None = None,
    plan: str | None = None,
    raw: bool = False,
    dry_run: bool = False,
    store: Place = None,
) -> Pruned:
    """Take away the runs that neither ``keep`` (the newest so many of each plan) nor ``older_than`` (seconds)
    lets stay, or with ``raw`` their raw rows only; a ``dry_run`` only says which.

    Raises ``UsageProblem`` if neither is given or there is no such plan, ``StoreProblem``.
    """
    rule = pruning.Rule(keep, older_than, plan, raw)
    async with _stored(store) as opened:
        return await pruning.prune(opened, rule, LoopClock(), dry_run=dry_run)


async def store_info(*, store: Place = None) -> Holdings:
    """What the store holds, plan by plan. Raises ``UsageProblem``, ``StoreProblem``."""
    async with _stored(store) as opened:
        return await pruning.info(opened)


async def reconcile(
    run: str = "last",
    *,
    adopt: Mapping[str, str] | None = None,
    give_up: Sequence[str] = (),
    again: Sequence[str] = (),
    store: Place = None,
) -> LostCreations:
    """Adopt lost creations whose tests were found (test ids by spec), give up others; returns what is left.

    A :func:`resume` creates those of ``again`` once more: may pay twice. Raises ``UsageProblem`` if any of it
    is wrong, and then nothing is changed; ``PlanBusy`` while the run goes on, ``StoreProblem``.
    """
    pairs = tuple((adopt or {}).items())
    async with _stored(store) as opened:
        return await reconciling.reconcile(
            opened, run, LoopClock(), adopt=pairs, give_up=give_up, again=again
        )


async def diff(
    base: str = comparing.LAST_GOOD,
    run: str = "last",
    *,
    history: int = comparing.HISTORY,
    gate: str = Strictness.NORMAL.value,
    min_cover: float = 80.0,
    store: Place = None,
) -> Held:
    """A run held against another one, as ``orchestrator diff``: what got better or worse, and what counts.

    ``base`` is ``last-good``, ``before``, the name of a baseline or a run; ``min_cover`` is a percentage.
    Raises ``UsageProblem``, ``NoBase`` if there is no such run yet, ``StoreProblem``.
    """
    if gate not in [*Strictness]:
        raise UsageProblem(f"no gate is {gate!r}", hint=f"the gates are {', '.join(Strictness)}")
    terms = comparing.Terms(history, Strictness(gate), min_cover / 100)
    async with _stored(store) as opened:
        return await comparing.diff(opened, run, base, terms)


async def pin(
    name: str, run: str = "last", *, note: str | None = None, force: bool = False, store: Place = None
) -> Baseline:
    """Name a run as a baseline; ``force`` moves a name that another run has.

    Raises ``UsageProblem``, ``StoreProblem``.
    """
    async with _stored(store) as opened:
        found = await reading.find(opened, run)
        return await comparing.pin(opened, name, found, note, LoopClock().wall(), force=force)


async def unpin(name: str, *, store: Place = None) -> None:
    """Forget the name of a baseline; its run stays. Raises ``UsageProblem``, ``StoreProblem``."""
    async with _stored(store) as opened:
        await comparing.unpin(opened, name)


async def baselines(*, store: Place = None) -> tuple[Baseline, ...]:
    """Every baseline, in the order of names. Raises ``UsageProblem``, ``StoreProblem``."""
    async with _stored(store) as opened:
        return tuple((await opened.store.baselines()).values())


# -- what all of them need --------------------------------------------------------------------------------


def _place(store: Place) -> str:
    return pick_store(None if store is None else str(store), os.environ)


def _stored(store: Place) -> AbstractAsyncContextManager[Opened]:
    return open_store(_place(store), make=False)


def _settings(
    base_url: str | None,
    account: str | None,
    store: Place,
    *,
    plan_account: str | None = None,
    urgent: bool = False,
) -> Settings:
    return resolve(
        os.environ,
        base_url=base_url,
        account=account,
        store=_place(store),
        plan_account=plan_account,
        urgent=urgent,
    )


async def _begun(
    run: str, plan: str | None, settings: Settings, *, again: bool = False
) -> tuple[RunRecord, Settings]:
    async with _stored(settings.store) as opened:
        record = await reading.named(opened.store, run, plan)
    return record, running.as_begun(record, settings, again=again)


async def _finished(outcome: Outcome, session: Session) -> FinishedRun:
    store = session.opened.store
    shown = await reading.summed_up(store, outcome.run, now=LoopClock().wall())
    document = shown.document(session.mask)
    return FinishedRun(outcome.run.id, outcome.exit_code, document, session.settings.store, shown.insight)


@asynccontextmanager
async def _session(
    settings: Settings,
    credentials: Credentials | None,
    *,
    reserve: float,
    simulated: bool = False,
    seed: int = 0,
    listeners: Sequence[Listener] = (),
) -> AsyncIterator[Session]:
    guarded = [Guarded(listener) for listener in listeners]
    if simulated:
        opening = simulate(settings, reserve=reserve, listeners=guarded, speed=SIMULATED_SPEED, seed=seed)
    else:
        credentials = credentials or find_credentials(os.environ, token_file=None, stdin=None)
        opening = connect(settings, credentials, reserve=reserve, listeners=guarded)
    try:
        async with opening as session:
            yield session
    except BaseExceptionGroup as group:
        raise telling(group) from group
