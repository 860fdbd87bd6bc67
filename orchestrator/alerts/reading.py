"""What a body says: the targets of its alerts that go off, and when they were sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from orchestrator import jsontext
from orchestrator.alerts.values import Alert, Finding
from orchestrator.model import Json

# More alerts in one body, or more values at one path, are not looked at.
MOST = 100
_LONGEST = 500  # characters of a target or a text that is matched
_STEP = re.compile(r"[^.\[\]]+(\[\])?")
_PATH = re.compile(r"[^.\[\]]+(\[\])?(\.[^.\[\]]+(\[\])?)*")
# Epoch milliseconds are larger than any second that is meant.
_MILLISECONDS = 1e11


class Unreadable(Exception):
    """The body is no JSON, or has no alert in it; the text says why, for the log."""


def is_path(text: str) -> bool:
    """Whether this is a path: names with dots between them, ``[]`` behind a list."""
    return _PATH.fullmatch(text) is not None


def alerts(finding: Finding, body: bytes) -> tuple[Alert, ...]:
    """The alerts of a body that go off; none if it only tells of others (an alert that is over).

    Raises :class:`Unreadable`.
    """
    try:
        document: Json = jsontext.read(body.decode())
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {type(error).__name__}") from error
    found: dict[Alert, None] = {}
    concerned = False
    for item in _items(finding, document):
        if not _concerns(finding, item):
            continue
        concerned = True
        at = _time(finding, item)
        for text in _texts(item, finding.target):
            found[Alert(finding.names.get(text, text), at)] = None
    if concerned and not found:
        raise Unreadable(f"nothing at {finding.target}")
    return tuple(found)


def _items(finding: Finding, document: Json) -> Iterator[Json]:
    if finding.each is None:
        yield document
        return
    yield from _at(document, f"{finding.each}[]")


def _concerns(finding: Finding, item: Json) -> bool:
    return all(
        any(fnmatchcase(text, pattern) for text in _texts(item, path) for pattern in patterns)
        for path, patterns in finding.when.items()
    )


def _texts(item: Json, path: str) -> list[str]:
    """The texts at a path, and numbers as texts."""
    found = []
    for value in _at(item, path):
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value).strip()
            if text and len(text) <= _LONGEST:
                found.append(text)
    return found


def _at(item: Json, path: str) -> Iterable[Json]:
    """The values at a path, at most :data:`MOST`."""
    values: list[Json] = [item]
    for step in _STEP.finditer(path):
        name, is_list = step.group().removesuffix("[]"), step.group(1) is not None
        inner = [value[name] for value in values if isinstance(value, dict) and name in value]
        if is_list:
            inner = [one for value in inner if isinstance(value, list) for one in value[:MOST]]
        values = inner[:MOST]
    return values


def _time(finding: Finding, item: Json) -> float | None:
    """When an alert was sent. Raises :class:`Unreadable` where the hook wants a time and there is none."""
    if finding.time is None:
        return None
    for value in _at(item, finding.time):
        at = moment(value)
        if at is not None:
            return at
    raise Unreadable(f"no time at {finding.time}")


def moment(value: Json) -> float | None:
    """Epoch seconds of a number (seconds or milliseconds) or of an ISO 8601 text, UTC where it says
    nothing."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = value / 1000 if abs(value) > _MILLISECONDS else value
        return float(number) if math.isfinite(number) else None
    if not isinstance(value, str) or len(value) > 60:
        return None
    try:
        found = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
