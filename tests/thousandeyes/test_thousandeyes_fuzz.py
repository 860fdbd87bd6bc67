"""Whatever a body is, only ``BadAnswer`` is ever raised, and what comes out can be stored and exported."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.model import Answer, Api
from orchestrator.testtypes import METRICS
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.protocol import BadAnswer

KEYS = sorted(
    {name for metrics in METRICS.values() for name in metrics}
    | {
        "results",
        "test",
        "_links",
        "next",
        "href",
        "appLink",
        "testResults",
        "testId",
        "agents",
        "agent",
        "tags",
    }
    | {
        "agentId",
        "agentName",
        "agentType",
        "countryId",
        "roundId",
        "date",
        "errorType",
        "errorDetails",
        "pathTraces",
    }
    | {
        "net",
        "web",
        "dns",
        "voice",
        "metrics",
        "pathVis",
        "httpServer",
        "endpoints",
        "hops",
        "hop",
        "pages",
        "valid",
    }
    | {
        "groups",
        "name",
        "key",
        "value",
        "assignments",
        "id",
        "accountGroups",
        "aid",
        "clusterMembers",
        "apiLinks",
    }
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**20, max_value=10**320)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12)
    | st.sampled_from(
        ["11", "cloud", "NaN", "1e400", "2020-01-01 00:00:00", "https://a.example/v7/x", "None"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=10), max_size=3)


def usable(answer: Answer) -> None:
    """What every consumer of an answer relies on."""
    assert answer.agent_id.isascii()
    assert 0 <= answer.round_id < 2**53
    assert json.loads(answer.raw) is not None
    assert answer.raw.isascii()
    assert (answer.error is None) == (answer.status.value == "ok")
    for name, value in answer.metrics.items():
        assert isinstance(name, str)
        assert isinstance(value, str | int | float | bool)
        assert not isinstance(value, float) or math.isfinite(value)
        assert isinstance(value, bool) or not isinstance(value, int) or -(2**63) <= value < 2**63


def read_everything(body: bytes) -> None:
    for api in Api:
        door = dialect(api)
        for read in (door.read_agents, door.read_labels, door.read_account_groups):
            with contextlib.suppress(BadAnswer):
                read(body)
        with contextlib.suppress(BadAnswer):
            door.read_created(body, {})
        with contextlib.suppress(BadAnswer):
            for answer in door.read_path_detail(body).rows:
                usable(answer)
        for layer in METRICS:
            if layer == "api" and api is Api.V6:
                continue
            with contextlib.suppress(BadAnswer):
                for answer in door.read_page(layer, body).rows:
                    usable(answer)


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b'{"results":' + b"[" * 900 + b"]" * 900 + b', "test": {}}')
@example(b'{"results": [{"agent": ' + b'{"agent":' * 400 + b"1" + b"}" * 400 + b"}]}")
@example(b'{"a": ' + b"9" * 5000 + b"}")
def test_bytes_of_any_kind(body: bytes) -> None:
    read_everything(body)


@settings(deadline=None, max_examples=150)
@given(VALUES)
def test_json_of_any_shape(value: Any) -> None:
    read_everything(json.dumps(value).encode())


@settings(deadline=None, max_examples=150)
@given(ROWS, st.sampled_from(["11", 11]), st.integers(0, 2**40))
def test_rows_with_any_fields(rows: list[dict[str, Any]], agent_id: str | int, round_id: int) -> None:
    own = {"agentId": agent_id, "roundId": round_id, "agent": {"agentId": agent_id}}
    mixed = [{**row, **own} if index % 2 == 0 else row for index, row in enumerate(rows)]
    families = {"net": {"metrics": mixed, "pathVis": mixed}, "web": {"httpServer": mixed, "pageLoad": mixed}}
    try:
        body = json.dumps({"results": mixed, "test": {}, **families}).encode()
    except ValueError:  # an integer of more digits than Python writes
        return
    read_everything(body)


TEXT = st.text(max_size=40)


@settings(deadline=None)
@given(TEXT, TEXT, st.dictionaries(st.just("location"), TEXT))
def test_links_and_locations_of_any_kind(href: str, origin: str, headers: dict[str, str]) -> None:
    for api in Api:
        door = dialect(api)
        assert door.follow(href, "https://api.thousandeyes.com") is None or href.startswith(
            ("/", "https://api.")
        )
        with contextlib.suppress(BadAnswer):
            test_id = door.read_created(b"", headers).test_id
            assert test_id.isdigit()
        door.follow(href, origin)
