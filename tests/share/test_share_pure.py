"""Which tests are shared, from when to when, how many in five minutes, and what the API is asked."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.budget.sliding import Sliding
from orchestrator.insight.values import CellKey
from orchestrator.model import Api, CellState, Verdict
from orchestrator.records import CellRecord
from orchestrator.report.worst import worst
from orchestrator.thousandeyes.protocol import BadAnswer
from orchestrator.thousandeyes.snapshots import Copy, covered, read_snapshot, snapshot

HOUR = 3600.0


def row(spec: str | None, agent: int, verdict: Verdict | None = Verdict.FAIL) -> CellRecord:
    name = f"{spec}.example"
    return CellRecord(
        spec, "web", "http-server", name, str(agent), f"a{agent}", "GB", CellState.ANSWERED, verdict
    )


def key(spec: str, agent: int) -> CellKey:
    return CellKey("web", f"{spec}.example", str(agent))


def test_of_each_cause_the_test_with_most_of_it_comes_first() -> None:
    cells = [*(row("a", n) for n in range(9)), *(row("b", n) for n in range(5)), row("c", 0), row("c", 1)]
    causes = {key("a", n): 1 for n in range(9)} | {key("b", n): 1 for n in range(5)} | {key("c", 0): 2}
    found = worst(cells, causes, 3)
    assert [(one.spec, one.bad, one.cause) for one in found] == [("a", 9, 1), ("c", 2, 2), ("b", 5, 1)]
    assert [one.spec for one in worst(cells, causes, 2)] == ["a", "c"]


def test_without_causes_the_test_with_most_failures_comes_first_then_the_plan_decides() -> None:
    cells = [row("a", 0), row("b", 0), row("b", 1), row("c", 0), row("d", 0, Verdict.PASS)]
    assert [one.spec for one in worst(cells, {}, 9)] == ["b", "a", "c"]
    assert worst(cells, {}, 9)[0].cells == 2


def test_warnings_count_where_nothing_fails_and_silence_never_does() -> None:
    silent = [row("a", 0, Verdict.NO_ANSWER), row("b", 0, None), row(None, 0), row("d", 0, Verdict.PARTIAL)]
    assert worst(silent, {}, 9) == ()
    assert [one.spec for one in worst([*silent, row("c", 1, Verdict.WARN)], {}, 9)] == ["c"]
    with_both = [row("c", 1, Verdict.WARN), row("e", 1)]
    assert [(one.spec, one.verdict) for one in worst(with_both, {}, 9)] == [("e", Verdict.FAIL)]


@given(first=st.integers(0, 200_000), length=st.integers(0, 170_000), later=st.integers(-400, 400_000))
def test_what_is_covered_has_a_length_that_the_api_takes_and_the_rounds(
    first: int, length: int, later: int
) -> None:
    last = first + length
    start, end = covered(first, last, last + later)
    assert (end - start) / HOUR in {1, 2, 4, 6, 12, 24, 48}
    assert start <= first
    assert last <= end <= max(last, last + later), "in the past by the clock, or by the round"
    shorter = [one for one in (1, 2, 4, 6, 12, 24, 48) if one * HOUR < end - start]
    assert all(end - one * HOUR > first for one in shorter), "no shorter one covers them"


@given(st.lists(st.floats(0, 2000), max_size=30), st.integers(1, 6))
def test_never_more_than_the_limit_lie_in_any_span(asked: list[float], most: int) -> None:
    limit, now = Sliding(most, 300.0), 0.0
    sent: list[float] = []
    for at in sorted(asked):
        now = max(now, at)
        wait = limit.opens_in(sent, now)
        assert 0.0 <= wait <= 302.001
        now += wait
        sent.append(now)
    assert all(later - one >= 300.0 for one, later in zip(sent, sent[most:], strict=False))


def test_a_clock_that_was_set_back_waits_one_span_at_most() -> None:
    assert Sliding(2, 300.0).opens_in([1e9, 1e9], 0.0) == 302.0
    assert Sliding(2, 300.0).opens_in([1e9], 0.0) == 0.0


def test_the_request_is_for_a_link_that_anybody_can_see() -> None:
    request = snapshot(Api.V7, "28/1", "t" * 300, (0.0, HOUR), "1234")
    assert (request.method, request.path, request.query) == (
        "POST",
        "/v7/tests/28%2F1/snapshot",
        (("aid", "1234"),),
    )
    assert request.body == {
        "displayName": "t" * 200,
        "startDate": "1970-01-01T00:00:00Z",
        "endDate": "1970-01-01T01:00:00Z",
        "isPublic": False,
    }
    assert not request.instant
    with pytest.raises(ValueError, match="v6 has no snapshots"):
        snapshot(Api.V6, "1", "t", (0.0, HOUR))


def test_an_answer_without_a_link_that_may_be_shown_is_none() -> None:
    def read(told: object) -> Copy:
        return read_snapshot(json.dumps(told).encode(), {})

    link = {"appLink": {"href": "https://abc.share.example/view"}}
    assert read({"id": "abc", "_links": link}) == Copy("abc", "https://abc.share.example/view")
    assert read({"_links": link}).id is None
    wrong: list[object] = [{}, {"_links": {"appLink": {"href": "javascript:alert(1)"}}}, {"_links": []}, []]
    for told in wrong:
        with pytest.raises(BadAnswer):
            read(told)
