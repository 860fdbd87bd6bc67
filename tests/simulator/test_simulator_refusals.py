"""What the API would refuse is refused, with the API's own bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest


def create(asked: Any, type_name: str, **changes: Any) -> Any:
    body = {**asked.bodies[type_name], "agents": [{"agentId": "3"}], **changes}
    body = {name: value for name, value in body.items() if value is not Ellipsis}
    return asked.ask("POST", f"/v7/tests/{type_name}/instant", body)


def fields_of(reply: Any) -> list[str]:
    assert reply.status == 400, (reply.status, reply.body)
    assert reply.headers["Content-Type"] == "application/problem+json"
    return [item["field"] for item in json.loads(reply.body)["errors"]]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("http-server", {"url": ...}, "url"),
    ("http-server", {"url": "  "}, "url"),
    ("http-server", {"url": "http://[bad"}, "url"),
    ("http-server", {"url": 7}, "url"),
    ("http-server", {"agents": ...}, "agents"),
    ("http-server", {"agents": []}, "agents"),
    ("http-server", {"agents": ["3"]}, "agents[0].agentId"),
    ("http-server", {"agents": [{"agentId": 3}]}, "agents[0].agentId"),
    ("http-server", {"agents": [{"agentId": "3"}, {"agentId": "987654321"}]}, "agents[1].agentId"),
    ("http-server", {"httpTimeLimit": 4}, "httpTimeLimit"),
    ("http-server", {"httpTimeLimit": 61}, "httpTimeLimit"),
    ("http-server", {"httpTimeLimit": "10"}, "httpTimeLimit"),
    ("http-server", {"httpTimeLimit": True}, "httpTimeLimit"),
    ("http-server", {"verifyCertificate": 1}, "verifyCertificate"),
    ("http-server", {"protocol": "TCP"}, "protocol"),
    ("http-server", {"numPathTraces": 11}, "numPathTraces"),
    ("http-server", {"testId": "1"}, "testId"),
    ("http-server", {"createdDate": "2026-01-01T00:00:00Z"}, "createdDate"),
    ("http-server", {"headers": "k: v"}, "headers"),
    ("http-server", {"oAuth": {"requestMethod": "put"}}, "oAuth.requestMethod"),
    ("page-load", {"pageLoadTimeLimit": 10, "httpTimeLimit": 10}, "pageLoadTimeLimit"),
    ("web-transactions", {"transactionScript": ...}, "transactionScript"),
    ("web-transactions", {"timeLimit": 181}, "timeLimit"),
    ("agent-to-server", {"server": ...}, "server"),
    ("agent-to-server", {"dscpId": 46}, "dscpId"),
    ("agent-to-server", {"dscpId": "47"}, "dscpId"),
    ("agent-to-agent", {"targetAgentId": "4444"}, "targetAgentId"),
    ("agent-to-agent", {"agents": [{"agentId": "1001"}]}, "agents"),
    ("agent-to-agent", {"throughputMeasurements": True}, "throughputMeasurements"),
    ("agent-to-agent", {"port": 0}, "port"),
    ("dns-server", {"dnsServers": ...}, "dnsServers"),
    ("dns-server", {"dnsServers": []}, "dnsServers"),
    ("dns-server", {"dnsServers": [{"serverName": "x"}]}, "dnsServers[0]"),
    ("dns-trace", {"domain": ...}, "domain"),
    ("dnssec", {"dnsQueryClass": "IN"}, "dnsQueryClass"),
    ("api", {"requests": []}, "requests"),
    ("api", {"requests": [{"name": "x"}]}, "requests[0].url"),
    ("api", {"requests": [{"name": "x", "url": "u", "method": "GET"}]}, "requests[0].method"),
    ("ftp-server", {"password": ...}, "password"),
    ("ftp-server", {"requestType": "Download"}, "requestType"),
    ("sip-server", {"targetSipCredentials": {"sipRegistrar": "x"}}, "targetSipCredentials.port"),
    ("voice", {"port": 80}, "port"),
    ("voice", {"duration": 31}, "duration"),
]


@pytest.mark.parametrize(("type_name", "change", "field"), REFUSED)
def test_an_invalid_body_is_refused_with_the_field_that_is_wrong(
    caller: Any, type_name: str, change: dict[str, Any], field: str
) -> None:
    asked = caller()
    assert fields_of(create(asked, type_name, **change)) == [field]
    assert asked.service.witness()["creations"] == []


def test_all_problems_are_named_at_once(caller: Any) -> None:
    reply = create(caller(), "http-server", url=..., httpTimeLimit=1, testId="1", agents=[{"agentId": "0"}])
    assert sorted(fields_of(reply)) == ["agents[0].agentId", "httpTimeLimit", "testId", "url"]


def test_unknown_fields_are_taken_and_remembered_by_the_witness(caller: Any) -> None:
    asked = caller()
    assert create(asked, "http-server", optoins=1).status == 201
    assert asked.service.witness()["unknown_fields"] == ["http-server.optoins"]


def test_unknown_fields_are_refused_where_the_settings_say_so(caller: Any) -> None:
    assert fields_of(create(caller(refuse_unknown_fields=True), "http-server", optoins=1)) == ["optoins"]


def test_null_stands_for_a_field_that_is_not_there(caller: Any) -> None:
    assert create(caller(), "agent-to-server", pingPayloadSize=None).status == 201


def test_a_target_only_agent_cannot_be_a_source(caller: Any) -> None:
    asked = caller(target_only=(3,))
    assert fields_of(create(asked, "http-server")) == ["agents[0].agentId"]
    good = create(asked, "agent-to-agent", agents=[{"agentId": "4"}], targetAgentId="3")
    assert good.status == 201


def test_a_disabled_agent_is_refused_only_where_the_settings_say_so(caller: Any) -> None:
    disabled = [{"agentId": "1015"}]
    assert create(caller(), "http-server", agents=disabled).status == 201
    assert create(caller(refuse_disabled=True), "http-server", agents=disabled).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(caller: Any, body: bytes) -> None:
    assert caller().ask("POST", "/v7/tests/http-server/instant", body).status == 400


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_a_415(caller: Any, kind: str) -> None:
    asked = caller()
    asked.headers["content-type"] = kind
    assert create(asked, "http-server").status == 415


def test_a_charset_does_not_disturb_the_content_type(caller: Any) -> None:
    asked = caller()
    asked.headers["content-type"] = "Application/JSON; charset=utf-8"
    assert create(asked, "http-server").status == 201


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v7/tests/http-server/instant", "POST"),
        ("POST", "/v7/agents", "GET"),
        ("DELETE", "/v7/test-results/1/network", "GET"),
        ("PUT", "/v6/instant/http-server", "POST"),
    ],
)
def test_a_wrong_method_is_a_405_that_says_the_right_one(
    caller: Any, method: str, path: str, allowed: str
) -> None:
    reply = caller().ask(method, path)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/v7/agents.json",
        "/v7/tests/bgp/instant",
        "/v7/test-results/1/nothing",
        "/v7/test-results/1/network",
        "/v7/test-results/x/network",
        f"/v7/test-results/{'9' * 6000}/network",
        "/v7/agents/0",
        "/v7/nothing",
        "/v7",
        "/v6/instant/api",
        "/v6/web/http-server/1",
        "/v6/nothing.json",
        "/v6/groups/agents/1",
        "/nothing",
        "/",
    ],
)
def test_what_does_not_exist_is_a_404(caller: Any, path: str) -> None:
    assert caller().ask("GET", path).status == 404


def test_a_v7_error_says_what_happened_to_what(caller: Any) -> None:
    reply = caller().ask("GET", "/v7/test-results/77/network")
    body = json.loads(reply.body)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert body == {
        "type": "about:blank",
        "title": "URI Resource Not Found",
        "status": 404,
        "detail": "Test 77 was not found",
        "instance": "/v7/test-results/77/network",
    }


def test_a_v6_error_has_an_error_message(caller: Any) -> None:
    reply = caller().ask("POST", "/v6/instant/http-server", {"agents": [{"agentId": "3"}]})
    assert reply.status == 400
    message = json.loads(reply.body)["errorMessage"]
    assert "url" in message
    assert "agents[0].agentId: must be an integer" in message


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", "Basic bWU6cmlnaHQ=", "Token right", "Basic %%%"]
)
def test_a_wrong_token_is_a_401_of_the_documented_form(caller: Any, authorization: str) -> None:
    asked = caller(token="right")
    asked.headers["authorization"] = authorization
    reply = asked.ask("GET", "/v7/agents")
    assert reply.status == 401
    assert json.loads(reply.body)["error"] == "invalid_token"
    assert not [name for name in reply.headers if "Rate-Limit" in name]


@pytest.mark.parametrize("authorization", ["Bearer right", "bearer right", "Basic bWVAeC5vcmc6cmlnaHQ="])
def test_version_6_takes_bearer_and_basic(caller: Any, authorization: str) -> None:
    asked = caller(token="right", email="me@x.org")
    asked.headers["authorization"] = authorization
    assert asked.ask("GET", "/v6/agents.json").status == 200


def test_version_6_refuses_basic_with_another_address(caller: Any) -> None:
    asked = caller(token="right", email="you@x.org")
    asked.headers["authorization"] = "Basic bWVAeC5vcmc6cmlnaHQ="
    assert asked.ask("GET", "/v6/agents.json").status == 401


def test_the_witness_knows_tokens_by_their_fingerprints_only(caller: Any) -> None:
    asked = caller()
    asked.headers["authorization"] = "Bearer very-secret"
    asked.ask("GET", "/v7/agents")
    assert "very-secret" not in json.dumps(asked.service.witness())
    assert len(asked.service.witness()["tokens"]) == 1


@pytest.mark.parametrize("path", ["/v7/agents", "/v6/agents"])
def test_a_foreign_account_group_is_refused(caller: Any, path: str) -> None:
    asked = caller()
    assert asked.ask("GET", path, aid="1234").status == 200
    assert asked.ask("GET", path, aid="99").status == 403


@pytest.mark.parametrize(
    "query",
    [
        {"window": "1h", "startDate": "2026-01-01T00:00:00Z"},
        {"endDate": "2026-01-01T00:00:00Z"},
        {"window": "soon"},
        {"startDate": "yesterday"},
        {"cursor": "###"},
        {"cursor": "e30"},
        {"direction": "up"},
    ],
)
def test_parameters_that_make_no_sense_are_a_400(caller: Any, query: dict[str, str]) -> None:
    asked = caller()
    assert asked.ask("GET", f"/v7/test-results/{asked.create()}/network", **query).status == 400


def test_version_6_refuses_icmp_with_a_port(caller: Any) -> None:
    body = {"server": "x.example.com", "port": 80, "protocol": "ICMP", "agents": [{"agentId": 3}]}
    assert caller().ask("POST", "/v6/instant/agent-to-server", body).status == 400


@pytest.mark.parametrize(
    ("type_name", "change"),
    [
        ("http-server", {"verifyCertificate": True}),
        ("http-server", {"verifyCertificate": 2}),
        ("http-server", {"protocol": "tcp"}),
        ("http-server", {"authType": "basic"}),
        ("agent-to-agent", {"targetAgentId": "1001"}),
        ("agent-to-agent", {"direction": "to-target"}),
        ("agent-to-server", {"dscpId": "46"}),
        ("dns-server", {"dnsServers": ["ns1.example.com"]}),
        ("ftp-server", {"requestType": "download"}),
        ("sip-server", {"targetSipCredentials": {"port": 5060}}),
    ],
)
def test_version_6_refuses_the_words_of_version_7(
    caller: Any, type_name: str, change: dict[str, Any]
) -> None:
    asked = caller()
    body = {**asked.bodies_v6[type_name], "agents": [{"agentId": 3}], **change}
    assert asked.ask("POST", f"/v6/instant/{type_name}", body).status == 400


def test_an_unknown_version_is_redirected(caller: Any) -> None:
    reply = caller().ask("GET", "/v5/agents")
    assert (reply.status, reply.headers["Location"]) == (301, "http://127.0.0.1:8089/v7/agents")


def test_the_status_page_of_version_6_needs_no_token_and_counts_nothing(caller: Any) -> None:
    asked = caller(organization_limit=1, token="right")
    asked.headers.clear()
    for _ in range(3):
        reply = asked.ask("GET", "/v6/status.json")
        assert json.loads(reply.body) == {"timestamp": int(asked.start * 1000)}
