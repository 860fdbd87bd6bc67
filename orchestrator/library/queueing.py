"""Runs that workers carry out: submit, watch, cancel, look at the queue; schedules; organizations.

All of it needs a store that several hosts share (``postgresql://...``).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from orchestrator.actions import organizations as organizing
from orchestrator.actions import queueing, reading
from orchestrator.actions.organizations import Changes
from orchestrator.actions.queueing import Queued, Watched
from orchestrator.clock import LoopClock
from orchestrator.credentials import find_credentials, mask_of
from orchestrator.errors import UsageProblem
from orchestrator.library.doors import Place, settings_of, stored
from orchestrator.organizations import Organization
from orchestrator.plan.model import Plan
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import Place as Stand
from orchestrator.queueing.values import Scheduled
from orchestrator.records import RunRecord


async def submit(
    plan: Plan,
    *,
    organization: str,
    priority: bool = False,
    not_before: float | None = None,
    expires: float | None = None,
    skip_busy: bool = False,
    base_url: str | None = None,
    account: str | None = None,
    store: Place = None,
) -> RunRecord:
    """Put a run of a plan into the queue, as ``orchestrator submit --detach``; its record.

    ``not_before`` and ``expires`` are epoch seconds. Nobody is woken: a worker finds it within 15 s. Raises
    ``UsageProblem``, also for an organization that is not written down, ``StoreProblem``.
    """
    settings = settings_of(
        base_url,
        account,
        store,
        plan_account=plan.account_group,
        urgent=priority,
        organization=organization,
    )
    overlap = Overlap.SKIP if skip_busy else Overlap.QUEUE
    stand = Stand(organization, int(priority), not_before, expires, overlap)
    try:
        mask = mask_of(find_credentials(os.environ, token_file=None, stdin=None))
    except UsageProblem:  # who submits need not have a token
        mask = str
    async with stored(store) as opened:
        return await queueing.submit(opened, plan, settings, stand, mask=mask, environ=os.environ)


async def watch(run: str, *, store: Place = None) -> AsyncIterator[Watched]:
    """A run of the queue as it changes, until it has left the queue. To leave the iteration leaves the run
    alone. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        found = await reading.find(opened, run)
        async for seen in queueing.watch(opened, found.id, LoopClock()):
            yield seen


async def cancel(run: str, *, now: bool = False, store: Place = None) -> RunRecord:
    """Ask for a run to be stopped, wherever it runs; its record. One that waits is skipped at once.

    Its worker lets what is paid for come in, or leaves at once (``now``). Raises ``UsageProblem`` for a run
    that has ended, ``StoreProblem``.
    """
    async with stored(store) as opened:
        return (await queueing.cancel(opened, run, now=now))[0]


async def queue(*, limit: int = 200, store: Place = None) -> Queued:
    """What waits, what runs and where, and the workers. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return await queueing.looked_at(opened, most=limit)


async def apply_schedules(file: Path | str, *, store: Place = None) -> dict[str, str]:
    """Write the schedules of a file: ``new``, ``changed`` or ``same``, by organization and name
    (``acme/sweep``).

    Raises ``PlanInvalid`` with every problem of the file and its plans, ``UsageProblem``, ``StoreProblem``;
    and then nothing is written.
    """
    async with stored(store) as opened:
        done = await queueing.apply(opened, Path(file), os.environ)
        return {f"{one.organization}/{one.name}": what for one, what in done}


async def list_schedules(organization: str | None = None, *, store: Place = None) -> tuple[Scheduled, ...]:
    """The schedules, by organization and name. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return tuple(await queueing.scheduled(opened, organization))


async def pause_schedule(organization: str, name: str, *, paused: bool = True, store: Place = None) -> None:
    """Let a schedule rest, or go on (``paused=False``). Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        await queueing.pause(opened, organization, name, paused=paused)


async def remove_schedule(organization: str, name: str, *, store: Place = None) -> None:
    """Forget a schedule; its runs stay. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        await queueing.remove(opened, organization, name)


async def list_organizations(*, store: Place = None) -> tuple[Organization, ...]:
    """The organizations that are written down, by name. Raises ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return tuple(await organizing.listed(opened))


async def set_organization(name: str, changes: Changes, *, store: Place = None) -> Organization:
    """Write an organization down, or change one; what is left out of ``changes`` stays as it is.

    A new one needs its ``origin``. ``token`` is a reference, never the token. Raises ``UsageProblem``,
    ``StoreProblem`` where this role may not.
    """
    async with stored(store) as opened:
        return (await organizing.write(opened, name, changes))[0]


async def pause_organization(
    name: str, reason: str | None = None, *, paused: bool = True, store: Place = None
) -> Organization:
    """Let an organization rest, so that none of its runs begins, or go on (``paused=False``). Raises
    ``UsageProblem``, ``StoreProblem``."""
    async with stored(store) as opened:
        return await organizing.pause(opened, name, reason, paused=paused)
