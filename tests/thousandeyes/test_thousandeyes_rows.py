from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.model import Answer, AnswerStatus
from orchestrator.testtypes import METRICS, TEST_TYPES
from orchestrator.thousandeyes.protocol import Page
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7

ROUND = 1588608900
# Per layer: the v7 row's own fields, what v6 calls them where it differs, and what must come out.
GOLDEN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "network": (
        {
            "loss": 0.0,
            "minLatency": 11,
            "avgLatency": 12.5,
            "maxLatency": 20,
            "jitter": 0.4,
            "server": "a.example:443",
        }
        | {
            "serverIp": "192.0.2.1",
            "healthScore": 0.98,
            "packetsBySecond": [[1, 2]],
            "direction": "to-target",
        },
        {"direction": "TO_TARGET"},
        {
            "loss": 0.0,
            "minLatency": 11,
            "avgLatency": 12.5,
            "maxLatency": 20,
            "jitter": 0.4,
            "server": "a.example:443",
        }
        | {"serverIp": "192.0.2.1", "healthScore": 0.98, "direction": "to-target"},
    ),
    "path-vis": (
        {
            "pathTraces": [
                {"numberOfHops": 16, "responseTime": 167, "pathId": "6537222451557817610263112715264"},
                {"numberOfHops": 14, "responseTime": 171, "ipAddress": "192.0.2.1"},
                {"pathId": "no answer"},
            ],
            "server": "a.example:80",
        },
        {},
        {"numberOfHops": 16, "responseTime": 171, "pathTraces": 3},
    ),
    "http-server": (
        {"responseCode": 200, "dnsTime": 0, "connectTime": 2, "sslTime": 9, "waitTime": 3, "receiveTime": 1}
        | {"responseTime": 14, "redirectTime": 10, "totalTime": 15, "wireSize": 9993, "numRedirects": 1}
        | {"serverIp": "192.0.2.1", "sslCipher": "ECDHE", "sslVersion": "TLSv1.2", "errorType": "None"},
        {},
        {"responseCode": 200, "dnsTime": 0, "connectTime": 2, "sslTime": 9, "waitTime": 3, "receiveTime": 1}
        | {"responseTime": 14, "redirectTime": 10, "totalTime": 15, "wireSize": 9993, "numRedirects": 1}
        | {"serverIp": "192.0.2.1", "sslCipher": "ECDHE", "sslVersion": "TLSv1.2"},
    ),
    "page-load": (
        {"responseTime": 120, "domLoadTime": 900, "pageLoadTime": 1800, "totalSize": 90000, "numObjects": 40}
        | {"numErrors": 0},
        {},
        {"responseTime": 120, "domLoadTime": 900, "pageLoadTime": 1800, "totalSize": 90000, "numObjects": 40}
        | {"numErrors": 0},
    ),
    "web-transactions": (
        {"transactionTime": 4200, "componentErrors": 0, "errorType": "None", "errorDetails": ""},
        {},
        {"transactionTime": 4200, "componentErrors": 0},
    ),
    "ftp-server": (
        {
            "dnsTime": 1,
            "connectTime": 2,
            "negotiationTime": 30,
            "waitTime": 4,
            "responseTime": 37,
            "transferTime": 5,
        }
        | {"totalTime": 42, "wireSize": 1000, "throughput": 200000, "responseCode": 226, "errorType": "none"},
        {},
        {
            "dnsTime": 1,
            "connectTime": 2,
            "negotiationTime": 30,
            "waitTime": 4,
            "responseTime": 37,
            "transferTime": 5,
        }
        | {"totalTime": 42, "wireSize": 1000, "throughput": 200000, "responseCode": 226},
    ),
    "dns-server": (
        {
            "serverId": "71",
            "server": "ns1.example.com",
            "resolutionTime": 9,
            "mappings": "192.0.2.1",
            "errorDetails": "",
        },
        {"serverId": 71},
        {"serverId": "71", "server": "ns1.example.com", "resolutionTime": 9, "mappings": "192.0.2.1"},
    ),
    "dns-trace": (
        {"output": "com.\t172800\tIN", "queries": 3, "failedQueries": 0, "finalServerQueried": "a1.example."}
        | {"finalQueryTime": 178, "mappings": "192.0.2.1", "errorDetails": ""},
        {},
        {"output": "com.\t172800\tIN", "queries": 3, "failedQueries": 0, "finalServerQueried": "a1.example."}
        | {"finalQueryTime": 178, "mappings": "192.0.2.1"},
    ),
    "dnssec": ({"isValid": True}, {}, {"isValid": True}),
    "sip-server": (
        {
            "availability": 100.0,
            "dnsTime": 2,
            "connectTime": 5,
            "registerTime": 21,
            "optionsTime": 13,
            "waitTime": 5,
        }
        | {"responseTime": 12, "totalTime": 40, "responseCode": 200, "numRedirects": 0, "errorType": "None"},
        {},
        {
            "availability": 100.0,
            "dnsTime": 2,
            "connectTime": 5,
            "registerTime": 21,
            "optionsTime": 13,
            "waitTime": 5,
        }
        | {"responseTime": 12, "totalTime": 40, "responseCode": 200, "numRedirects": 0},
    ),
    "rtp-server": (
        {
            "mos": 4.38,
            "codecMaxMos": 4.4,
            "loss": 0.0,
            "discards": 0.1,
            "latency": 25,
            "pdv": 2,
            "codecName": "G.711",
        },
        {},
        {
            "mos": 4.38,
            "codecMaxMos": 4.4,
            "loss": 0.0,
            "discards": 0.1,
            "latency": 25,
            "pdv": 2,
            "codecName": "G.711",
        },
    ),
}
V6_KEYS = {
    "network": ("net", "metrics"),
    "path-vis": ("net", "pathVis"),
    "http-server": ("web", "httpServer"),
    "page-load": ("web", "pageLoad"),
    "web-transactions": ("web", "webTransaction"),
    "ftp-server": ("web", "ftpServer"),
    "dns-server": ("dns", "server"),
    "dns-trace": ("dns", "trace"),
    "dnssec": ("dns", "dnssec"),
    "sip-server": ("voice", "sipMetrics"),
    "rtp-server": ("voice", "metrics"),
}
V6_NAMES = {"isValid": "valid", "pathTraces": "endpoints"}


def v7_row(**fields: Any) -> dict[str, Any]:
    return {
        "agent": {"agentId": "11", "agentName": "London, UK", "countryId": "GB", "location": "London"},
        "roundId": ROUND,
        "date": "2020-05-04T16:15:14Z",
        "_links": {"appLink": {"href": "https://app.thousandeyes.com/view?roundId=1"}},
        **fields,
    }


def v6_row(**fields: Any) -> dict[str, Any]:
    return {
        "agentId": 11,
        "agentName": "London, UK",
        "countryId": "GB",
        "roundId": ROUND,
        "date": "2020-05-04 16:15:14",
        "permalink": "https://app.thousandeyes.com/view?roundId=1",
        **{V6_NAMES.get(name, name): value for name, value in fields.items()},
    }


def v7_body(rows: list[Any], **more: Any) -> bytes:
    return json.dumps({"results": rows, "test": {"testId": "1"}, **more}).encode()


def v6_body(layer: str, rows: list[Any], **more: Any) -> bytes:
    family, key = V6_KEYS[layer]
    return json.dumps({family: {"test": {"testId": 1}, key: rows}, **more}).encode()


def one(page: Page) -> Answer:
    assert page.skipped == 0
    (answer,) = page.rows
    return answer


def read_v7(layer: str, **fields: Any) -> Answer:
    return one(V7().read_page(layer, v7_body([v7_row(**fields)])))


@pytest.mark.parametrize("layer", sorted(GOLDEN))
def test_a_row_of_each_layer_becomes_the_same_answer_in_both_versions(layer: str) -> None:
    fields, in_v6, metrics = GOLDEN[layer]
    answers = {
        "v7": read_v7(layer, **fields),
        "v6": one(V6().read_page(layer, v6_body(layer, [v6_row(**{**fields, **in_v6})]))),
    }
    for version, answer in answers.items():
        assert dict(answer.metrics) == metrics, version
        assert answer.status is AnswerStatus.OK, (version, answer.error)
        assert answer.error is None, version
        assert (answer.layer, answer.agent_id, answer.agent, answer.country) == (
            layer,
            "11",
            "London, UK",
            "GB",
        )
        assert (answer.round_id, answer.date) == (ROUND, "2020-05-04T16:15:14Z"), version
        assert answer.server == fields.get("server"), version
        assert answer.direction == fields.get("direction"), version
        assert answer.link == "https://app.thousandeyes.com/view?roundId=1", version


def test_every_layer_of_every_type_is_read() -> None:
    layers = {layer for kind in TEST_TYPES.values() for layer in kind.layers}
    assert layers == {*GOLDEN, "api"} == set(METRICS)


def test_an_api_test_is_read_in_v7() -> None:
    answer = read_v7("api", apiTransactionTime=310.5, completion=100, errorType="None")
    assert dict(answer.metrics) == {"apiTransactionTime": 310.5, "completion": 100}


def test_v6_tells_dnssec_by_numbers() -> None:
    for told, valid in ((1, True), (0, False)):
        answer = one(V6().read_page("dnssec", v6_body("dnssec", [v6_row(isValid=told)])))
        assert answer.metrics == {"isValid": valid}


@pytest.mark.parametrize(
    ("layer", "fields", "error"),
    [
        (
            "http-server",
            {"errorType": "Connect", "errorDetails": "Connection refused"},
            "Connect: Connection refused",
        ),
        ("http-server", {"errorType": "DNS"}, "DNS"),
        ("http-server", {"errorDetails": "Operation timed out"}, "Operation timed out"),
        (
            "web-transactions",
            {"errorType": "Timeout", "errorDetails": "timeout after 30 s"},
            "timeout after 30 s",
        ),
        ("network", {"errorDetails": "no route to host"}, "no route to host"),
        ("dns-server", {"server": "ns1.example.com", "errorDetails": "SERVFAIL"}, "SERVFAIL"),
        (
            "sip-server",
            {"errorType": "register", "problemDetail": "403 Forbidden"},
            "register: 403 Forbidden",
        ),
        ("rtp-server", {"errorDetail": "target did not answer"}, "target did not answer"),
    ],
)
def test_a_failed_measurement_is_an_error_with_its_text(
    layer: str, fields: dict[str, Any], error: str
) -> None:
    for answer in (
        read_v7(layer, **fields),
        one(V6().read_page(layer, v6_body(layer, [v6_row(**fields)]))),
    ):
        assert answer.status is AnswerStatus.ERROR
        assert answer.error == error


@pytest.mark.parametrize("nothing", ["None", "none", "", " ", None, "NONE"])
def test_no_error_is_written_in_many_ways(nothing: str | None) -> None:
    answer = read_v7("http-server", totalTime=5, errorType=nothing, errorDetails=nothing)
    assert answer.status is AnswerStatus.OK


def test_an_error_row_keeps_what_was_measured_before_it_failed() -> None:
    answer = read_v7("http-server", dnsTime=3, connectTime=9, errorType="SSL", errorDetails="expired")
    assert answer.status is AnswerStatus.ERROR
    assert dict(answer.metrics) == {"dnsTime": 3, "connectTime": 9}


@pytest.mark.parametrize("layer", [*sorted(GOLDEN), "api"])
def test_a_row_that_measured_nothing_and_says_nothing_is_an_error(layer: str) -> None:
    answer = read_v7(layer, server="a.example", serverIp="192.0.2.1", healthScore=-3)
    assert answer.status is AnswerStatus.ERROR
    assert answer.error == f"the {layer} row has no measurement and gives no reason"


def test_a_page_that_responded_but_did_not_finish_is_no_error() -> None:
    assert read_v7("page-load", responseTime=100, numErrors=3).status is AnswerStatus.OK


def test_numbers_may_come_as_strings() -> None:
    row = v7_row(loss="0.5", avgLatency=" 12 ", jitter="1e1", roundId=str(ROUND))
    answer = one(V7().read_page("network", v7_body([row])))
    assert dict(answer.metrics) == {"loss": 0.5, "avgLatency": 12, "jitter": 10.0}
    assert answer.round_id == ROUND


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "", "twelve", None, True, [], {}, "1e999", "0x10", "1_0", 10**400]
)
def test_what_is_no_number_is_no_metric(value: object) -> None:
    assert read_v7("network", loss=0, avgLatency=value).metrics == {"loss": 0}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
def test_a_number_that_json_does_not_have_loses_itself_and_not_the_page(number: str) -> None:
    about = f'"loss": {number}, "avgLatency": 7, "roundId": 1795718010'
    for dialect, body in (
        (V7(), f'{{"results": [{{{about}, "agent": {{"agentId": "3"}}}}], "test": {{}}}}'),
        (V6(), f'{{"net": {{"metrics": [{{{about}, "agentId": 3}}]}}}}'),
    ):
        page = dialect.read_page("network", body.encode())
        assert page.skipped == 0
        assert page.rows[0].metrics.get("avgLatency") == 7
        assert "loss" not in page.rows[0].metrics


@pytest.mark.parametrize("text", ["1795718010.0", "1795718010", '"1795718010.0"', "1.79571801e9"])
def test_a_whole_number_is_an_id_however_it_is_written(text: str) -> None:
    for dialect, body in (
        (V7(), f'{{"results": [{{"loss": 1, "roundId": {text}, "agent": {{"agentId": {text}}}}}]}}'),
        (V7(), f'{{"results": [{{"loss": 1, "roundId": {text}, "agentId": {text}}}]}}'),
        (V6(), f'{{"net": {{"metrics": [{{"loss": 1, "roundId": {text}, "agentId": {text}}}]}}}}'),
        (
            V6(),
            f'{{"net": {{"metrics": [{{"loss": 1, "roundId": {text}, "agent": {{"agentId": {text}}}}}]}}}}',
        ),
    ):
        page = dialect.read_page("network", body.replace("]}", '], "test": {}}', 1).encode())
        assert [(row.agent_id, row.round_id) for row in page.rows] == [("1795718010", 1795718010)]


@pytest.mark.parametrize(
    ("told", "started"),
    [
        ({"date": "2017-03-14 16:21:58"}, 1489508518),
        ({"date": "2017-03-14T16:21:58Z"}, 1489508518),
        ({"date": "2017-03-14T18:21:58+02:00", "roundId": None}, 1489508518),
        ({"startTime": 1489508518}, 1489508518),
        ({"date": "2017-03-14 16:21:58", "roundId": "soon"}, 1489508518),
        ({"date": "2017-03-14 16:21:58", "roundId": 1489508460}, 1489508460),
    ],
)
def test_a_row_without_a_round_is_of_the_second_of_its_date(told: dict[str, Any], started: int) -> None:
    v6 = {"dns": {"trace": [{"agentId": 3, "finalQueryTime": 5, **told}]}}
    v7 = {"results": [{"agent": {"agentId": "3"}, "finalQueryTime": 5, **told}], "test": {}}
    for dialect, body in ((V6(), v6), (V7(), v7)):
        page = dialect.read_page("dns-trace", json.dumps(body).encode())
        assert [row.round_id for row in page.rows] == [started]


@pytest.mark.parametrize("odd", [b"a\tb", b"a\nb", b"caf\xc3", b"\xff\xfe", b"\xed\xa0\x80"])
def test_an_odd_byte_in_a_text_does_not_lose_the_page(odd: bytes) -> None:
    body = (
        b'{"results": [{"loss": 1, "roundId": 5, "agent": {"agentId": "3", "agentName": "%b"}}], "test": {}}'
    )
    assert len(V7().read_page("network", body.replace(b"%b", odd)).rows) == 1


def test_rows_that_cannot_be_used_are_counted() -> None:
    good = v7_row(loss=0, date=None)
    bad: list[Any] = [
        None,
        7,
        "row",
        [],
        {},
        {**good, "agent": None},
        {**good, "agent": {"agentId": ""}},
        {**good, "agent": {"agentId": "../5"}},
        {**good, "agent": {"agentId": True}},
        {**good, "roundId": None},
        {**good, "roundId": "soon"},
        {**good, "roundId": -1},
        {**good, "roundId": 1.5},
        {**good, "roundId": 10**30},
    ]
    page = V7().read_page("network", v7_body([*bad, good]))
    assert len(page.rows) == 1
    assert page.skipped == len(bad)


def test_missing_names_and_dates_do_not_lose_a_row() -> None:
    row = {"agent": {"agentId": 11}, "roundId": ROUND, "date": "yesterday", "loss": 1}
    answer = one(V7().read_page("network", v7_body([row])))
    assert (answer.agent_id, answer.agent, answer.country, answer.date) == ("11", "11", None, None)
    assert answer.link is None


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc/passwd", 7, "https://a.example/" + "x" * 3000]
)
def test_only_web_links_are_kept(link: object) -> None:
    assert read_v7("network", loss=0, _links={"appLink": {"href": link}}).link is None


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2022-07-17T22:00:54Z", "2022-07-17T22:00:54Z"),
        ("2022-07-18T00:00:54.123+02:00", "2022-07-17T22:00:54Z"),
        ("2022-07-17 22:00:54", "2022-07-17T22:00:54Z"),
        ("0001-01-01T00:00:00+14:00", None),
        ("2022-13-01", None),
    ],
)
def test_dates_have_one_form(date: str, expected: str | None) -> None:
    assert read_v7("network", loss=0, date=date).date == expected


@pytest.mark.parametrize("layer", ["network", "path-vis"])
@pytest.mark.parametrize(
    ("told", "server"),
    [
        ({"server": "ns1.example:53", "serverId": 7, "serverIp": "192.0.2.1"}, "ns1.example:53"),
        ({"serverId": "7", "serverIp": "192.0.2.1"}, "7"),
        ({"serverIp": "192.0.2.1"}, "192.0.2.1"),
        ({}, None),
    ],
)
def test_rows_of_several_servers_are_told_apart_by_what_they_have(
    layer: str, told: dict[str, Any], server: str | None
) -> None:
    assert one(V7().read_page(layer, v7_body([v7_row(**told)]))).server == server
    assert one(V6().read_page(layer, v6_body(layer, [v6_row(**told)]))).server == server


def test_v6_raw_keeps_the_names_of_v6() -> None:
    answer = one(V6().read_page("path-vis", v6_body("path-vis", [v6_row(pathTraces=[])])))
    assert "endpoints" in json.loads(answer.raw)


HOPS = [
    {"hop": 1, "ipAddress": "192.0.2.1", "responseTime": 1},
    {"hop": 4, "ipAddress": "192.0.2.9", "responseTime": 9},
]


def test_hop_details_are_read_alike_in_both_versions() -> None:
    traces = [{"pathId": "1", "hops": HOPS}, {"pathId": "2", "hops": HOPS[:1]}]
    v7 = one(V7().read_path_detail(v7_body([v7_row(pathTraces=traces)])))
    body = {"net": {"pathVis": [{**v6_row(), "routes": traces}]}}
    v6 = one(V6().read_path_detail(json.dumps(body).encode()))
    for answer in (v7, v6):
        assert answer.layer == "path-vis-detail"
        assert answer.status is AnswerStatus.OK
        assert dict(answer.metrics) == {"pathTraces": 2, "numberOfHops": 4, "responseTime": 9}
