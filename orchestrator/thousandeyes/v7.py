"""API version 7: string ids, booleans, lower-case enums, the test at the top level (api-facts 1 to 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from orchestrator.model import Agent, Api, Json, JsonObject, Spec
from orchestrator.testtypes import DETAILS, LAYERS, PATHS
from orchestrator.thousandeyes import listing, problem
from orchestrator.thousandeyes.common import (
    created,
    created_object,
    direction_of,
    follow,
    href,
    link_query,
    next_listing,
    path_of,
    quoted,
    with_aid,
)
from orchestrator.thousandeyes.origin import below
from orchestrator.thousandeyes.protocol import AccountGroup, BadAnswer, Created, Page, Place, Request
from orchestrator.thousandeyes.rows import Row, answers
from orchestrator.thousandeyes.scalars import excerpt, identifier, mapping, parse_object

_RESULTS = re.compile(r"/v7/test-results/([^/]+)/([^/]+)\Z")
# The same at the end of a path that an API gateway may have put something before.
_PLACE = re.compile(r"/v7/test-results/[^/]+/[^/]+\Z")


def body_of(spec: Spec, name: str) -> JsonObject:
    """The fields of a test. The plan's have v7 names already; ``raw`` has the last word."""
    agents: list[Json] = [{"agentId": agent} for agent in spec.agents]
    return {"testName": name, "agents": agents, **spec.fields, **spec.raw}


class V7:
    """The dialect of version 7."""

    api = Api.V7

    def agents(self, aid: str | None) -> Request:
        """Ask for all agents; clusters show their members' states only when expanded."""
        kinds = ("agentTypes", "cloud,enterprise,enterprise-cluster")
        return Request("GET", "/v7/agents", with_aid(aid, kinds, ("expand", "cluster-member")))

    def read_agents(self, body: bytes) -> tuple[Agent, ...]:
        """Return the agents."""
        return listing.read_agents(body)

    def next_listing(self, request: Request, body: bytes, origin: str) -> Request | None:
        """The request for a listing's next page."""
        links = parse_object(body, "a listing").get("_links")
        return next_listing(request, _first(links, "next"), origin, "v7")

    def labels(self, aid: str | None) -> Request:
        """Ask for the tags, the successors of labels."""
        return Request("GET", "/v7/tags", with_aid(aid, ("expand", "assignments")))

    def read_labels(self, body: bytes) -> Mapping[str, frozenset[str]]:
        """Return agent ids by ``key:value`` and by ``value``."""
        return listing.read_tags(body)

    def account_groups(self) -> Request:
        """Ask for the account groups."""
        return Request("GET", "/v7/account-groups")

    def read_account_groups(self, body: bytes) -> tuple[AccountGroup, ...]:
        """Return them."""
        return listing.read_account_groups(body)

    def create(self, spec: Spec, name: str, aid: str | None) -> Request:
        """Create a test."""
        path = f"/v7/tests/{quoted(spec.type)}/instant"
        return Request("POST", path, with_aid(aid), body_of(spec, name), instant=True)

    def read_created(self, body: bytes, headers: Mapping[str, str]) -> Created:
        """Return the test's id and its result links."""
        test = created_object(body, headers)
        links: dict[str, str] = {}
        for link in _links(test.get("_links"), "testResults"):
            place = _place(path_of(link))
            if place is not None:
                links.setdefault(place.layer, link)
        return created(test, links, headers)

    def rerun(self, test_id: str, aid: str | None) -> Request:
        """Run a test once more; the answer's body is empty."""
        return Request("POST", f"/v7/tests/{quoted(test_id)}/run", with_aid(aid), instant=True)

    def poll(
        self, spec: Spec, test_id: str, layer: str, link: str | None, origin: str, aid: str | None
    ) -> Request:
        """Ask for the newest round of a layer."""
        direction = direction_of(spec, layer)
        ours = with_aid(aid, *([("direction", direction)] if direction else []))
        place = below(link, origin, "v7") if link is not None else None
        if place is not None and _place(place.path) == Place(layer, test_id):
            return Request("GET", place.path, link_query(place.query, ours))
        return Request("GET", f"/v7/test-results/{quoted(test_id)}/{quoted(layer)}", ours)

    def read_page(self, layer: str, body: bytes) -> Page:
        """Return the rows. Not ready is an empty list (api-facts 3.5)."""
        told = parse_object(body, f"{layer} results")
        rows = told.get("results")
        if rows is None and not ({"test", "_links"} & told.keys()):
            raise BadAnswer(f"expected {layer} results, got something else: {excerpt(body)}")
        if rows is not None and not isinstance(rows, list):
            raise BadAnswer(f"expected a list of {layer} results, got none: {excerpt(body)}")
        kept, skipped = answers(layer, (_row(row) for row in rows or ()))
        following = _first(told.get("_links"), "next")
        about = identifier(mapping(told.get("test")).get("testId"))
        return Page(kept, following, skipped, about, _told_place(told))

    def follow(self, href: str, origin: str, place: Place | None = None) -> Request | None:
        """The request for a next page."""
        found = follow(href, origin, "v7")
        return found if found is None or place is None or _place(found.path) == place else None

    def path_detail(self, test_id: str, agent_id: str, round_id: int, aid: str | None) -> Request:
        """Ask for the hops of one agent in one round."""
        results = f"/v7/test-results/{quoted(test_id)}/{quoted(PATHS.name)}"
        return Request("GET", f"{results}/agent/{quoted(agent_id)}/round/{round_id}", with_aid(aid))

    def read_path_detail(self, body: bytes) -> Page:
        """Return the detailed traces."""
        # Its link to itself may name the layer that it is a detail of.
        return replace(self.read_page(DETAILS, body), place=None)

    def problem(self, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """What went wrong, in one line."""
        del headers
        return problem.describe(status, body)


def _place(path: str) -> Place | None:
    found = _RESULTS.match(path)
    if found is None:
        return None
    test_id, layer = (unquote(part) for part in found.groups())
    known = next((one.name for one in LAYERS.values() if layer in one.aliases), layer)
    return Place(known, test_id)


def _told_place(told: JsonObject) -> Place | None:
    """The layer that the page's link to itself names, where it is one of ours."""
    own = _first(told.get("_links"), "self") or ""
    found = _PLACE.search(path_of(own))
    place = None if found is None else _place(found.group())
    return place if place is not None and place.layer in LAYERS else None


def _links(links: Json, relation: str) -> list[str]:
    """The addresses of a relation, which is one link object or a list of them."""
    found = mapping(links).get(relation)
    every = found if isinstance(found, list) else [found]
    return [address for link in every if (address := href(link)) is not None]


def _first(links: Json, relation: str) -> str | None:
    """The first address of a relation."""
    found = mapping(links).get(relation)
    if isinstance(found, dict):
        return href(found)
    return next(iter(_links(links, relation)), None)


def _row(row: Json) -> Row | None:
    if not isinstance(row, dict):
        return None
    links = row.get("_links")
    return Row(mapping(row.get("agent")), _first(links, "appLink") if links else None, row, row)
