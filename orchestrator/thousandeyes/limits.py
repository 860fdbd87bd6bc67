"""What the limit headers of one answer say. Pure; whatever the headers are, nothing is raised.

Two families of three headers (api-facts 5.1). A family whose headers are missing, malformed or absurd is
``None`` as a whole: a limit without its reset cannot be acted upon. But nothing remaining is a pause,
whatever the rest says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

from orchestrator.budget.readings import WINDOW, LimitReading, Limits
from orchestrator.thousandeyes.scalars import epoch

_ORGANIZATION, _INSTANT_TEST = "x-organization-rate-limit", "x-instant-test-rate-limit"
# Plain ASCII digits: int() would also take "2_4", " 24 " and digits of other scripts.
_WHOLE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?\Z", re.ASCII)
# The default limits are 240 and 24 a minute, the largest seen in a published sample is 1000.
_LARGEST_LIMIT = 1_000_000
# An epoch in seconds lies between 2001 and 5138. The template-deploy family gives seconds remaining instead,
# and gateways have been seen with milliseconds.
_EARLIEST, _LATEST = 1e9, 1e11
# A day. Windows last a minute; a longer order to wait is not about a window.
_LONGEST_WAIT = 86_400.0
# Seconds of a pause that a Reset may ask for; beyond it is no plausible window, and one window is waited.
_LEAST_PAUSE, _LONGEST_PAUSE = 2.0, 3_600.0


def read_limits(headers: Mapping[str, str]) -> Limits:
    """Read headers with lower-case names."""
    date = _date(headers.get("date"))
    return Limits(
        organization=_family(headers, _ORGANIZATION, date),
        instant_test=_family(headers, _INSTANT_TEST, date),
        date=date,
        retry_after=_retry_after(headers.get("retry-after"), date),
        organization_pause=_pause(headers, _ORGANIZATION, date),
        instant_test_pause=_pause(headers, _INSTANT_TEST, date),
    )


def has_limits(headers: Mapping[str, str]) -> bool:
    """Whether an answer tells a limit, readable or not: only the API itself does."""
    return any(name.startswith((_ORGANIZATION, _INSTANT_TEST)) for name in headers)


def _family(headers: Mapping[str, str], prefix: str, date: float | None) -> LimitReading | None:
    limit = _whole(headers.get(f"{prefix}-limit"))
    remaining = _whole(headers.get(f"{prefix}-remaining"))
    reset = _reset(headers.get(f"{prefix}-reset"), date)
    if limit is None or remaining is None or reset is None:
        return None
    if not 1 <= limit <= _LARGEST_LIMIT or remaining > limit or not _EARLIEST < reset < _LATEST:
        return None
    return LimitReading(limit, remaining, reset)


def _pause(headers: Mapping[str, str], prefix: str, date: float | None) -> float | None:
    """Seconds to spend nothing, where nothing remains: to the Reset where it tells, else a window."""
    if _whole(headers.get(f"{prefix}-remaining")) != 0:
        return None
    text = headers.get(f"{prefix}-reset")
    reset = _reset(text, date)
    left = _largest(text) if reset is None else None if date is None else reset - date
    return max(_LEAST_PAUSE, left) if left is not None and left <= _LONGEST_PAUSE else WINDOW


# A window's answers say the same but for what remains, and each number is read by two readers.
@lru_cache(maxsize=512)
def _whole(text: str | None) -> int | None:
    """A count, also with its policy (``100;w=60``), as a decimal, or repeated; of several the least."""
    if text is None:
        return None
    parts = [part.partition(";")[0].strip(" \t") for part in text.split(",")]
    return min(int(part.partition(".")[0]) for part in parts) if all(map(_WHOLE.match, parts)) else None


@lru_cache(maxsize=64)
def _reset(text: str | None, date: float | None) -> float | None:
    """Epoch seconds, also from milli-, micro- and nanoseconds, from seconds left, and from a date."""
    if text is None:
        return None
    value = _largest(text)
    if value is None:
        return _date(text) if _date(text) is not None else epoch(text.strip())
    if 0 <= value <= _LONGEST_WAIT:
        return None if date is None else date + value
    for unit in (1.0, 1e3, 1e6, 1e9):
        if _EARLIEST < value / unit < _LATEST:
            return value / unit
    return None


def _largest(text: str | None) -> float | None:
    parts = [_seconds(part.partition(";")[0]) for part in (text or "").split(",")]
    values = [part for part in parts if part is not None]
    return max(values) if len(values) == len(parts) else None


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
