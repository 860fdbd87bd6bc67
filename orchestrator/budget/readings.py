"""What the limit headers of one answer say, in values. The vendor's door fills them."""

from __future__ import annotations

from dataclasses import dataclass

# The documented defaults (api-facts 5.1): calls a window, and its seconds. For planning, until a header has
# told the real limits; nothing is sent on the strength of them.
ORGANIZATION_LIMIT, INSTANT_LIMIT, WINDOW = 240, 24, 60.0


@dataclass(frozen=True, slots=True)
class LimitReading:
    """One header family. ``remaining`` is after counting; ``reset`` is epoch seconds of the rollover."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Both families, the server's ``Date`` (epoch seconds) and ``Retry-After`` (seconds), where they came.

    The pauses (seconds) are of limits of which nothing remains, for when their family teaches nothing else.
    """

    organization: LimitReading | None
    instant_test: LimitReading | None
    date: float | None
    retry_after: float | None
    organization_pause: float | None = None
    instant_test_pause: float | None = None
