"""An incident, from a target to a ticket: a run that grows by a second wave, and one that confirms it.

The run of the first wave is open-ended: what is asked next is added to it, durably before it is created. The
second round is a re-run of its own. Both are there for ``show``, ``resume``, ``rerun``, ``report``, ``diff``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.compare import LAST_GOOD, hold, known_base
from orchestrator.actions.diagnosing import OURS, Before, Claim, Course, Ended, Show, Terms, ignored
from orchestrator.actions.prepare import Prepared, check_ceilings, prepare, store_run
from orchestrator.actions.question import (
    AGENTS,
    BOX,
    Question,
    check_question,
    dump_question,
    load_question,
    name_of,
)
from orchestrator.actions.run import (
    AT_ONCE,
    RUNS_ASKED,
    Attend,
    Outcome,
    Waiting,
    Wishes,
    held,
    unattended,
)
from orchestrator.actions.session import Session
from orchestrator.actions.share import chosen as worst_of
from orchestrator.actions.share import share
from orchestrator.diagnosis.blocks import Block, first_wave
from orchestrator.diagnosis.course import Stopped, exit_code
from orchestrator.diagnosis.document import document
from orchestrator.diagnosis.found import Asked, Found
from orchestrator.diagnosis.plantext import BEYOND_BOX, joined, plan_text
from orchestrator.diagnosis.subjects import Kind, Subject, recognise
from orchestrator.diagnosis.ticket import Account, ticket
from orchestrator.diagnosis.vantage import chosen, countries_beside
from orchestrator.diagnosis.words import sentence
from orchestrator.errors import Exit, NoBase, OrchestratorError, PlanBusy, UsageProblem
from orchestrator.insight.words import Sentence, plain
from orchestrator.model import Agent
from orchestrator.plan.load import parse_plan
from orchestrator.plan.model import Plan
from orchestrator.plan.selectors import select, uses_labels
from orchestrator.records import PublicSnapshot, RunRecord, RunState

# A ticket does not wait for a limit that others have used up (seconds).
_SHARE_PATIENCE = 20.0


@dataclass(frozen=True)
class Diagnosed:
    """What came of it. ``runs`` are the run and, if there is one, that which confirmed it; ``plan`` is the
    text of a plan that asks the same again, ``None`` for a preset."""

    sentence: str
    exit_code: Exit
    runs: tuple[str, ...]
    ticket: str
    plan: str | None
    found: Found
    account: Account
    refused: str | None = None
    hint: str | None = None

    def document(self, mask: Callable[[str], str] = str) -> dict[str, object]:
        """The document of ``diagnose --json``."""
        return document(self.found, self.account, int(self.exit_code), mask)


async def diagnose(
    session: Session,
    question: Question,
    *,
    attend: Attend = unattended,
    show: Show = ignored,
    waiting: Waiting = AT_ONCE,
) -> Diagnosed:
    """Find out what is broken, seen from where, within the time box.

    ``attend`` attends the run, ``show`` is handed a picture whenever it changes and once a second. Raises
    ``UsageProblem`` for targets, agents and runs that cannot be, ``PlanBusy`` while somebody diagnoses the
    same, ``CeilingExceeded``, ``Refused`` and ``Unanswered`` before anything is created, ``StoreProblem``.
    """
    return (await _begun(session, question, None, OURS, attend, show, waiting))[0]


async def begin(session: Session, queued: RunRecord, *, attend: Attend = unattended) -> Outcome:
    """The same for a diagnosis that waits in the store under its id, and that the caller has claimed; its
    outcome, with the exit code of what was found."""
    question, claim = load_question(queued.settings.question or {}), Claim(claimed=True)
    return (await _begun(session, question, queued, claim, attend, ignored, AT_ONCE))[1]


async def resume(
    session: Session,
    begun: RunRecord,
    *,
    unknown: str = "keep",
    waiting: Waiting = AT_ONCE,
    attend: Attend = unattended,
    claimed: bool = False,
) -> Outcome:
    """Go on with a diagnosis where it stopped, in a time box of its own: what was not asked yet is asked.

    As :func:`orchestrator.actions.run.resume`, with the exit code of what was found.
    """
    began = session.doors.clock.now()
    async with held(session, begun.plan, waiting):
        store = session.doors.store
        run = await store.run(begun.id)
        question = load_question(run.settings.question or {})
        agents = tuple((await store.agents(run.id)).values())
        incident = await _incident(session, question, agents)
        tests = await store.tests(run.id)
        again = [one for one in await store.runs(RUNS_ASKED, run.plan) if one.parent == run.id]
        before = Before(
            asked_more=len(tests) > len(incident.prepared.expansion.specs),
            again=next((one for one in again if one.settings.confirms), None),
        )
        claim = Claim(claimed, unknown, uncancelled=not claimed)
        course = Course(
            session,
            run,
            incident.asked,
            incident.blocks,
            agents,
            _terms(question),
            ignored,
            began,
            claim,
            before,
        )
        ended = await course.go(attend)
    return _outcome(ended)


async def _begun(
    session: Session,
    question: Question,
    queued: RunRecord | None,
    claim: Claim,
    attend: Attend,
    show: Show,
    waiting: Waiting,
) -> tuple[Diagnosed, Outcome]:
    check_question(question)
    began = session.doors.clock.now()
    if question.against is not None:
        await known_base(session.doors.store, question.against)
    question = await _settled(session, question)
    agents = await session.agents(question.api, labels=uses_labels(question.whence.selector))
    incident = await _incident(session, question, agents)
    # A preset is a plan: nothing depends on what came first.
    kept = dump_question(question) if question.preset is None else None
    notify = () if queued is None else queued.settings.notify
    try:
        async with held(session, incident.plan.name, waiting):
            wishes = Wishes(urgent=True, notify=notify, question=kept)
            run = await store_run(session, incident.prepared, wishes, queued)
            course = Course(
                session,
                run,
                incident.asked,
                incident.blocks,
                agents,
                _terms(question),
                show,
                began,
                claim,
            )
            ended = await course.go(attend)
    except PlanBusy as busy:
        raise await _who(session, incident.plan.name, busy) from busy
    return await _diagnosed(session, question, incident, ended), _outcome(ended)


def _terms(question: Question) -> Terms:
    return Terms(
        waves=question.waves and question.preset is None,
        confirm=question.confirm,
        extras=question.extras,
        seed=question.seed,
        frame=question.frame,
        most_units=math.inf if question.max_units is None else question.max_units,
    )


def _outcome(ended: Ended) -> Outcome:
    """The outcome of the run, with the exit code of what was found."""
    return replace(ended.outcome, exit_code=exit_code(ended.found, ended.outcome.exit_code))


@dataclass(frozen=True, slots=True)
class _Incident:
    """What is about to be run. ``blocks`` are those of the first wave; a preset has its own."""

    asked: Asked
    blocks: tuple[Block, ...]
    plan: Plan
    prepared: Prepared


async def _incident(session: Session, question: Question, agents: Sequence[Agent]) -> _Incident:
    if question.preset is not None:
        return await _of_preset(session, question, question.preset, agents)
    subjects = _subjects(question.targets, agents)
    controls = _subjects(question.controls, agents)
    whom = _whom(question, agents, subjects)
    blocks = first_wave(subjects, controls, whom, question.extras)
    plan = parse_plan(plan_text(question.frame, blocks), "diagnose.yaml", None, environ={})
    prepared = await prepare(session, plan, seed=question.seed, agents=agents)
    check_ceilings(prepared)
    names = frozenset(block.name for block in blocks)
    main = frozenset(block.name for block in blocks if block.main)
    unasked = countries_beside(agents, whom)
    asked = Asked(subjects, controls, whom, names, main, question.box, unasked)
    return _Incident(asked, blocks, plan, prepared)


def _subjects(texts: Sequence[str], agents: Sequence[Agent]) -> tuple[Subject, ...]:
    found = [recognise(text, agents) for text in texts]
    return tuple({one.text: one for one in found}.values())


async def _settled(session: Session, question: Question) -> Question:
    """The question with the agents of the run that it names, which may be gone when somebody goes on."""
    if question.whence.run is None:
        return question
    before = await session.doors.store.run(question.whence.run)
    tests = await session.doors.store.tests(before.id)
    first = tuple(dict.fromkeys(agent for test in tests for agent in test.spec.agents))
    return replace(question, whence=replace(question.whence, run=None), first=first)


def _whom(question: Question, agents: Sequence[Agent], subjects: Sequence[Subject]) -> tuple[Agent, ...]:
    """Who is asked, the most telling first. An agent that is the target is not asked about itself."""
    whence, first = question.whence, frozenset(question.first)
    selection = select(whence.selector, agents, question.seed)
    if selection.missing:
        raise UsageProblem(
            f"no agent has the id {selection.missing[0][:80]!r}", hint="`orchestrator agents` lists them"
        )
    own = {one.agent.id for one in subjects if one.agent is not None}
    whom = chosen(
        [one for one in selection.agents if one.id not in own], question.agents, question.seed, first
    )
    if not whom:
        raise UsageProblem(
            "no agent can be asked", hint="widen --from; `orchestrator agents` lists them with their states"
        )
    return whom


async def _of_preset(
    session: Session, question: Question, preset: Plan, agents: Sequence[Agent]
) -> _Incident:
    """The tests of a plan, in the time box and under a name of their own."""
    budget = preset.budget.at_most(question.max_tests, question.max_units)
    plan = replace(preset, name=name_of(question), deadline=question.box + BEYOND_BOX, budget=budget)
    prepared = await prepare(session, plan, seed=question.seed, agents=agents)
    check_ceilings(prepared)
    used = {one for spec in prepared.expansion.specs for one in spec.agents}
    whom = chosen([one for one in agents if one.id in used], len(used), question.seed)
    texts = question.targets or tuple(dict.fromkeys(spec.target for spec in prepared.expansion.specs))
    subjects = tuple(Subject(Kind.NAME, text) for text in texts)
    names = frozenset(block.name for block in plan.tests)
    return _Incident(Asked(subjects, (), whom, names, names, question.box), (), plan, prepared)


async def _who(session: Session, plan: str, busy: PlanBusy) -> PlanBusy:
    """The same with the id of the run that goes on, for whoever wants to watch it."""
    going = [one for one in await session.doors.store.runs(5, plan) if one.state is RunState.RUNNING]
    if not going:
        return busy
    run = going[-1].id
    return PlanBusy(f"{busy.message}: run {run}", hint=f"watch it: orchestrator show {run}")


async def _diagnosed(session: Session, question: Question, incident: _Incident, ended: Ended) -> Diagnosed:
    found, outcome = ended.found, ended.outcome
    run = outcome.run
    before, worse = await _compared(session, question, run)
    counts = await session.doors.store.counts(run.id)
    cells = sum(counts.cells.values())
    again = 0.0 if ended.again is None else ended.again.facts.units
    wanted = question.share and bool(found.bad) and ended.stopped is not Stopped.INTERRUPTED
    snapshot, unshared = await _shared(session, run) if wanted else (None, None)
    account = Account(
        run=run.id,
        tests=counts.created,
        reruns=ended.reruns,
        cells=cells,
        units=round(run.facts.units + again, 4),
        seconds=ended.seconds,
        stopped=ended.stopped.value,
        again=None if ended.again is None else ended.again.id,
        before=before,
        worse=worse,
        simulated=run.simulated,
        snapshot=snapshot,
        unshared=unshared,
    )
    plan = None
    if question.preset is None:
        plan = plan_text(question.frame, joined(incident.blocks, ended.second))
    return Diagnosed(
        sentence=plain(sentence(found, final=True).text),
        exit_code=exit_code(found, outcome.exit_code),
        runs=(run.id,) if ended.again is None else (run.id, ended.again.id),
        ticket=ticket(found, account),
        plan=plan,
        found=found,
        account=account,
        refused=outcome.refused,
        hint=outcome.hint,
    )


async def _shared(session: Session, run: RunRecord) -> tuple[PublicSnapshot | None, str | None]:
    """The public snapshot of the worst test, or why there is none: what was found is told all the same."""
    made: list[PublicSnapshot] = []
    try:
        chosen = await worst_of(session.opened.store, run, 1, session.doors.clock.wall())
        await share(session, chosen, lambda told: made.append(told.snapshot), patience=_SHARE_PATIENCE)
    except OrchestratorError as problem:
        return None, f"{problem.message}{f' ({problem.hint})' if problem.hint else ''}"
    return (made[0] if made else None), None


async def _compared(
    session: Session, question: Question, run: RunRecord
) -> tuple[tuple[str, float] | None, tuple[Sentence, ...]]:
    """The last good run, or that which was asked for, with its end; and what is worse than in it."""
    store = session.doors.store
    name = question.against or LAST_GOOD
    try:
        against = await hold(store, run, name)
    except NoBase:
        return None, ()
    worse = () if question.against is None else against.comparison.texts
    return (against.base.id, against.base.finished or against.base.started), worse


__all__ = ["AGENTS", "BOX", "Diagnosed", "Question", "Stopped", "diagnose"]
