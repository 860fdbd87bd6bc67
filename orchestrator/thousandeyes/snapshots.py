"""Public snapshots of tests: version 7 makes them (api-facts 2.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.model import Api, JsonObject
from orchestrator.thousandeyes.common import href, quoted, with_aid
from orchestrator.thousandeyes.protocol import BadAnswer, Request
from orchestrator.thousandeyes.scalars import identifier, mapping, parse_object, text

# So many in any span of so many seconds, of a whole organization: a limit of its own, in no header.
MOST, SPAN = 5, 300.0
# What a snapshot may cover (seconds).
_LENGTHS = tuple(3600.0 * hours for hours in (1, 2, 4, 6, 12, 24, 48))
# Beyond the last round, so that it lies inside.
_MARGIN = 60.0
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Copy:
    """A snapshot as the answer tells of it."""

    id: str | None
    link: str


def covered(first: float, last: float, now: float) -> tuple[float, float]:
    """From when to when (epoch seconds) a snapshot of rounds from ``first`` to ``last`` goes.

    It is as short as the API lets it be, and ends in the past by any clock: the last round has begun.
    """
    end = float(int(max(last, min(now, last + _MARGIN))))
    length = next((one for one in _LENGTHS if end - one <= first), _LENGTHS[-1])
    return end - length, end


def snapshot(
    api: Api, test_id: str, title: str, span: tuple[float, float], aid: str | None = None
) -> Request:
    """Ask for one. Raises ``ValueError`` for version 6."""
    if api is not Api.V7:
        raise ValueError(f"API {api.value} has no snapshots of tests")
    body: JsonObject = {
        "displayName": title[:_LONGEST_TITLE],
        "startDate": _iso(span[0]),
        "endDate": _iso(span[1]),
        # Whatever the name says: by the document true is for saved events, which only users see.
        "isPublic": False,
    }
    path = f"/v7/tests/{quoted(test_id)}/snapshot"
    return Request("POST", path, with_aid(aid), body, alone=True, own_limit=True)


def read_snapshot(body: bytes, headers: Mapping[str, str]) -> Copy:
    """Return it. Raises :class:`BadAnswer` for one without a link."""
    del headers
    told = parse_object(body, "a snapshot")
    link = href(mapping(told.get("_links")).get("appLink"))
    if link is None or not link.startswith("https://"):
        raise BadAnswer("expected a snapshot with its link, got one without")
    return Copy(identifier(told.get("id")) or text(told.get("id")), link)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
