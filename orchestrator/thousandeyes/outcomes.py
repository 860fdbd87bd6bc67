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
other refusals         failed                          failed
3xx, any other 4xx     ambiguous: never repeated       failed
=====================  ==============================  =========================================

A read has failed when it was refused three times: one odd answer is not the end of a layer.

A failed creation is planned again by a plain resume, so failed is only what was refused in words: a status
by which the server says that it did not do it (``REFUSED``). A redirect says where to go next and not whether
the test was made (303 even hints that it was); 409 may be the echo of a creation that a gateway sent twice;
408, 499 and whatever is in no document are about the connection.
"""

from __future__ import annotations

from enum import Enum, auto

# A test may not be readable at once everywhere after its creation (eventual consistency is not documented,
# so the grace is ours). Seconds.
NOT_FOUND_GRACE = 60.0


# 400 malformed, 402 and 451 not allowed, 405 and 406 the wrong way to ask, 407 refused by a proxy, 410 gone,
# 411 to 417 a condition that was not met, 421 the wrong server, 422 invalid, 423 locked, 425 too early, 426
# and 428 a condition again, 431 headers too large. (401, 403, 404 and 429 have their own rows.)
REFUSED = frozenset({400, 402, 404, 405, 406, 407, *range(410, 418), 421, 422, 423, 425, 426, 428, 431, 451})


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
        429: CreationOutcome.LIMITED,
    }
    if status in named:
        return named[status]
    return CreationOutcome.FAILED if status in REFUSED else CreationOutcome.AMBIGUOUS


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
