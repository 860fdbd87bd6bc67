"""The package as a library: load a plan, run it, iterate over its answers. See ``docs/library.md``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.prepare import Wishes, check_ceilings, prepare, store_run
from orchestrator.app import SIMULATED_SPEED, Session, connect, simulate
from orchestrator.credentials import Credentials, find_credentials
from orchestrator.errors import Exit
from orchestrator.plan.model import Plan
from orchestrator.records import CellRecord, StoredAnswer
from orchestrator.report.summary import summary
from orchestrator.runner.conductor import Conductor
from orchestrator.settings import Settings, pick_account, pick_origin
from orchestrator.store.opening import open_store, pick_store
from orchestrator.thousandeyes.origin import parse_origin


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What a run came to. ``summary`` is the document that ``show --json`` prints; ``store`` is as
    :func:`run_plan` takes it."""

    id: str
    exit_code: Exit
    summary: dict[str, object]
    store: str

    async def answers(self) -> AsyncIterator[StoredAnswer]:
        """Every answer, in the order of the plan, read page by page from the store."""
        async with open_store(self.store, make=False) as opened:
            async for answer in opened.store.results(self.id):
                yield answer

    async def cells(self) -> AsyncIterator[CellRecord]:
        """Every cell with its state, verdict and reasons, in the order of the plan."""
        async with open_store(self.store, make=False) as opened:
            async for cell in opened.store.cells(self.id):
                yield cell


async def run_plan(
    plan: Plan,
    *,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    account: str | None = None,
    store: Path | str | None = None,
    simulated: bool = False,
    urgent: bool = False,
    wait: bool = False,
    seed: int = 0,
) -> FinishedRun:
    """Run a plan to its end and return what it came to. Cancel the caller to leave at once; a run resumes.

    Without ``credentials`` and ``simulated`` the token is looked for as the command line does. Raises the
    errors of :mod:`orchestrator.errors`; a failed test is none of them but a record in the result.
    """
    place = pick_store(None if store is None else str(store), os.environ)
    settings = Settings(
        origin=parse_origin(pick_origin(base_url, os.environ)),
        store=place,
        account=pick_account(account, os.environ, plan.account_group),
        urgent=urgent,
    )
    async with (
        _session(settings, plan, credentials, simulated=simulated, seed=seed) as session,
        session.opened.lease.hold(plan.name, session.doors.clock, wait=wait, told=lambda _: None),
    ):
        prepared = await prepare(session, plan, seed=seed)
        check_ceilings(prepared)
        record = await store_run(session, prepared, Wishes(urgent=urgent))
        conductor = Conductor(
            session.doors, session.dialect(plan.api), record, pacing=session.pacing, show=lambda _: None
        )
        outcome = await conductor.run()
    return FinishedRun(outcome.run.id, outcome.exit_code, summary(outcome.run, outcome.counts), place)


@asynccontextmanager
async def _session(
    settings: Settings, plan: Plan, credentials: Credentials | None, *, simulated: bool, seed: int
) -> AsyncIterator[Session]:
    reserve = plan.budget.reserve
    if simulated:
        async with simulate(settings, reserve=reserve, speed=SIMULATED_SPEED, seed=seed) as opened:
            yield opened
        return
    if credentials is None:
        credentials = find_credentials(os.environ, token_file=None, stdin=None)
    async with connect(settings, credentials, reserve=reserve) as opened:
        yield opened
