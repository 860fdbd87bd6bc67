from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from thousandeyes_sdk.instant_tests import models

from orchestrator.model import Spec
from orchestrator.testtypes import TEST_TYPES, Kind
from orchestrator.thousandeyes.protocol import BadAnswer, Created
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7

MakeSpec = Callable[..., Spec]
MODELS = {
    "agent-to-server": "AgentToServerInstantTestRequest",
    "agent-to-agent": "AgentToAgentInstantTestRequest",
    "dns-server": "DnsServerInstantTestRequest",
    "dns-trace": "DnsTraceInstantTestRequest",
    "dnssec": "DnsSecInstantTestRequest",
    "http-server": "HttpServerInstantTestRequest",
    "page-load": "PageLoadInstantTestRequest",
    "web-transactions": "WebTransactionInstantTestRequest",
    "api": "ApiInstantTestRequest",
    "ftp-server": "FtpServerInstantTestRequest",
    "sip-server": "SipServerInstantTestRequest",
    "voice": "VoiceInstantTestRequest",
}
LINKS_V7 = "https://api.thousandeyes.com/v7/test-results/281474976710706/"


def unknown_keys(value: Any, where: str = "") -> list[str]:
    """Keys that a model of the vendor's SDK had to put aside."""
    if isinstance(value, list):
        return [key for item in value for key in unknown_keys(item, where)]
    if not isinstance(value, BaseModel):
        return []
    extra = {**(value.model_extra or {}), **getattr(value, "additional_properties", {})}
    inner = [
        key
        for name in type(value).model_fields
        for key in unknown_keys(getattr(value, name), f"{where}.{name}")
    ]
    return [f"{where}.{key}" for key in extra] + inner


def parsed(type_name: str, body: object) -> Any:
    return getattr(models, MODELS[type_name]).from_json(json.dumps(body))


def test_the_body_of_every_type_is_what_the_vendors_own_model_knows(
    type_name: str, make_spec: MakeSpec
) -> None:
    request = V7().create(make_spec(type_name), "plan portal #0123", "7")
    assert (request.method, request.path) == ("POST", f"/v7/tests/{type_name}/instant")
    assert request.query == (("aid", "7"),)
    assert request.instant
    model = parsed(type_name, request.body)
    assert unknown_keys(model) == []
    assert model.test_name == "plan portal #0123"
    assert [agent.agent_id for agent in model.agents] == ["11", "12"]


def full_value(option: Any) -> Any:
    if option.choices:
        return option.choices[-1]
    if option.fields:
        inner = {name: full_value(field) for name, field in option.fields.items()}
        return [inner] if option.kind is Kind.OBJECTS else inner
    values: dict[Kind, Any] = {
        Kind.STRING: "text",
        Kind.ID: "5",
        Kind.INTEGER: int(option.minimum or 1),
        Kind.NUMBER: 1.5,
        Kind.BOOLEAN: True,
        Kind.STRINGS: ["one", "two"],
        Kind.IDS: ["5"],
        Kind.FREE: {"name": "value"},
    }
    return values[option.kind]


def full_fields(type_name: str) -> dict[str, Any]:
    fields = {name: full_value(option) for name, option in TEST_TYPES[type_name].options.items()}
    if "customHeaders" in fields:
        fields["customHeaders"] = {
            "root": {"a": "b"},
            "all": {"a": "b"},
            "domains": {"x.example": {"a": "b"}},
        }
    return fields


def test_every_option_of_every_type_is_known_to_the_vendors_model(
    type_name: str, make_spec: MakeSpec
) -> None:
    body = V7().create(make_spec(type_name, **full_fields(type_name)), "name", None).body
    assert unknown_keys(parsed(type_name, body)) == []


def test_raw_fields_go_as_they_stand_and_win(make_spec: MakeSpec) -> None:
    spec = make_spec("http-server", raw={"httpTimeLimit": "12", "newField": {"a": [1]}})
    for dialect in (V7(), V6()):
        body = dialect.create(spec, "name", None).body
        assert body is not None
        assert body["httpTimeLimit"] == "12"
        assert body["newField"] == {"a": [1]}


def test_the_check_against_the_vendors_model_sees_unknown_keys(make_spec: MakeSpec) -> None:
    spec = make_spec("sip-server", raw={"port": 5060, "typo": 1})
    assert unknown_keys(parsed("sip-server", V7().create(spec, "name", None).body)) == [".port", ".typo"]


V6_BODIES: dict[str, dict[str, Any]] = {
    "agent-to-server": {"server": "portal.example.com", "port": 443, "protocol": "TCP", "numPathTraces": 5},
    "agent-to-agent": {"targetAgentId": 77, "direction": "BIDIRECTIONAL", "protocol": "UDP", "dscpId": 46},
    "dns-server": {
        "domain": "example.com A",
        "dnsServers": [{"serverName": "ns1.example.com"}, {"serverName": "ns2.example.com"}],
    },
    "dns-trace": {"domain": "example.com A", "dnsTransportProtocol": "TCP"},
    "dnssec": {"domain": "example.com A"},
    "http-server": {
        "url": "https://portal.example.com",
        "httpTimeLimit": 10,
        "sslVersionId": 6,
        "verifyCertificate": 0,
    },
    "page-load": {
        "url": "https://portal.example.com",
        "pageLoadTimeLimit": 20,
        "authType": "BASIC",
        "verifyCertificate": 0,
    },
    "web-transactions": {
        "url": "https://portal.example.com",
        "transactionScript": "import {By} from 'x';",
        "verifyCertificate": 0,
    },
    "ftp-server": {
        "url": "ftp://files.example.com",
        "username": "reader",
        "password": "hush",
        "requestType": "Download",
    },
    "sip-server": {
        "targetSipCredentials": {"port": 5060, "sipRegistrar": "sip.example.com", "protocol": "TLS"},
        "port": 5060,
        "sipRegistrar": "sip.example.com",
    },
    "voice": {"targetAgentId": 77, "codecId": 0, "duration": 10, "dscpId": 0},
}


@pytest.mark.parametrize("name", sorted(V6_BODIES))
def test_the_same_spec_in_the_words_of_v6(name: str, make_spec: MakeSpec) -> None:
    request = V6().create(make_spec(name), "plan portal", "7")
    path = "dns-dnssec" if name == "dnssec" else name
    assert (request.method, request.path, request.query) == ("POST", f"/v6/instant/{path}", (("aid", "7"),))
    common = {"testName": "plan portal", "agents": [{"agentId": 11}, {"agentId": 12}]}
    assert request.body == {**common, **V6_BODIES[name]}


def test_v6_has_no_api_test(make_spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="v6 has no api test"):
        V6().create(make_spec("api"), "name", None)


@pytest.mark.parametrize("name", sorted(V6_BODIES))
def test_no_v6_body_has_a_boolean_a_dash_enum_or_a_field_that_v6_lacks(
    name: str, make_spec: MakeSpec
) -> None:
    spec = make_spec(name, **full_fields(name))
    body = V6().create(spec, "name", None).body
    assert body is not None
    for option in TEST_TYPES[name].options.values():
        if option.v6 is None:
            assert option.name not in body
    assert not any(isinstance(value, bool) for value in body.values())
    enums = {
        option.v6: option for option in TEST_TYPES[name].options.values() if option.choices and option.v6
    }
    for key, option in enums.items():
        assert "-" not in str(body[key]), f"{key} keeps the v7 form {option.choices[-1]}"


@pytest.mark.parametrize(
    ("server", "protocol", "expected"),
    [
        ("a.example:8443", None, {"server": "a.example", "port": 8443}),
        ("a.example", None, {"server": "a.example"}),
        ("a.example:443", "icmp", {"server": "a.example", "protocol": "ICMP"}),
        ("[2001:db8::1]:443", None, {"server": "2001:db8::1", "port": 443}),
        ("2001:db8::1", None, {"server": "2001:db8::1"}),
        ("a.example:https", None, {"server": "a.example:https"}),
    ],
)
def test_v6_wants_the_port_apart_and_none_with_icmp(
    server: str, protocol: str | None, expected: dict[str, object], make_spec: MakeSpec
) -> None:
    spec = make_spec("agent-to-server", server=server, protocol=protocol, numPathTraces=None)
    body = V6().create(spec, "name", None).body
    assert body is not None
    assert {key: value for key, value in body.items() if key not in {"agents", "testName"}} == expected


@pytest.mark.parametrize(("chosen", "sent"), [(None, 0), (True, 1), (False, 0)])
def test_v6_is_told_what_v7_means_by_default(chosen: bool | None, sent: int, make_spec: MakeSpec) -> None:
    body = V6().create(make_spec("http-server", verifyCertificate=chosen), "name", None).body
    assert body is not None
    assert body["verifyCertificate"] == sent


def test_a_path_trace_mode_is_camel_case_in_v6(make_spec: MakeSpec) -> None:
    body = V6().create(make_spec("http-server", pathTraceMode="in-session"), "name", None).body
    assert body is not None
    assert body["pathTraceMode"] == "inSession"


def test_a_v7_creation_tells_its_id_and_its_result_links() -> None:
    body = {
        "testId": "281474976710706",
        "type": "http-server",
        "_links": {
            "self": {"href": "https://api.thousandeyes.com/v7/tests/281474976710706"},
            "testResults": [
                {"href": LINKS_V7 + "network"},
                {"href": LINKS_V7 + "path-vis"},
                {"nothing": 1},
                7,
            ],
        },
    }
    assert V7().read_created(json.dumps(body).encode(), {}) == Created(
        "281474976710706", {"network": LINKS_V7 + "network", "path-vis": LINKS_V7 + "path-vis"}
    )


def test_a_v6_creation_tells_its_id_and_its_data_links() -> None:
    host = "https://api.thousandeyes.com/v6"
    links = [
        {"rel": "self", "href": f"{host}/tests/344811"},
        {"rel": "data", "href": f"{host}/net/metrics/344811"},
        {"rel": "data", "href": f"{host}/voice/rtp-stream/344811.json"},
        {"rel": "data", "href": f"{host}/net/bgp-metrics/344811"},
        {"rel": "data", "href": "https://[broken"},
        None,
    ]
    body = {"test": [{"testId": 344811, "apiLinks": links}]}
    assert V6().read_created(json.dumps(body).encode(), {}) == Created(
        "344811",
        {"network": f"{host}/net/metrics/344811", "rtp-server": f"{host}/voice/rtp-stream/344811.json"},
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"testId": null}', b"<html>", b'{"test": []}'])
@pytest.mark.parametrize(
    ("location", "test_id"),
    [
        ("https://api.thousandeyes.com/v7/tests/http-server/281474976710706", "281474976710706"),
        ("https://api.thousandeyes.com/v6/tests/344811.json", "344811"),
        ("/v7/tests/5/", "5"),
    ],
)
def test_location_tells_the_id_of_a_test_whose_body_is_broken(
    body: bytes, location: str, test_id: str
) -> None:
    for dialect in (V7(), V6()):
        assert dialect.read_created(body, {"location": location}).test_id == test_id


@pytest.mark.parametrize("location", ["", "https://[broken", "https://x.example/v7/tests/abc", "/v7/tests"])
def test_a_broken_creation_without_a_usable_location_is_a_bad_answer(location: str) -> None:
    for dialect in (V7(), V6()):
        with pytest.raises(BadAnswer, match="expected a created test"):
            dialect.read_created(b"<html>oops", {"location": location})


def test_a_rerun_is_counted_as_instant_and_has_no_body() -> None:
    for dialect, path in ((V7(), "/v7/tests/5/run"), (V6(), "/v6/instant/5/rerun")):
        request = dialect.rerun("5", "7")
        assert (request.method, request.path, request.query) == ("POST", path, (("aid", "7"),))
        assert request.instant
        assert request.body is None
