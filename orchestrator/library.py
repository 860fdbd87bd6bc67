"""The package as a library: load a plan, run it, iterate over its answers. See ``docs/library.md``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions import run as actions
from orchestrator.actions.run import Waiting, Wishes
from orchestrator.actions.session import Session, resolve
from orchestrator.app import SIMULATED_SPEED, connect, simulate
from orchestrator.credentials import Credentials, find_credentials
from orchestrator.errors import Exit
from orchestrator.events import Listener
from orchestrator.listeners.telling import Guarded
from orchestrator.plan.model import Plan
from orchestrator.records import CellRecord, StoredAnswer
from orchestrator.report.summary import summary
from orchestrator.settings import Settings
from orchestrator.store.opening import open_store


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
    listeners: Sequence[Listener] = (),
) -> FinishedRun:
    """Run a plan to its end and return what it came to. Cancel the caller to leave at once; a run resumes.

    ``listeners`` hear what happens, on the event loop; one that raises hears no more, and the run goes on.
    Without ``credentials`` and ``simulated`` the token is looked for as the command line does. Raises the
    errors of :mod:`orchestrator.errors`; a failed test is none of them but a record in the result.
    """
    settings = resolve(
        os.environ,
        base_url=base_url,
        account=account,
        store=None if store is None else str(store),
        plan_account=plan.account_group,
        urgent=urgent,
    )
    guarded = [Guarded(listener) for listener in listeners]
    async with _session(settings, plan, credentials, guarded, simulated=simulated, seed=seed) as session:
        outcome = await actions.run(
            session, plan, wishes=Wishes(urgent=urgent), seed=seed, waiting=Waiting(wait)
        )
    document = summary(outcome.run, outcome.counts)
    return FinishedRun(outcome.run.id, outcome.exit_code, document, settings.store)


@asynccontextmanager
async def _session(
    settings: Settings,
    plan: Plan,
    credentials: Credentials | None,
    listeners: Sequence[Listener],
    *,
    simulated: bool,
    seed: int,
) -> AsyncIterator[Session]:
    reserve = plan.budget.reserve
    if simulated:
        async with simulate(
            settings, reserve=reserve, listeners=listeners, speed=SIMULATED_SPEED, seed=seed
        ) as opened:
            yield opened
        return
    if credentials is None:
        credentials = find_credentials(os.environ, token_file=None, stdin=None)
    async with connect(settings, credentials, reserve=reserve, listeners=listeners) as opened:
        yield opened
