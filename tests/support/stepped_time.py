"""An event loop with real sockets whose time passes only when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import pytest

T = TypeVar("T")
# Turns of the loop in which what lies in the sockets of this process is read, and what is due is done.
TURNS = 30


class SteppedLoop(asyncio.SelectorEventLoop):
    """``time()`` stands still until :meth:`advance`; timers that are due then go off in the next turn."""

    def __init__(self) -> None:
        self._stepped = 1000.0
        super().__init__()

    def time(self) -> float:
        return self._stepped

    def advance(self, seconds: float) -> None:
        """Let the time pass."""
        self._stepped += seconds


async def pass_time(seconds: float, step: float = 1.0) -> None:
    """Let the time pass in steps, each followed by what it brings about."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppedLoop)
    while seconds > 0:
        loop.advance(min(step, seconds))
        seconds -= step
        for _ in range(TURNS):
            await asyncio.sleep(0)


def run_stepped(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end in such a loop; aiohttp's pool of connections follows its time."""

    async def with_pool() -> T:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("aiohttp.connector.monotonic", asyncio.get_running_loop().time)
            return await work()

    return anyio.run(with_pool, backend_options={"loop_factory": SteppedLoop})
