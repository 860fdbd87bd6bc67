"""What becomes of a run after a worker had it: over, for another worker at once, or later; or given up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from orchestrator.errors import Exit
from orchestrator.records import RunState

# So many attempts in which no spec changed its state, and a run is given up.
MOST_ATTEMPTS = 5
# What an attempt that came to nothing waits for the next one: doubled each time, up to the longest (seconds).
FIRST_WAIT = 15.0
LONGEST_WAIT = 600.0
# Nothing that a worker could do again would end otherwise.
_FINAL = frozenset(
    {Exit.OK, Exit.EXPECTATION_FAILED, Exit.USAGE, Exit.INCOMPLETE, Exit.REFUSED, Exit.CEILING}
)
_BY_THE_USER = frozenset({Exit.SIGINT})


class Next(Enum):
    """What to do with a run that a worker no longer has."""

    OVER = auto()
    # Whoever is free goes on with it.
    ANYBODY = auto()
    # The plan is busy, or the API did not answer: not before some time has passed.
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a run was begun without any progress; ``progress`` is a number that grows with it."""

    count: int = 0
    progress: int = 0

    def another(self, progress: int) -> Attempts:
        """One more, with the progress that there is now."""
        return Attempts(self.count + 1 if progress == self.progress else 1, progress)

    @property
    def poisoned(self) -> bool:
        """Whether the run is more likely to take workers down with it than to come to its end."""
        return self.count > MOST_ATTEMPTS

    @property
    def wait(self) -> float:
        """Seconds to wait after an attempt that came to nothing."""
        return float(min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** max(0, self.count - 1)))


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a run that a worker carried out.

    ``wait``: seconds before anybody goes on with it. ``state``: how its record is to end, where it has not
    ended by itself. ``lost``: another worker had taken it over, and says what becomes of it. ``counts``: the
    attempt speaks against the run; that its plan was busy, or that its worker was stopped, does not.
    """

    next: Next
    code: Exit
    reason: str | None = None
    wait: float = 0.0
    state: RunState | None = None
    lost: bool = False
    counts: bool = False


def after_end(code: Exit, *, asked: bool) -> Next:
    """After a run came back with an exit code; ``asked``: somebody had asked for it to be cancelled."""
    if code in _FINAL or (asked and code in _BY_THE_USER):
        return Next.OVER
    return Next.ANYBODY


def after_error(code: Exit, *, began: bool) -> Next:
    """After an error with this exit code; ``began``: the run's tests were stored before.

    A plan that is wrong, refused or beyond its ceilings stays so. What the API or the store did not answer
    is asked again.
    """
    if code in (Exit.USAGE, Exit.REFUSED, Exit.CEILING):
        return Next.OVER
    if code is Exit.BUSY or not began:
        return Next.LATER
    return Next.ANYBODY
