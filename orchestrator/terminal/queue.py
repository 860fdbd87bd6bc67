"""The queue and the schedules, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from orchestrator.report.headline import many
from orchestrator.report.times import span
from orchestrator.safe import terminal
from orchestrator.terminal.console import say, table

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.actions.queueing import Queued
    from orchestrator.queueing.values import Schedule, Scheduled, Waiting

Mask = Callable[[str], str]


def print_queue(console: Console, found: Queued, mask: Mask = str) -> None:
    """What runs, what waits and for how long, and who is there to take it."""
    free = sum(worker.free for worker, _ in found.workers)
    if not found.workers:
        say(console, "no worker is there: nothing will begin", "yellow")
    else:
        say(console, f"{many(len(found.workers), 'worker')}, room for {many(free, 'more run')}")
    for worker, seen in found.workers:
        ago = span(max(0.0, found.now - seen))
        name = terminal(mask(worker.name))
        say(
            console,
            f"  {name} ({worker.version}): {worker.width - worker.free} of {worker.width}, seen {ago} ago",
        )
    if not found.waiting:
        say(console, "nothing waits, nothing runs")
        return
    rows = [_row(one, found.now, mask) for one in found.waiting]
    table(console, ("run", "organization", "plan", "state", "since", "what"), rows, indent=0)
    shown, waits = len(found.waiting), sum(level.waiting + level.under_way for level in found.levels)
    if waits > shown:
        say(console, f"and {waits - shown} more: --limit {waits}")


def _row(one: Waiting, now: float, mask: Mask) -> tuple[str, ...]:
    state = "waits" if one.owner is None else "runs"
    since = one.begun if one.owner is not None and one.begun is not None else one.queued
    what = [
        "priority" if one.priority > 0 else "",
        f"not before {zoned(one.not_before, 'UTC')}" if one.not_before is not None else "",
        f"stops: {one.cancel.value}" if one.cancel is not None else "",
        f"at {mask(one.owner)}" if one.owner is not None else mask(one.reason or ""),
        f"of schedule {mask(one.schedule)}" if one.schedule is not None else "",
    ]
    words = (one.run, mask(one.organization), mask(one.plan), state, span(max(0.0, now - since)))
    return (*map(terminal, words), terminal(", ".join(part for part in what if part)))


def print_schedules(console: Console, found: Sequence[Scheduled], mask: Mask = str) -> None:
    """Every schedule with when it fires next, in its own zone."""
    if not found:
        say(console, "there is no schedule: `orchestrator schedule apply FILE` writes some")
        return
    rows = []
    for one in found:
        schedule = one.schedule
        rests = schedule.paused or one.next_at is None
        coming = "rests" if rests or one.next_at is None else zoned(one.next_at, schedule.timezone)
        words = (
            schedule.organization,
            schedule.name,
            schedule.plan,
            schedule.cron,
            schedule.timezone,
            coming,
        )
        rows.append(tuple(terminal(mask(word)) for word in words))
    table(console, ("organization", "name", "plan", "cron", "zone", "next"), rows, indent=0)


def print_times(console: Console, found: Sequence[tuple[Schedule, float]], mask: Mask = str) -> None:
    """When schedules fire, in order."""
    rows = [
        (
            zoned(at, schedule.timezone),
            terminal(mask(schedule.organization)),
            terminal(mask(schedule.name)),
            terminal(mask(schedule.plan)),
        )
        for schedule, at in found
    ]
    table(console, ("time", "organization", "name", "plan"), rows, indent=0)


def zoned(at: float, zone: str) -> str:
    """A time in its zone, with the zone; in UTC where this host does not know the zone."""
    try:
        known = ZoneInfo(zone)
    except (OSError, KeyError, ValueError):
        return datetime.fromtimestamp(at, UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC")
    return datetime.fromtimestamp(at, known).strftime("%a %Y-%m-%d %H:%M:%S %Z")
