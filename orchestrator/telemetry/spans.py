"""The trace of a run, made of what is told: prepare, each test with its creation and its polls, close.

Times are those of the run's clock. The id of a trace is made of the run's: a resume goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256

from orchestrator.events import (
    Closed,
    Created,
    Event,
    HopsRead,
    Intended,
    Limited,
    Polled,
    PollFailed,
    RequestAnswered,
    RequestFailed,
    RequestSent,
    Rerun,
    Sending,
)
from orchestrator.records import RunRecord, RunState
from orchestrator.telemetry.points import NANOSECONDS, Attributes

# What a span of a request is called, and how it is asked.
_REQUESTS = {
    Sending.CREATION: ("create", "POST"),
    Sending.RERUN: ("rerun", "POST"),
    Sending.READ: ("poll", "GET"),
}
# Before there is a run.
_LISTING = "list"


@dataclass(frozen=True, slots=True)
class Span:
    """One step of a run. ``start`` and ``end`` are epoch nanoseconds, ``request``: it is one over HTTP.

    ``error`` says why it failed; ``spec`` is whose it is.
    """

    trace_id: int
    span_id: int
    parent: int | None
    name: str
    start: int
    end: int
    attributes: Attributes = field(default_factory=dict)
    request: bool = False
    error: str | None = None
    spec: str | None = None


def trace_id_of(run: str) -> int:
    """The id of a run's trace: the same for all its sessions."""
    return _id(f"trace of {run}", 16)


def _id(text: str, size: int) -> int:
    return int.from_bytes(sha256(f"orchestrator {text}".encode()).digest()[:size], "big") or 1


@dataclass
class _Open:
    """A test that has no end yet."""

    span_id: int
    start: int
    attributes: dict[str, str | int | bool]
    # When its requests under way were sent, by kind.
    sent: dict[Sending, list[int]] = field(default_factory=dict)


class Trace:
    """The trace of one run as one session sees it: :meth:`hear` gives the spans that have ended.

    ``began`` (epoch nanoseconds) is when the session began; a ``resumed`` run has its first session's span
    for a parent. ``server`` is the address of the API.
    """

    def __init__(self, run: str, began: int, server: Attributes, *, resumed: bool) -> None:
        self.run, self._began, self._server, self._resumed = run, began, server, resumed
        self._trace, self._made = trace_id_of(run), 0
        first = _id(f"span of {run}", 8)
        self._root = _id(f"span of {run} from {began}", 8) if resumed else first
        self._parent = first if resumed else None
        self._open: dict[str | None, _Open] = {}
        self._poll: Span | None = None
        self._last = began

    def prepared(self, early: list[Event], until: int) -> Iterator[Span]:
        """The span of what came before the run, and of its requests."""
        prepare = self._span("prepare", self._began, until, self._root)
        yield prepare
        before = _Open(prepare.span_id, self._began, {})
        for event in early:
            yield from (replace(one, name=_LISTING) for one in self._request(event, before))

    def hear(self, event: Event) -> Iterator[Span]:
        """The spans that end with this event."""
        at = _ns(event.at)
        self._last = max(self._last, at)
        if self._poll is not None:
            yield self._named(self._poll, event)
            self._poll = None
        match event.fact:
            case Intended():
                self._of(event.spec, at)
            case Created(test_id) | Rerun(test_id):
                self._of(event.spec, at).attributes["thousandeyes.test.id"] = test_id
            case RequestSent() | RequestAnswered() | RequestFailed():
                yield from self._requests(event, at)
            case Closed(state) if event.spec in self._open:
                test = self._open.pop(event.spec)
                test.attributes["orchestrator.state"] = state.value
                yield self._test(test, event.spec, at)

    def ended(self, record: RunRecord) -> Iterator[Span]:
        """The spans of what is still open, of the close, and of the session, whose run stands like this."""
        if self._poll is not None:
            yield self._poll
            self._poll = None
        for spec, test in self._open.items():
            yield self._test(test, spec, self._last)
        self._open.clear()
        end = max(self._last, self._last if record.finished is None else _ns(record.finished))
        yield self._span("close", self._last, end, self._root)
        attributes: dict[str, str | int | bool] = {
            "orchestrator.run": record.id,
            "orchestrator.plan": record.plan,
            "orchestrator.state": record.state.value,
        }
        if record.exit_code is not None:
            attributes["orchestrator.exit_code"] = record.exit_code
        if record.simulated:
            attributes["orchestrator.simulated"] = True
        bad = record.state is not RunState.COMPLETE
        yield Span(
            self._trace,
            self._root,
            self._parent,
            "resume" if self._resumed else "run",
            self._began,
            end,
            attributes,
            error=record.facts.stopped or record.state.value if bad else None,
        )

    def _next_id(self) -> int:
        self._made += 1
        return _id(f"span {self._made} of {self.run} from {self._began}", 8)

    def _of(self, spec: str | None, at: int) -> _Open:
        if spec not in self._open:
            self._open[spec] = _Open(self._next_id(), at, {})
        return self._open[spec]

    def _span(self, name: str, start: int, end: int, parent: int) -> Span:
        return Span(self._trace, self._next_id(), parent, name, start, end)

    def _test(self, test: _Open, spec: str | None, at: int) -> Span:
        attributes = {**test.attributes, **({} if spec is None else {"orchestrator.spec": spec})}
        return Span(self._trace, test.span_id, self._root, "test", test.start, at, attributes, spec=spec)

    def _requests(self, event: Event, at: int) -> Iterator[Span]:
        # What is asked of no test (a probe) is a step of the run itself.
        test = _Open(self._root, self._began, {}) if event.spec is None else self._of(event.spec, at)
        for span in self._request(event, test):
            if span.name == _REQUESTS[Sending.READ][0] and span.error is None and event.spec is not None:
                # What was read is told next.
                self._poll = span
            else:
                yield span

    def _request(self, event: Event, test: _Open) -> Iterator[Span]:
        at = _ns(event.at)
        match event.fact:
            case RequestSent(what):
                test.sent.setdefault(what, []).append(at)
            case RequestAnswered(what, status, seconds):
                start = _taken(test, what, at - round(seconds * NANOSECONDS))
                told: dict[str, str | int | bool] = {"http.response.status_code": status}
                failed = None if status < 400 else f"status {status}"
                yield self._asked(what, start, at, test, told, failed, str(status))
            case RequestFailed(what, error):
                yield self._asked(what, _taken(test, what, None, at), at, test, {}, error, "no_answer")

    def _asked(
        self,
        what: Sending,
        start: int,
        end: int,
        test: _Open,
        told: dict[str, str | int | bool],
        error: str | None,
        kind: str,
    ) -> Span:
        name, method = _REQUESTS[what]
        span = self._span(name, min(start, end), end, test.span_id)
        attributes = {"http.request.method": method, **self._server, **told}
        if error is not None:
            attributes["error.type"] = kind
        return replace(span, attributes=attributes, request=True, error=error)

    @staticmethod
    def _named(poll: Span, event: Event) -> Span:
        """A poll with the layer that it read, if that is what is told next."""
        match event.fact:
            case Polled(layer) | PollFailed(layer) | Limited(str(layer)):
                return replace(poll, attributes={**poll.attributes, "orchestrator.layer": layer})
            case HopsRead(agent_id):
                return replace(poll, attributes={**poll.attributes, "orchestrator.hops_of": agent_id})
        return poll


def _taken(test: _Open, what: Sending, start: int | None, otherwise: int = 0) -> int:
    """When the request was sent that has ended: the one nearest to ``start``, else the oldest."""
    sent = test.sent.get(what, [])
    if not sent:
        return otherwise if start is None else start
    best = sent[0] if start is None else min(sent, key=lambda one: abs(one - start))
    sent.remove(best)
    return best


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
