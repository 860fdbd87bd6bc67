"""The values of notices: what a run showed, what is known of a plan, and what changed. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

# How many runs back is looked for flapping, and how many changes in them are flapping.
RUNS, CHANGES = 8, 4
# So many equal runs end flapping the first time. Each time that it comes back within ``SOON`` runs it takes
# twice as many, up to the longest.
CALM, LONGEST_CALM, SOON = 3, 24, 72


class Event(StrEnum):
    """What a notice tells. ``good`` is for those only who want to hear of every run."""

    BAD = "bad"
    CHANGED = "changed"
    RECOVERED = "recovered"
    INCOMPLETE = "incomplete"
    FLAPPING = "flapping"
    GOOD = "good"


class Key(NamedTuple):
    """What is wrong, in a form that the next run has too: the fingerprint of a cause, or a cell alone."""

    kind: str
    value: tuple[str, ...]
    level: str = ""


CELL = "cell"
INCOMPLETE = Key("incomplete", ())
# Many cells that fail without a common cause, other ones each time.
SCATTERED = Key("scattered", ())


@dataclass(frozen=True, slots=True)
class Cause:
    """What bad cells of a run share. ``sure``: at least likely. ``others`` are claims (kind, value) that fit
    the same cells; ``text`` is a line for people, its data escaped."""

    key: Key
    label: str
    text: str = ""
    sure: bool = True
    others: frozenset[tuple[str, tuple[str, ...]]] = frozenset()

    def is_as(self, key: Key) -> bool:
        """Whether it is what another run showed by this key: the same claim, or one that fits as well."""
        if self.key == key:
            return True
        return (key.kind, key.value) in self.others and _meet(self.key.level, key.level)


def _meet(one: str, other: str) -> bool:
    """Causes on both levels are told apart from those on one of them by a cell more or less."""
    return one == other or ("both" in (one, other) and {one, other} <= _SIDES)


# What a level may be of a cause that is on both of them, or on one.
_SIDES = frozenset({"both", "network", "application"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run showed. ``run`` is ``None`` where none came to be; ``at`` is when it ended.

    ``complete``: what it does not show is over. ``counts``: it stands for the plan, so that it can be an
    incomplete run of it. ``isolated`` are failing cells without a common cause, with their labels;
    ``confirmed`` those of them that failed when run again; ``shared`` the cells of causes. ``judged`` is a
    number of cells. ``urgent``: that it is incomplete is told at once.
    """

    run: str | None
    at: float
    code: int
    complete: bool = True
    counts: bool = True
    causes: tuple[Cause, ...] = ()
    isolated: Mapping[Key, str] = field(default_factory=dict)
    confirmed: frozenset[Key] = frozenset()
    shared: frozenset[Key] = frozenset()
    judged: int = 0
    urgent: bool = False

    @property
    def event(self) -> Event:
        """How the run stands by itself."""
        if self.causes or self.isolated:
            return Event.BAD
        return Event.GOOD if self.complete or not self.counts else Event.INCOMPLETE


@dataclass(frozen=True, slots=True)
class Track:
    """One thing that is wrong, or was, over the runs.

    ``seen`` is what the last runs showed of it, the newest last; ``steady`` how many of them in a row were as
    the last; ``lasted`` how many before it was absent. ``up``: it counts as wrong. ``since`` is when it was
    first seen of late. ``calm`` equal runs end its flapping; ``settled`` runs have passed since they did.
    """

    key: Key
    label: str
    since: float
    seen: tuple[bool, ...] = ()
    steady: int = 0
    lasted: int = 0
    up: bool = False
    told: bool = False
    flapping: bool = False
    calm: int = CALM
    settled: int = SOON


@dataclass(frozen=True, slots=True)
class Flakes:
    """Cells of one run that failed alone for the first time, of so many that were judged."""

    fresh: int
    judged: int


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a plan on one channel.

    ``since`` is when it became bad, or good again; ``runs`` how many runs it has been so. ``last`` is the
    newest run in it, and when that ended. ``alone`` are the cells that failed alone in it.
    """

    tracks: tuple[Track, ...] = ()
    since: float | None = None
    runs: int = 0
    flakes: tuple[Flakes, ...] = ()
    alone: frozenset[Key] = frozenset()
    last: str | None = None
    ended: float | None = None

    @property
    def wrong(self) -> tuple[Track, ...]:
        """What counts as wrong now, what flaps apart."""
        return tuple(one for one in self.tracks if one.up and not one.flapping)

    @property
    def bad(self) -> bool:
        """Whether more is wrong than that runs are incomplete."""
        return any(one.key != INCOMPLETE for one in self.wrong)


@dataclass(frozen=True, slots=True)
class Change:
    """What a run changed: what is ``new``, what is ``over``, what has begun to flap, what flapped and stayed
    wrong, and what was wrong and still is. ``before`` is the state until then, ``after`` the one from now on.
    """

    before: State
    after: State
    new: tuple[Track, ...] = ()
    over: tuple[Track, ...] = ()
    flapping: tuple[Track, ...] = ()
    stayed: tuple[Track, ...] = ()
    still: tuple[Track, ...] = ()

    @property
    def event(self) -> Event | None:
        """What there is to tell of it; ``None`` for nothing."""
        if self.new and all(one.key == INCOMPLETE for one in self.new):
            return Event.INCOMPLETE
        if self.new or (self.stayed and not self.flapping):
            return Event.CHANGED if self.before.bad else Event.BAD
        if self.flapping:
            return Event.FLAPPING
        if self.over:
            return Event.CHANGED if self.after.wrong else Event.RECOVERED
        return None
