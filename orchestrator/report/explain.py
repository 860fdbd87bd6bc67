"""The story of one test: when it was planned, what it waited for, each look, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.lifecycle import SpecState
from orchestrator.model import Json
from orchestrator.records import CellRecord, Event, RunRecord, TestRecord
from orchestrator.report.summary import number
from orchestrator.report.times import clock_time, people, span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal

_CAME_TO = {
    SpecState.PLANNED: "not created yet",
    SpecState.CREATING: "its creation was sent and no outcome is recorded",
    SpecState.WAITING: "created; answers are still expected",
    SpecState.COMPLETE: "complete: every agent answered",
    SpecState.PARTIAL: "partial: some answers had not come at its deadline",
    SpecState.TIMED_OUT: "timed out: nothing had come at its deadline",
    SpecState.FAILED: "failed: the API refused its creation",
    SpecState.UNKNOWN: "unknown: the answer to its creation was lost; it was not repeated",
    SpecState.NOT_RUN: "not run",
}


_ODD_ROWS: Mapping[str, str] = {
    "stale": "rows of an earlier round",
    "strangers": "rows of agents that were not asked",
    "skipped": "unreadable rows",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: when (epoch seconds), seconds since the run began, and what, escaped."""

    at: float
    since: float
    text: str


def steps(run: RunRecord, test: TestRecord, events: Sequence[Event]) -> list[Step]:
    """The steps in order. Times that no event tells (a journal that was cut) come from the record."""
    told = {event.kind for event in events}
    found = [(run.started, "planned")]
    if test.intended is not None and "intended" not in told:
        found.append((test.intended, "creation sent"))
    if test.created is not None and not told & {"created", "rerun"}:
        found.append((test.created, f"created as test {terminal(test.test_id or '?')}"))
    if test.closed is not None and "closed" not in told:
        found.append((test.closed, f"closed as {test.state.value.replace('_', ' ')}"))
    found += [(event.at, _told(event)) for event in events]
    found.sort(key=lambda step: step[0])
    return [Step(at, at - run.started, text) for at, text in found]


def waits(events: Sequence[Event]) -> dict[str, float]:
    """Seconds by what was waited for. Each event tells the whole wait so far, so the longest counts."""
    total: dict[str, float] = {}
    for event in events:
        if event.kind == "waited":
            name = str(event.facts.get("for"))
            total[name] = max(total.get(name, 0.0), number(event.facts.get("seconds")) or 0.0)
    return total


def explanation(
    run: RunRecord, test: TestRecord, events: Sequence[Event], cells: Sequence[CellRecord] = ()
) -> list[str]:
    """Lines for people, escaped. ``cells`` are the ones asked about; none means the whole test."""
    spec = test.spec
    lines = [
        f"test {terminal(spec.key)}: {terminal(spec.test)}, {terminal(spec.type)}, {terminal(spec.target)}",
        f"  {len(spec.agents)} agents, layers {terminal(', '.join(spec.layers))}",
        f"  name {terminal(test.name or '-')}, test id {terminal(test.test_id or '-')}",
        f"  run {terminal(run.id)} of {terminal(run.plan)}, started {people(run.started)}",
        "",
    ]
    lines += [_line(step) for step in steps(run, test, events)]
    waited = [f"{span(seconds)} for {awaited(name)}" for name, seconds in waits(events).items() if seconds]
    if waited:
        lines += ["", f"  waited {', '.join(waited)}"]
    error = f" ({terminal(test.error)})" if test.error else ""
    lines += ["", f"  {_CAME_TO[test.state]}{error}"]
    lines += [_cell(cell) for cell in cells]
    return lines


def _line(step: Step) -> str:
    return f"  {clock_time(step.at)}  {_since(step.since):>12}  {step.text}"


def _since(seconds: float) -> str:
    return f"+{span(max(0.0, seconds))}"


def _cell(cell: CellRecord) -> str:
    verdict = cell.verdict.value if cell.verdict else "open"
    reasons = f": {terminal('; '.join(cell.reasons))}" if cell.reasons else ""
    return (
        f"  {terminal(cell.agent or cell.agent_id)}: {cell.state.value.replace('_', ' ')}, {verdict}{reasons}"
    )


def _told(event: Event) -> str:
    """One event as a sentence; a kind that is not known here is shown as it stands."""
    sentence = _SENTENCES.get(event.kind)
    return sentence(event.facts) if sentence else f"{terminal(event.kind)}{_rest(event.facts)}"


def _look(facts: Mapping[str, Json]) -> str:
    """``rows`` counts the agents that have answered so far, ``of`` those that are asked."""
    head = f"looked at {_fact(facts, 'layer')}"
    status = facts.get("status")
    refused = isinstance(status, int) and not 200 <= status < 300
    if status == "failed" or refused:
        detail = _fact(facts, "detail") if facts.get("detail") else f"status {_fact(facts, 'status')}"
        return f"{head}: {detail}"
    parts = [f"{head}: {_fact(facts, 'rows')} of {_fact(facts, 'of')} agents answered"]
    if facts.get("complete") is True:
        parts.append("complete")
    for name, words in _ODD_ROWS.items():
        if number(facts.get(name)):
            parts.append(f"{_fact(facts, name)} {words}")
    return ", ".join(parts)


def _status(facts: Mapping[str, Json]) -> str:
    return "" if facts.get("status") is None else f", status {_fact(facts, 'status')}"


def _fact(facts: Mapping[str, Json], name: str) -> str:
    value = facts.get(name)
    return "?" if value is None else terminal(str(value))


def _rest(facts: Mapping[str, Json]) -> str:
    return ": " + ", ".join(f"{terminal(name)} {_fact(facts, name)}" for name in facts) if facts else ""


def _waited(facts: Mapping[str, Json]) -> str:
    return f"waited {span(number(facts.get('seconds')))} for {awaited(str(facts.get('for')))}"


def _limited(facts: Mapping[str, Json]) -> str:
    parts = ["refused by a limit (429)"]
    if facts.get("layer") is not None:
        parts.append(f"a look at {_fact(facts, 'layer')}")
    if facts.get("budget") is not None:
        parts.append(awaited(str(facts["budget"])))
    if number(facts.get("until")) is not None:
        parts.append(f"opens at {clock_time(number(facts['until']))}")
    return ", ".join(parts) + "; queued again"


def _circuit(facts: Mapping[str, Json]) -> str:
    pause = span(number(facts.get("seconds")))
    return f"{_fact(facts, 'failures')} failures in a row, everything pauses for {pause}"


_SENTENCES: Mapping[str, Callable[[Mapping[str, Json]], str]] = {
    "waited": _waited,
    "intended": lambda facts: f"creation sent, named {_fact(facts, 'name')}",
    "created": lambda facts: f"created as test {_fact(facts, 'test_id')}{_status(facts)}",
    "refused": lambda facts: f"refused{_status(facts)}: {_fact(facts, 'detail')}",
    "limited": _limited,
    "circuit": _circuit,
    "lost": lambda facts: f"no answer came back: {_fact(facts, 'error')}",
    "look": _look,
    "closed": lambda facts: f"closed as {_fact(facts, 'state').replace('_', ' ')}",
    "rerun": lambda facts: f"run again{_rest(facts)}",
}


def never_planned(cell: CellRecord) -> str:
    """Why a cell was left out before anything was created, in one line, escaped."""
    reasons = terminal("; ".join(cell.reasons)) or "no reason is recorded"
    agent = terminal(cell.agent or cell.agent_id)
    return f"{terminal(cell.target)} on {agent} was left out of test {terminal(cell.test)}: {reasons}"
