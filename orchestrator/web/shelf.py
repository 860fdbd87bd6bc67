"""Pages that were made, kept while they are fresh; and the one thread that makes the large ones.

A report of ten thousand cells takes a second of work, which is no work for the event loop that answers
everybody. It is made in a thread with a connection of its own, one at a time, once for all who ask for it
meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from orchestrator.store.opening import Opened, open_store

T = TypeVar("T")

MOST_BYTES = 64 * 1024 * 1024
# So many may wait for large pages; whoever comes then is told to come again.
MOST_WAITING = 20


class Crowded(Exception):
    """Too many wait for large pages already."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is sent. ``style`` is that of a report, sent at an address of its own; ``tag`` names this content;
    ``goes_to`` is where a reader is sent on to, if anywhere; ``again``: a browser asks for it again after so
    many seconds."""

    status: int
    kind: str
    body: bytes
    style: bytes = b""
    tag: str | None = None
    goes_to: str | None = None
    again: int | None = None

    @property
    def size(self) -> int:
        """What it takes to keep it, bytes."""
        return len(self.body) + len(self.style) + 200


@dataclass(slots=True)
class _Making:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    waiting: int = 0


class Shelf:
    """Keeps pages, at most so many bytes of them; those go first that were asked for longest ago.

    ``now`` gives monotonic seconds.
    """

    def __init__(self, now: Callable[[], float], most: int = MOST_BYTES) -> None:
        self._now, self._most = now, most
        self._kept: OrderedDict[Hashable, tuple[float, Page]] = OrderedDict()
        self._making: dict[Hashable, _Making] = {}
        self._size = 0

    async def get(self, key: Hashable, fresh: float, make: Callable[[], Awaitable[Page]]) -> Page:
        """The page of this key if it is at most ``fresh`` seconds old, else a new one; made once for all who
        ask meanwhile."""
        found = self._fresh(key, fresh)
        if found is not None:
            return found
        async with self._alone(key):
            found = self._fresh(key, fresh)
            if found is None:
                found = await make()
                self._keep(key, found)
            return found

    @asynccontextmanager
    async def _alone(self, key: Hashable) -> AsyncIterator[None]:
        making = self._making.setdefault(key, _Making())
        making.waiting += 1
        try:
            async with making.lock:
                yield
        finally:
            making.waiting -= 1
            if not making.waiting:
                self._making.pop(key, None)

    def _fresh(self, key: Hashable, fresh: float) -> Page | None:
        kept = self._kept.get(key)
        if kept is None or self._now() - kept[0] > fresh:
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def _keep(self, key: Hashable, page: Page) -> None:
        before = self._kept.pop(key, None)
        self._size += page.size - (0 if before is None else before[1].size)
        self._kept[key] = (self._now(), page)
        while self._size > self._most and self._kept:
            _, (_, gone) = self._kept.popitem(last=False)
            self._size -= gone.size


class Recent(Generic[T]):
    """What is read seldom, since it hardly changes and takes long: at most so many seconds old."""

    def __init__(self, now: Callable[[], float], seconds: float, read: Callable[[], Awaitable[T]]) -> None:
        self._now, self._seconds, self._read = now, seconds, read
        self._kept: tuple[float, T] | None = None
        self._one = anyio.Lock()

    async def get(self) -> T:
        """The value."""
        async with self._one:
            if self._kept is None or self._now() - self._kept[0] > self._seconds:
                self._kept = self._now(), await self._read()
            return self._kept[1]


class Drawer:
    """Makes large pages from the store at this URL, in a thread, one at a time."""

    def __init__(self, url: str, most_waiting: int = MOST_WAITING) -> None:
        self._url, self._most_waiting = url, most_waiting
        self._one = anyio.CapacityLimiter(1)
        self._waiting = 0

    async def draw(self, make: Callable[[Opened], Awaitable[T]]) -> T:
        """What ``make`` makes of the opened store. Raises :class:`Crowded` where too many wait already."""
        if self._waiting >= self._most_waiting:
            raise Crowded
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(self._work, make, limiter=self._one)
        finally:
            self._waiting -= 1

    def _work(self, make: Callable[[Opened], Awaitable[T]]) -> T:
        async def with_store() -> T:
            # In this thread, which is nobody else's: "virtual" is the store that starts none of its own.
            async with open_store(self._url, make=False, virtual=True) as opened:
                return await make(opened)

        return anyio.run(with_store)
