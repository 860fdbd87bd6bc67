"""What `orchestrator submit`, `cancel` and `queue` do."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from orchestrator.actions import queueing
from orchestrator.actions.queueing import Queued, Watched
from orchestrator.actions.reading import summed_up
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.reading import tell_shown
from orchestrator.cli.bodies.sessions import organization_of, read_plan, settings_of, token_mask
from orchestrator.cli.masking import mask
from orchestrator.cli.moments import at
from orchestrator.cli.options import Access, Reading
from orchestrator.clock import LoopClock
from orchestrator.errors import Exit, NoRight
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import Place
from orchestrator.records import RunRecord
from orchestrator.store.opening import Opened
from orchestrator.terminal.console import make_console
from orchestrator.terminal.queue import print_queue
from orchestrator.worker.engine import wake


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of a run; times as :class:`orchestrator.cli.moments.Moment` gives them."""

    priority: bool
    not_before: float | None
    expires: float | None
    skip_busy: bool

    def place(self, organization: str, now: float) -> Place:
        """Where it stands in the queue."""
        return Place(
            organization,
            priority=1 if self.priority else 0,
            not_before=None if self.not_before is None else at(self.not_before, now),
            expires=None if self.expires is None else at(self.expires, now),
            overlap=Overlap.SKIP if self.skip_busy else Overlap.QUEUE,
        )


def submit(path: str, reading: Reading, access: Access, asked: Asked, *, wait: bool, as_json: bool) -> None:
    """Check the plan, put it into the queue, wake a worker; watch the run, if that was asked for."""
    set_up_logging()
    masked = token_mask(access)
    plan = read_plan(path, reading)
    settings = settings_of(access, plan_account=plan.account_group, urgent=asked.priority)

    async def work() -> Exit:
        async with opened_store(access.store) as opened:
            place = asked.place(organization_of(access), await queueing.queue_of(opened).now())
            run = await queueing.submit(opened, plan, settings, place, mask=masked, environ=os.environ)
            woken = await wake(opened.url)
            if not wait:
                tell_submitted(run, as_json=as_json)
                return Exit.OK
            say(f"run {run.id} of {plan.name} waits for a worker{'' if woken else _NOT_WOKEN}")
            return await _watch(opened, run.id, as_json=as_json)

    raise SystemExit(int(run_async(work)))


_NOT_WOKEN = "; nobody could be woken, so that may take 15 s"


def tell_submitted(run: RunRecord, *, as_json: bool) -> None:
    """Say which run it is that waits."""
    if as_json:
        print_json({"run": run.id, "plan": mask(run.plan), "state": run.state.value})
    else:
        print(run.id)  # noqa: T201 - what a script takes


async def _watch(opened: Opened, run: str, *, as_json: bool) -> Exit:
    told = ""
    last: Watched | None = None
    async for last in queueing.watch(opened, run, LoopClock()):
        words = _words(last)
        if words != told:
            say(f"run {run}: {words}")
            told = words
    assert last is not None  # noqa: S101 - a watched run is told at least once
    try:
        shown = await summed_up(opened.store, last.run, now=LoopClock().wall())
    except NoRight as problem:
        say(f"{problem.message}: what came of it is for others to look at, orchestrator show {run}")
        if as_json:
            tell_submitted(last.run, as_json=True)
        return last.code
    if as_json:
        print_json(shown.document(mask))
    else:
        tell_shown(shown, sys.stdout)
    return last.code


def _words(watched: Watched) -> str:
    one = watched.waiting
    if one is None:
        return f"{watched.run.state.value}, exit code {int(watched.code)}"
    if one.owner is not None:
        return f"carried out by {one.owner}"
    why = f" ({one.reason})" if one.reason else ""
    again = f", {one.attempts} attempts so far" if one.attempts else ""
    return f"waits for a worker{why}{again}"


def cancel(name: str, *, now: bool, store: str | None) -> None:
    """Ask for a run to be stopped, and say what that means."""
    set_up_logging()

    async def work() -> tuple[RunRecord, bool]:
        async with opened_store(store) as opened:
            return await queueing.cancel(opened, name, now=now)

    run, over = run_async(work)
    if over:
        say(f"run {run.id} waited: it will not begin")
    else:
        what = "at once" if now else "when what is paid for has come in"
        say(f"run {run.id} was asked to stop: its worker hears of it within 10 s and leaves {what}")


def queue(limit: int, *, as_json: bool, store: str | None) -> None:
    """Show the queue."""
    set_up_logging()

    async def work() -> Queued:
        async with opened_store(store) as opened:
            return await queueing.looked_at(opened, most=limit)

    found = run_async(work)
    if as_json:
        print_json(found.document(mask))
    else:
        print_queue(make_console(sys.stdout), found, mask)
