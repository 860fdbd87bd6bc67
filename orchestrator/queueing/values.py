"""What waits, and what is known of it: the values that go into the queue of a store and come out of it.

Times are epoch seconds by the store's clock, spans are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.queueing.attempts import Attempts
from orchestrator.queueing.slots import CatchUp, Overlap, Timing, shift_of

# A run that was handed out and that nobody has taken after so long is handed out again.
HANDED = 30.0
# A worker that has not shown itself for so long is not counted on.
SEEN = 30.0


class Cancel(StrEnum):
    """How a run is to be stopped: what is paid for still comes in, or at once."""

    GRACE = "grace"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan that runs by itself. ``plan`` is its name, ``bundle`` all that it is made of.

    Within ``jitter`` it fires always by the same shift; a run that nobody began within ``expires`` is
    skipped. ``priority``: higher goes first. An organization has one schedule of a name.
    """

    name: str
    organization: str
    plan: str
    bundle: str
    cron: str
    timezone: str = "UTC"
    jitter: float = 0.0
    overlap: Overlap = Overlap.QUEUE
    catch_up: CatchUp = CatchUp.LATEST
    within: float = 6 * 3600.0
    priority: int = 0
    expires: float | None = None
    paused: bool = False

    @property
    def timing(self) -> Timing:
        """When it fires."""
        shift = shift_of(self.organization, self.name, self.jitter)
        return Timing(self.cron, self.timezone, shift, self.catch_up, self.within)


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule as the store has it: when it fires next, the last slot that was decided, its last run."""

    schedule: Schedule
    next_at: float | None
    last_slot: float | None
    last_run: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands in the queue: whose it is, how eager, not before when, until when it makes sense."""

    organization: str
    priority: int = 0
    not_before: float | None = None
    expires: float | None = None
    overlap: Overlap = Overlap.QUEUE


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run of the queue that is not over, for whoever looks at it.

    ``owner`` has it now, ``None`` while it waits; ``reason`` says what it waits for, if that is known.
    """

    run: str
    organization: str
    plan: str
    priority: int
    queued: float
    not_before: float | None
    expires: float | None
    begun: float | None
    owner: str | None
    attempts: int
    cancel: Cancel | None
    reason: str | None
    schedule: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What whoever took a run must know of it; ``begun``: its tests are stored."""

    run: str
    organization: str
    priority: int
    overlap: Overlap
    begun: bool
    attempts: Attempts
    cancel: Cancel | None


@dataclass(frozen=True, slots=True)
class Here:
    """A worker, as it shows itself: how many runs it carries out at most, how many more it could take, and
    whose, if not everybody's."""

    name: str
    host: str
    version: str
    width: int
    free: int
    organizations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """How one organization stands: runs that wait, runs under way, and since when the oldest waits."""

    organization: str
    waiting: int
    under_way: int
    oldest: float | None
