"""Public snapshots of tests, version 7: what may be asked for, and what the answer shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestrator.simulator.draws import number
from orchestrator.simulator.messages import Json, JsonObject, Refusal
from orchestrator.simulator.world import SimTest

_HOURS: Final = (1, 2, 4, 6, 12, 24, 48)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Asked:
    """A snapshot that may be made; epoch seconds. ``saved``: for the users of the account only."""

    title: str
    start: float
    end: float
    saved: bool


def asked_snapshot(body: JsonObject, now: float) -> Asked:
    """Raises a 400 refusal with every problem found."""
    problems: list[tuple[str, str]] = []
    title = body.get("displayName")
    if not isinstance(title, str) or not title.strip():
        problems.append(("displayName", "displayName is required"))
    start, end = _epoch(body.get("startDate")), _epoch(body.get("endDate"))
    problems += [
        (name, "must be an ISO 8601 date and time")
        for name, at in (("startDate", start), ("endDate", end))
        if at is None
    ]
    if start is not None and end is not None:
        problems += _wrong_span(start, end, now)
    saved = body.get("isPublic", False)
    if not isinstance(saved, bool):
        problems.append(("isPublic", "must be a boolean"))
    if problems or start is None or end is None:
        raise Refusal(400, "Your request object contains invalid fields.", tuple(problems))
    return Asked(str(title), start, end, bool(saved))


def _wrong_span(start: float, end: float, now: float) -> list[tuple[str, str]]:
    problems = []
    if end > now:
        problems.append(("endDate", "must not lie in the future"))
    if end - start not in {3600.0 * hours for hours in _HOURS}:
        problems.append(("startDate", "the range must be 1, 2, 4, 6, 12, 24 or 48 hours"))
    return problems


def _epoch(value: Json) -> float | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def snapshot_id(test: SimTest, count: int) -> str:
    """Five letters, as the vendor's are."""
    lot = number(0, "snapshot", test.id, count)
    return "".join(_LETTERS[lot // 26**place % 26] for place in range(5))
