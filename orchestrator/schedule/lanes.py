"""A queue with a slow lane beside the fast one. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """First come, first served, but those for whom ``is_slow`` holds come after all the others."""

    def __init__(self, is_slow: Callable[[T], bool]) -> None:
        self._is_slow = is_slow
        self._fast: deque[T] = deque()
        self._slow: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._fast) + len(self._slow)

    def __iter__(self) -> Iterator[T]:
        yield from self._fast
        yield from self._slow

    @property
    def in_fast_lane(self) -> int:
        """How many do not wait for the others."""
        return len(self._fast)

    @property
    def first(self) -> T | None:
        """Who is next."""
        return next(iter(self), None)

    def append(self, item: T) -> None:
        """At the end of its lane."""
        self._lane(item).append(item)

    def appendleft(self, item: T) -> None:
        """At the head of its lane."""
        self._lane(item).appendleft(item)

    def popleft(self) -> T:
        """Who was first; it has left."""
        return (self._fast or self._slow).popleft()

    def reassign(self) -> None:
        """``is_slow`` has changed its mind: who is slow no more goes to the head of the fast lane."""
        every = (*self._slow, *self._fast)
        self._fast, self._slow = deque(), deque()
        for item in every:
            self.append(item)

    def clear(self) -> list[T]:
        """All leave; returns them."""
        left = list(self)
        self._fast.clear()
        self._slow.clear()
        return left

    def _lane(self, item: T) -> deque[T]:
        return self._slow if self._is_slow(item) else self._fast
