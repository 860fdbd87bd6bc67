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
