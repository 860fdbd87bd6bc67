"""The time to come, for pages: schedules and the queue, in the shape in which pages ask for them."""

from __future__ import annotations

from orchestrator.catalogue import Queued, ScheduleSeen
from orchestrator.store.postgres.queue import PostgresQueue
from orchestrator.store.postgres.schedules import PostgresSchedules


class PostgresAgenda:
    """Implements :class:`orchestrator.store.listing.Agenda`."""

    def __init__(self, queue: PostgresQueue, schedules: PostgresSchedules) -> None:
        self._queue, self._schedules = queue, schedules

    async def schedules(self) -> list[ScheduleSeen]:
        """Every schedule, by organization and name."""
        return [
            ScheduleSeen(
                name=f"{one.schedule.organization} / {one.schedule.name}",
                plan=one.schedule.plan,
                when=f"{one.schedule.cron} {one.schedule.timezone}",
                next=None if one.schedule.paused else one.next_at,
                last_run=one.last_run,
                paused=one.schedule.paused,
            )
            for one in await self._schedules.listed()
        ]

    async def queue(self, most: int) -> list[Queued]:
        """The runs that wait or are carried out: first what was begun, then what waits, as it is served."""
        return [
            Queued(
                run=one.run,
                plan=one.plan,
                organization=one.organization,
                state="running" if one.owner is not None else "queued",
                since=one.queued if one.begun is None else one.begun,
                urgent=one.priority > 0,
                owner=one.owner,
            )
            for one in await self._queue.waiting(most)
        ]
