"""Hops as both versions write them, and whatever else may stand in their place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import Hop, Json, Path
from orchestrator.testtypes import DETAILS, PATHS
from orchestrator.thousandeyes.paths import MOST_HOPS, read_paths
from orchestrator.thousandeyes.protocol import BadAnswer
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7

# As the vendor's documents show them.
HOPS: list[Json] = [
    {
        "hop": 1,
        "ipAddress": "192.0.2.1",
        "prefix": "192.0.2.0/24",
        "rdns": "gw.example.net",
        "network": "Example (AS 64500)",
        "responseTime": 3,
        "location": "London Area",
    },
    {"hop": 2, "mpls": "L=24015,E=0,S=1,T=1", "ipAddress": "198.51.100.1"},
    {"hop": 5, "ipAddress": "203.0.113.9", "responseTime": 44},
]
READ = (
    Hop(
        1,
        "192.0.2.1",
        rdns="gw.example.net",
        network="Example (AS 64500)",
        prefix="192.0.2.0/24",
        location="London Area",
        time=3,
    ),
    Hop(2, "198.51.100.1", mpls="L=24015,E=0,S=1,T=1"),
    Hop(5, "203.0.113.9", time=44),
)


def v7(traces: Json) -> bytes:
    row = {"agent": {"agentId": "1"}, "roundId": 7, "pathTraces": traces}
    return json.dumps({"results": [row]}).encode()


def v6(traces: Json) -> bytes:
    return json.dumps({"net": {"pathVis": [{"agentId": 1, "roundId": 7, "routes": traces}]}}).encode()


@pytest.mark.parametrize(("dialect", "written"), [(V7(), v7), (V6(), v6)], ids=["v7", "v6"])
def test_the_hops_of_each_trace_are_read_from_both_versions(dialect: Any, written: Any) -> None:
    body = written([{"pathId": "100", "hops": HOPS}, {"pathId": 101, "hops": []}])
    [row] = dialect.read_path_detail(body).rows
    assert row.layer == DETAILS
    assert row.paths == (Path("100", READ), Path("101", ()))


def test_rows_without_details_have_no_paths() -> None:
    [row] = V7().read_page(PATHS.name, v7([{"pathId": "1", "numberOfHops": 3, "hops": HOPS}])).rows
    assert row.paths is None


def test_the_last_hop_that_answered_is_told() -> None:
    assert Path(None, READ).last_answered == READ[2]
    assert Path(None, (*READ, Hop(6), Hop(7))).last_answered == READ[2]
    assert Path(None, (Hop(1),)).last_answered is None
    assert Path(None, ()).last_answered is None


@pytest.mark.parametrize(
    ("hop", "read"),
    [
        ({"hop": "4", "responseTime": "12.5"}, Hop(4, time=12.5)),
        ({"hop": 4.0, "ipAddress": None, "rdns": ""}, Hop(4)),
        ({"ipAddress": "192.0.2.1"}, Hop(1, "192.0.2.1")),
        ({"hop": -3}, Hop(1)),
        ({"hop": 2.5}, Hop(1)),
        ({"hop": True, "responseTime": -1, "loss": "x"}, Hop(1)),
        ({"hop": 10**40, "loss": 12}, Hop(1, loss=12)),
        ({"hop": [1], "ipAddress": {"a": 1}, "mpls": {"L": 1}}, Hop(1)),
        ({"hop": 2, "mpls": ["L=16", 17, None, {}]}, Hop(2, mpls="L=16, 17")),
        ("nonsense", Hop(1)),
        (None, Hop(1)),
        ({"rdns": "x" * 10_000}, Hop(1, rdns="x" * 256)),
    ],
)
def test_a_hop_that_is_not_as_documented_is_read_as_far_as_it_goes(hop: Json, read: Hop) -> None:
    assert read_paths({"pathTraces": [{"hops": [hop]}]}) == (Path(None, (read,)),)


def test_hops_are_in_the_order_of_their_numbers() -> None:
    hops: list[Json] = [{"hop": 3}, {}, {"hop": 1}]
    [path] = read_paths({"pathTraces": [{"hops": hops}]})
    assert [hop.number for hop in path.hops] == [1, 3, 4]


def test_a_list_that_is_no_path_is_cut() -> None:
    many: list[Json] = [{"hops": [{"hop": 1}] * 10_000}] * 1_000
    found = read_paths({"pathTraces": many})
    assert len(found) == 64
    assert all(len(path.hops) == MOST_HOPS for path in found)


@pytest.mark.parametrize("traces", [None, {}, "x", 7, [None], [[]], [{"hops": None}], [{"hops": {}}]])
def test_what_is_no_list_of_traces_has_no_hops(traces: Json) -> None:
    assert all(path.hops == () for path in read_paths({"pathTraces": traces}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["hop", "hops", "ipAddress", "pathId", "responseTime", "mpls", "loss", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(anything)
def test_nothing_that_stands_for_traces_raises(traces: Any) -> None:
    for path in read_paths({"pathTraces": traces}):
        numbers = [hop.number for hop in path.hops]
        assert numbers == sorted(numbers)
        assert all(number > 0 for number in numbers)
        assert all(hop.time is None or hop.time >= 0 for hop in path.hops)


@given(anything, st.sampled_from([(V7(), v7), (V6(), v6)]))
def test_a_whole_body_is_read_or_told_to_be_bad(traces: Any, how: tuple[Any, Any]) -> None:
    dialect, written = how
    try:
        page = dialect.read_path_detail(written(traces))
    except BadAnswer:
        return
    assert all(row.paths is not None for row in page.rows)
