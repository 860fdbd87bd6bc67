"""What an answer means for the request that asked: the retry rules, as decisions (no waiting here).

=====================  ==============================  =========================================
answer                 a creation or a re-run          a read
=====================  ==============================  =========================================
2xx                    created                         rows
429                    back to its queue, no attempt   back to its queue, no attempt
401                    stop the run                    stop the run
403                    stop creating                   this layer is not for us
404                    failed                          not yet, for a grace; then failed
5xx, 408, no answer    ambiguous: never repeated       again, later
nothing was sent       back to its queue, later        again, later
other 3xx, 4xx         failed                          failed
=====================  ==============================  =========================================

A read has failed when it was refused three times: one odd answer is not the end of a layer.
"""

from __future__ import annotations

from enum import Enum, auto

# A test may not be readable at once everywhere after its creation (eventual consistency is not documented,
# so the grace is ours). Seconds.
NOT_FOUND_GRACE = 60.0


class CreationOutcome(Enum):
    """What came of a creation or of a re-run."""

    CREATED = auto()
    LIMITED = auto()
    UNAUTHORIZED = auto()
    FORBIDDEN = auto()
    FAILED = auto()
    AMBIGUOUS = auto()


class ReadOutcome(Enum):
    """What came of a read."""

    ROWS = auto()
    LIMITED = auto()
    UNAUTHORIZED = auto()
    NOT_YET = auto()
    AGAIN = auto()
    FAILED = auto()


def creation_outcome(status: int) -> CreationOutcome:
    """Decide by the status of the answer."""
    if 200 <= status < 300:
        return CreationOutcome.CREATED
    named = {
        401: CreationOutcome.UNAUTHORIZED,
        403: CreationOutcome.FORBIDDEN,
        408: CreationOutcome.AMBIGUOUS,
        429: CreationOutcome.LIMITED,
    }
    if status in named:
        return named[status]
    return CreationOutcome.AMBIGUOUS if status >= 500 or status < 200 else CreationOutcome.FAILED


def read_outcome(status: int, age: float) -> ReadOutcome:
    """Decide by the status of the answer and the age of the test in seconds."""
    if 200 <= status < 300:
        return ReadOutcome.ROWS
    if status == 404 and age < NOT_FOUND_GRACE:
        return ReadOutcome.NOT_YET
    named = {
        401: ReadOutcome.UNAUTHORIZED,
        408: ReadOutcome.AGAIN,
        429: ReadOutcome.LIMITED,
    }
    if status in named:
        return named[status]
    return ReadOutcome.AGAIN if status >= 500 or status < 200 else ReadOutcome.FAILED


def backoff(failures: int, jitter: float, longest: float = 30.0) -> float:
    """Seconds before the next try after ``failures`` in a row: 2, 4, 8, .. ``longest``, jitter in [0, 1).

    Half of it is jitter, so that many requests that failed together do not come back together.
    """
    return min(longest, 2.0 * 2.0 ** min(failures - 1, 10)) * (0.5 + 0.5 * jitter)


class Slowest:
    """The seconds that the slowest of the last answers took, forgotten by and by."""

    FORGET = 0.95

    def __init__(self) -> None:
        self.seconds = 0.0

    def took(self, seconds: float) -> None:
        """One more answer."""
        self.seconds = max(seconds, self.FORGET * self.seconds)


class Patience:
    """How long to wait for the answer to a read, in real seconds.

    A read may be asked again, so an answer that was lost should not cost a whole time-out. But a slow server
    must not be asked ever more for what it is about to say: the wait is several times what answers were seen
    to take, and doubles with each try.
    """

    FIRST, LONGEST = 15.0, 60.0  # the first is longer than connecting may take, which tells more
    TIMES = 4.0  # the slowest answer

    def __init__(self) -> None:
        self._slowest = Slowest()

    def answered(self, seconds: float) -> None:
        """An answer took so long."""
        self._slowest.took(seconds)

    def wait(self, tries: int) -> float:
        """For how long to wait after ``tries`` that failed."""
        return min(self.LONGEST, max(self.FIRST, self.TIMES * self._slowest.seconds) * 2.0 ** min(tries, 10))
