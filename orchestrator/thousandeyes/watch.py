"""How long a request may take, and who ends it.

Hardly any request is ever ended, so one timer looks after all of them: it is set when the first begins, and
when it goes off it finds all but the lost ones gone. A timer for each would cost more than a reading of it.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

import anyio

from orchestrator.thousandeyes.protocol import with_progress

# When a request's time is up, so many seconds more, or this part of it if that is less.
_LONGER, _LONGER_SHARE = 1.0, 0.25


class Limit:
    """How long a request may take, which grows with what comes of its answer (:func:`with_progress`)."""

    def __init__(self, seconds: float, most: float) -> None:
        self._seconds, self._most = seconds, most
        self._size = 0

    def heard(self, size: int) -> None:
        """So many bytes more have come."""
        self._size += size

    @property
    def seconds(self) -> float:
        """The limit by what has come so far."""
        return with_progress(self._seconds, self._size, self._most)

    @property
    def told(self) -> float:
        """The limit for people: without the fractions that a few bytes make."""
        grown = self.seconds
        return self._seconds if grown - self._seconds < 1.0 else round(grown)


class Watch:
    """Ends what takes too long, of one event loop. ``grace``: a little later, see :class:`Within`."""

    def __init__(self, *, grace: bool) -> None:
        self._grace = grace
        self._under_way: dict[Within, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def within(self, limit: Limit) -> Within:
        """A context manager that ends what is inside when the limit is over."""
        return Within(self, limit, grace=self._grace)

    def begin(self, one: Within) -> None:
        """Look after it."""
        self._under_way[one] = None
        if one.due < self._next:
            self._set(one.due)

    def end(self, one: Within) -> None:
        """It came to its end by itself."""
        del self._under_way[one]
        if not self._under_way and self._timer is not None and self._next == one.due:
            self._timer.cancel()
            self._timer, self._next = None, math.inf

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = due
        self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        self._timer, self._next = None, math.inf
        now = anyio.current_time()
        for one in self._under_way:
            one.look(now)
        following = min((one.due for one in self._under_way), default=math.inf)
        if following < math.inf:
            self._set(following)


class Within:
    """Cancels what is inside when the limit is over, and raises ``TimeoutError`` then.

    With ``grace`` a little later: a process that was stopped (SIGSTOP, a laptop's lid, a starved machine)
    wakes up with the answer in its socket and every timer overdue. So when the time is up, what lies in the
    socket may still be read.
    """

    __slots__ = ("_began", "_grace", "_limit", "_scope", "_watch", "due")

    def __init__(self, watch: Watch, limit: Limit, *, grace: bool) -> None:
        self._watch, self._limit, self._grace = watch, limit, grace
        self._scope = anyio.CancelScope()
        self._began = anyio.current_time()
        self.due = self._began + limit.seconds

    def look(self, now: float) -> None:
        """End it if it is due at ``now`` (the event loop's time)."""
        if now < self.due:
            return
        grown = self._limit.seconds
        if self._began + grown > now:
            self.due = self._began + grown
        elif self._grace:
            self._grace, self.due = False, now + min(_LONGER, _LONGER_SHARE * grown)
        else:
            self.due = math.inf
            self._scope.cancel()

    def __enter__(self) -> Self:
        self._scope.__enter__()
        self._watch.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.end(self)
        if self._scope.__exit__(kind, error, trace):
            raise TimeoutError
