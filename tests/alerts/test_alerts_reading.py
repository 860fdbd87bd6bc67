"""Targets and times in what others send: ThousandEyes, Alertmanager, PagerDuty, plain JSON, and what is
none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.alerts.config import KINDS
from orchestrator.alerts.reading import Unreadable, alerts, is_path, moment
from orchestrator.alerts.values import Alert, Finding

SHOP = "https://shop.example.com"


def _of(kind: str, document: Any, **names: str) -> list[Alert]:
    finding = KINDS[kind][1]
    if names:
        finding = Finding(finding.target, finding.time, finding.each, finding.when, names)
    return [*alerts(finding, json.dumps(document).encode())]


def test_plain_json_names_its_target() -> None:
    assert _of("json", {"target": SHOP}) == [Alert(SHOP)]
    assert _of("json", {"target": 1001}) == [Alert("1001")], "an agent's id is a number to people"


def test_thousandeyes_names_the_targets_of_the_test_when_an_alert_begins() -> None:
    alert = {"testName": "shop", "testTargetsDescription": [SHOP, "api.example.com:443"], "ruleName": "down",
             "dateStart": "2026-11-27 03:12:05"}  # fmt: skip
    begins = {"eventId": "1-2", "eventType": "WEB_ALERT_NOTIFICATION_TRIGGER", "alert": alert}
    assert _of("thousandeyes", begins) == [Alert(SHOP), Alert("api.example.com:443")]
    assert _of("thousandeyes", {**begins, "eventType": "WEB_ALERT_NOTIFICATION_CLEAR"}) == []


def test_alertmanager_sends_several_of_which_those_count_that_fire() -> None:
    sent = {
        "version": "4",
        "status": "firing",
        "alerts": [
            {"status": "firing", "labels": {"alertname": "Down", "instance": "shop.example.com:443"}},
            {"status": "resolved", "labels": {"alertname": "Down", "instance": "old.example.com:443"}},
            {"status": "firing", "labels": {"alertname": "Down", "instance": "shop.example.com:443"}},
            {"status": "firing", "labels": {"alertname": "Slow"}},
        ],
    }
    assert _of("alertmanager", sent) == [Alert("shop.example.com:443")]
    assert _of("alertmanager", {"alerts": [{"status": "resolved"}]}) == []
    assert _of("alertmanager", {"alerts": []}) == []


def test_pagerduty_names_a_service_which_the_hook_turns_into_a_target() -> None:
    event = {
        "event_type": "incident.triggered",
        "occurred_at": "2026-11-27T03:12:05.123Z",
        "data": {"id": "Q1", "title": "shop is down", "service": {"id": "PSHOP", "summary": "Shop"}},
    }
    (found,) = _of("pagerduty", {"event": event}, PSHOP=SHOP)
    assert found.target == SHOP
    assert found.at == pytest.approx(1795749125.123)
    assert _of("pagerduty", {"event": {**event, "event_type": "incident.resolved"}}, PSHOP=SHOP) == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe", b'{"target":null}', b'{"target":""}',
        b'{"target":{}}',
        b'{"target":[' + b"[" * 5000, b"[" * 100_000, b'{"target":true}', b'{"x":1}',
        b'{"target":"' + b"a" * 600 + b'"}',
    ],
)  # fmt: skip
def test_what_names_nothing_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        alerts(KINDS["json"][1], body)


def test_where_a_time_is_wanted_there_must_be_one() -> None:
    finding = Finding("target", time="at")
    assert alerts(finding, b'{"target":"a.example.com","at":1795749125}') == (
        Alert("a.example.com", 1795749125.0),
    )
    for at in ("null", '"yesterday"', "true", "[]", '"' + "9" * 100 + '"', "1e999"):
        with pytest.raises(Unreadable, match="no time"):
            alerts(finding, b'{"target":"a.example.com","at":%s}' % at.encode())


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (1795749125, 1795749125.0), (1795749125123, 1795749125.123), ("2026-11-27T03:12:05Z", 1795749125.0),
        ("2026-11-27 03:12:05", 1795749125.0), ("2026-11-27 03:12:05 UTC", 1795749125.0),
        ("2026-11-27T04:12:05+01:00", 1795749125.0), ("", None), (None, None),
        (float("inf"), None), (True, None),
    ],
)  # fmt: skip
def test_times_are_seconds_milliseconds_or_iso(value: Any, at: float | None) -> None:
    assert moment(value) == (None if at is None else pytest.approx(at))


@pytest.mark.parametrize("path", ["a", "a.b", "a[].b", "alerts[].labels.instance", "a-b.c d"])
def test_a_path_is_names_with_dots(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "[]", "a[0]", "a[]b", "a[][]"])
def test_anything_else_is_no_path(path: str) -> None:
    assert not is_path(path)


_KEYS = ["alert", "alerts", "target", "labels", "instance", "status", "event", "data", "service",
         "testTargetsDescription"]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.sampled_from([*KINDS]), _JSON)
def test_whatever_json_is_sent_it_is_read_or_unreadable(kind: str, document: Any) -> None:
    try:
        found = alerts(KINDS[kind][1], json.dumps(document).encode())
    except Unreadable:
        return
    assert all(one.target for one in found)


@given(st.sampled_from([*KINDS]), st.binary(max_size=100))
def test_whatever_bytes_are_sent_they_are_read_or_unreadable(kind: str, body: bytes) -> None:
    try:
        alerts(KINDS[kind][1], body)
    except Unreadable:
        return
