"""What the tools do: an action, then its document. Runs belong to the desk, not to the call behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
import structlog
from anyio.abc import TaskGroup

from orchestrator.actions import compare as comparing
from orchestrator.actions import explain as explaining
from orchestrator.actions import reading
from orchestrator.actions import run as running
from orchestrator.actions.asked import Terms
from orchestrator.actions.check import check
from orchestrator.actions.diagnose import Question, diagnose
from orchestrator.actions.run import GRACE, Wishes
from orchestrator.actions.session import Session
from orchestrator.actions.telling import NO_RUN
from orchestrator.assistant import arguments as given
from orchestrator.assistant.allowance import Allowance, Cost
from orchestrator.assistant.going import Going, Progress
from orchestrator.assistant.plans import Plans
from orchestrator.clock import Clock
from orchestrator.compare.gate import Strictness
from orchestrator.defects import defect
from orchestrator.diagnosis.places import places
from orchestrator.errors import PlanBusy, UsageProblem
from orchestrator.model import Verdict
from orchestrator.plan.model import Plan
from orchestrator.report.results import result_object
from orchestrator.report.runs import runs_document
from orchestrator.report.summary import SCHEMA
from orchestrator.store.opening import Opened

# A session for a plan, or for a diagnosis (``None``), which goes before other runs.
Connect = Callable[[Plan | None], AbstractAsyncContextManager[Session]]
Store = Callable[[], AbstractAsyncContextManager[Opened]]
Tell = Callable[[Progress], Awaitable[None]]

# So often whoever waits is told how a run stands (seconds).
TOLD: Final = 1.0
# What is left to do after a run has ended: its summary is made (seconds).
TELLING: Final = 5.0
# After these nothing was created.
_NOTHING = (*NO_RUN, UsageProblem, PlanBusy)
_log = structlog.get_logger("orchestrator.assistant")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool gives: a document, for some a text for people, and what can be asked next."""

    document: Mapping[str, object]
    text: str | None = None
    next: str | None = None


@dataclass(slots=True)
class Desk:
    """Does what tools ask for. ``allowance`` is ``None`` for a server that only reads. Use it within
    :meth:`open`."""

    store: Store
    connect: Connect
    plans: Plans
    clock: Clock
    mask: Callable[[str], str] = str
    allowance: Allowance | None = None
    _going: list[Going] = field(default_factory=list)
    _tasks: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the desk. When it closes, nothing more is created, and what is paid for is collected first."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                for one in self._going:
                    one.stop()
                tasks.cancel_scope.deadline = anyio.current_time() + GRACE + TELLING

    def leave(self) -> None:
        """Leave every run at once."""
        for one in self._going:
            one.leave()

    async def call(self, asked: given.Arguments, tell: Tell) -> Answer:
        """Do what was asked. Raises an ``OrchestratorError`` that says why it cannot be done."""
        match asked:
            case given.Run():
                return await self._run(asked, tell)
            case given.Diagnose():
                return await self._diagnose(asked, tell)
            case given.Check():
                return await self._check(asked)
            case given.Stop():
                return await self._stop(asked)
            case _:
                async with self.store() as opened:
                    return await self._read(opened, asked)

    # -- what reads -------------------------------------------------------------------------------------

    async def _read(self, opened: Opened, asked: given.Arguments) -> Answer:
        match asked:
            case given.Runs():
                return await self._runs(opened, asked)
            case given.Show():
                return await self._show(opened, asked.run, asked.plan)
            case given.Results():
                return await self._results(opened, asked)
            case given.Explain():
                return await self._explain(opened, asked)
            case given.Diff():
                return await self._diff(opened, asked)
            case _:
                raise AssertionError(f"no tool takes {type(asked).__name__}")

    async def _runs(self, opened: Opened, asked: given.Runs) -> Answer:
        found = await reading.runs(opened, limit=asked.limit, plan=asked.plan)
        return Answer(runs_document(found, self.mask), next="`show` with the id of a run tells of it")

    async def _show(self, opened: Opened, run: str, plan: str | None = None) -> Answer:
        shown = await reading.show(opened, run, now=self.clock.wall(), plan=plan)
        told = "`results` with verdicts=['fail'] gives the values, `explain` the story of a cell"
        return Answer(shown.document(self.mask), next=told)

    async def _results(self, opened: Opened, asked: given.Results) -> Answer:
        verdicts = [Verdict(one) for one in asked.verdicts]
        keep = reading.keeping(asked.layers, verdicts, (), asked.agents, asked.targets)
        run = await reading.find(opened, asked.run, asked.plan)
        source = await reading.source(opened, run.id, now=self.clock.wall())
        rows: list[dict[str, object]] = []
        passed, more = 0, False
        async for row in reading.with_silent(source, keep).results():
            if not keep.keeps(row):
                continue
            passed += 1
            if passed > asked.offset + asked.limit:
                more = True
                break
            if passed > asked.offset:
                rows.append(result_object(run.id, row))
        onward = asked.offset + len(rows) if more else None
        document = {"schema": SCHEMA, "run": run.id, "rows": rows, "next_offset": onward}
        return Answer(document, next=f"the next page: offset={onward}" if more else None)

    async def _explain(self, opened: Opened, asked: given.Explain) -> Answer:
        run = await reading.find(opened, asked.run, asked.plan)
        found = await explaining.explain(opened.store, run, asked.cell)
        return Answer(found.document(self.mask))

    async def _diff(self, opened: Opened, asked: given.Diff) -> Answer:
        terms = Terms(strictness=Strictness(asked.gate))
        held = await comparing.diff(opened, asked.run, asked.base, terms, asked.plan)
        return Answer(held.document(self.mask))

    async def _check(self, asked: given.Check) -> Answer:
        plan = self.plans.plan(asked)
        async with self.connect(plan) as session:
            checked = await check(session, plan)
        return Answer(checked.document())

    # -- what creates -----------------------------------------------------------------------------------

    async def _run(self, asked: given.Run, tell: Tell) -> Answer:
        plan = self.plans.plan(asked)
        deadline = min(asked.deadline_seconds, plan.deadline or asked.deadline_seconds)
        budget = plan.budget.at_most(asked.max_creations, asked.max_units)
        plan = replace(plan, budget=budget, deadline=deadline)
        wishes = Wishes(path=asked.plan_file)

        async def story(going: Going) -> tuple[Answer, Cost]:
            async with self.connect(plan) as session:
                outcome = await running.run(session, plan, wishes=wishes, attend=going.attend)
                answer = await self._show(session.opened, outcome.run.id)
                created = (await session.doors.store.counts(outcome.run.id)).created
            return answer, Cost(outcome.run.facts.units, created)

        return await self._begun(story, asked, tell)

    async def _diagnose(self, asked: given.Diagnose, tell: Tell) -> Answer:
        question = Question(
            targets=tuple(asked.targets),
            whence=places(asked.whence),
            agents=asked.agents,
            box=asked.deadline_seconds,
            controls=tuple(asked.controls),
            max_tests=asked.max_creations,
            max_units=asked.max_units,
        )

        async def story(going: Going) -> tuple[Answer, Cost]:
            async with self.connect(None) as session:
                found = await diagnose(session, question, attend=going.attend)
            answer = Answer(found.document(self.mask), text=self.mask(found.ticket))
            return answer, Cost(found.account.units, found.account.tests)

        return await self._begun(story, asked, tell)

    async def _begun(
        self,
        story: Callable[[Going], Awaitable[tuple[Answer, Cost]]],
        asked: given.Ceilings,
        tell: Tell,
    ) -> Answer:
        """Begin a run, and wait for it as long as whoever asked does."""
        if self.allowance is None or self._tasks is None:
            raise UsageProblem(
                "this server only reads", hint="a person has to start it with --allow-creations"
            )
        ceilings = Cost(asked.max_units, asked.max_creations)
        self.allowance = self.allowance.hold(ceilings)
        going = Going()
        answers: list[Answer] = []
        self._going.append(going)
        self._tasks.start_soon(self._carry, going, story, ceilings, answers)
        await self._awaited(going, asked.wait_seconds, tell)
        if going.problem is not None:
            raise going.problem
        if answers:
            return answers[0]
        async with self.store() as opened:
            shown = await self._show(opened, going.run or "last")
        goes_on = f"the run goes on: `show` with run={going.run} tells how it stands, `stop` ends it"
        return replace(shown, next=goes_on)

    async def _carry(
        self,
        going: Going,
        story: Callable[[Going], Awaitable[tuple[Answer, Cost]]],
        ceilings: Cost,
        answers: list[Answer],
    ) -> None:
        spent = ceilings  # of what went wrong nobody knows what it took
        try:
            answer, spent = await story(going)
            answers.append(answer)
        except _NOTHING as problem:
            going.problem, spent = problem, Cost()
        except Exception as error:
            going.problem = error
            _log.error("run failed", run=going.run, **defect(error))
        finally:
            assert self.allowance is not None  # noqa: S101 - it was held
            self.allowance = self.allowance.settle(ceilings, spent)
            self._going.remove(going)
            going.end()

    async def _awaited(self, going: Going, patience: float, tell: Tell) -> None:
        """Wait for the end of a run, telling how it stands. Whoever waits and goes away stops it."""
        until, told = anyio.current_time() + patience, 0
        try:
            # A run that is not stored yet has nothing that could be told of it.
            while not going.over.is_set() and (going.run is None or anyio.current_time() < until):
                await going.news(TOLD)
                if going.progress is not None and going.progress.done > told:
                    told = going.progress.done
                    await tell(going.progress)
                    with anyio.move_on_after(TOLD):
                        await going.over.wait()
        except anyio.get_cancelled_exc_class():
            going.stop()
            raise

    async def _stop(self, asked: given.Stop) -> Answer:
        found = [one for one in self._going if one.run is not None and one.run.startswith(asked.run)]
        if len(found) > 1:
            raise UsageProblem(f"{asked.run} is the beginning of several runs", hint="give the whole id")
        if not found:
            raise UsageProblem(
                f"no run {asked.run[:80]!r} of this server goes on", hint="`show` tells what it came to"
            )
        found[0].stop()
        async with self.store() as opened:
            shown = await self._show(opened, found[0].run or asked.run)
        return replace(shown, next="it creates nothing more and collects what is paid for; `show` tells when")
