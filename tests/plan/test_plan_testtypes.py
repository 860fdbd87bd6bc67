"""The table of test types against the vendor's own request and result models."""

from __future__ import annotations

import typing
from typing import Any

import pydantic
import pytest
from thousandeyes_sdk.instant_tests import models as requests
from thousandeyes_sdk.test_results import models as results

from orchestrator.testtypes import METRICS, OURS, READ_ONLY, TEST_TYPES, Kind, Option, V6Form, layers_of

SDK_NAMES = {
    "agent-to-server": "AgentToServer",
    "agent-to-agent": "AgentToAgent",
    "dns-server": "DnsServer",
    "dns-trace": "DnsTrace",
    "dnssec": "DnsSec",
    "http-server": "HttpServer",
    "page-load": "PageLoad",
    "web-transactions": "WebTransaction",
    "api": "Api",
    "ftp-server": "FtpServer",
    "sip-server": "SipServer",
    "voice": "Voice",
}
RESULTS = {
    "network": "NetworkTestResult",
    "http-server": "HttpTestResult",
    "page-load": "PageLoadTestResult",
    "web-transactions": "WebTransactionTestResult",
    "api": "ApiTestResult",
    "ftp-server": "FtpServerTestResult",
    "dns-server": "DnsServerTestResult",
    "dns-trace": "DnsTraceTestResult",
    "dnssec": "DnssecTestResult",
    "sip-server": "SipServerTestResult",
    "rtp-server": "RtpStreamTestResult",
}
KINDS = {
    Kind.STRING: "string",
    Kind.ID: "string",
    Kind.INTEGER: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.STRINGS: "array",
    Kind.IDS: "array",
    Kind.OBJECT: "object",
    Kind.OBJECTS: "array",
    Kind.FREE: "object",
}


def _model(module: Any, name: str) -> dict[str, Any]:
    model = typing.cast("type[pydantic.BaseModel]", getattr(module, name))
    return model.model_json_schema(by_alias=True)


def _inner(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A property without ``null`` and references."""
    for one in node.get("anyOf", ()):
        if one.get("type") != "null":
            return _inner(schema, one)
    if "$ref" in node:
        return _inner(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
    return node


def test_there_are_the_twelve_types() -> None:
    assert set(TEST_TYPES) == set(SDK_NAMES)


@pytest.mark.parametrize("name", SDK_NAMES)
def test_the_options_of_a_type_are_the_fields_of_the_vendors_request(name: str) -> None:
    properties = set(_model(requests, f"{SDK_NAMES[name]}InstantTestRequest")["properties"])
    assert set(TEST_TYPES[name].options) == properties - READ_ONLY - OURS


@pytest.mark.parametrize("name", SDK_NAMES)
def test_the_required_fields_of_a_type_are_the_vendors(name: str) -> None:
    required = set(_model(requests, f"{SDK_NAMES[name]}InstantTestRequest")["required"])
    assert set(TEST_TYPES[name].target_fields) == required - {"agents"}


@pytest.mark.parametrize("name", SDK_NAMES)
def test_kinds_limits_and_choices_are_the_vendors(name: str) -> None:
    schema = _model(requests, f"{SDK_NAMES[name]}InstantTestRequest")
    _compare(schema, schema["properties"], TEST_TYPES[name].options)


def _compare(
    schema: dict[str, Any], properties: dict[str, Any], options: typing.Mapping[str, Option]
) -> None:
    for option in options.values():
        theirs = _inner(schema, properties[option.name])
        choices = set(theirs.get("enum", ())) - {"unknown"}  # the SDK's own catch-all
        assert set(option.choices) == choices, option.name
        assert KINDS[option.kind] == theirs.get("type", "object"), option.name
        for limit, value in (("minimum", option.minimum), ("maximum", option.maximum)):
            if limit in theirs:
                assert value == theirs[limit], (option.name, limit)
        inside = _inner(schema, theirs["items"]) if option.kind is Kind.OBJECTS else theirs
        if option.fields:
            assert set(option.fields) == set(inside["properties"]), option.name
            _compare(schema, inside["properties"], option.fields)


@pytest.mark.parametrize("layer", RESULTS)
def test_the_metrics_of_a_layer_are_fields_of_the_vendors_result(layer: str) -> None:
    assert set(METRICS[layer]) <= set(_model(results, RESULTS[layer])["properties"])


def test_every_layer_of_every_type_has_metrics() -> None:
    assert {layer for kind in TEST_TYPES.values() for layer in kind.layers} == set(METRICS)


def test_without_network_measurements_the_network_layers_are_gone() -> None:
    assert layers_of("page-load", {"networkMeasurements": False}) == ("page-load", "http-server")
    assert layers_of("page-load", {}) == ("page-load", "http-server", "network", "path-vis")


def test_in_agent_to_server_that_field_means_something_else() -> None:
    assert layers_of("agent-to-server", {"networkMeasurements": False}) == ("network", "path-vis")


def test_what_could_be_a_secret_is_marked() -> None:
    marked = {".".join(path) for kind in TEST_TYPES.values() for path in kind.secrets()}
    assert {
        "password",
        "transactionScript",
        "clientCertificate",
        "headers",
        "customHeaders",
        "postBody",
        "oAuth.password",
        "targetSipCredentials.password",
        "requests.headers",
        "requests.bearerToken",
        "requests.clientSecret",
        "predefinedVariables.value",
    } <= marked


def _all_options(options: typing.Mapping[str, Option]) -> typing.Iterator[Option]:
    for option in options.values():
        yield option
        yield from _all_options(option.fields)


def test_v6_forms_fit_the_kinds_of_their_fields() -> None:
    fits = {
        V6Form.FLAG: {Kind.BOOLEAN},
        V6Form.INTEGER: {Kind.ID},
        V6Form.INTEGERS: {Kind.IDS},
        V6Form.GROUPS: {Kind.IDS},
        V6Form.ACCOUNTS: {Kind.IDS},
        V6Form.SERVERS: {Kind.STRINGS},
        V6Form.UPPER: {Kind.STRING},
        V6Form.CAMEL: {Kind.STRING},
        V6Form.CAPITALIZED: {Kind.STRING},
        V6Form.NESTED: {Kind.OBJECT, Kind.OBJECTS},
        V6Form.SAME: set(Kind) - {Kind.BOOLEAN},
    }
    for kind in TEST_TYPES.values():
        for option in _all_options(kind.options):
            if option.v6 is not None:
                assert option.kind in fits[option.v6_form], (kind.name, option.name)
                assert not option.choices or option.v6_form is not V6Form.SAME, (kind.name, option.name)


def test_v6_knows_every_type_but_api() -> None:
    assert [kind.name for kind in TEST_TYPES.values() if kind.v6_name is None] == ["api"]
    assert TEST_TYPES["dnssec"].v6_name == "dns-dnssec"


def test_what_v6_requires_v6_can_say() -> None:
    for kind in TEST_TYPES.values():
        if kind.v6_name is not None:
            assert [name for name in kind.target_fields if kind.options[name].v6 is None] == [], kind.name
