"""A queue in which some must wait for room at their hosts and agents (courtesy to targets). Pure.

It has two lanes like :mod:`orchestrator.schedule.lanes`. Who is next is the first, in the order of the
queue, whose hosts and agents all have room. Specs that need the same stand in one *line*. A line whose turn
cannot come waits for all hosts and agents that ever held it up, and costs nothing there: when none of them
is full any more, the first of those that wait for the same is asked again, and the next one only once it is
known what became of the first. So a line moves once for each that holds it up, not whenever one has room.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.model import Spec
from orchestrator.schedule.slots import Needs, Slots

# The lane, and the place in it.
Rank = tuple[bool, int]


@dataclass(slots=True)
class _Line:
    """Specs that need the same. ``held_by`` are hosts and agents that ever held it up.

    ``at`` is what it waits for; ``None``: it is asked. ``woken`` is what it waited for last, if nobody else
    who waits for that has been asked since.
    """

    needs: Needs
    queue: list[tuple[Rank, str]] = field(default_factory=list)
    fast: int = 0
    held_by: frozenset[str] = frozenset()
    at: frozenset[str] | None = None
    woken: frozenset[str] | None = None

    @property
    def rank(self) -> Rank:
        """That of its first."""
        return self.queue[0][0]


@dataclass(slots=True, order=True)
class _Entry:
    """A line in a heap; out of date when the line has moved or has another first."""

    rank: Rank
    line: _Line = field(compare=False)


class Turns:
    """First come, first served, among those who may; who ``is_slow`` comes after all the others."""

    def __init__(self, is_slow: Callable[[str], bool], slots: Slots) -> None:
        self._is_slow = is_slow
        self._slots = slots
        self._specs: dict[str, Spec] = {}
        self._lines: dict[Needs, _Line] = {}
        self._of: dict[str, _Line] = {}
        self._asked: list[_Entry] = []
        self._waiting: dict[frozenset[str], list[_Entry]] = {}
        self._where: defaultdict[str, set[frozenset[str]]] = defaultdict(set)  # keys of those, by their parts
        self._left: list[frozenset[str]] = []  # those of whom the next must be asked
        self._count = self._fast = 0
        self._last = self._head = 0

    def __len__(self) -> int:
        return self._count

    def know(self, spec: Spec) -> None:
        """A spec whose key will be put into the queue."""
        needs = self._slots.needs(spec)
        self._specs[spec.key] = spec
        self._of[spec.key] = self._lines.setdefault(needs, _Line(needs))

    @property
    def in_fast_lane(self) -> int:
        """How many wait neither for others nor, as far as was seen, for room."""
        return self._fast

    @property
    def first(self) -> str | None:
        """Who is next; nobody while nobody may go."""
        line = self._settled()
        return None if line is None else line.queue[0][1]

    def append(self, key: str) -> None:
        """At the end of its lane."""
        self._last += 1
        self._put(key, self._last)

    def appendleft(self, key: str) -> None:
        """At the head of its lane."""
        self._head -= 1
        self._put(key, self._head)

    def popleft(self, now: float) -> str:
        """Who was first; it has left, and has its places from ``now`` on."""
        line = self._settled()
        if line is None:
            raise IndexError("nobody may go")
        heapq.heappop(self._asked)
        (slow, _), key = heapq.heappop(line.queue)
        self._count -= 1
        line.fast -= not slow
        self._fast -= not slow
        self._slots.sent(self._specs[key], line.needs, now)
        self._settle(line)
        self._ask(line)
        return key

    def reassign(self) -> None:
        """``is_slow`` has changed its mind: who is slow no more goes to the head of the fast lane."""
        for key in self.clear():
            self.append(key)

    def clear(self) -> list[str]:
        """All leave; returns them, those of the slow lane last unless that has changed."""
        ranked = sorted(one for line in self._lines.values() for one in line.queue)
        for line in self._lines.values():
            line.queue.clear()
            line.fast, line.at, line.woken = 0, None, None
        self._asked.clear()
        self._waiting.clear()
        self._where.clear()
        self._left.clear()
        self._count = self._fast = 0
        return [key for _, key in sorted(ranked, key=lambda one: not one[0][0])]

    # -- within -------------------------------------------------------------------------------------

    def _put(self, key: str, place: int) -> None:
        line, slow = self._of[key], self._is_slow(key)
        before = line.rank if line.queue else None
        heapq.heappush(line.queue, ((slow, place), key))
        self._count += 1
        line.fast += not slow
        if line.at is None:
            self._fast += not slow
        if before is None or line.rank != before:
            self._enter(line)

    def _enter(self, line: _Line) -> None:
        heap = self._asked
        if line.at is not None:
            if line.at not in self._waiting:
                self._waiting[line.at] = []
                for name in line.at:
                    self._where[name].add(line.at)
            heap = self._waiting[line.at]
        heapq.heappush(heap, _Entry(line.rank, line))

    def _ask(self, line: _Line) -> None:
        """The line is asked when its rank comes."""
        if line.at is not None:
            self._fast += line.fast
            line.at = None
        if line.queue:
            self._enter(line)

    def _settle(self, line: _Line) -> None:
        """It is known what became of it: where it waited last, the next one is asked."""
        if line.woken is not None:
            self._left.append(line.woken)
            line.woken = None

    def _wait(self, line: _Line, name: str) -> None:
        self._fast -= line.fast
        line.at = line.held_by = line.held_by | {name}
        self._enter(line)

    def _settled(self) -> _Line | None:
        """The line of who is next; it is the first of the heap then."""
        for opened in self._slots.opened():
            self._left.extend(self._where.get(opened, ()))
        self._call_left()
        while self._asked:
            entry = self._asked[0]
            line = entry.line
            if line.at is not None or not line.queue or line.rank != entry.rank:
                heapq.heappop(self._asked)
                continue
            name = self._slots.without_room(line.needs)
            if name is None:
                return line
            heapq.heappop(self._asked)
            self._settle(line)
            self._wait(line, name)
            self._call_left()
        return None

    def _call_left(self) -> None:
        while self._left:
            self._call(self._left.pop())

    def _call(self, held_by: frozenset[str]) -> None:
        """The first of those who wait for these is asked again, if all of them have room."""
        heap = self._waiting.get(held_by)
        while heap and self._slots.have_room(held_by):
            entry = heapq.heappop(heap)
            line = entry.line
            if line.at == held_by and line.queue and line.rank == entry.rank:
                line.woken = held_by
                self._ask(line)
                break
        if heap is not None and not heap:
            del self._waiting[held_by]
            for name in held_by:
                self._where[name].discard(held_by)
