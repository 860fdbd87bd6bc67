"""The story of one test: when it was planned, what it waited for, each poll, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from orchestrator.events import (
    Adopted,
    AnswersStored,
    CircuitOpened,
    Closed,
    Created,
    Event,
    Fact,
    GivenUp,
    HopsChosen,
    HopsRead,
    Intended,
    Limited,
    Lost,
    Opened,
    Polled,
    PollFailed,
    Probed,
    Refused,
    RequestAnswered,
    RequestFact,
    RequestFailed,
    RequestSent,
    Rerun,
    Standing,
    Unknown,
    Waited,
    WaitEnded,
)
from orchestrator.events.limits import (
    BudgetAlone,
    BudgetFact,
    BudgetRecreated,
    BudgetReset,
    BudgetsPaused,
    LimitRefused,
    PermitLost,
    StaleReading,
    WindowOpened,
    WindowProbed,
)
from orchestrator.events.promotions import Promoted, PromotionFact, PromotionIntended, PromotionRefused
from orchestrator.events.verdicts import Judged, verdicts_in
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, AnswerStatus, Json, Path
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.times import clock_time, people, span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal
from orchestrator.testtypes.layers import BOOL, COUNT, METRICS, PLAIN, TEXT

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


# Agents that are named where something of them is missing.
_SILENT = 12
# Reasons of bad cells that are told, and agents that are named for each.
_REASONS, _NAMED = 8, 6
# Kinds of metrics whose unit is not said.
_BARE = frozenset({PLAIN, COUNT, TEXT, BOOL})
# What is not of one test.
_OfTheWhole: TypeAlias = (
    CircuitOpened | Probed | WaitEnded | Standing | RequestFact | BudgetFact | PromotionFact | Unknown
)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: when (epoch seconds), seconds since the run began, and what, escaped."""

    at: float
    since: float
    text: str


def steps(run: RunRecord, test: TestRecord, events: Sequence[Event]) -> list[Step]:
    """The steps in order. Times that no event tells (a journal that was cut) come from the record."""
    told = {type(event.fact) for event in events}
    found = [(run.started, "planned")]
    if test.intended is not None and Intended not in told:
        found.append((test.intended, "creation sent"))
    if test.created is not None and not told & {Created, Rerun}:
        found.append((test.created, f"created as test {terminal(test.test_id or '?')}"))
    if test.closed is not None and Closed not in told:
        found.append((test.closed, f"closed as {test.state.value.replace('_', ' ')}"))
    found += [(event.at, told_of(event.fact)) for event in events]
    found.sort(key=lambda step: step[0])
    return [Step(at, at - run.started, text) for at, text in found]


def waits(events: Sequence[Event]) -> dict[str, float]:
    """Seconds by what was waited for. Each event tells the whole wait so far, so the longest counts."""
    total: dict[str, float] = {}
    for event in events:
        if isinstance(event.fact, Waited):
            name = event.fact.reason.value
            total[name] = max(total.get(name, 0.0), event.fact.seconds)
    return total


def explanation(
    run: RunRecord,
    test: TestRecord,
    events: Sequence[Event],
    cells: Sequence[CellRecord] = (),
    answers: Sequence[Answer] = (),
    *,
    silent: Sequence[str] = (),
    bad: Sequence[CellRecord] = (),
) -> list[str]:
    """Lines for people, escaped: what came of it, then how. ``cells`` are the ones asked about; none means
    the whole test, of which the ``bad`` ones are told by their reasons.

    Of the ``answers`` of the test the values and the paths of those cells are told; ``silent`` are the agents
    of which something is missing.
    """
    spec = test.spec
    lines = [
        f"test {terminal(spec.key)}: {terminal(spec.test)}, {terminal(spec.type)}, {terminal(spec.target)}",
        f"  {len(spec.agents)} agents, layers {terminal(', '.join(spec.layers))}",
        f"  name {terminal(test.name or '-')}, test id {terminal(test.test_id or '-')}",
        f"  run {terminal(run.id)} of {terminal(run.plan)}, started {people(run.started)}",
    ]
    for key, texts in (("expects", spec.expect), ("warns unless", spec.warn)):
        if texts:
            lines.append(f"  {key} {terminal('; '.join(texts))}")
    lines.append("")
    error = f" ({terminal(test.error)})" if test.error else ""
    lines.append(f"  {_CAME_TO[test.state]}{error}")
    if silent:
        more = f" and {len(silent) - _SILENT} more" if len(silent) > _SILENT else ""
        lines.append(f"  something is missing of {', '.join(map(terminal, silent[:_SILENT]))}{more}")
    lines += _by_reason(bad)
    for cell in cells:
        lines.append(_cell(cell))
        own = [answer for answer in answers if answer.agent_id == cell.agent_id]
        lines += [f"    {value_told(answer)}" for answer in own if answer.paths is None]
        lines += [f"    {path_told(path)}" for answer in own for path in answer.paths or ()]
    lines += ["", *(_line(step) for step in steps(run, test, events))]
    waited = [f"{span(seconds)} for {awaited(name)}" for name, seconds in waits(events).items() if seconds]
    if waited:
        lines += ["", f"  waited {', '.join(waited)}"]
    return lines


def _by_reason(bad: Sequence[CellRecord]) -> Iterator[str]:
    """Bad cells that have the same reason, one line for each, the most of them first."""
    alike: dict[tuple[str, str], list[str]] = {}
    for cell in bad:
        verdict = "-" if cell.verdict is None else cell.verdict.value
        alike.setdefault((verdict, "; ".join(cell.reasons)), []).append(cell.agent or cell.agent_id)
    ranked = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    for (verdict, reason), agents in ranked[:_REASONS]:
        more = f" and {len(agents) - _NAMED} more" if len(agents) > _NAMED else ""
        named = ", ".join(map(terminal, agents[:_NAMED]))
        yield f"  {verdict} from {named}{more}: {terminal(reason or 'no reason was told')}"
    if len(ranked) > _REASONS:
        yield f"  and {len(ranked) - _REASONS} other reasons"


def value_told(answer: Answer) -> str:
    """The values of an answer with their units, or its error, in one line, escaped."""
    where = "/".join(part for part in (answer.layer, answer.server, answer.direction) if part)
    if answer.status is AnswerStatus.ERROR:
        return f"{terminal(where)}: {terminal(answer.error or 'error')}"
    units = METRICS.get(answer.layer, {})
    parts = []
    for name, value in answer.metrics.items():
        unit = units.get(name, PLAIN)
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        bare = unit in _BARE or isinstance(value, str | bool)
        parts.append(f"{name} {shown}" if bare else f"{name} {shown} {unit}")
    return f"{terminal(where)}: {terminal(', '.join(parts) or 'no values')}"


def path_told(path: Path) -> str:
    """How far a path trace came, in one line, escaped."""
    last = path.last_answered
    name = f"path {terminal(path.id)}" if path.id else "a path"
    if last is None:
        return f"{name}: no hop answered"
    silent = path.hops[-1].number - last.number
    beyond = f", {silent} more did not" if silent else ""
    place = ", ".join(terminal(part) for part in (last.address, last.network, last.location) if part)
    where = f"{terminal(last.rdns)} ({place})" if last.rdns and last.rdns != last.address else place
    took = "" if last.time is None else f", {last.time:g} ms"
    return f"{name}: hop {last.number} was the last that answered, {where}{took}{beyond}"


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


def told_of(fact: Fact) -> str:  # noqa: C901, PLR0911, PLR0912 - a table; the type checker finds what is missing
    """One fact as a sentence, escaped; one that is not known here is shown as it stands."""
    match fact:
        case Waited(reason, seconds):
            return f"waited {span(seconds)} for {awaited(reason)}"
        case Intended(name):
            return f"creation sent, named {terminal(name)}"
        case Created(test_id, status):
            return f"created as test {terminal(test_id)}{_status(status)}"
        case Rerun(test_id, status):
            return f"run again: test_id {terminal(test_id)}{_status(status)}"
        case Limited():
            return _limited(fact)
        case Refused(detail, status):
            return f"refused{_status(status)}: {terminal(detail)}"
        case Lost(error):
            return f"no answer came back: {terminal(error)}"
        case Opened(test_id):
            return f"test {terminal(test_id)} is open"
        case Adopted(test_id):
            return f"adopted: test {terminal(test_id)} is the one that its lost creation made"
        case GivenUp():
            return "given up: its lost creation is not looked for any more"
        case Polled():
            return _polled(fact)
        case PollFailed(layer, detail):
            return f"looked at {terminal(layer)}: {terminal(detail)}"
        case HopsChosen(paths, failing):
            return f"the hops of {len(paths)} paths are worth a read, {failing} of them of cells that fail"
        case HopsRead(agent_id):
            return f"read the hops of agent {terminal(agent_id)}"
        case AnswersStored(layer, new):
            return f"stored {new} answers of {terminal(layer)}"
        case Judged():
            return f"judged: {_judged(fact)}"
        case Closed(state):
            return f"closed as {state.value.replace('_', ' ')}"
        case _:
            return _told_of_the_whole(fact)


def _told_of_the_whole(fact: _OfTheWhole) -> str:  # noqa: PLR0911 - as above
    match fact:
        case CircuitOpened(failures, seconds):
            return f"{failures} failures in a row, everything pauses for {span(seconds)}"
        case Probed(answered, detail):
            said = "it does" if answered else f"it does not ({terminal(detail or 'no answer')})"
            return f"asked whether the API answers again: {said}"
        case WaitEnded(reason, seconds):
            return f"waited {span(seconds)} more for {awaited(reason)}"
        case Standing(planned, created, _, closed):
            return f"created {created} of {planned}, {closed} done"
        case RequestSent(what):
            return f"a {what.value} is sent"
        case RequestAnswered(what, status, seconds):
            return f"a {what.value} was answered with status {status} after {span(seconds)}"
        case RequestFailed(what, error):
            return f"a {what.value} was not answered: {terminal(error)}"
        case Unknown(kind, facts):
            return f"{terminal(kind)}{_rest(facts)}"
        case PromotionIntended() | Promoted() | PromotionRefused():
            return _told_of_a_promotion(fact)
        case _:
            return _told_of_a_limit(fact)


def _told_of_a_promotion(fact: PromotionFact) -> str:
    match fact:
        case PromotionIntended(_, name):
            return f"the creation of a scheduled test is sent, named {terminal(name)}"
        case Promoted(_, test_id):
            return f"scheduled as test {terminal(test_id)}"
        case PromotionRefused(_, detail):
            return f"not scheduled: {terminal(detail)}"
        case _:
            assert_never(fact)


def _told_of_a_limit(fact: BudgetFact) -> str:  # noqa: PLR0911 - as above
    match fact:
        case WindowProbed(budgets):
            return f"asked how {' and '.join(awaited(name) for name in budgets)} stands"
        case WindowOpened(budget, _, limit, remaining, reset):
            left = "?" if remaining is None else remaining
            ends = "" if reset is None else f", until {clock_time(reset)}"
            return (
                f"a new window of {awaited(budget)}: {left} of {'?' if limit is None else limit} left{ends}"
            )
        case StaleReading(budget):
            return f"an answer told of an earlier window of {awaited(budget)}"
        case LimitRefused(budget, _, believed_free):
            return f"refused by {awaited(budget)} (429), where {believed_free} were believed to be left"
        case BudgetsPaused(seconds, refusals):
            return f"{refusals} refusals in a row that name no limit, everything pauses for {span(seconds)}"
        case PermitLost(_, seconds):
            return f"a request that may have been counted had no answer for {span(seconds)}"
        case BudgetReset(reason):
            return f"the shared budget began anew: {terminal(reason)}"
        case BudgetRecreated(_, error):
            return f"the shared budget was made anew: {terminal(error)}"
        case BudgetAlone(_, error):
            return f"the budget is not shared any more: {terminal(error)}"
        case _:
            assert_never(fact)


def _judged(fact: Judged) -> str:
    changes = ((number, verdict) for verdict, number in verdicts_in(fact).items() if number)
    return ", ".join(f"{number:+d} {verdict.value}" for number, verdict in changes) or "as before"


def _polled(fact: Polled) -> str:
    parts = [f"looked at {terminal(fact.layer)}: {fact.answered} of {fact.asked} agents answered"]
    if fact.complete:
        parts.append("complete")
    odd = (
        (fact.stale, "rows of an earlier round"),
        (fact.strangers, "rows of agents that were not asked"),
        (fact.skipped, "unreadable rows"),
    )
    return ", ".join(parts + [f"{count} {words}" for count, words in odd if count])


def _limited(fact: Limited) -> str:
    parts = ["refused by a limit (429)"]
    if fact.layer is not None:
        parts.append(f"a look at {terminal(fact.layer)}")
    if fact.budget is not None:
        parts.append(awaited(fact.budget))
    if fact.until is not None:
        parts.append(f"opens at {clock_time(fact.until)}")
    return ", ".join(parts) + "; queued again"


def _status(status: int | None) -> str:
    return "" if status is None else f", status {status}"


def _rest(facts: Mapping[str, Json]) -> str:
    texts = {name: "?" if value is None else str(value) for name, value in facts.items()}
    said = ", ".join(f"{terminal(name)} {terminal(text)}" for name, text in texts.items())
    return f": {said}" if said else ""


def never_planned(cell: CellRecord) -> str:
    """Why a cell was left out before anything was created, in one line, escaped."""
    reasons = terminal("; ".join(cell.reasons)) or "no reason is recorded"
    agent = terminal(cell.agent or cell.agent_id)
    return f"{terminal(cell.target)} on {agent} was left out of test {terminal(cell.test)}: {reasons}"
