"""Units used and left, as version 7 tells them (api-facts 4.3). The facts have no such call of version 6."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.allotment import COUNTED, Allotment, Counted
from orchestrator.model import JsonObject
from orchestrator.thousandeyes.common import with_aid
from orchestrator.thousandeyes.protocol import BadAnswer, Request
from orchestrator.thousandeyes.scalars import (
    excerpt,
    identifier,
    items,
    mapping,
    moment,
    number,
    parse_object,
)


def usage(aid: str | None) -> Request:
    """Ask for the current period of the organization; needs the permission to view billing."""
    return Request("GET", "/v7/usage", with_aid(aid))


def read_usage(body: bytes) -> Allotment:
    """Return what is told. Raises :class:`BadAnswer` where it has no number of included or of used units."""
    told = mapping(parse_object(body, "the usage").get("usage"))
    quota = mapping(told.get("quota"))
    included, cloud = number(quota.get("cloudUnitsIncluded")), number(told.get("cloudUnitsUsed"))
    if included is None or cloud is None:
        raise BadAnswer(f"expected units included and used, got something else: {excerpt(body)}")
    used = cloud + (number(told.get("enterpriseUnitsUsed")) or 0)
    begins, ends = moment(quota.get("monthStart")), moment(quota.get("monthEnd"))
    return Allotment(included / COUNTED, used / COUNTED, begins, ends)


def quotas() -> Request:
    """Ask for the quotas of organizations and account groups; needs the permission to edit them."""
    return Request("GET", "/v7/quotas")


def read_quotas(body: bytes, aid: str | None) -> float | None:
    """The least quota that holds for the account group, or for the organization where none is named.

    A token may see several organizations: only where there is one of them its quota is ours.
    """
    entries = [mapping(entry) for entry in items(parse_object(body, "the quotas").get("quotas"))]
    mine = [entry for entry in entries if aid is not None and aid in _groups(entry)]
    chosen = mine or (entries if len(entries) == 1 else [])
    found = [number(mapping(entry.get("organizationQuota")).get("value")) for entry in chosen]
    found += [_groups(entry).get(aid or "") for entry in chosen]
    return min((one / COUNTED for one in found if one is not None), default=None)


def _groups(entry: JsonObject) -> Mapping[str, int | float | None]:
    groups = (mapping(one) for one in items(entry.get("accountGroupQuotas")))
    return {
        aid: number(one.get("value")) for one in groups if (aid := identifier(one.get("aid"))) is not None
    }


def units_of_tests(aid: str | None, since: str, until: str) -> Request:
    """Ask what each test took in a time (ISO 8601); for customers on a usage-based plan only."""
    return Request("GET", "/v7/usage/units/tests", with_aid(aid, ("startDate", since), ("endDate", until)))


def read_units_of_tests(body: bytes, tests: Collection[str]) -> Counted:
    """What a page says of these tests, by their ids."""
    told = parse_object(body, "the units of tests").get("breakdowns")
    if not isinstance(told, list):
        raise BadAnswer(f"expected the units of tests, got none: {excerpt(body)}")
    found = Counted()
    for row in map(mapping, told):
        if identifier(row.get("testId")) in tests:
            used = (number(row.get("cloudUnitsUsed")) or 0) + (number(row.get("enterpriseUnitsUsed")) or 0)
            found += Counted(used / COUNTED, 1)
    return found
