"""The clock of a simulated world: whatever holds the process up, it costs real time and no simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from virtual_time import VirtualLoop, run_virtual

from orchestrator import app
from orchestrator.actions import run as action
from orchestrator.clock import CATCH_UP, LEAST_STEP, HeldClock
from orchestrator.plan.load import parse_plan
from orchestrator.report.summary import summary
from orchestrator.settings import Settings
from orchestrator.simulator.settings import Fault
from orchestrator.simulator.settings import Settings as World

T = TypeVar("T")

PLAN = """\
version: 1
name: lag
agents:
  few: {type: cloud, country: [GB, DE]}
targets:
  sites: [{sites}]
tests:
  - {name: web, type: http-server, targets: sites, agents: few, deadline: 3m}
deadline: 10m
""".replace("{sites}", ", ".join(f"'https://site-{number}.example.com'" for number in range(30)))


class Stumbling(asyncio.SelectorEventLoop):
    """An event loop of a busy machine: between two turns the time may leap, by seconds."""

    def __init__(self, seed: int, share: float, longest: float) -> None:
        self._lot, self._share, self._longest, self._lag = Random(seed), share, longest, 0.0
        super().__init__()

    def time(self) -> float:
        if self._lot.random() < self._share:
            self._lag += self._lot.random() * self._longest
        return super().time() + self._lag


def stumbling(work: Callable[[], Awaitable[T]], seed: int, share: float, longest: float) -> T:
    return anyio.run(work, backend_options={"loop_factory": lambda: Stumbling(seed, share, longest)})


@dataclass(frozen=True, slots=True)
class Came:
    """What a run came to; ``seconds`` are simulated."""

    code: int
    seconds: float
    tests: Mapping[str, int]
    cells: Mapping[str, int]
    requests: Mapping[str, int]


async def simulated(store: Path, speed: float, world: World) -> Came:
    chosen = Settings(origin="https://api.thousandeyes.com", store=str(store))
    async with app.simulate(chosen, reserve=0.1, world=world, speed=speed) as session:
        outcome = await action.run(session, parse_plan(PLAN, "plan.yaml", None, environ={}))
    told = cast("dict[str, Any]", summary(outcome.run, outcome.counts))
    return Came(int(outcome.exit_code), told["seconds"], told["tests"], told["cells"], told["requests"])


BUSY = [
    (0.002, 1.0),
    (0.02, 0.3),
    (0.2, 0.02),
]  # share of readings of the time before which it leaps; seconds


@pytest.mark.parametrize(
    ("speed", "faults"),
    [
        pytest.param(100.0, (), id="good day"),
        pytest.param(
            2000.0,
            (Fault("reset-after", "create", nth=3), Fault("silent-after", "read", first=2)),
            id="bad day",
        ),
    ],
)
def test_a_simulated_run_comes_to_the_same_on_a_busy_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: tuple[Fault, ...], speed: float
) -> None:
    # The world's windows change at the clock's minute.
    monkeypatch.setattr("orchestrator.clock.time.time", lambda: 1_800_000_011.0)
    world = World(seed=5, faults=faults)

    def came(name: str, *busy: float) -> Came:
        return stumbling(lambda: simulated(tmp_path / f"{name}.db", speed, world), 1, *busy)

    idle = came("idle", 0.0, 0.0)
    assert (idle.code, idle.tests["planned"]) == (3 if faults else 0, 30)
    assert idle.tests["complete"] == (29 if faults else 30)
    for number, busy in enumerate(BUSY):
        found = came(f"busy-{number}", *busy)
        if faults:
            # Which of two requests fails first is a matter of the machine, and so are the waits after it.
            assert found.seconds == pytest.approx(idle.seconds, rel=0.1)
            found = replace(found, seconds=idle.seconds, requests=idle.requests)
        assert found == idle


@settings(max_examples=30, deadline=None)
@given(
    sleeps=some.lists(some.floats(1e-9, 5000.0), min_size=1, max_size=12),
    seed=some.integers(0, 2**32),
    speed=some.sampled_from([1e4, 1e7]),
)
def test_sleepers_wake_in_order_and_never_late(sleeps: list[float], seed: int, speed: float) -> None:
    async def work() -> list[tuple[float, float]]:
        clock, woken = HeldClock(speed=speed, epoch=0.0), []
        began = clock.now()

        async def sleeper(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((seconds, clock.now() - began))

        async with anyio.create_task_group() as tasks:
            for seconds in sleeps:
                tasks.start_soon(sleeper, seconds)
        return woken

    woken = stumbling(work, seed, 0.1, 0.5)
    assert [at for _, at in woken] == sorted(at for _, at in woken)
    for seconds, at in woken:
        assert at == pytest.approx(max(seconds, LEAST_STEP))


@settings(max_examples=20, deadline=None)
@given(seed=some.integers(0, 2**32), turns=some.integers(0, 60))
def test_no_time_passes_while_the_clock_is_held(seed: int, turns: int) -> None:
    async def work() -> tuple[float, float]:
        clock = HeldClock(speed=1e6)
        began = clock.now()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.sleep, 1.0)
            with clock.hold():
                for _ in range(turns):
                    await asyncio.sleep(0)
                await anyio.to_thread.run_sync(lambda: None)
                held = clock.now() - began
        return held, clock.now() - began

    assert stumbling(work, seed, 0.2, 2.0) == (0.0, 1.0)


def test_time_passes_where_the_holder_is_made_to_wait_by_the_world() -> None:
    async def work() -> float:
        clock = HeldClock(speed=1e6)
        began = clock.now()
        with clock.hold():
            await clock.rest(7.0)
            return clock.now() - began

    assert stumbling(work, 1, 0.1, 1.0) == 7.0


def test_a_scope_ends_at_its_moment_and_not_before() -> None:
    async def work() -> tuple[float, bool, bool]:
        clock = HeldClock(speed=1e6)
        began = clock.now()
        with clock.move_on_after(5.0) as early:
            await clock.sleep(4.0)
        with clock.move_on_after(5.0) as late:
            await clock.sleep(float("inf"))
        return clock.now() - began, early.cancelled_caught, late.cancelled_caught

    assert stumbling(work, 1, 0.1, 1.0) == (9.0, False, True)


def test_real_time_is_not_outrun() -> None:
    async def work() -> float:
        loop, clock = asyncio.get_running_loop(), HeldClock(speed=50.0)
        began = loop.time()
        for _ in range(10):
            await clock.sleep(10.0)
        return loop.time() - began

    assert run_virtual(work) == pytest.approx(2.0, rel=1e-3)


def test_what_a_busy_machine_took_is_made_up_for_in_one_leap_at_most() -> None:
    async def work() -> float:
        loop, clock = asyncio.get_running_loop(), HeldClock(speed=1.0)
        assert isinstance(loop, VirtualLoop)
        await clock.sleep(1.0)
        with clock.hold():
            loop.advance(3600.0)
        await clock.sleep(1.0)
        began = loop.time()
        await clock.sleep(10.0)
        return loop.time() - began

    assert run_virtual(work) >= 10.0 - CATCH_UP - 1e-3


async def test_a_sleep_of_nothing_lets_no_time_pass() -> None:
    clock = HeldClock(speed=1e6)
    began = clock.now()
    for seconds in (0.0, -1.0):
        await clock.sleep(seconds)
    assert clock.now() == began


async def test_wall_time_goes_with_the_clock() -> None:
    clock = HeldClock(speed=1e6, epoch=1000.0)
    await clock.sleep(3600.0)
    assert clock.wall() == 4600.0


def test_a_clock_needs_a_speed() -> None:
    with pytest.raises(ValueError, match="positive"):
        HeldClock(speed=0.0)
