"""The trace of a run, made of what it tells."""

from __future__ import annotations

from dataclasses import replace

from builders import make_run

from orchestrator.events import (
    Closed,
    Created,
    Event,
    Fact,
    HopsRead,
    Intended,
    Polled,
    RequestAnswered,
    RequestFailed,
    RequestSent,
    Sending,
)
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunFacts, RunRecord, RunState
from orchestrator.telemetry.spans import Span, Trace, trace_id_of

RUN = "65000000deadbeef"
API = {"server.address": "api.example.com"}
ENDED = make_run(RUN, state=RunState.COMPLETE, exit_code=0, finished=200.0)
READ = Sending.READ
STORY: tuple[tuple[float, str | None, Fact], ...] = (
    (101.0, "k", Intended("a test")),
    (102.0, "k", RequestSent(Sending.CREATION)),
    (103.5, "k", RequestAnswered(Sending.CREATION, 201, 1.5)),
    (103.5, "k", Created("42", 201)),
    (120.0, "k", RequestSent(READ)),
    (120.1, "k", RequestSent(READ)),
    (121.1, "k", RequestAnswered(READ, 200, 1.0)),
    (121.1, "k", Polled("network", 1, 2)),
    (122.0, "k", RequestAnswered(READ, 429, 2.0)),
    (130.0, "k", Closed(SpecState.COMPLETE)),
)


def event(at: float, spec: str | None, fact: Fact, run: str | None = RUN) -> Event:
    return Event(at, run, spec, fact)


def told(
    story: tuple[tuple[float, str | None, Fact], ...] = STORY,
    *,
    began: int = 100,
    resumed: bool = False,
    record: RunRecord = ENDED,
) -> list[Span]:
    trace = Trace(RUN, began * 10**9, API, resumed=resumed)
    early = [
        event(100.0, None, RequestSent(READ), None),
        event(100.5, None, RequestAnswered(READ, 200, 0.5), None),
    ]
    found = [*trace.prepared(early, 101 * 10**9)]
    for at, spec, fact in story:
        found += trace.hear(event(at, spec, fact))
    return [*found, *trace.ended(record)]


def when(spans: list[Span]) -> list[tuple[str, float, float]]:
    return sorted((one.name, one.start / 1e9, one.end / 1e9) for one in spans)


def test_a_run_is_told_from_prepare_to_close_by_its_own_clock() -> None:
    assert when(told()) == [
        ("close", 130.0, 200.0),
        ("create", 102.0, 103.5),
        ("list", 100.0, 100.5),
        ("poll", 120.0, 122.0),
        ("poll", 120.1, 121.1),
        ("prepare", 100.0, 101.0),
        ("run", 100.0, 200.0),
        ("test", 101.0, 130.0),
    ]


def test_every_span_has_its_parent_in_one_trace() -> None:
    spans = told()
    by_id = {one.span_id: one for one in spans}
    assert len(by_id) == len(spans)
    assert {one.trace_id for one in spans} == {trace_id_of(RUN)}
    parents = {one.name: None if one.parent is None else by_id[one.parent].name for one in spans}
    assert parents == {
        "run": None,
        "prepare": "run",
        "close": "run",
        "test": "run",
        "list": "prepare",
        "create": "test",
        "poll": "test",
    }


def test_a_resume_goes_on_with_the_trace_and_repeats_no_id() -> None:
    first, again = told(), told(began=500, resumed=True)
    [root], [resumed] = [s for s in first if s.name == "run"], [s for s in again if s.name == "resume"]
    assert (resumed.trace_id, resumed.parent) == (root.trace_id, root.span_id)
    assert not {one.span_id for one in first} & {one.span_id for one in again}
    assert [one.span_id for one in told()] == [one.span_id for one in first]


def test_requests_have_the_names_of_the_conventions() -> None:
    [created] = [one for one in told() if one.name == "create"]
    assert created.request
    assert created.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "server.address": "api.example.com",
    }
    refused, good = sorted((one for one in told() if one.name == "poll"), key=lambda one: one.start)
    assert good.attributes["orchestrator.layer"] == "network"
    assert good.error is None
    assert (refused.error, refused.attributes["error.type"]) == ("status 429", "429")


def test_a_lost_answer_ends_the_oldest_request() -> None:
    story = (*STORY[:6], (140.0, "k", RequestFailed(READ, "gone")))
    lost = [one for one in told(story) if one.error == "gone"]
    assert when(lost) == [("poll", 120.0, 140.0)]
    assert lost[0].attributes["error.type"] == "no_answer"


def test_a_probe_is_a_step_of_the_run_itself() -> None:
    story = ((110.0, None, RequestSent(READ)), (111.0, None, RequestAnswered(READ, 200, 1.0)))
    spans = told(story)
    [root] = [one for one in spans if one.name == "run"]
    assert [(one.parent, one.start) for one in spans if one.name == "poll"] == [(root.span_id, 110 * 10**9)]


def test_hops_are_told_by_whose_they_are() -> None:
    story = (*STORY[:7], (121.1, "k", HopsRead("7", 1)))
    [hops] = [one for one in told(story) if "orchestrator.hops_of" in one.attributes]
    assert hops.attributes["orchestrator.hops_of"] == "7"


def test_what_is_open_when_a_run_is_left_ends_with_it_and_says_why() -> None:
    left = replace(
        ENDED,
        state=RunState.INTERRUPTED,
        exit_code=130,
        finished=125.0,
        facts=RunFacts(stopped="left at once"),
    )
    spans = told(STORY[:7], record=left)
    assert ("test", 101.0, 121.1) in when(spans)
    [root] = [one for one in spans if one.name == "run"]
    assert (root.end, root.error) == (125 * 10**9, "left at once")
    assert ("poll", 120.1, 121.1) in when(spans)
