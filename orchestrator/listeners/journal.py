"""Which facts a run's journal keeps, and where they wait for the next write of the store."""

from __future__ import annotations

from orchestrator.events import (
    CircuitOpened,
    Closed,
    Created,
    Event,
    Fact,
    HopsChosen,
    Intended,
    Limited,
    Lost,
    Polled,
    PollFailed,
    Probed,
    Refused,
    Rerun,
    Waited,
)

# Adopted and GivenUp are written by the store itself, with what they change.
DURABLE: frozenset[type[Fact]] = frozenset(
    {
        *(Waited, Intended, Created, Rerun, Limited, Refused, Lost),
        *(Polled, PollFailed, HopsChosen, Closed, CircuitOpened, Probed),
    }
)


class Outbox:
    """Events wait here for the next write of the store: a poll that brought nothing costs no commit."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def hear(self, event: Event) -> None:
        """Keep what is durable."""
        if type(event.fact) in DURABLE:
            self._events.append(event)

    def take(self) -> list[Event]:
        """The events that wait to be stored; the caller stores them."""
        events, self._events = self._events, []
        return events

    def __len__(self) -> int:
        return len(self._events)
