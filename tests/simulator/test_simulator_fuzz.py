"""Whatever a client sends, the service answers: no request ends it, and none is answered with a defect."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.simulator.faults import KINDS
from orchestrator.simulator.fields import FIELDS
from orchestrator.simulator.service import Fault, Service, Settings, SimRequest

NOW = 1_800_000_000.0
HEADERS = {"authorization": "Bearer made-up", "content-type": "application/json"}
EXPECTED = {200, 201, 301, 400, 401, 403, 404, 405, 415, 429}
UNSAID = {302, 303, 307, 308, 408, 499}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        *("v6", "v7", "tests", "instant", "run", "rerun", "test-results", "agents", "tags", "groups", "1"),
        *("http-server", "network", "path-vis", "dns-server", "net", "metrics", "web", "agent", "round"),
        *("281474976710657", "voice", "account-groups", "status.json", "3", "dns", "server", "%2e%2e", "%ff"),
    ]
)
PATHS = st.lists(WORDS | st.text(max_size=12), max_size=8).map(lambda words: "/" + "/".join(words))
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            *("window", "startDate", "endDate", "from", "to", "cursor", "page", "aid", "direction"),
            *("expand", "agentTypes"),
        ]
    ),
    st.text(max_size=12) | st.sampled_from(["1h", "999999999w", "1234", "0001-01-01", "9999-12-31"]),
    max_size=3,
)
GOOD: dict[str, Any] = {
    "url": "https://x.example.com",
    "server": "x.example.com",
    "domain": "x.example.com A",
    "dnsServers": ["ns1.example.com"],
    "targetAgentId": "1001",
    "transactionScript": "x",
    "requests": [{"name": "a", "url": "https://x.example.com"}],
    "username": "u",
    "password": "p",
    "requestType": "list",
    "targetSipCredentials": {"port": 5060, "sipRegistrar": "x.example.com"},
    "agents": [{"agentId": "3"}],
}
GOOD_V6: dict[str, Any] = {
    **GOOD,
    "dnsServers": [{"serverName": "ns1.example.com"}],
    "targetAgentId": 1001,
    "requestType": "List",
    "agents": [{"agentId": 3}],
}


def service() -> Service:
    made = Service(Settings(organization_limit=1_000_000, instant_limit=1_000_000))
    body = json.dumps({**GOOD, "agents": [{"agentId": "3"}]}).encode()
    made.handle(SimRequest("POST", "/v7/tests/http-server/instant", {}, HEADERS, body), NOW - 1000)
    return made


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", ""]),
    path=PATHS,
    query=QUERIES,
    body=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
    authorization=st.sampled_from(["Bearer made-up", "Basic bWU6dG9rZW4=", ""]) | st.text(max_size=12),
)
def test_any_request_gets_an_answer_of_the_api(
    method: str, path: str, query: dict[str, str], body: bytes, authorization: str
) -> None:
    headers = {**HEADERS, "authorization": authorization}
    reply = service().handle(SimRequest(method, path, query, headers, body), NOW)
    assert reply.status in EXPECTED


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_body_of_a_creation_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    old = data.draw(st.booleans())
    type_name = data.draw(st.sampled_from([name for name in FIELDS if not (old and name == "api")]))
    good = {name: value for name, value in (GOOD_V6 if old else GOOD).items() if name in FIELDS[type_name]}
    names = st.sampled_from([*FIELDS[type_name], "port", "interval"])
    changed = data.draw(st.dictionaries(names, JSON, max_size=2))
    path = f"/v6/instant/{'dns-dnssec' if type_name == 'dnssec' else type_name}"
    if not old:
        path = f"/v7/tests/{type_name}/instant"
    asked = service()
    body = json.dumps({**good, **changed}).encode()
    reply = asked.handle(SimRequest("POST", path, {}, HEADERS, body), NOW)
    assert reply.status in {201, 400}
    if reply.status == 400:
        assert any(name in reply.body.decode() for name in changed), "the field that is wrong is named"
        return
    test_id = asked.witness()["creations"][-1]["test_id"]
    for layer in ("network", "path-vis", "http-server", "dns-server"):
        looked = SimRequest("GET", f"/v7/test-results/{test_id}/{layer}", {}, HEADERS)
        assert asked.handle(looked, NOW + 400).status == 200


@settings(max_examples=100, deadline=None)
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=4))
def test_faults_can_be_combined(kinds: list[str]) -> None:
    faults = tuple(Fault(kind, value=1.0, target="3" if kind == "silent-agent" else None) for kind in kinds)
    asked = Service(Settings(faults=faults))
    body = json.dumps({"url": "https://x.example.com", "agents": GOOD["agents"]}).encode()
    created = asked.handle(SimRequest("POST", "/v7/tests/http-server/instant", {}, HEADERS, body), NOW)
    looked = SimRequest("GET", "/v6/web/http-server/281474976710657", {}, HEADERS)
    read = asked.handle(looked, NOW + 400)
    assert {created.status, read.status} <= EXPECTED | UNSAID | {409, 422, 500, 502, 503, 504}
