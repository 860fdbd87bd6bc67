"""What this process lately wrote of specs, kept for a database that forgets it. Pure.

A failover to a standby that was not synchronous may lose the last commits. An intention that is lost after
its request has left would be created again, and paid for twice; so would a test whose id is lost. Whoever
still knows writes them again, before anything else. Of answers and ends nothing is paid: they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.lifecycle import SpecState

# A standby that is further behind than this is no standby (seconds).
REMEMBERED = 60.0
# From which states a database that lacks the last commits is brought to the one that it had. This process
# wrote all of them, so what is found is an earlier one.
AGAIN: Mapping[SpecState, tuple[SpecState, ...]] = {
    SpecState.PLANNED: (SpecState.CREATING,),
    SpecState.CREATING: (SpecState.PLANNED,),
    SpecState.UNKNOWN: (SpecState.PLANNED, SpecState.CREATING),
    SpecState.WAITING: (SpecState.PLANNED, SpecState.CREATING, SpecState.UNKNOWN),
}


@dataclass(slots=True)
class Known:
    """The last that was committed of a spec. ``timeline`` is where it is known to be; ``at`` when that was
    (seconds of this host's monotonic clock)."""

    run: str
    key: str
    state: SpecState
    timeline: str
    at: float
    name: str | None = None
    intended: float | None = None
    test_id: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    created: float | None = None


class Remembered:
    """What was committed in the last :data:`REMEMBERED` seconds in which anything was, by run and key."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Known] = {}

    def intended(self, known: Known) -> None:
        """An intention was committed; what is too old is forgotten."""
        for place in [place for place, one in self._known.items() if known.at - one.at > REMEMBERED]:
            del self._known[place]
        self._known[known.run, known.key] = known

    def created(self, known: Known) -> None:
        """The id of a test was committed."""
        before = self._known.get((known.run, known.key))
        if before is not None:
            known.name, known.intended = before.name, before.intended
            self._known[known.run, known.key] = known

    def moved(self, run: str, key: str, state: SpecState, timeline: str, at: float) -> None:
        """Another move was committed. Of one that has ended it is enough to know that it was created."""
        before = self._known.get((run, key))
        if before is not None and state in (SpecState.PLANNED, SpecState.UNKNOWN):
            before.state, before.timeline, before.at = state, timeline, at

    def elsewhere(self, timeline: str) -> list[Known]:
        """What was written on another timeline, among the last there, so that this one may lack it.

        However long it took to come here: a standby does not fall behind a server that is gone.
        """
        there = [one for one in self._known.values() if one.timeline != timeline]
        last = max((one.at for one in there), default=0.0)
        return [one for one in there if last - one.at <= REMEMBERED]

    @staticmethod
    def told(known: Iterable[Known], timeline: str) -> None:
        """These are on this timeline."""
        for one in known:
            one.timeline = timeline
