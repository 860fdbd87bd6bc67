"""The runs of this process. They outlive the engine's worker, and a job's end does not touch its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import anyio
from anyio.abc import TaskGroup

from orchestrator.clock import Clock, suspended_seconds
from orchestrator.errors import Exit, LostRun, OrchestratorError, StoreProblem
from orchestrator.queueing.attempts import Ending, Next
from orchestrator.queueing.values import Cancel
from orchestrator.store.queue import Queue
from orchestrator.worker.desk import BEATS, Carry, Leases
from orchestrator.worker.told import Told


class Came(StrEnum):
    """What came of a run that an engine handed out. Nobody's decision depends on it; it is for people."""

    HELD = "held"
    FULL = "full"
    OVER = "over"
    STOPPING = "stopping"
    NO_STORE = "no store"
    CARRIED = "carried out"


class Stopping:
    """The stops of one run, as an iterator: the first ends creations, the second leaves at once."""

    def __init__(self, lapsed: Callable[[], bool]) -> None:
        self.lapsed = lapsed
        self._send, self._receive = anyio.create_memory_object_stream[Exit](2)
        self._given = 0

    def give(self, code: Exit, *, now: bool = False) -> None:
        """Ask to stop; ``now``: to leave at once."""
        wanted = 2 if now else 1
        while self._given < wanted:
            self._given += 1
            self._send.send_nowait(code)

    def again(self, code: Exit) -> None:
        """Ask once more, whatever was asked before."""
        self.give(code, now=self._given > 0)

    def __aiter__(self) -> Stopping:
        return self

    async def __anext__(self) -> Exit:
        return await self._receive.receive()

    def close(self) -> None:
        """No more is asked for."""
        self._send.close()
        self._receive.close()


@dataclass(slots=True)
class _Mine:
    """A run that is carried out here. ``slept``: how long the host had been suspended in all when the run was
    last known to be ours."""

    run: str
    stops: Stopping
    slept: float
    asked: Cancel | None = None


class Pool:
    """Carries out at most ``width`` runs at a time in the tasks of ``group``.

    ``owner`` gives a new name for each execution: one that began again must not claim what an earlier one of
    the same process still holds. ``tenure``: how long a run is its worker's without a sign of life (seconds).
    """

    def __init__(
        self,
        group: TaskGroup,
        queue: Queue,
        leases: Leases,
        carry: Carry,
        clock: Clock,
        *,
        owner: Callable[[], str],
        width: int,
        tenure: float,
        told: Told,
        suspended: Callable[[], float] = suspended_seconds,
    ) -> None:
        self._group, self._queue, self._leases, self._carry = group, queue, leases, carry
        self._clock, self._owner, self._told = clock, owner, told
        self._suspended = suspended
        self.width, self._tenure = width, tenure
        self._runs: dict[str, _Mine] = {}
        self._claiming: set[str] = set()
        self._stopping: Exit | None = None
        # Set once it is asked to stop.
        self.told_to_stop = anyio.Event()
        self._changed = anyio.Event()

    @property
    def free(self) -> int:
        """How many more runs could be taken."""
        if self._stopping is not None:
            return 0
        return max(0, self.width - len(self._runs) - len(self._claiming))

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs that are carried out here."""
        return tuple(self._runs)

    async def take(self, run: str) -> Came:
        """Claim a run and carry it out to its end; what came of it.

        To cancel it leaves the run alone, which goes on. A store that fails is told in the answer.
        """
        if self._stopping is not None:
            return Came.STOPPING
        if run in self._runs or run in self._claiming:
            return Came.HELD
        if self.free < 1:
            return Came.FULL
        over = anyio.Event()
        came: list[Came] = []
        self._claiming.add(run)
        self._group.start_soon(self._execute, run, came, over)
        await over.wait()
        return came[0] if came else Came.CARRIED

    def stop(self, code: Exit) -> None:
        """Take no more, and ask all runs to stop; the second time, to leave at once."""
        self._stopping = code
        self.told_to_stop.set()
        for mine in self._runs.values():
            mine.stops.again(code)
        self._wake()

    async def emptied(self) -> None:
        """Wait until no run is left, after :meth:`stop`."""
        while self._runs or self._claiming:
            changed = self._changed
            await changed.wait()

    async def beat(self) -> None:
        """Show signs of life for all runs, in one transaction, for ever."""
        while True:
            await self._clock.sleep(self._tenure / BEATS)
            await self.beat_once()

    async def beat_once(self) -> None:
        """One sign of life. What does not come back is somebody else's: its next write tells it so."""
        for run, mine in self._runs.items():
            if mine.stops.lapsed():
                self._told.lost(run)
                mine.stops.give(Exit.SIGTERM)
        holds = {run: mine for run, mine in self._runs.items() if not mine.stops.lapsed()}
        if not holds:
            return
        slept = self._suspended()
        try:
            alive = await self._leases.renew(list(holds))
            asked = [run for run, wanted in alive.items() if wanted]
            how = await self._queue.cancelled(asked) if asked else {}
        except StoreProblem as problem:
            self._told.problem("signs of life", problem)
            return
        for run, mine in holds.items():
            if self._runs.get(run) is not mine:
                continue
            if run in alive:
                mine.slept = slept
            else:
                # Nothing is cancelled: the answer to a creation may lie in the socket already. Nothing new
                # is sent, because an intention of an old epoch is not written.
                self._told.lost(run)
                mine.stops.give(Exit.SIGTERM)
            if run in how and how[run] is not mine.asked:
                mine.asked = how[run]
                mine.stops.give(Exit.SIGINT, now=how[run] is Cancel.NOW)

    async def _execute(self, run: str, came: list[Came], over: anyio.Event) -> None:
        try:
            came.append(await self._claimed(run))
        except StoreProblem as problem:
            self._told.problem(f"run {run}", problem)
            came.append(Came.NO_STORE)
        finally:
            self._claiming.discard(run)
            self._wake()
            over.set()

    async def _claimed(self, run: str) -> Came:
        slept = self._suspended()
        if not await self._leases.claim(run, self._owner()):
            return Came.HELD

        def lapsed() -> bool:
            return self._suspended() - mine.slept > self._tenure

        mine = self._runs[run] = _Mine(run, Stopping(lapsed), slept)
        self._claiming.discard(run)
        try:
            return await self._carried(mine)
        finally:
            # An epoch that stayed would fence out whoever goes on with the run from this process.
            self._leases.forget(run)
            del self._runs[run]
            mine.stops.close()

    async def _carried(self, mine: _Mine) -> Came:
        run = mine.run
        taken = await self._queue.take(run)
        if taken is None:
            await self._leases.let_go(run)
            return Came.OVER
        mine.asked = taken.cancel
        self._told.took(run, taken)
        if taken.cancel is not None:
            mine.stops.give(Exit.SIGINT, now=taken.cancel is Cancel.NOW)
        if self._stopping is not None:
            mine.stops.again(self._stopping)
        try:
            ending = await self._carry(taken, mine.stops)
        except Exception as defect:
            self._told.defect(run, defect)
            why, wait = "a defect of ours ended it", taken.attempts.wait
            ending = Ending(Next.LATER, Exit.DEFECT, why, wait=wait, counts=True)
        self._told.ended(run, taken, ending)
        if not ending.lost:
            await self._settle(mine, ending)
        return Came.CARRIED

    async def _settle(self, mine: _Mine, ending: Ending) -> None:
        """Durable before the lease is let go: whoever comes next must see it."""
        run = mine.run
        try:
            if ending.next is Next.OVER:
                await self._queue.over(run, ending.state, int(ending.code), ending.reason)
            else:
                wait = ending.wait if ending.next is Next.LATER else 0.0
                await self._queue.later(run, wait, ending.reason, counts=ending.counts)
            await self._leases.let_go(run)
        except LostRun:
            self._told.lost(run)
        except OrchestratorError as problem:
            # The lease runs out, and the sweep finds what is left.
            self._told.problem(f"run {run}", problem)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
