"""The story of a worker that carries out a run which somebody else submitted, to its end or until stopped."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from orchestrator.actions.deliver import Notifier
from orchestrator.actions.diagnose import begin as begin_diagnosis
from orchestrator.actions.going_on import resume
from orchestrator.actions.run import GRACE, Attend, Attendance, Outcome, Wishes, begin
from orchestrator.actions.session import Session
from orchestrator.actions.telling import NO_RUN, Teller
from orchestrator.credentials import mask_of_secrets
from orchestrator.errors import Exit, LostRun, OrchestratorError, PlanBusy, StoreProblem, UsageProblem
from orchestrator.events import Listener
from orchestrator.outbox import Channel
from orchestrator.plan.load import parse_bundle
from orchestrator.plan.model import Plan
from orchestrator.queueing.attempts import (
    FIRST_WAIT,
    MOST_ATTEMPTS,
    Ending,
    Next,
    after_end,
    after_error,
)
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import Taken
from orchestrator.records import FINISHED, RunRecord, RunState
from orchestrator.runner.journal import durably
from orchestrator.settings import pick_account
from orchestrator.store.base import WholeStore
from orchestrator.verdict.counts import end_state

# Opens a session to carry out a run with, as the organization whose it is; the share to leave to others.
Connect = Callable[[RunRecord, Taken, float], AbstractAsyncContextManager[Session]]


class Stops(AsyncIterable[Exit], Protocol):
    """The stops of a run as they are asked for."""

    def lapsed(self) -> bool:
        """Whether this host was suspended for so long that the run may be another one's."""


# A run that this host cannot carry out waits so long before anybody is told of it again (seconds).
NOT_HERE = 60.0


@dataclass(frozen=True, slots=True)
class Carrying:
    """How runs are carried out: with whose sessions, and which of this host's variables plans may read."""

    store: WholeStore
    connect: Connect
    environ: Mapping[str, str]
    listeners: Sequence[Listener] = ()
    grace: float = GRACE
    notifier: Notifier | None = None

    async def carry(self, taken: Taken, stops: Stops) -> Ending:
        """Begin a run, or go on with it. Raises only what is a defect of ours."""
        try:
            record = await self.store.run(taken.run)
            if record.state in FINISHED:
                # Whoever had it before died between its end and its leaving the queue.
                return Ending(Next.OVER, Exit(record.exit_code or 0))
            if taken.attempts.poisoned:
                return await self._given_up(record)
            return await self._carried(record, taken, stops)
        except LostRun as problem:
            return Ending(Next.ANYBODY, problem.exit_code, problem.message, lost=True)
        except StoreProblem as problem:
            return Ending(Next.ANYBODY, problem.exit_code, problem.message)

    async def _carried(self, record: RunRecord, taken: Taken, stops: Stops) -> Ending:
        @contextmanager
        def attend(_run: RunRecord) -> Iterator[Attendance]:
            yield Attendance(self.listeners, stops, self.grace, stops.lapsed)

        try:
            plan = self._plan(record)
            if plan is not None and not taken.begun:
                record = replace(record, account=pick_account(record.account, {}, plan.account_group))
            reserve = record.settings.reserve if plan is None else plan.budget.reserve
            async with AsyncExitStack() as stack:
                try:
                    connecting = self.connect(record, taken, reserve)
                    session = await stack.enter_async_context(connecting)
                except UsageProblem as problem:
                    # What this host lacks, a token say, is no fault of the run: another one may have it.
                    return Ending(Next.LATER, problem.exit_code, problem.message, wait=NOT_HERE)
                outcome = await self._conducted(session, plan, record, taken, attend)
        except StoreProblem:
            raise
        except OrchestratorError as problem:
            return await self._failed(record, taken, problem)
        # Only whoever cancelled the run makes a worker stop it with this code.
        asked = outcome.exit_code is Exit.SIGINT
        reason = "it was cancelled" if asked else None
        return Ending(after_end(outcome.exit_code, asked=asked), outcome.exit_code, reason)

    def _plan(self, record: RunRecord) -> Plan | None:
        """The plan of a run; ``None`` for a diagnosis, which makes its own of what it is asked."""
        if record.settings.question is not None:
            return None
        return parse_bundle(record.plan_text, environ=self.environ)

    async def _conducted(
        self, session: Session, plan: Plan | None, record: RunRecord, taken: Taken, attend: Attend
    ) -> Outcome:
        teller = self._teller(record.settings.notify if plan is None else plan.notify)
        try:
            if taken.begun:
                outcome = await resume(session, record, attend=attend, claimed=True)
            elif plan is None:
                outcome = await begin_diagnosis(session, record, attend=attend)
            else:
                wishes = Wishes(urgent=taken.priority > 0, notify=plan.notify)
                outcome = await begin(session, record, plan, wishes=wishes, attend=attend)
        except NO_RUN as problem:
            if after_error(problem.exit_code, began=taken.begun) is Next.OVER:
                await teller.of_problem(session, record.plan, problem)
            raise
        if after_end(outcome.exit_code, asked=False) is Next.OVER:
            await teller.of_run(session, outcome)
        return outcome

    def _teller(self, asked: tuple[Channel, ...]) -> Teller:
        """Who tells a run's channels. Of those whose address this host does not know, notices are kept."""
        channels = () if self.notifier is None else asked
        secrets = [] if self.notifier is None else self.notifier.secrets(channels)
        return Teller(self.notifier, channels, mask_of_secrets(secrets))

    async def _failed(self, record: RunRecord, taken: Taken, problem: OrchestratorError) -> Ending:
        if isinstance(problem, PlanBusy) and taken.overlap is Overlap.SKIP and not taken.begun:
            return Ending(Next.OVER, problem.exit_code, problem.message, state=RunState.SKIPPED)
        became = after_error(problem.exit_code, began=taken.begun)
        if became is Next.OVER:
            await self._end(record, problem.exit_code, problem.message)
        counts = not isinstance(problem, PlanBusy)
        wait = taken.attempts.wait if counts else FIRST_WAIT
        return Ending(became, problem.exit_code, problem.message, wait=wait, counts=counts)

    async def _given_up(self, record: RunRecord) -> Ending:
        why = f"given up: {MOST_ATTEMPTS} attempts brought nothing"
        await self._end(record, Exit.INCOMPLETE, why)
        return Ending(Next.OVER, Exit.INCOMPLETE, why)

    async def _end(self, record: RunRecord, code: Exit, why: str) -> None:
        """The end of a run that never came to one by itself; the text is one line."""
        newest = await self.store.run(record.id)
        facts = replace(newest.facts, stopped=" ".join(why.split())[:500])
        await durably(
            self.store.update_run(
                record.id, state=end_state(code), finished=None, exit_code=int(code), facts=facts
            ),
            self.store,
        )


__all__ = ["Carrying", "Connect"]
