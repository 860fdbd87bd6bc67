"""The answers of a test as the vendor's data model v2 has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageProblem
from orchestrator.model import Answer, AnswerStatus
from orchestrator.records import RunSettings
from orchestrator.telemetry.address import otlp_base
from orchestrator.telemetry.points import Point, Points, of_url, points_of, without_secrets
from orchestrator.testtypes.layers import LAYERS
from orchestrator.testtypes.published import PUBLISHED, STATUS_CODES

RUN = make_run(account="1234")
AGENTS = {one.id: one for one in (make_agent("1", location="London Area"), make_agent("9", name="target"))}
ROUND = 1_700_000_000
# The units of the vendor's page, by our unit and how it is scaled.
UNITS = {("ms", 0.001): "s", ("ms", 1.0): "ms", ("%", 1.0): "%", ("B/s", 1.0): "By/s", ("", 1.0): "1"}


def told(*answers: Answer, run: Any = RUN, **spec: Any) -> list[Points]:
    [test] = make_tests([make_spec(**spec)])
    return [*points_of(run, replace(test, test_id="42"), AGENTS, answers)]


def values(*answers: Answer, **spec: Any) -> dict[str, float]:
    return {point.name: point.value for cell in told(*answers, **spec) for point in cell.points}


def test_every_published_metric_is_one_of_its_layer_in_the_unit_that_it_comes_to() -> None:
    for name, published in PUBLISHED.items():
        for one in published:
            if one.metric is None:
                assert one.on_ok is not None, one
            elif LAYERS[name].metrics[one.metric] != "bool":
                assert UNITS[LAYERS[name].metrics[one.metric], one.scale] == one.unit, one
    assert {*STATUS_CODES} <= {*PUBLISHED} <= {*LAYERS}


def test_values_are_in_the_units_of_the_vendor_at_the_start_of_the_round() -> None:
    metrics = {"loss": 2.5, "minLatency": 1.0, "avgLatency": 2.0, "maxLatency": 31.0, "jitter": 0.5}
    [cell] = told(make_answer("network", metrics=metrics, round_id=ROUND, date="2020-01-01T00:00:00Z"))
    assert [(point.name, point.value, point.unit, point.at) for point in cell.points] == [
        ("network.latency", pytest.approx(0.031), "s", ROUND * 10**9),
        ("network.loss", 2.5, "%", ROUND * 10**9),
        ("network.jitter", 0.5, "ms", ROUND * 10**9),
    ]


def test_a_row_without_a_round_is_of_the_time_of_its_measurement() -> None:
    [cell] = told(make_answer(metrics={"responseTime": 1}, round_id=0, date="2026-11-21T05:00:00Z"))
    assert {point.at for point in cell.points} == {1_795_237_200 * 10**9}
    assert told(make_answer(metrics={"responseTime": 1}, round_id=0, date="soon")) == []


def test_what_failed_is_not_available_and_says_where() -> None:
    row = make_answer(status=AnswerStatus.ERROR, error="no", error_type="ssl", metrics={})
    [cell] = told(row)
    assert cell.points == (
        Point("http.server.request.availability", "%", 0.0, ROUND * 10**9, {"error.type": "ssl"}),
    )
    assert values(make_answer(metrics={"totalTime": 1.0})) == {"http.server.request.availability": 100.0}


def test_a_status_code_stands_beside_the_values_of_its_own_protocol() -> None:
    [cell] = told(make_answer(metrics={"responseCode": 503, "responseTime": 40}))
    assert {point.attributes["http.response.status_code"] for point in cell.points} == {503}
    [cell] = told(make_answer("sip-server", metrics={"responseCode": 200, "totalTime": 4}))
    assert [*cell.points[0].attributes] == []


@pytest.mark.parametrize(("valid", "percent"), [(True, 100.0), (False, 0.0)])
def test_a_chain_of_signatures_is_valid_or_not(valid: bool, percent: float) -> None:
    assert values(make_answer("dnssec", metrics={"isValid": valid})) == {"dns.lookup.validity": percent}


def test_what_the_vendor_has_no_name_for_is_left_out() -> None:
    assert told(make_answer("path-vis", metrics={"numberOfHops": 3})) == []
    assert told(make_answer("some-day", metrics={"loss": 3.0})) == []
    assert values(make_answer("network", metrics={"loss": "much", "jitter": float("nan")})) == {}


def test_a_cell_has_the_attributes_that_the_vendor_publishes_and_ours_under_our_own_name() -> None:
    row = make_answer("network", metrics={"loss": 0.0}, server="192.0.2.1:443", link="https://app.example/1")
    [cell] = told(
        row, target="shop", fields={"url": "https://shop.example.com:8443/a?b=c", "protocol": "TCP"}
    )
    assert cell.resource == {
        "thousandeyes.account.id": "1234",
        "thousandeyes.test.id": "42",
        "thousandeyes.test.name": "sweep / web / shop",
        "thousandeyes.test.type": "http-server",
        "thousandeyes.test.domain": "cea",
        "thousandeyes.data.version": "v2",
        "thousandeyes.source.agent.id": "1",
        "thousandeyes.source.agent.name": "agent 1",
        "thousandeyes.source.agent.location": "London Area",
        "thousandeyes.source.agent.geo.country.iso_code": "GB",
        "thousandeyes.permalink": "https://app.example/1",
        "server.address": "192.0.2.1",
        "server.port": 443,
        "url.scheme": "https",
        "network.transport": "tcp",
        "orchestrator.plan": "sweep",
        "orchestrator.test": "web",
        "orchestrator.target": "shop",
    }


def test_an_agent_may_be_the_target_and_a_name_the_question() -> None:
    row = make_answer("network", metrics={"loss": 0.0}, direction="to-target")
    [cell] = told(row, fields={"targetAgentId": "9"})
    assert cell.resource["thousandeyes.target.agent.name"] == "target"
    assert cell.resource["network.io.direction"] == "transmit"
    [cell] = told(row, fields={"domain": "example.com A"})
    assert cell.resource["dns.question.name"] == "example.com"


def test_simulated_measurements_say_so() -> None:
    run = make_run(settings=RunSettings(simulated=True))
    [cell] = told(make_answer(metrics={"responseTime": 1}), run=run)
    assert cell.resource["orchestrator.simulated"] is True


@given(
    st.sampled_from(["https://", "ftp://", ""]),
    st.sampled_from(["", "user:hunter2@", "hunter2@"]),
    st.sampled_from(["/login", "", "/a/b"]),
    st.sampled_from(["?key=hunter2", "?hunter2#x", "#hunter2"]),
)
def test_no_secret_of_an_address_is_told(scheme: str, user: str, path: str, query: str) -> None:
    target = f"{scheme}{user if scheme else ''}shop.example.com{path}{query}"
    cells = told(make_answer(metrics={"responseTime": 1}), target=target, fields={"url": target})
    assert "hunter2" not in repr(cells) + repr(of_url(target))
    assert "shop.example.com" in without_secrets(target)


@pytest.mark.parametrize(
    ("server", "address", "port"),
    [
        ("192.0.2.1:443", "192.0.2.1", 443),
        ("mail.example.com", "mail.example.com", None),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:443", "2001:db8::1", 443),
        ("x:99999", "x:99999", None),
    ],
)
def test_a_server_is_told_from_its_port(server: str, address: str, port: int | None) -> None:
    [cell] = told(make_answer("network", metrics={"loss": 0.0}, server=server), fields={})
    assert (cell.resource["server.address"], cell.resource.get("server.port")) == (address, port)


@pytest.mark.parametrize("url", ["http://localhost:4318/", "https://otel.example.com/base"])
def test_an_address_of_a_collector_is_taken_without_the_slash_at_its_end(url: str) -> None:
    assert otlp_base(url) == url.rstrip("/")
    assert otlp_base("http://collector:4318", allow_http=True)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:4318", "ftp://localhost", "http://", "http://localhost:x", "http://local host"),
        *("https://user:hunter2@otel.example.com", "https://otel.example.com?key=hunter2"),
        *("https://otel.example.com/v1/metrics", "http://collector:4318"),
    ],
)
def test_another_address_is_refused_and_no_secret_of_it_repeated(url: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        otlp_base(url)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
