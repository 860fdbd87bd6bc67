"""What the engine is asked to do: four tasks. Each may come twice, late or never, and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orchestrator.store.queue import Handed, MakeRun, Queue, Schedules
from orchestrator.worker.pool import Pool
from orchestrator.worker.told import Told

# Runs of one organization under way at a time: they share its 24 creations a minute.
MOST_PER_ORGANIZATION = 10
# What an engine's queue names are made of.
KEEPING = "keeping"
GO_ON, FEED, SWEEP, TICK = "go_on", "feed", "sweep", "tick"

# Tells the engine of a run that somebody should look at.
Defer = Callable[[Handed], Awaitable[None]]
# Who makes the runs of schedules, with what is known of their organizations now.
Maker = Callable[[], Awaitable[MakeRun]]


def queue_of(organization: str) -> str:
    """The engine's queue of an organization's runs: a worker listens to those that it can serve."""
    return f"run/{organization}"


@dataclass(slots=True)
class Tasks:
    """The bodies of the tasks; the engine is only told of through ``defer`` and ``told_of``.

    ``told_of`` says how many runs the engine was told of that nobody has fetched.
    """

    pool: Pool
    queue: Queue
    schedules: Schedules
    maker: Maker
    defer: Defer
    told_of: Callable[[], Awaitable[int]]
    told: Told
    most: int = MOST_PER_ORGANIZATION

    async def go_on(self, run: str) -> str:
        """Carry out a run, if it is nobody's; what came of it."""
        return str(await self.pool.take(run))

    async def feed(self) -> int:
        """Hand out the next runs, as many as all workers could begin; how many."""
        return await self._hand_out(await self.queue.feed(self.most, await self._free()))

    async def sweep(self) -> int:
        """Hand out runs that were begun and that nobody has; how many."""
        # A run whose worker died had its place: what is free is not asked, only that a list has an end.
        return await self._hand_out(await self.queue.sweep(max(self.pool.width, await self._free())))

    async def tick(self) -> int:
        """Put the runs of due schedules into the queue, and hand out; how many were made."""
        make = await self.maker()
        made, found = 0, await self.schedules.tick(make)
        while found:
            for fired in found:
                made += len(fired.runs)
                self.told.fired(fired)
            found = await self.schedules.tick(make)
        if made:
            await self.feed()
        return made

    async def _free(self) -> int:
        return max(0, await self.queue.free() - await self.told_of())

    async def _hand_out(self, handed: list[Handed]) -> int:
        for one in handed:
            await self.defer(one)
        return len(handed)
