"""What `orchestrator schedule` does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchestrator.actions import queueing
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.masking import mask
from orchestrator.queueing.values import Schedule, Scheduled
from orchestrator.report.headline import many
from orchestrator.terminal.console import make_console
from orchestrator.terminal.queue import print_schedules, print_times


def apply(file: str, *, store: str | None) -> None:
    """Write a file of schedules; say of each what was done."""
    set_up_logging()

    async def work() -> list[tuple[Schedule, str]]:
        async with opened_store(store) as opened:
            return await queueing.apply(opened, Path(file), os.environ, mask=mask)

    found = run_async(work)
    for schedule, done in found:
        say(f"{done}: {schedule.organization} {schedule.name} ({schedule.cron}, {schedule.timezone})")
    changed = sum(done != "same" for _, done in found)
    say(f"{many(len(found), 'schedule')}, {changed} of them written")


def _listed(organization: str | None, store: str | None) -> tuple[list[Scheduled], float]:
    async def work() -> tuple[list[Scheduled], float]:
        async with opened_store(store) as opened:
            found = await queueing.scheduled(opened, organization)
            return found, await queueing.queue_of(opened).now()

    return run_async(work)


def listed(organization: str | None, *, as_json: bool, store: str | None) -> None:
    """List schedules."""
    set_up_logging()
    found, _ = _listed(organization, store)
    if as_json:
        print_json({"schedules": [_document(one) for one in found]})
    else:
        print_schedules(make_console(sys.stdout), found, mask)


def _document(one: Scheduled) -> dict[str, object]:
    schedule = one.schedule
    return {
        "organization": mask(schedule.organization),
        "name": mask(schedule.name),
        "plan": mask(schedule.plan),
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "jitter": schedule.jitter,
        "shift": schedule.timing.shift,
        "overlap": schedule.overlap.value,
        "catch_up": schedule.catch_up.value,
        "catch_up_within": schedule.within,
        "priority": schedule.priority,
        "expires": schedule.expires,
        "paused": schedule.paused,
        "next_at": None if schedule.paused else one.next_at,
        "last_slot": one.last_slot,
    }


def next_times(count: int, organization: str | None, *, store: str | None) -> None:
    """Show when schedules fire next."""
    set_up_logging()
    found, now = _listed(organization, store)
    print_times(make_console(sys.stdout), queueing.next_times(found, now, count), mask)


def pause(organization: str, name: str, *, paused: bool, store: str | None) -> None:
    """Let a schedule rest, or go on."""
    set_up_logging()

    async def work() -> None:
        async with opened_store(store) as opened:
            await queueing.pause(opened, organization, name, paused=paused)

    run_async(work)
    say(f"schedule {name} of {organization} {'rests' if paused else 'goes on'}")


def remove(organization: str, name: str, *, store: str | None) -> None:
    """Forget a schedule."""
    set_up_logging()

    async def work() -> None:
        async with opened_store(store) as opened:
            await queueing.remove(opened, organization, name)

    run_async(work)
    say(f"schedule {name} of {organization} is forgotten; its runs stay")
