"""The runs of one worker: claimed once, shown alive, stopped when asked, whatever becomes of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import anyio
import pytest
from virtual_time import run_virtual

from orchestrator.clock import LoopClock
from orchestrator.errors import Exit, LostRun, StoreProblem
from orchestrator.queueing.attempts import Attempts, Ending, Next
from orchestrator.queueing.slots import Overlap
from orchestrator.queueing.values import Cancel, Taken
from orchestrator.records import RunState
from orchestrator.worker.pool import Came, Pool, Stopping
from orchestrator.worker.told import Silent

TENURE = 30.0


@dataclass
class Desk:
    """A queue and the leases of a store, as a worker sees them. ``broken``: nothing can be reached."""

    held_by_others: set[str] = field(default_factory=set)
    over_already: set[str] = field(default_factory=set)
    owners: list[str] = field(default_factory=list)
    mine: set[str] = field(default_factory=set)
    cancels: dict[str, Cancel] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)
    renewals: int = 0
    forgotten: list[str] = field(default_factory=list)
    broken: bool = False

    async def claim(self, run: str, owner: str) -> bool:
        self._reach()
        if run in self.held_by_others or run in self.mine:
            return False
        self.owners.append(owner)
        self.mine.add(run)
        return True

    async def renew(self, runs: Collection[str]) -> dict[str, bool]:
        self._reach()
        self.renewals += 1
        return {run: run in self.cancels for run in runs if run in self.mine}

    async def let_go(self, run: str) -> None:
        self._reach()
        self.mine.discard(run)
        self.left.append((run, "let go"))

    def forget(self, run: str) -> None:
        self.forgotten.append(run)

    async def take(self, run: str) -> Taken | None:
        self._reach()
        if run in self.over_already:
            return None
        return Taken(run, "acme", 0, Overlap.QUEUE, False, Attempts(1), self.cancels.get(run))

    async def cancelled(self, runs: Collection[str]) -> dict[str, Cancel]:
        return {run: self.cancels[run] for run in runs if run in self.cancels}

    async def over(self, run: str, state: RunState | None, exit_code: int, reason: str | None) -> None:
        self._reach()
        if run in self.held_by_others:
            raise LostRun(f"run {run} was taken over")
        self.left.append((run, f"over {exit_code}"))

    async def later(self, run: str, wait: float, reason: str | None, *, counts: bool = False) -> None:
        self._reach()
        self.left.append((run, f"later {wait:g}{', counts' if counts else ''}"))

    def _reach(self) -> None:
        if self.broken:
            raise StoreProblem("the database is away")


class Told(Silent):
    """Remembers what was lost and what did not go."""

    def __init__(self) -> None:
        self.lost_runs: list[str] = []
        self.problems: list[str] = []

    def lost(self, run: str) -> None:
        self.lost_runs.append(run)

    def problem(self, what: str, problem: Exception) -> None:
        self.problems.append(what)

    def defect(self, run: str, error: Exception) -> None:
        self.problems.append(f"{run}: {error}")


@dataclass
class Bench:
    """A pool at work. ``stops`` are those that a run was given."""

    pool: Pool
    desk: Desk
    told: Told
    stops: dict[str, list[Exit]]


async def until_stopped(taken: Taken, stops: AsyncIterable[Exit], heard: list[Exit]) -> Ending:
    """A run that goes on until it is stopped."""
    async for code in stops:
        heard.append(code)
        return Ending(Next.OVER if code is Exit.SIGINT else Next.ANYBODY, code)
    raise AssertionError("stops have no end")


async def a_minute(taken: Taken, stops: AsyncIterable[Exit], heard: list[Exit]) -> Ending:
    """A run of a minute."""
    await anyio.sleep(60.0)
    return Ending(Next.OVER, Exit.OK)


Carrying = Callable[[Taken, AsyncIterable[Exit], list[Exit]], Awaitable[Ending]]


@asynccontextmanager
async def working(
    carrying: Carrying = a_minute, *, width: int = 3, suspended: Callable[[], float] = lambda: 0.0
) -> AsyncIterator[Bench]:
    desk, told, numbers = Desk(), Told(), count(1)
    stops: dict[str, list[Exit]] = {}

    async def carry(taken: Taken, asked: AsyncIterable[Exit]) -> Ending:
        return await carrying(taken, asked, stops.setdefault(taken.run, []))

    async with anyio.create_task_group() as group:
        pool = Pool(
            group,
            desk,  # type: ignore[arg-type] # the part of a queue that a pool needs
            desk,
            carry,
            LoopClock(),
            owner=lambda: f"w/{next(numbers)}",
            width=width,
            tenure=TENURE,
            told=told,
            suspended=suspended,
        )
        async with anyio.create_task_group() as beating:
            beating.start_soon(pool.beat)
            yield Bench(pool, desk, told, stops)
            beating.cancel_scope.cancel()


def test_a_run_is_carried_out_to_its_end_and_its_lease_is_let_go() -> None:
    async def work() -> None:
        async with working() as bench:
            assert await bench.pool.take("r1") is Came.CARRIED
            assert bench.desk.left == [("r1", "over 0"), ("r1", "let go")]
            assert bench.pool.free == 3

    run_virtual(work)


def test_what_somebody_else_holds_is_left_alone() -> None:
    async def work() -> None:
        async with working() as bench:
            bench.desk.held_by_others.add("r1")
            assert await bench.pool.take("r1") is Came.HELD
            assert bench.desk.left == []

    run_virtual(work)


def test_a_run_is_never_carried_out_twice_in_one_process() -> None:
    async def work() -> None:
        async with working() as bench:
            came: list[Came] = []

            async def take() -> None:
                came.append(await bench.pool.take("r1"))

            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(take)
            assert sorted(came) == sorted([Came.CARRIED, *[Came.HELD] * 4])
            assert len(bench.desk.owners) == 1

    run_virtual(work)


def test_each_execution_has_an_owner_of_its_own() -> None:
    async def work() -> None:
        async with working() as bench:
            await bench.pool.take("r1")
            await bench.pool.take("r1")
            assert bench.desk.owners == ["w/1", "w/2"]

    run_virtual(work)


def test_no_more_runs_are_taken_than_there_is_room_for() -> None:
    async def work() -> None:
        async with working(width=2) as bench:
            came: list[Came] = []

            async def take(run: str) -> None:
                came.append(await bench.pool.take(run))

            async with anyio.create_task_group() as tasks:
                for run in ("r1", "r2", "r3"):
                    tasks.start_soon(take, run)
            assert sorted(came) == sorted([Came.CARRIED, Came.CARRIED, Came.FULL])

    run_virtual(work)


def test_the_end_of_an_engines_job_does_not_touch_its_run() -> None:
    async def work() -> None:
        async with working() as bench:
            job = asyncio.ensure_future(bench.pool.take("r1"))
            await anyio.sleep(5.0)
            job.cancel()
            with pytest.raises(asyncio.CancelledError):
                await job
            assert bench.pool.runs == ("r1",)
            await anyio.sleep(60.0)
            assert bench.desk.left == [("r1", "over 0"), ("r1", "let go")]

    run_virtual(work)


def test_all_runs_show_signs_of_life_four_times_in_a_tenure() -> None:
    async def work() -> None:
        async with working() as bench:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.pool.take, "r1")
                tasks.start_soon(bench.pool.take, "r2")
            assert bench.desk.renewals == pytest.approx(60.0 / (TENURE / 4), abs=1)

    run_virtual(work)


@pytest.mark.parametrize(
    ("how", "heard"), [(Cancel.GRACE, [Exit.SIGINT]), (Cancel.NOW, [Exit.SIGINT, Exit.SIGINT])]
)
def test_a_cancellation_is_heard_with_the_next_sign_of_life(how: Cancel, heard: list[Exit]) -> None:
    async def wait_for_all(taken: Taken, stops: AsyncIterable[Exit], told: list[Exit]) -> Ending:
        async for code in stops:
            told.append(code)
            if len(told) == len(heard):
                break
        return Ending(Next.OVER, Exit.SIGINT)

    async def work() -> None:
        async with working(wait_for_all) as bench, anyio.create_task_group() as tasks:
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            bench.desk.cancels["r1"] = how
            await anyio.sleep(TENURE / 4)
            assert bench.stops["r1"] == heard
            assert bench.desk.left[0] == ("r1", "over 130")

    run_virtual(work)


def test_a_lease_that_is_lost_cancels_nothing_and_asks_the_run_to_stop() -> None:
    """The answer to a creation may lie in the socket: to throw it away would be to pay for nothing."""

    async def finishes(taken: Taken, stops: AsyncIterable[Exit], told: list[Exit]) -> Ending:
        async for code in stops:
            told.append(code)
            await anyio.sleep(20.0)  # a creation gets its answer
            break
        return Ending(Next.ANYBODY, Exit.BUSY, lost=True)

    async def work() -> None:
        async with working(finishes) as bench, anyio.create_task_group() as tasks:
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            bench.desk.mine.clear()
            await anyio.sleep(TENURE / 4)
            assert bench.told.lost_runs == ["r1"]
            assert bench.stops["r1"] == [Exit.SIGTERM]
            assert bench.pool.runs == ("r1",)
            await anyio.sleep(20.0)
            # Whoever has it now says what becomes of it.
            assert bench.desk.left == []

    run_virtual(work)


def test_what_was_taken_over_unnoticed_is_told_as_lost_and_left_to_its_new_owner() -> None:
    async def work() -> None:
        async with working() as bench, anyio.create_task_group() as tasks:
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            bench.desk.held_by_others.add("r1")
            await anyio.sleep(60.0)
            assert bench.told.lost_runs == ["r1"]
            assert bench.told.problems == []
            assert bench.desk.left == []

    run_virtual(work)


def test_however_an_execution_ends_nothing_of_its_claim_stays_behind() -> None:
    ends = {
        "lost": Ending(Next.ANYBODY, Exit.BUSY, lost=True),
        "over": Ending(Next.OVER, Exit.OK),
        "later": Ending(Next.LATER, Exit.DEFECT, wait=1.0),
    }

    async def end(taken: Taken, stops: AsyncIterable[Exit], told: list[Exit]) -> Ending:
        return ends[taken.run]

    async def work() -> None:
        async with working(end) as bench:
            for run in ends:
                await bench.pool.take(run)
            assert bench.desk.forgotten == list(ends)

    run_virtual(work)


def test_a_database_that_is_away_ends_no_run() -> None:
    async def work() -> None:
        async with working() as bench, anyio.create_task_group() as tasks:
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            bench.desk.broken = True
            await anyio.sleep(30.0)
            assert bench.pool.runs == ("r1",)
            assert bench.stops["r1"] == []
            bench.desk.broken = False
            await anyio.sleep(30.0)
            assert bench.desk.left == [("r1", "over 0"), ("r1", "let go")]

    run_virtual(work)


def test_a_claim_that_cannot_be_made_is_told_and_the_place_is_free_again() -> None:
    async def work() -> None:
        async with working(width=1) as bench:
            bench.desk.broken = True
            assert await bench.pool.take("r1") is Came.NO_STORE
            assert bench.pool.free == 1
            assert bench.told.problems == ["run r1"]

    run_virtual(work)


def test_a_worker_that_is_stopped_hands_its_runs_on_at_once() -> None:
    async def work() -> None:
        async with working(until_stopped) as bench, anyio.create_task_group() as tasks:
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            bench.pool.stop(Exit.SIGTERM)
            await bench.pool.emptied()
            assert bench.stops["r1"] == [Exit.SIGTERM]
            assert bench.desk.left == [("r1", "later 0"), ("r1", "let go")]
            assert bench.pool.free == 0
            assert await bench.pool.take("r2") is Came.STOPPING

    run_virtual(work)


def test_a_run_that_is_over_already_is_let_go_and_not_begun() -> None:
    async def work() -> None:
        async with working() as bench:
            bench.desk.over_already.add("r1")
            assert await bench.pool.take("r1") is Came.OVER
            assert bench.stops == {}
            assert bench.desk.left == [("r1", "let go")]

    run_virtual(work)


def test_a_defect_in_one_run_ends_no_other_and_the_run_is_tried_again_later() -> None:
    async def breaks(taken: Taken, stops: AsyncIterable[Exit], told: list[Exit]) -> Ending:
        await anyio.sleep(1.0)
        if taken.run == "bad":
            raise ZeroDivisionError("a defect")
        return await a_minute(taken, stops, told)

    async def work() -> None:
        async with working(breaks) as bench:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(bench.pool.take, "good")
                tasks.start_soon(bench.pool.take, "bad")
            assert bench.told.problems == ["bad: a defect"]
            assert bench.desk.left == [
                ("bad", f"later {Attempts(1).wait:g}, counts"),
                ("bad", "let go"),
                ("good", "over 0"),
                ("good", "let go"),
            ]

    run_virtual(work)


def test_a_host_that_was_suspended_for_longer_than_its_lease_stops_its_runs_and_shows_no_sign_of_life() -> (
    None
):
    async def heeding(taken: Taken, stops: AsyncIterable[Exit], told: list[Exit]) -> Ending:
        assert isinstance(stops, Stopping)
        async for code in stops:
            assert stops.lapsed()
            told.append(code)
            break
        return Ending(Next.ANYBODY, Exit.BUSY, lost=True)

    async def work() -> None:
        slept = 0.0
        async with (
            working(heeding, suspended=lambda: slept) as bench,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(bench.pool.take, "r1")
            await anyio.sleep(1.0)
            # A shorter one is over with the next sign of life.
            for nap in (TENURE - 1.0, TENURE - 1.0):
                slept += nap
                await anyio.sleep(TENURE / 4)
            assert bench.stops["r1"] == []
            renewed = bench.desk.renewals
            slept += TENURE + 1.0
            await anyio.sleep(TENURE / 4)
            assert bench.stops["r1"] == [Exit.SIGTERM]
            assert bench.told.lost_runs == ["r1"]
            assert bench.desk.renewals == renewed
            assert bench.desk.left == []

    run_virtual(work)
