"""The queue of a store that several hosts share: runs that wait for a worker, schedules, workers.

It hands out and remembers; who has a run is decided by the run's own lease. Every method raises
:class:`orchestrator.errors.StoreProblem`. Its clock is the store's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from orchestrator.queueing.values import (
    Cancel,
    Here,
    Level,
    Place,
    Schedule,
    Scheduled,
    Taken,
    Waiting,
)
from orchestrator.records import RunRecord, RunState


class Handed(NamedTuple):
    """A run for whoever is free, of an organization, and how eager."""

    run: str
    organization: str
    priority: int


class Fired(NamedTuple):
    """What a schedule came to: the runs that it made, those that it skipped, slots that nobody saw, and how
    late it was looked at (seconds)."""

    schedule: Schedule
    runs: tuple[str, ...]
    skipped: int
    missed: int
    lag: float


# Makes the run of a schedule, at a time of the store's clock.
MakeRun = Callable[[Schedule, float], RunRecord]


class Queue(Protocol):
    """What waits for workers, in the order in which it is handed out."""

    async def now(self) -> float:
        """The time by the store's clock."""

    async def submit(self, run: RunRecord, place: Place) -> None:
        """Put a run into the queue; its state is ``queued``, and it has no specs yet."""

    async def feed(self, most: int, free: int) -> list[Handed]:
        """The next runs to begin, ``free`` at most, and ``most`` under way per organization.

        Priority first, then the organization that was served longest ago, of those that a worker serves
        which was seen. What nobody takes is handed out again. Nothing while somebody else is handing out.
        Runs that have expired are skipped.
        """

    async def sweep(self, free: int) -> list[Handed]:
        """Runs that were begun, are not over, and that nobody has: ``free`` at most."""

    async def take(self, run: str) -> Taken | None:
        """Note that whoever has claimed the run begins an attempt; ``None`` where it is over."""

    async def later(self, run: str, wait: float, reason: str | None, *, counts: bool = False) -> None:
        """Do not hand the run out before so many seconds have passed; why, for whoever looks.

        Unless it ``counts``, the attempt that ends now is forgotten. Raises ``LostRun`` where somebody else
        has the run.
        """

    async def over(self, run: str, state: RunState | None, exit_code: int, reason: str | None) -> None:
        """The run leaves the queue. With a ``state`` its own record ends so, if it has not ended.

        Raises ``LostRun`` where somebody else has the run.
        """

    async def cancel(self, run: str, how: Cancel) -> bool:
        """Ask for a run to be stopped. One that waits is over at once; whether it was so."""

    async def cancelled(self, runs: Collection[str]) -> dict[str, Cancel]:
        """Those of these runs that are to be stopped, and how."""

    async def uncancel(self, run: str) -> None:
        """That a run was to be stopped is forgotten: a person, who has claimed it, goes on with it."""

    async def waiting(self, most: int = 1000) -> list[Waiting]:
        """What is not over: first what was begun, then what waits, in the order of priority and time."""

    async def place_of(self, run: str) -> Waiting | None:
        """A run of the queue that is not over."""

    async def levels(self) -> list[Level]:
        """How each organization stands that has something in the queue."""

    async def here(self, worker: Here) -> None:
        """Show that a worker is there."""

    async def gone(self, name: str) -> None:
        """A worker has left."""

    async def free(self) -> int:
        """How many runs all workers together could take."""

    async def workers(self) -> list[tuple[Here, float]]:
        """Workers, and when each was last seen."""


class Schedules(Protocol):
    """Plans that run by themselves."""

    async def apply(self, schedules: Sequence[Schedule]) -> list[str]:
        """Write schedules, new ones or in the place of those with their names; what was done with each:
        ``new``, ``changed`` or ``same``."""

    async def listed(self, organization: str | None = None) -> list[Scheduled]:
        """Schedules by organization and name."""

    async def pause(self, organization: str, name: str, *, paused: bool) -> bool:
        """Let it rest, or go on; whether there is such a schedule."""

    async def remove(self, organization: str, name: str) -> bool:
        """Forget it; its runs stay. Whether there was one."""

    async def tick(self, make: MakeRun) -> list[Fired]:
        """Put the runs of all slots that are due into the queue, each slot's once, whoever else does the
        same."""
