"""What both dialects do in the same way: queries, created tests' ids, links to layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from orchestrator.model import Json, JsonObject, Spec
from orchestrator.testtypes import LAYERS, TEST_TYPES
from orchestrator.thousandeyes.belonging import agents_of
from orchestrator.thousandeyes.origin import below
from orchestrator.thousandeyes.protocol import BadAnswer, Created, Request, Told
from orchestrator.thousandeyes.scalars import identifier, mapping, parse_object, text

# The last part of a created test's Location; ids are large decimal numbers (api-facts 1.5).
_LOCATION_ID = re.compile(r"/([0-9]{1,40})(\.json)?/?\Z")
# A data link is asked for the newest round, so a range that it brings is left out.
_RANGES = frozenset({"window", "from", "to", "startDate", "endDate", "cursor", "lastRoundId"})


Query: TypeAlias = tuple[tuple[str, str], ...]


def quoted(value: str) -> str:
    """An id as one segment of a path."""
    return quote(value, safe="")


def with_aid(aid: str | None, *pairs: tuple[str, str]) -> Query:
    """The query with the account group, where one is chosen."""
    return (*pairs, ("aid", aid)) if aid is not None else pairs


def link_query(query: Iterable[tuple[str, str]], ours: Query) -> Query:
    """The link's own query without ranges, then ours, which wins."""
    taken = {name for name, _ in ours}
    return (*((name, value) for name, value in query if name not in taken | _RANGES), *ours)


def follow(href: str, origin: str, version: str) -> Request | None:
    """The request for a link below ``origin`` and ``version``, else ``None``."""
    place = below(href, origin, version)
    return None if place is None else Request("GET", place.path, place.query)


def next_listing(request: Request, href: str | None, origin: str, version: str) -> Request | None:
    """The request for the next page of a listing, ``None`` at its end.

    Raises :class:`BadAnswer` for a page that cannot be followed: a listing without it would be incomplete.
    """
    if href is None:
        return None
    found = follow(href, origin, version)
    if found is None or found.path.removesuffix(".json") != request.path.removesuffix(".json"):
        raise BadAnswer("the listing has a further page, but its link leads elsewhere")
    told = {name for name, _ in found.query}
    query = (*(pair for pair in request.query if pair[0] not in told), *found.query)
    return Request("GET", request.path, query)


def direction_of(spec: Spec, layer: str) -> str | None:
    """The direction in which to ask for a layer, in v7 form, where the type has one and the plan chose it.

    A layer that cannot be asked for both at once gives both by default (api-facts 3.2).
    """
    if "direction" not in TEST_TYPES[spec.type].options:
        return None
    direction = text(spec.fields.get("direction"))
    return None if direction == "bidirectional" and not LAYERS[layer].both_ways else direction


def created(test: JsonObject, links: Mapping[str, str], headers: Mapping[str, str]) -> Created:
    """The created test; its ``Location`` tells the id where the body does not."""
    test_id = identifier(test.get("testId")) or located(headers)
    if test_id is None:
        raise BadAnswer("expected a created test with its testId, got an object without one")
    told = Told(text(test.get("testName")), text(test.get("type")), agents_of(test))
    return Created(test_id, links, told)


def created_object(body: bytes, headers: Mapping[str, str]) -> JsonObject:
    """A creation's answer, or an empty object if the body is broken but ``Location`` tells the id."""
    try:
        return parse_object(body, "a created test")
    except BadAnswer:
        if located(headers) is None:
            raise
        return {}


def path_of(link: str) -> str:
    """The path of a link of unknown origin; empty where it is not an address."""
    try:
        return urlsplit(link).path
    except ValueError:
        return ""


def located(headers: Mapping[str, str]) -> str | None:
    """The test id at the end of ``Location``; the address itself is not used."""
    found = _LOCATION_ID.search(path_of(headers.get("location", "")))
    return found.group(1) if found else None


def href(link: Json) -> str | None:
    """The address of a link object."""
    return text(mapping(link).get("href"))
