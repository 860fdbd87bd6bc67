"""One run per plan and store, whatever the store: held by one, waited for by others, freed by death."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from orchestrator.clock import LoopClock
from orchestrator.errors import PlanBusy
from orchestrator.store.base import Lease
from orchestrator.store.opening import Opened, open_store

# Holds a plan of the store at a URL, says so, and stays until it is killed.
HOLDER = """
import asyncio, sys
from orchestrator.clock import LoopClock
from orchestrator.store.opening import open_store

async def main(url, plan):
    async with open_store(url) as opened:
        async with opened.lease.hold(plan, LoopClock(), wait=False, told=print):
            print("held", flush=True)
            await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


class Waiting(LoopClock):
    """A clock whose sleep does something instead."""

    def __init__(self, instead: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.slept = 0
        self._instead = instead

    async def sleep(self, seconds: float) -> None:
        """Count, and let something happen."""
        self.slept += 1
        await self._instead()


async def nothing() -> None:
    """No time passes."""


class Late(Waiting):
    """A clock by which the others have held their plans for long."""

    def wall(self) -> float:
        return super().wall() + 3600.0


def silent(text: str) -> None:
    raise AssertionError(f"told {text!r} without waiting")


async def test_a_plan_is_held_while_the_block_runs_and_free_before_and_after(lease: Lease) -> None:
    assert not await lease.is_held("sweep")
    async with lease.hold("sweep", LoopClock(), wait=False, told=silent):
        assert await lease.is_held("sweep")
        assert await lease.is_held("sweep"), "to look at it must not free it"
        assert not await lease.is_held("another")
    assert not await lease.is_held("sweep")


async def test_who_comes_second_is_told_who_was_first_and_what_to_do(opened: Opened, url: str) -> None:
    async with open_store(url) as other, opened.lease.hold("sweep", LoopClock(), wait=False, told=silent):
        with pytest.raises(PlanBusy) as caught:
            async with other.lease.hold("sweep", Waiting(nothing), wait=False, told=silent):
                raise AssertionError("held by two")
        assert await other.lease.is_held("sweep")
    assert str(caught.value).startswith(f"another run of plan 'sweep' is going on (process {os.getpid()} on ")
    assert caught.value.hint == "wait for it, or start with --wait"


async def test_who_waits_says_so_once_and_comes_when_the_first_has_gone(opened: Opened, url: str) -> None:
    told: list[str] = []
    async with open_store(url) as other, anyio.create_task_group() as tasks:
        leave, began = anyio.Event(), anyio.Event()

        async def first() -> None:
            async with other.lease.hold("sweep", LoopClock(), wait=False, told=silent):
                began.set()
                await leave.wait()

        async def gone() -> None:
            if clock.slept == 3:
                leave.set()
                await anyio.wait_all_tasks_blocked()

        clock = Waiting(gone)
        tasks.start_soon(first)
        await began.wait()
        async with opened.lease.hold("sweep", clock, wait=True, told=told.append):
            assert clock.slept == 3
    [text] = told
    assert text.startswith(f"waiting for another run of plan 'sweep' (process {os.getpid()} on ")


@pytest.mark.parametrize("name", ["a/b", "..", "", "x" * 5000, "na\u00efve\n\x00", "\ud800"])
async def test_any_text_can_be_the_name_of_a_plan(lease: Lease, name: str) -> None:
    async with (
        lease.hold(name, LoopClock(), wait=False, told=silent),
        lease.hold(name + "'", LoopClock(), wait=False, told=silent),
    ):
        assert await lease.is_held(name)
    assert not await lease.is_held(name)


async def test_a_plan_is_free_after_a_failure_and_after_a_cancellation(lease: Lease) -> None:
    with pytest.raises(ValueError, match="no"):
        async with lease.hold("sweep", LoopClock(), wait=False, told=silent):
            raise ValueError("no")
    assert not await lease.is_held("sweep")
    with anyio.CancelScope() as scope:
        async with lease.hold("sweep", LoopClock(), wait=False, told=silent):
            scope.cancel()
            await anyio.sleep_forever()
    assert not await lease.is_held("sweep")


async def test_who_reads_whether_a_plan_is_held_is_no_run_of_it(opened: Opened, url: str) -> None:
    """A run that begins while somebody looks must not be refused."""
    async with open_store(url) as other:
        for _ in range(50):
            assert not await other.lease.is_held("sweep")
            async with opened.lease.hold("sweep", LoopClock(), wait=False, told=silent):
                assert await other.lease.is_held("sweep")


async def test_a_killed_holder_holds_no_longer(
    lease: Lease, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STORE_TENURE", "3")  # where its death is not seen, the time decides
    async with await anyio.open_process([sys.executable, "-c", HOLDER, url, "sweep"], stderr=None) as holder:
        assert holder.stdout is not None
        assert await BufferedByteReceiveStream(holder.stdout).receive_until(b"\n", 80) == b"held"
        assert await lease.is_held("sweep")
        with pytest.raises(PlanBusy, match=rf"\(process {holder.pid} on "):
            async with lease.hold("sweep", Waiting(nothing), wait=False, told=silent):
                raise AssertionError("held by two")
        holder.kill()
        await holder.wait()
    async with lease.hold("sweep", LoopClock(), wait=True, told=lambda _: None):
        assert await lease.is_held("sweep")


@pytest.mark.parametrize("longest", [0.0, 60.0, 3500.0])
async def test_who_waits_gives_up_on_a_holder_that_should_have_ended_long_ago(
    opened: Opened, url: str, longest: float
) -> None:
    async def known() -> float:
        return longest

    async with open_store(url) as other, opened.lease.hold("sweep", LoopClock(), wait=False, told=silent):
        with pytest.raises(PlanBusy, match=rf"\(process {os.getpid()} on .*\) seems frozen") as caught:
            async with other.lease.hold("sweep", Late(nothing), wait=True, told=silent, longest=known):
                raise AssertionError("held by two")
    assert caught.value.exit_code == 5
    assert "kill -CONT" in (caught.value.hint or "")


@pytest.mark.parametrize("longest", [4000.0, float("inf")])
async def test_who_waits_does_not_give_up_on_a_holder_that_has_time_left(
    opened: Opened, url: str, longest: float
) -> None:
    async def known() -> float:
        return longest

    async with open_store(url) as other, anyio.create_task_group() as tasks:

        async def third() -> None:
            if clock.slept == 3:
                tasks.cancel_scope.cancel()
            await anyio.lowlevel.checkpoint()

        clock = Late(third)
        async with (
            opened.lease.hold("sweep", LoopClock(), wait=False, told=silent),
            other.lease.hold("sweep", clock, wait=True, told=lambda _: None, longest=known),
        ):
            raise AssertionError("held by two")
    assert clock.slept == 3
