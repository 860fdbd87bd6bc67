"""A queue in which some wait behind all the others. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """First come, first served, but those for whom ``is_last`` holds come after the rest."""

    def __init__(self, is_last: Callable[[T], bool]) -> None:
        self._is_last = is_last
        self._front: deque[T] = deque()
        self._behind: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._front) + len(self._behind)

    def __iter__(self) -> Iterator[T]:
        yield from self._front
        yield from self._behind

    @property
    def in_front(self) -> int:
        """How many do not wait behind the others."""
        return len(self._front)

    @property
    def first(self) -> T | None:
        """Who is next."""
        return next(iter(self), None)

    def append(self, item: T) -> None:
        """At the end of its part of the line."""
        (self._behind if self._is_last(item) else self._front).append(item)

    def appendleft(self, item: T) -> None:
        """At the beginning of its part of the line."""
        (self._behind if self._is_last(item) else self._front).appendleft(item)

    def popleft(self) -> T:
        """Who was first; it has left."""
        return (self._front or self._behind).popleft()

    def sort_out(self) -> None:
        """``is_last`` has changed its mind: who need not wait any more has its place in front back."""
        every = (*self._behind, *self._front)
        self._front, self._behind = deque(), deque()
        for item in every:
            self.append(item)

    def clear(self) -> list[T]:
        """All leave; returns them."""
        left = list(self)
        self._front.clear()
        self._behind.clear()
        return left
