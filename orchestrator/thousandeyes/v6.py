"""API version 6: integer ids, 0/1, UPPER_CASE, nested envelopes (api-facts 7).

Past its announced end of support; for organizations whose tools still speak it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from orchestrator.model import Agent, Api, Json, JsonObject, Spec
from orchestrator.testtypes import DETAILS, LAYERS, PATHS, TEST_TYPES
from orchestrator.testtypes.layers import V6Data
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
from orchestrator.thousandeyes.scalars import excerpt, identifier, items, mapping, parse_object, text
from orchestrator.thousandeyes.v6_bodies import v6_body

_DATA = re.compile(r"/v6/([a-z]+/[a-z-]+)/([^/]+?)(\.json)?\Z")
# v6 name of a row's field -> v7 name (api-facts 7.7).
_RENAMED = {"valid": "isValid", "endpoints": "pathTraces", "routes": "pathTraces"}


class V6:
    """The dialect of version 6."""

    api = Api.V6

    def agents(self, aid: str | None) -> Request:
        """Ask for all agents; clusters bring their members."""
        kinds = ("agentTypes", "CLOUD,ENTERPRISE,ENTERPRISE_CLUSTER")
        return Request("GET", "/v6/agents.json", with_aid(aid, kinds))

    def read_agents(self, body: bytes) -> tuple[Agent, ...]:
        """Return the agents."""
        return listing.read_agents(body)

    def next_listing(self, request: Request, body: bytes, origin: str) -> Request | None:
        """The request for a listing's next page."""
        pages = mapping(parse_object(body, "a listing").get("pages"))
        return next_listing(request, text(pages.get("next")), origin, "v6")

    def labels(self, aid: str | None) -> Request:
        """Ask for the agents' labels, which v6 calls groups."""
        return Request("GET", "/v6/groups/agents", with_aid(aid))

    def read_labels(self, body: bytes) -> Mapping[str, frozenset[str]]:
        """Return agent ids by label name."""
        return listing.read_groups(body)

    def account_groups(self) -> Request:
        """Ask for the account groups."""
        return Request("GET", "/v6/account-groups.json")

    def read_account_groups(self, body: bytes) -> tuple[AccountGroup, ...]:
        """Return them."""
        return listing.read_account_groups(body)

    def create(self, spec: Spec, name: str, aid: str | None) -> Request:
        """Create a test. Raises :class:`ValueError` for ``api``, which v6 lacks and plans refuse."""
        kind = TEST_TYPES[spec.type].v6_name
        if kind is None:
            raise ValueError(f"API v6 has no {spec.type} test")
        return Request("POST", f"/v6/instant/{kind}", with_aid(aid), v6_body(spec, name), instant=True)

    def read_created(self, body: bytes, headers: Mapping[str, str]) -> Created:
        """Return the test's id and its data links; the test is the only one of a list."""
        told = created_object(body, headers)
        tests = told.get("test")
        test = mapping(next(iter(items(tests)), None)) if isinstance(tests, list) else mapping(tests)
        links: dict[str, str] = {}
        for link in items(test.get("apiLinks")):
            address = href(link)
            if address is not None and text(mapping(link).get("rel")) == "data":
                place = _place(path_of(address))
                if place is not None:
                    links.setdefault(place.layer, address)
        return created(test, links, headers)

    def rerun(self, test_id: str, aid: str | None) -> Request:
        """Run a test once more; the answer's body is empty."""
        return Request("POST", f"/v6/instant/{quoted(test_id)}/rerun", with_aid(aid), instant=True)

    def poll(
        self, spec: Spec, test_id: str, layer: str, link: str | None, origin: str, aid: str | None
    ) -> Request:
        """Ask for the newest round of a layer."""
        direction = direction_of(spec, layer)
        wanted = [("direction", direction.upper().replace("-", "_"))] if direction else []
        ours = with_aid(aid, *wanted)
        place = below(link, origin, "v6") if link is not None else None
        if place is not None and _place(place.path) == Place(layer, test_id):
            return Request("GET", place.path, link_query(place.query, ours))
        return Request("GET", f"/v6/{_data(layer).path}/{quoted(test_id)}", ours)

    def read_page(self, layer: str, body: bytes) -> Page:
        """Return the rows. Not ready is a missing list (api-facts 3.5)."""
        return _page(layer, body, _data(layer))

    def follow(self, href: str, origin: str, place: Place | None = None) -> Request | None:
        """The request for a next page."""
        found = follow(href, origin, "v6")
        return found if found is None or place is None or _place(found.path) == place else None

    def path_detail(self, test_id: str, agent_id: str, round_id: int, aid: str | None) -> Request:
        """Ask for the hops of one agent in one round."""
        paths = f"/v6/{_data(PATHS.name).path}/{quoted(test_id)}"
        return Request("GET", f"{paths}/{quoted(agent_id)}/{round_id}", with_aid(aid))

    def read_path_detail(self, body: bytes) -> Page:
        """Return the detailed traces."""
        return _page(DETAILS, body, _data(PATHS.name))

    def problem(self, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """What went wrong, in one line."""
        del headers
        return problem.describe(status, body)


def _data(layer: str) -> V6Data:
    """Where the layer's rows are. Raises :class:`ValueError` for one that v6 lacks and plans refuse."""
    found = LAYERS[layer].v6
    if found is None:
        raise ValueError(f"API v6 has no layer {layer}")
    return found


def _page(layer: str, body: bytes, data: V6Data) -> Page:
    _, family, key = data
    told = parse_object(body, f"{layer} data")
    envelope = told.get(family)
    if not isinstance(envelope, dict):
        raise BadAnswer(f"expected {layer} data under '{family}', got something else: {excerpt(body)}")
    rows = envelope.get(key)
    if rows is not None and not isinstance(rows, list):
        raise BadAnswer(f"expected a list of {layer} rows under '{family}.{key}', got none: {excerpt(body)}")
    kept, skipped = answers(layer, (_row(row) for row in rows or ()))
    about = identifier(mapping(envelope.get("test")).get("testId"))
    return Page(kept, text(mapping(told.get("pages")).get("next")), skipped, about)


def _place(path: str) -> Place | None:
    found = _DATA.match(path)
    if found is None:
        return None
    there = (layer for layer in LAYERS.values() if layer.v6 is not None and layer.v6.path == found.group(1))
    layer = next(there, None)
    return None if layer is None else Place(layer.name, unquote(found.group(2)))


def _row(row: Json) -> Row | None:
    """The agent's fields lie beside the metrics here."""
    if not isinstance(row, dict):
        return None
    fields: JsonObject = {_RENAMED.get(name, name): value for name, value in row.items()}
    return Row(row, row.get("permalink"), fields, row)
