"""A diagnosis under way: what comes is looked at, and the next step is done (``diagnosis/course``)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import anyio
from anyio.abc import TaskGroup

from orchestrator.actions.insight import gathered
from orchestrator.actions.prepare import store_rerun
from orchestrator.actions.run import Attend, Attendance, Outcome, Wishes, conduct
from orchestrator.actions.session import Session
from orchestrator.diagnosis.blocks import Block, Extras
from orchestrator.diagnosis.course import Do, Moment, Next, Stopped, following
from orchestrator.diagnosis.found import Asked, Found, Round, verdicts_of
from orchestrator.diagnosis.picture import Cost, Picture, picture
from orchestrator.diagnosis.plantext import Frame, plan_text
from orchestrator.diagnosis.secondwave import second_wave, stand_ins
from orchestrator.errors import Exit, PlanInvalid, UsageProblem, telling
from orchestrator.estimate import units_of
from orchestrator.events import AnswersStored, Closed, Event, Opened
from orchestrator.events.verdicts import Judged
from orchestrator.expand import expand
from orchestrator.insight.values import CellKey
from orchestrator.model import Agent, Spec, Verdict
from orchestrator.plan.load import parse_plan
from orchestrator.records import RunRecord, TestRecord
from orchestrator.runner.conductor import Conductor

# So often (seconds) whoever looks is shown how the time passes.
TICK = 1.0
# So many tests are run again to confirm.
MOST_CONFIRMED = 4
_NEWS = (Judged, AnswersStored, Closed, Opened)
_ENOUGH = "enough was known"
_BOX = "the time box was over"

Show = Callable[[Picture], None]


def ignored(_: Picture) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How far to go: a second wave within the ceilings of ``frame``, a second round within ``most_units`` of
    all; ``seed`` repeats the choice of agents."""

    frame: Frame
    waves: bool = True
    confirm: bool = True
    extras: Extras = field(default_factory=Extras)
    seed: int = 0
    most_units: float = math.inf


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: the outcome of its run, the run that confirmed, what was asked in the second wave."""

    found: Found
    outcome: Outcome
    again: RunRecord | None
    reruns: int
    second: tuple[Block, ...]
    stopped: Stopped
    seconds: float


@dataclass(slots=True)
class _State:
    """What has happened. ``news`` is set when there is something to look at."""

    news: anyio.Event = field(default_factory=anyio.Event)
    changed: bool = True
    conductor: Conductor | None = None
    outcome: Outcome | None = None
    again: RunRecord | None = None
    again_conductor: Conductor | None = None
    again_ended: bool = False
    reruns: int = 0
    before: dict[CellKey, Verdict] = field(default_factory=dict)
    asked_more: bool = False
    stood_in: float | None = None
    more_tests: int = 0
    more_units: float = 0.0
    second: tuple[Block, ...] = ()
    ended_cells: int = -1
    last_news: float = 0.0
    # Why nothing more is wanted, once that is so.
    over: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Who goes on with a run: ``claimed`` by the caller already; what to do with ``unknown`` creations."""

    claimed: bool = False
    unknown: str = "keep"
    uncancelled: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier session of the same diagnosis has done: the second wave, the run that confirms."""

    asked_more: bool = False
    again: RunRecord | None = None


NOTHING_BEFORE = Before()
OURS = Claim()


class _Stops:
    """The stops of whoever attends, for each run of a diagnosis, also for one that begins after them."""

    def __init__(self) -> None:
        self._codes: list[Exit] = []
        self._came = anyio.Event()

    async def hear(self, stops: AsyncIterable[Exit] | None) -> None:
        """Pass on what comes, until there is no more, or it is cancelled."""
        if stops is None:
            return
        async for code in stops:
            self._codes.append(code)
            came, self._came = self._came, anyio.Event()
            came.set()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for: then nothing more is begun, and nothing becomes public."""
        return bool(self._codes)

    async def heard(self) -> AsyncIterator[Exit]:
        """Every stop from the first on."""
        told = 0
        while True:
            came = self._came
            for code in self._codes[told:]:
                told += 1
                yield code
            if told == len(self._codes):
                await came.wait()


class Course:
    """Takes one diagnosis to its end. Build it, then await :meth:`go` once; the plan's lease is held.

    ``began`` is monotonic: the time box counts from there.
    """

    def __init__(
        self,
        session: Session,
        run: RunRecord,
        asked: Asked,
        blocks: Sequence[Block],
        agents: Sequence[Agent],
        terms: Terms,
        show: Show,
        began: float,
        claim: Claim = OURS,
        before: Before = NOTHING_BEFORE,
    ) -> None:
        self._session, self._run, self._asked = session, run, asked
        self._blocks, self._agents, self._terms = blocks, agents, terms
        self._show, self._began = show, began
        self._stops = _Stops()
        self._claim = claim
        planned = None if before.again is None else before.again.facts.planned
        self._state = _State(
            last_news=began,
            asked_more=before.asked_more,
            again=before.again,
            reruns=0 if planned is None else planned.tests,
        )
        self._tests, self._units = 0, run.facts.units

    async def go(self, attend: Attend) -> Ended:
        """Go on until enough is known, the box is over, or whoever attends stops it."""
        stopped = Stopped.INTERRUPTED
        try:
            with attend(self._run) as attendance:
                async with anyio.create_task_group() as heeding:
                    heeding.start_soon(self._stops.hear, attendance.stops)
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._conduct, attendance)
                        if self._state.again is not None:
                            self._state.before = verdicts_of((await self._look()).cells)
                            tasks.start_soon(self._conduct_again, self._state.again, attendance)
                        stopped = await self._watch(tasks, attendance)
                        self._finish(_BOX if stopped is Stopped.TIME_BOX else _ENOUGH)
                    heeding.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise telling(group) from group
        state = self._state
        assert state.outcome is not None  # noqa: S101 - the task has ended, and raised nothing
        found = await self._look()
        seconds = self._session.doors.clock.now() - self._began
        self._show(picture(found, self._moment(), self._cost(), final=True))
        return Ended(found, state.outcome, state.again, state.reruns, state.second, stopped, seconds)

    # -- the runs ---------------------------------------------------------------------------------------

    async def _conduct(self, attendance: Attendance) -> None:
        @contextmanager
        def attended(_: RunRecord) -> Iterator[Attendance]:
            listeners = (*attendance.listeners, self)
            yield replace(attendance, listeners=listeners, stops=self._stops.heard())

        try:
            self._state.outcome = await conduct(
                self._session,
                self._run,
                unknown=self._claim.unknown,
                attend=attended,
                claimed=self._claim.claimed,
                hand=self._take_conductor,
                open_ended=True,
                uncancelled=self._claim.uncancelled,
            )
        finally:
            self._wake()

    def _take_conductor(self, conductor: Conductor) -> None:
        self._state.conductor = conductor
        self._tell_over()

    async def _conduct_again(self, run: RunRecord, attendance: Attendance) -> None:
        @contextmanager
        def attended(_: RunRecord) -> Iterator[Attendance]:
            yield replace(attendance, listeners=(self,), stops=self._stops.heard())

        try:
            await conduct(self._session, run, attend=attended, hand=self._take_again)
        finally:
            self._state.again_ended = True
            self._wake()

    def _take_again(self, conductor: Conductor) -> None:
        """It ends when all has come, or when it is told to."""
        self._state.again_conductor = conductor
        self._tell_over()

    def _finish(self, why: str) -> None:
        self._state.over = why
        self._tell_over()

    def _tell_over(self) -> None:
        why = self._state.over
        if why is None:
            return
        for conductor in (self._state.conductor, self._state.again_conductor):
            if conductor is not None:
                conductor.finish(why)

    # -- what comes -------------------------------------------------------------------------------------

    def hear(self, event: Event) -> None:
        """A listener of both runs."""
        if isinstance(event.fact, _NEWS):
            self._wake()

    def _wake(self) -> None:
        self._state.changed = True
        self._state.news.set()

    async def _look(self) -> Found:
        state, store = self._state, self._session.doors.store
        state.changed = False
        run = await store.run(self._run.id)
        first = await gathered(store, run)
        second = None
        if state.again is not None:
            seen = await gathered(store, state.again)
            second = Round(seen.cells, seen.names)
        found = Found.of(run.id, self._asked, Round(first.cells, first.names), second, state.before)
        self._tests = (await store.counts(run.id)).created + state.reruns
        self._units = run.facts.units + (0.0 if state.again is None else state.again.facts.units)
        ended = len(found.cells) - found.open + len(found.again)
        if ended != state.ended_cells:
            state.ended_cells, state.last_news = ended, self._session.doors.clock.now()
        return found

    def _moment(self) -> Moment:
        state, now = self._state, self._session.doors.clock.now()
        return Moment(
            elapsed=now - self._began,
            quiet=now - state.last_news,
            waves=self._terms.waves,
            confirm=self._terms.confirm,
            asked_more=state.asked_more,
            stood_in=state.stood_in,
            confirming=state.again is not None and not state.again_ended,
            confirmed=state.again_ended,
        )

    @property
    def _most_units(self) -> float:
        return self._terms.frame.budget.max_units or 0.0

    def _cost(self) -> Cost:
        agents = {agent.id for agent in self._asked.agents}
        agents |= {one for block in self._state.second for one in block.agents}
        return Cost(self._tests, len(agents), self._units, self._most_units)

    # -- what is done -----------------------------------------------------------------------------------

    async def _watch(self, tasks: TaskGroup, attendance: Attendance) -> Stopped:
        state, clock = self._state, self._session.doors.clock
        found = await self._look()
        while state.outcome is None:
            if state.changed:
                found = await self._look()
            moment = self._moment()
            self._show(picture(found, moment, self._cost()))
            step = following(found, moment)
            if step.stopped is not None:
                return Stopped.INTERRUPTED if self._stops.asked else step.stopped
            if step.steps and self._ready and not self._stops.asked:
                await self._do(step, found, tasks, attendance)
                continue
            if not state.changed:
                with clock.move_on_after(TICK):
                    await state.news.wait()
                state.news = anyio.Event()
        interrupted = self._stops.asked or state.outcome.exit_code > Exit.BUSY
        return Stopped.INTERRUPTED if interrupted else Stopped.ALL_ASKED

    @property
    def _ready(self) -> bool:
        """Whether the run can take in what is asked next: one that is gone on with is read first."""
        conductor = self._state.conductor
        return conductor is not None and conductor.under_way

    async def _do(self, step: Next, found: Found, tasks: TaskGroup, attendance: Attendance) -> None:
        for one in step.steps:
            if one is Do.ASK_MORE:
                await self._ask_more(found)
            elif one is Do.STAND_IN:
                await self._stand_in(found)
            elif one is Do.CONFIRM:
                await self._confirm(found, tasks, attendance)

    async def _ask_more(self, found: Found) -> None:
        """The second wave, as far as it is within the ceilings."""
        self._state.asked_more = True
        extras, seed = self._terms.extras, self._terms.seed
        await self._extend(second_wave(found, self._blocks, self._agents, extras, seed, self._left()))

    async def _stand_in(self, found: Found) -> None:
        """Ask others in the place of agents that are mute."""
        self._state.stood_in = self._moment().elapsed
        await self._extend(stand_ins(found, self._blocks, self._agents, self._terms.seed, self._left()))

    def _left(self) -> int:
        planned = self._run.facts.planned
        most = self._terms.frame.budget.max_tests or 0
        return most - self._state.more_tests - (planned.tests if planned is not None else 0)

    async def _extend(self, blocks: tuple[Block, ...]) -> None:
        """Add these to the run, or as many of them as it may have."""
        state = self._state
        while blocks:
            specs = self._specs(blocks)
            units = units_of(specs, self._agents)
            if self._run.facts.units + state.more_units + units <= self._most_units:
                if state.conductor is not None and await state.conductor.extend(specs, units):
                    state.second = (*state.second, *blocks)
                    state.more_tests += len(specs)
                    state.more_units += units
                    self._wake()
                return
            blocks = blocks[:-1]

    def _specs(self, blocks: Sequence[Block]) -> tuple[Spec, ...]:
        try:
            plan = parse_plan(plan_text(self._terms.frame, blocks), "diagnose.yaml", None, environ={})
            return expand(plan, self._agents, seed=self._terms.seed).specs
        except PlanInvalid as problem:  # of what we made ourselves, from what was tested already
            raise AssertionError(f"the second wave is no plan: {problem.message}") from problem

    async def _confirm(self, found: Found, tasks: TaskGroup, attendance: Attendance) -> None:
        """Run what fails once more, by the ids of its tests."""
        state, session = self._state, self._session
        tests = await session.doors.store.tests(self._run.id)
        keys = self._affordable(_to_confirm(found, tests), tests)
        moment = self._moment()
        state.before = verdicts_of(found.cells)
        left = max(1.0, self._asked.box - moment.elapsed)
        parent = await session.doors.store.run(self._run.id)
        parent = replace(parent, settings=replace(parent.settings, deadline=left))
        if not keys:
            state.again_ended = True
            return
        try:
            again = await store_rerun(session, parent, Wishes(urgent=True), failed=False, only=keys)
        except UsageProblem:  # no test has an id: its creation was lost
            state.again_ended = True
            return
        state.again, state.reruns = again, len(keys)
        tasks.start_soon(self._conduct_again, again, attendance)
        self._wake()

    def _affordable(self, keys: list[str], tests: Sequence[TestRecord]) -> list[str]:
        """The first of them, as many as a second round of them all leaves within the units of all."""
        specs = {test.spec.key: test.spec for test in tests}
        while keys:
            units = units_of([specs[key] for key in keys], self._agents)
            if self._units + units <= self._terms.most_units:
                break
            keys = keys[:-1]
        return keys


def _to_confirm(found: Found, tests: Sequence[TestRecord]) -> list[str]:
    """The specs with what the incident is about that fails, those with most failures first."""
    failing: dict[str, int] = {}
    for one in found.bad:
        if one.record.spec is not None:
            weight = 100 if one.record.test in found.asked.main else 1
            failing[one.record.spec] = failing.get(one.record.spec, 0) + weight
    known = {test.spec.key for test in tests if test.test_id is not None}
    order = sorted((key for key in failing if key in known), key=lambda key: -failing[key])
    return order[:MOST_CONFIRMED]
