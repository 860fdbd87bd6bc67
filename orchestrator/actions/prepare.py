"""From a plan to a stored run that is ready to be conducted; nothing is created at the API here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.session import Session
from orchestrator.actions.units import resolved, units_left
from orchestrator.allotment import Told
from orchestrator.errors import CeilingExceeded, NothingToDo, UsageProblem
from orchestrator.estimate import Estimate, estimate, units_of
from orchestrator.expand import Expansion, expand, needs_labels
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, JsonObject
from orchestrator.outbox import Channel
from orchestrator.plan.model import Plan
from orchestrator.records import Planned, RunFacts, RunRecord, RunSettings, TestRecord
from orchestrator.runner.journal import durably
from orchestrator.store.base import Archive

# Without a deadline of its own a run may take twice its estimate, at least this long (seconds).
SHORTEST_DEADLINE = 1800.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with the agents it resolved to, its specs, and what they would take.

    ``told`` is what the vendor says of its units, where the plan has them asked for."""

    plan: Plan
    agents: tuple[Agent, ...]
    expansion: Expansion
    estimate: Estimate
    told: Told | None = None


async def prepare(
    session: Session, plan: Plan, *, seed: int = 0, agents: Sequence[Agent] | None = None
) -> Prepared:
    """Resolve, expand and estimate. Reads the ``agents`` unless they are given (one or two calls), writes
    nothing.

    Raises ``PlanInvalid`` for selectors and names that match nothing, ``Refused`` by the API, and
    ``UsageProblem`` for a plan that holds the token's value under any name.
    """
    refuse_the_token(session.mask, plan.bundle())
    if agents is None:
        agents = await session.agents(plan.api, labels=needs_labels(plan))
    expansion = expand(plan, agents, seed=seed)
    for spec in expansion.specs:
        refuse_the_token(session.mask, f"{spec.target} {spec.fields} {spec.raw}")
    view = session.doors.ledger.view(session.doors.clock.now())
    told, ceiling = None, None
    if plan.budget.max_share is not None:
        told = await units_left(session, plan.api)
        ceiling = resolved(plan.budget.max_share, told)
    worth = estimate(
        plan,
        expansion,
        agents,
        organization_limit=view.organization.limit,
        instant_limit=view.instant_test.limit,
        share_of_left=ceiling,
    )
    return Prepared(plan, tuple(agents), expansion, worth, told)


def refuse_the_token(mask: Callable[[str], str], text: str) -> None:
    """A plan is stored and shown, and its values are sent as parts of tests: the token must not be in it.

    Raises ``UsageProblem`` if ``mask`` finds it in the text.
    """
    if mask(text) != text:
        raise UsageProblem(
            "the plan holds the value of the API token",
            hint="take it out of the plan, its CSV files, --set and the variables that it uses",
        )


def check_ceilings(prepared: Prepared) -> None:
    """Raise ``CeilingExceeded`` if the plan would go beyond one of its own ceilings."""
    exceeded = prepared.estimate.exceeded
    if exceeded:
        raise CeilingExceeded(
            "; ".join(exceeded), hint="nothing was created; raise the ceiling in the plan, or test less"
        )


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be asked of a run besides its plan. ``path`` is where the plan was read, for records,
    ``notify`` who is told of it, and ``question`` what a diagnosis was asked."""

    in_order: bool = False
    urgent: bool = False
    path: str | None = None
    notify: tuple[Channel, ...] = ()
    question: JsonObject | None = None


async def store_run(
    session: Session, prepared: Prepared, wishes: Wishes, queued: RunRecord | None = None
) -> RunRecord:
    """Write the run with its specs and cells; from here on everything is in the store.

    A run that was ``queued`` keeps its id.
    """
    plan, doors = prepared.plan, session.doors
    specs = prepared.expansion.specs
    cells = sum(len(spec.agents) for spec in specs) + len(prepared.expansion.not_run)
    run = RunRecord(
        id=session.run_id() if queued is None else queued.id,
        plan=plan.name,
        plan_path=wishes.path if queued is None else queued.plan_path,
        plan_text=plan.bundle(),
        plan_hash=plan.hash,
        api=plan.api,
        origin=session.settings.origin,
        account=session.settings.account,
        parent=None,
        started=doors.clock.wall(),
        settings=RunSettings(
            deadline=_deadline(prepared),
            reserve=plan.budget.reserve,
            in_order=wishes.in_order,
            urgent=wishes.urgent,
            simulated=session.simulated,
            boxed=prepared.estimate.beyond_deadline > 0,
            allow_missing=plan.allow_missing,
            sets=dict(plan.sets),
            keep=plan.keep,
            notify=wishes.notify,
            courtesy=plan.courtesy,
            question=wishes.question,
        ),
        facts=_facts(len(specs), cells, prepared.estimate.units),
    )
    tests = [TestRecord(run.id, n, spec, SpecState.PLANNED) for n, spec in enumerate(specs)]
    write = doors.store.create_run if queued is None else doors.store.begin_run
    await durably(write(run, tests, prepared.expansion.not_run, prepared.agents), doors.store)
    return run


def _deadline(prepared: Prepared) -> float:
    """Seconds that the run may take: the plan's time box, or else what leaves room, within the ceiling."""
    plan = prepared.plan
    if plan.deadline is not None:
        return plan.deadline
    ceiling = plan.budget.max_duration or float("inf")
    return min(max(SHORTEST_DEADLINE, 2.0 * prepared.estimate.finish_seconds), ceiling)


async def store_rerun(
    session: Session,
    parent: RunRecord,
    wishes: Wishes,
    *,
    failed: bool,
    only: Collection[str] | None = None,
) -> RunRecord:
    """A run that runs the tests of ``parent`` once more: all that exist, those that failed, or ``only`` those
    of these specs.

    A test failed if its spec did not complete or one of its cells has a verdict other than pass or warn.
    """
    doors, tests = session.doors, await _to_run_again(session, parent, failed=failed)
    if only is not None:
        tests = [test for test in tests if test.spec.key in only]
    specs = [test.spec for test in tests]
    agents = tuple((await doors.store.agents(parent.id)).values())
    run = RunRecord(
        id=session.run_id(),
        plan=parent.plan,
        plan_path=parent.plan_path,
        plan_text=parent.plan_text,
        plan_hash=parent.plan_hash,
        api=parent.api,
        origin=session.settings.origin,
        account=parent.account,
        parent=parent.id,
        started=doors.clock.wall(),
        settings=replace(
            parent.settings,
            in_order=wishes.in_order,
            urgent=wishes.urgent,
            simulated=session.simulated,
            partial=failed or only is not None,
            confirms=only is not None,
            notify=wishes.notify,
            question=None,
        ),
        facts=_facts(len(specs), sum(len(spec.agents) for spec in specs), units_of(specs, agents)),
    )
    again = [
        TestRecord(run.id, n, test.spec, SpecState.PLANNED, test_id=test.test_id, links=test.links)
        for n, test in enumerate(tests)
    ]
    await durably(doors.store.create_run(run, again, (), agents), doors.store)
    return run


async def _to_run_again(session: Session, parent: RunRecord, *, failed: bool) -> list[TestRecord]:
    """The tests of ``parent`` that exist, or those of them that failed. None is an error: see the hints."""
    tests = [test for test in await session.doors.store.tests(parent.id) if test.test_id is not None]
    if failed:
        wanted = await _failed_specs(session.doors.store, parent)
        if not wanted:
            raise NothingToDo(f"no test of run {parent.id} failed, so there is nothing to run again")
        tests = [test for test in tests if test.spec.key in wanted]
    if not tests:
        what = "no failed test" if failed else "no test"
        raise UsageProblem(
            f"run {parent.id} has {what} with an id, so there is nothing to run again",
            hint="tests that were never created are for `orchestrator resume`, lost ones for `reconcile`",
        )
    return tests


async def never_created(archive: Archive, run: RunRecord, *, failed: bool) -> dict[SpecState, int]:
    """How many specs of a run have no test that could be run again, by state: of all, or of those that
    ``failed``."""
    wanted = await _failed_specs(archive, run) if failed else None
    tests = [test for test in await archive.tests(run.id) if test.test_id is None]
    return Counter(test.state for test in tests if wanted is None or test.spec.key in wanted)


async def _failed_specs(archive: Archive, run: RunRecord) -> set[str]:
    good = {"pass", "warn"}
    return {
        cell.spec
        async for cell in archive.cells(run.id)
        if cell.spec is not None and (cell.verdict is None or cell.verdict.value not in good)
    }


def _facts(tests: int, cells: int, units: float) -> RunFacts:
    return RunFacts(planned=Planned(tests, cells), units=units)
