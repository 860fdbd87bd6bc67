"""Telling: a fact becomes an event, and every listener hears it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from orchestrator.events import Event, Fact, Listener
from orchestrator.listeners.journal import Outbox
from orchestrator.listeners.statistics import Statistics

_log = logging.getLogger(__name__)


class Telling:
    """Tells facts: counts them, keeps what is to be stored, then hands them to the ``listeners`` in order.

    ``wall`` gives epoch seconds; ``run`` is whose facts these are, ``None`` for those of a session.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        listeners: Sequence[Listener] = (),
        *,
        run: str | None = None,
        statistics: Statistics | None = None,
    ) -> None:
        self._wall, self._run, self._listeners = wall, run, tuple(listeners)
        self.outbox = Outbox()
        self._count(Statistics() if statistics is None else statistics)

    def _count(self, statistics: Statistics) -> None:
        self.statistics = statistics
        own: tuple[Listener, ...] = (statistics, self.outbox)
        self._hear = tuple(listener.hear for listener in (*own, *self._listeners))

    def tell(self, fact: Fact, spec: str | None = None) -> None:
        """Tell a fact, of a spec if it is about one."""
        event = Event(self._wall(), self._run, spec, fact)
        for hear in self._hear:
            hear(event)

    @property
    def attended(self) -> bool:
        """Whether anybody listens; what is only to be shown need not be made up otherwise."""
        return bool(self._listeners)

    def of(self, run: str, listeners: Sequence[Listener] = ()) -> Telling:
        """For one run; its ``listeners`` hear before those that are there.

        What the session counted is that run's (it listed the agents for it); a later run begins at nothing.
        """
        counted = self.statistics
        self._count(Statistics())
        return Telling(self._wall, (*listeners, *self._listeners), run=run, statistics=counted)


class Guarded:
    """A listener that somebody else wrote: one that raises must not end a run.

    It is told of once, with the traceback, through the standard library's logging, and hears nothing more:
    nobody knows what state it is in. Our own listeners are not guarded: a defect there must not go unseen.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def hear(self, event: Event) -> None:
        """Hand the event on."""
        if self._listener is None:
            return
        try:
            self._listener.hear(event)
        except Exception:
            name = type(self._listener).__qualname__
            self._listener = None
            _log.exception("listener %s failed and hears no more of this run", name)
