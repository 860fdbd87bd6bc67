"""An event loop whose clock jumps to the next timer when nothing else is left to do.

Every turn of the loop costs a tenth of a microsecond, so that a timer that is due "now" by a rounding error
cannot spin for ever (aiolimiter computes such times). No real sockets and no threads: whoever waits for
something outside the loop would see the clock run away.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")
TURN = 1e-7


class Deadlock(RuntimeError):
    """Nothing is scheduled and nothing is ready: the program would wait for ever."""


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("nothing is scheduled and nothing is ready")
        self._loop.advance(max(timeout, TURN))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module's docstring. ``time()`` starts at 1,000 so that zero is nobody's special value."""

    def __init__(self) -> None:
        self._virtual_now = 1000.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Let the time pass."""
        self._virtual_now += seconds


def run_virtual(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end in virtual time."""
    return anyio.run(work, backend_options={"loop_factory": VirtualLoop})
