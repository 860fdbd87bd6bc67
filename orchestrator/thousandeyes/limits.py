"""What the limit headers of one answer say. Pure; whatever the headers are, nothing is raised.

Two families of three headers (api-facts 5.1). A family whose headers are missing, malformed, repeated or
absurd is ``None`` as a whole: a limit without its reset cannot be acted upon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from orchestrator.budget.readings import LimitReading, Limits

_ORGANIZATION, _INSTANT_TEST = "x-organization-rate-limit", "x-instant-test-rate-limit"
# Plain ASCII digits: int() would also take "2_4", " 24 " and digits of other scripts.
_WHOLE = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?\Z", re.ASCII)
# The default limits are 240 and 24 a minute, the largest seen in a published sample is 1000.
_LARGEST_LIMIT = 1_000_000
# An epoch in seconds lies between 2001 and 5138. The template-deploy family gives seconds remaining instead,
# and milliseconds would be above: neither is an epoch second.
_EARLIEST, _LATEST = 1e9, 1e11
# A day. Windows last a minute; a longer order to wait is not about a window.
_LONGEST_WAIT = 86_400.0


def read_limits(headers: Mapping[str, str]) -> Limits:
    """Read headers with lower-case names."""
    date = _date(headers.get("date"))
    return Limits(
        organization=_family(headers, _ORGANIZATION),
        instant_test=_family(headers, _INSTANT_TEST),
        date=date,
        retry_after=_retry_after(headers.get("retry-after"), date),
    )


def has_limits(headers: Mapping[str, str]) -> bool:
    """Whether an answer tells a limit, readable or not: only the API itself does."""
    return any(name.startswith((_ORGANIZATION, _INSTANT_TEST)) for name in headers)


def _family(headers: Mapping[str, str], prefix: str) -> LimitReading | None:
    limit = _whole(headers.get(f"{prefix}-limit"))
    remaining = _whole(headers.get(f"{prefix}-remaining"))
    reset = _seconds(headers.get(f"{prefix}-reset"))
    if limit is None or remaining is None or reset is None:
        return None
    if not 1 <= limit <= _LARGEST_LIMIT or remaining > limit or not _EARLIEST < reset < _LATEST:
        return None
    return LimitReading(limit, remaining, reset)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and _WHOLE.match(text.strip(" \t")) else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and _SECONDS.match(text.strip(" \t")) else None


# All answers of one second say the same.
@lru_cache(maxsize=64)
def _date(text: str | None) -> float | None:
    if text is None or len(text) > 64:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # HTTP dates are in GMT, whatever their zone is written as.
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
    return seconds if _EARLIEST < seconds < _LATEST else None


def _retry_after(text: str | None, date: float | None) -> float | None:
    if text is None:
        return None
    wait = _seconds(text)
    if wait is None:
        until = _date(text)
        if until is None or date is None:
            return None
        wait = max(0.0, until - date)
    return wait if wait <= _LONGEST_WAIT else None
