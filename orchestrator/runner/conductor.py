"""One execution of a stored run to its end. Starting is resuming: the store is asked what remains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import Exit, LostRun
from orchestrator.events import Listener
from orchestrator.insight.look import Insight
from orchestrator.lifecycle import SpecState
from orchestrator.model import Spec
from orchestrator.records import Counts, Planned, RunRecord, RunState, SilentAgent, TestRecord
from orchestrator.runner.context import Before, Context, InHand, Stop
from orchestrator.runner.dispatcher import Dispatcher, End
from orchestrator.runner.doors import Doors, Interruption, Pacing, never
from orchestrator.runner.journal import Writes, durably
from orchestrator.runner.pacer import Pacer
from orchestrator.runner.recover import recover
from orchestrator.runner.standing import run_facts
from orchestrator.schedule.kinds import Kinds, Latencies
from orchestrator.schedule.quiet import QuietTimes
from orchestrator.schedule.schedule import Schedule
from orchestrator.thousandeyes.protocol import Dialect
from orchestrator.verdict.counts import end_state, exit_code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. ``refused`` says why the API refused it, ``hint`` what to do.

    ``left_at_once``: in the middle; what was under way is for a resume. ``insight`` is what its bad cells
    share, where somebody has looked already.
    """

    run: RunRecord
    counts: Counts
    exit_code: Exit
    refused: str | None = None
    hint: str | None = None
    left_at_once: bool = False
    insight: Insight | None = None


class Conductor:
    """Conducts one run. Build it, then await :meth:`run` once; :meth:`interrupt` may come at any time.

    An ``open_ended`` one goes on until :meth:`finish`, and takes in more specs meanwhile (:meth:`extend`).
    """

    def __init__(
        self,
        doors: Doors,
        dialect: Dialect,
        run: RunRecord,
        *,
        pacing: Pacing,
        listeners: Sequence[Listener] = (),
        unknown: str = "keep",
        open_ended: bool = False,
        lapsed: Callable[[], bool] = never,
    ) -> None:
        self._doors, self._dialect, self._run = doors, dialect, run
        self._pacing, self._unknown = pacing, unknown
        self._telling = doors.telling.of(run.id, listeners)
        self._before = Before(
            began=doors.clock.now(), requests=run.facts.requests, seconds=run.facts.seconds or 0.0
        )
        self._interruption = Interruption(lapsed)
        self._open_ended = open_ended
        self._under_way: tuple[Context, Dispatcher] | None = None
        self._over: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether it goes on, and so may be extended."""
        return self._under_way is not None

    def interrupt(self, code: Exit, grace: float) -> None:
        """Create no more, collect what is paid for during ``grace`` seconds, then leave with ``code``."""
        self._interruption.give(code, grace)

    def lose(self, why: str) -> None:
        """The run is another process's now: send nothing more, at once. What was sent gets its answer."""
        self._interruption.lose(why)

    def finish(self, why: str) -> None:
        """Nothing more is wanted: what is there of the open tests is read once more and delivered.

        ``why`` is kept with the run if that ends it before its plan does.
        """
        self._over = why
        if self._under_way is not None:
            self._under_way[1].finish(why)

    async def extend(self, specs: Sequence[Spec], units: float) -> bool:
        """More specs for a run that is under way, durable before any of them is created; whether they were
        taken in: not by a run that has not begun, that has ended or that creates no more.

        ``units`` is what they cost, an estimate. A resume finds them like the others.
        """
        if self._under_way is None or self._over is not None:
            return False
        context, dispatcher = self._under_way
        if context.stop.creating is not None or self._interruption.code is not None:
            return False
        cells = sum(len(spec.agents) for spec in specs)
        planned = self._run.facts.planned or Planned(0, 0)
        facts = replace(
            self._run.facts,
            planned=Planned(planned.tests + len(specs), planned.cells + cells),
            units=round(self._run.facts.units + units, 4),
        )
        first = context.before.planned
        tests = [TestRecord(self._run.id, first + n, one, SpecState.PLANNED) for n, one in enumerate(specs)]
        # Before the write: whoever keeps the facts meanwhile must not write the old ones over these.
        self._run = context.run = replace(self._run, facts=facts)
        await context.durably(context.store.add_specs(self._run.id, tests, facts))
        context.before.planned += len(specs)
        context.before.cells += cells
        for test in tests:
            context.tests[test.spec.key] = InHand.of(test)
            context.schedule.add(test.spec)
        dispatcher.wake()
        return True

    async def abandon(self, code: Exit) -> None:
        """Left at once, in the middle: the run is marked as interrupted; everything else is for a resume."""
        await self._end(code, "left at once")

    async def run(self) -> Outcome:
        """Go on until everything has an end, or until stopped. Raises what makes the run impossible."""
        store, run = self._doors.store, self._run
        if run.state is RunState.COMPLETE and run.exit_code is not None:
            return Outcome(run, await store.counts(run.id), Exit(run.exit_code))
        learned = await store.latencies(run.origin)
        latencies, quiet = Latencies(learned), QuietTimes(learned)
        kinds = Kinds({agent.id: agent.type for agent in (await store.agents(run.id)).values()})
        context = self._context(latencies, quiet, kinds)
        await recover(context, latencies, kinds, self._unknown)
        dispatcher = Dispatcher(
            context,
            self._doors.ledger,
            Pacer(self._doors.clock, self._pacing.gaps, speed=self._pacing.speed),
            deadline=self._before.began + run.settings.deadline,
            interruption=self._interruption,
            open_ended=self._open_ended,
        )
        self._under_way = context, dispatcher
        if self._over is not None:
            dispatcher.finish(self._over)
        try:
            end = await dispatcher.run()
        finally:
            self._under_way = None
        if (lost := self._interruption.lost) is not None:
            raise LostRun(lost, hint=f"`orchestrator show {run.id}` says how it stands")
        if not run.simulated:
            await durably(store.save_latencies(run.origin, latencies.dump() | quiet.dump()), store)
        silent = await self._silent(context)
        return await self._outcome(end, context.stop, silent)

    def _context(self, latencies: Latencies, quiet: QuietTimes, kinds: Kinds) -> Context:
        doors, run = self._doors, self._run
        return Context(
            run=run,
            store=doors.store,
            dialect=self._dialect,
            wire=doors.wire.of(self._telling, self._interruption.lapsed),
            clock=doors.clock,
            schedule=Schedule(
                latencies,
                doors.rng,
                quiet=quiet,
                kinds=kinds,
                in_order=run.settings.in_order,
                courtesy=run.settings.courtesy,
            ),
            tests={},
            telling=self._telling,
            before=self._before,
            writes=Writes(doors.store.patience),
        )

    async def _silent(self, context: Context) -> tuple[SilentAgent, ...]:
        silent = context.schedule.silent()
        if not silent:
            return ()
        agents = await context.store.agents(self._run.id)
        named = {agent: agents[agent].name if agent in agents else agent for agent in silent}
        return tuple(SilentAgent(agent, named[agent], tests) for agent, tests in silent.items())

    async def _outcome(self, end: End, stop: Stop, silent: Sequence[SilentAgent]) -> Outcome:
        store, run = self._doors.store, self._run
        counts = await store.counts(run.id)
        code = exit_code(counts, run.settings.allow_missing)
        if end is End.REFUSED:
            code = Exit.REFUSED
        elif end is End.INTERRUPTED and code is Exit.INCOMPLETE:
            code = self._interruption.code or Exit.SIGINT
        await self._end(code, stop.refused or stop.creating, silent)
        return Outcome(await store.run(run.id), counts, code, stop.refused, stop.hint)

    async def _end(self, code: Exit, stopped: str | None, silent: Sequence[SilentAgent] = ()) -> None:
        clock, now = self._doors.clock, self._doors.clock.now()
        view, store = self._doors.ledger.view(now), self._doors.store
        await durably(
            store.update_run(
                self._run.id,
                state=end_state(code),
                finished=clock.wall(),
                exit_code=int(code),
                facts=run_facts(
                    self._run, self._before, self._telling.statistics, view, now, stopped, silent
                ),
            ),
            store,
        )


__all__ = ["Conductor", "Outcome"]
