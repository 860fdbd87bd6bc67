"""One execution of a stored run to its end. Starting is resuming: the store is asked what remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from orchestrator.budget.permits import Ledger
from orchestrator.clock import Clock
from orchestrator.errors import Exit
from orchestrator.events import Intended, Listener
from orchestrator.lifecycle import SpecState
from orchestrator.listeners.telling import Telling
from orchestrator.model import Answer
from orchestrator.records import Counts, RunFacts, RunRecord, RunState, TestRecord
from orchestrator.runner.context import Before, Context, InHand
from orchestrator.runner.create import end_uncreated
from orchestrator.runner.dispatcher import Dispatcher, End
from orchestrator.runner.journal import durably
from orchestrator.runner.pacer import Gaps, Pacer
from orchestrator.runner.poll import wanted_details
from orchestrator.runner.standing import run_facts
from orchestrator.runner.wire import Wire
from orchestrator.schedule.latency import models
from orchestrator.schedule.order import creation_order
from orchestrator.schedule.progress import Progress
from orchestrator.schedule.schedule import Schedule
from orchestrator.store.base import Store
from orchestrator.testtypes import DETAILS, TEST_TYPES
from orchestrator.thousandeyes.protocol import Dialect
from orchestrator.verdict.counts import end_state, exit_code

LOST = "its creation's answer was lost when an earlier session of this run ended"


@dataclass(frozen=True, slots=True)
class Doors:
    """What a run needs of the outside, and who hears of it."""

    store: Store
    wire: Wire
    ledger: Ledger
    clock: Clock
    rng: Random
    telling: Telling


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast to send at most. ``speed`` is the clock's, for the pacers, which follow the event loop."""

    gaps: Gaps = field(default_factory=Gaps)
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. ``refused`` says why the API refused it, ``hint`` what to do.

    ``left_at_once``: in the middle; what was under way is for a resume.
    """

    run: RunRecord
    counts: Counts
    exit_code: Exit
    refused: str | None = None
    hint: str | None = None
    left_at_once: bool = False


class Conductor:
    """Conducts one run. Build it, then await :meth:`run` once; :meth:`interrupt` may come at any time."""

    def __init__(
        self,
        doors: Doors,
        dialect: Dialect,
        run: RunRecord,
        *,
        pacing: Pacing,
        listeners: Sequence[Listener] = (),
        unknown: str = "keep",
    ) -> None:
        self._doors, self._pacing, self._unknown = doors, pacing, unknown
        self._run = run
        self._in_order = run.settings.in_order
        self._latencies = models({}, TEST_TYPES)
        telling = doors.telling.of(run.id, listeners)
        self._context = Context(
            run=run,
            store=doors.store,
            dialect=dialect,
            wire=doors.wire.of(telling),
            clock=doors.clock,
            schedule=Schedule(self._latencies, doors.rng, in_order=self._in_order),
            tests={},
            telling=telling,
            before=Before(began=doors.clock.now(), requests=run.facts.requests),
        )
        self._dispatcher: Dispatcher | None = None
        self._interrupted: Exit | None = None
        self._grace = 0.0

    def interrupt(self, code: Exit, grace: float) -> None:
        """Create no more, collect what is paid for during ``grace`` seconds, then leave with ``code``."""
        self._interrupted, self._grace = code, grace
        if self._dispatcher is not None:
            self._dispatcher.interrupt("interrupted", grace)

    async def abandon(self, code: Exit) -> None:
        """Left at once, in the middle: the run is marked as interrupted; everything else is for a resume."""
        await durably(
            self._doors.store.update_run(
                self._run.id,
                state=end_state(code),
                finished=self._doors.clock.wall(),
                exit_code=int(code),
                facts=self._facts("left at once"),
            )
        )

    async def run(self) -> Outcome:
        """Go on until everything has an end, or until stopped. Raises what makes the run impossible."""
        store, clock, run = self._doors.store, self._doors.clock, self._run
        learned = await store.latencies(run.origin)
        self._latencies.update(models(learned, TEST_TYPES))
        if run.state is RunState.COMPLETE and run.exit_code is not None:
            return Outcome(run, await store.counts(run.id), Exit(run.exit_code))
        tests = await self._recover()
        self._fill(tests)
        await self._reopen([test for test in tests if test.state is SpecState.WAITING])
        self._dispatcher = Dispatcher(
            self._context,
            self._doors.ledger,
            Pacer(clock, self._pacing.gaps, speed=self._pacing.speed),
            deadline=self._context.before.began + run.settings.deadline,
        )
        if self._interrupted is not None:
            self._dispatcher.interrupt("interrupted", self._grace)
        end = await self._dispatcher.run()
        if not run.simulated:
            samples = {name: model.dump() for name, model in self._latencies.items() if len(model)}
            await durably(store.save_latencies(run.origin, samples))
        return await self._finish(end)

    # -- before -------------------------------------------------------------------------------------

    async def _recover(self) -> list[TestRecord]:
        """What remains, after what an earlier session of this run left behind has been put in order."""
        store, run, clock = self._doors.store, self._run, self._doors.clock
        tests = await store.tests(run.id)
        before = self._context.before
        before.planned = len(tests)
        for test in tests:
            key, state = test.spec.key, test.state
            if state is SpecState.CREATING and run.parent is not None and test.test_id is not None:
                # Whether a re-run was taken can be seen: by a newer round.
                await durably(store.created(run.id, key, test.test_id, test.links, clock.wall()))
            elif state is SpecState.CREATING:
                hand = InHand(test, Progress(test.spec))
                await end_uncreated(self._context, hand, SpecState.UNKNOWN, LOST)
                state = SpecState.UNKNOWN
            if state is SpecState.UNKNOWN and self._unknown == "skip":
                await durably(store.give_up(run.id, key, clock.wall()))
            # What was given up is not tried again: somebody has decided that it is not worth paying twice.
            retry = state is SpecState.UNKNOWN and self._unknown == "retry" and not test.given_up
            # A refused creation was not paid for, and what refused it (a permission) may be mended by now.
            if retry or state in {SpecState.NOT_RUN, SpecState.FAILED}:
                await durably(store.move(run.id, key, SpecState.PLANNED, clock.wall()))
            elif state in {SpecState.PARTIAL, SpecState.TIMED_OUT}:
                await durably(store.move(run.id, key, SpecState.WAITING, clock.wall()))
        before.created = (await store.counts(run.id)).created
        # Of a killed session only the intentions are certain: each was durable before its request left.
        sent = sum(isinstance(event.fact, Intended) for event in await store.events(run.id))
        before.requests = replace(before.requests, **{"creations" if run.parent is None else "reruns": sent})
        return await store.tests(run.id, [SpecState.PLANNED, SpecState.WAITING])

    def _fill(self, tests: Sequence[TestRecord]) -> None:
        run, schedule = self._run, self._context.schedule
        by_key = {test.spec.key: test for test in tests}
        for test in tests:
            self._context.tests[test.spec.key] = InHand(test, Progress(test.spec, test.baseline))
        planned = [test.spec for test in tests if test.state is SpecState.PLANNED]
        order = creation_order(
            planned,
            lambda kind: self._latencies[kind].quantile(0.5),
            in_order=self._in_order,
            boxed=run.settings.boxed,
        )
        for spec in order:
            if run.parent is None or by_key[spec.key].test_id is None:
                schedule.add(spec)
            else:
                # Also where they were read by an earlier session: the test may have been run since.
                schedule.add_rerun(spec, layer=TEST_TYPES[spec.type].layers[0])

    async def _reopen(self, waiting: Sequence[TestRecord]) -> None:
        """Tests that an earlier session created: their answers so far count, their deadlines go on."""
        store, clock = self._doors.store, self._doors.clock
        wall, now = clock.wall(), clock.now()
        for test in waiting:
            hand = self._context.tests[test.spec.key]
            answers = await store.answers(self._run.id, test.spec.key)
            kept: list[Answer] = []
            for layer in test.spec.layers:
                harvest = hand.progress.accept(layer, [row for row in answers if row.layer == layer])
                kept.extend(harvest.kept)
            if test.spec.path_details:
                hand.detailed = wanted_details(kept)
            have = {(row.agent_id, row.round_id) for row in answers if row.layer == DETAILS}
            hand.created = now - max(0.0, wall - (test.created or wall))
            deadline = hand.created + test.spec.deadline
            self._context.schedule.opened(
                test.spec,
                hand.progress,
                created=hand.created,
                deadline=deadline,
                now=now,
                details=sorted(hand.detailed - have),
            )

    # -- after --------------------------------------------------------------------------------------

    def _facts(self, stopped: str | None) -> RunFacts:
        return run_facts(self._context, self._doors.ledger.view(self._doors.clock.now()), stopped)

    async def _finish(self, end: End) -> Outcome:
        store, run, stop = self._doors.store, self._run, self._context.stop
        counts = await store.counts(run.id)
        code = exit_code(counts, run.settings.allow_missing)
        if end is End.REFUSED:
            code = Exit.REFUSED
        elif end is End.INTERRUPTED and code is Exit.INCOMPLETE:
            code = self._interrupted or Exit.SIGINT
        stopped = stop.refused or stop.creating
        await durably(
            store.update_run(
                run.id,
                state=end_state(code),
                finished=self._doors.clock.wall(),
                exit_code=int(code),
                facts=self._facts(stopped),
            )
        )
        record = await store.run(run.id)
        return Outcome(record, counts, code, stop.refused, stop.hint)


__all__ = ["Conductor", "Doors", "Outcome", "Pacing"]
