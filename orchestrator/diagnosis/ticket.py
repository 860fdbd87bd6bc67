"""The ticket: Markdown that can be pasted into a chat, a pager's note, an issue. At most 2,500 characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.diagnosis import words
from orchestrator.diagnosis.found import Found
from orchestrator.diagnosis.vantage import is_outside
from orchestrator.insight.groups import JUDGED
from orchestrator.insight.values import Observed
from orchestrator.insight.words import Sentence, count, written
from orchestrator.model import Verdict
from orchestrator.records import PublicSnapshot
from orchestrator.report.shared import until
from orchestrator.report.times import clock_time, span
from orchestrator.safe import clip, markdown, markdown_link

MOST = 2500
# What one datum may take of it.
_MOST_OF_ONE = 120
_MOST_ROWS, _MOST_COUNTRIES = 6, 8


@dataclass(frozen=True, slots=True)
class Account:
    """What it took, and which runs it is: ``again`` is the one that confirmed. ``before`` is the last good
    run with its end (epoch seconds), if there is one. ``stopped`` is why it ended. ``snapshot`` is the public
    one of its worst test, ``unshared`` why there is none though one was wanted."""

    run: str
    tests: int
    reruns: int
    cells: int
    units: float
    seconds: float
    stopped: str
    again: str | None = None
    before: tuple[str, float] | None = None
    worse: tuple[Sentence, ...] = ()
    simulated: bool = False
    snapshot: PublicSnapshot | None = None
    unshared: str | None = None


def ticket(found: Found, account: Account) -> str:
    """The ticket. Lines are left out from the end of its lists where it would be too long."""
    head = _head(found)
    points, rows = list(_points(found, account)), list(_rows(found))
    tail = _tail(account, len(found.main))
    while True:
        text = _assembled(head, points, rows, tail)
        if len(text) <= MOST:
            return text
        if len(rows) > 1:
            rows.pop()
        elif len(points) > 1:
            points.pop()
        elif rows:
            rows.pop()
        else:
            return clip(text, MOST)


def _assembled(head: str, points: list[str], rows: list[str], tail: str) -> str:
    table = ["", "| | inside | outside |", "| --- | --- | --- |", *rows] if rows else []
    listed = ["", *(f"- {point}" for point in points)] if points else []
    return "\n".join([head, *listed, *table, "", tail]) + "\n"


def _head(found: Found) -> str:
    told = words.sentence(found, final=True)
    notes = [told.sure] if told.sure else []
    if found.bad or found.recovered:
        notes.append(words.confirmation(found))
    noted = f" ({', '.join(notes)})" if notes else ""
    return f"**{_text(told.text)}**{noted}"


def _points(found: Found, account: Account) -> Iterator[str]:
    layer, names = words.layer(found), words.resolving(found)
    if layer is not None:
        yield f"Layer: {_text(layer)}"
    on_the_way = words.path(found)
    if on_the_way is not None and on_the_way is not found.first:
        yield f"Path: {_text(on_the_way.text)}"
    yield from (f"Also: {_text(one.text)}" for one in words.others(found)[:2] if one is not on_the_way)
    if names is not None:
        yield _text(names)
    fine = words.beside(found)
    if fine:
        yield f"Fine: {'; '.join(map(_text, fine))}"
    yield from (f"Worse than before: {_text(one)}" for one in account.worse[:2])
    yield from _times(found, account)
    unknown = [_text(one) for one in words.untold(found)]
    if account.stopped in {"time box", "interrupted"}:
        unknown.append(
            f"it ended by its {account.stopped}" if account.stopped == "time box" else "interrupted"
        )
    yield f"Not known: {'; '.join([*unknown, 'whether it fails for users without an agent'])}"


def _times(found: Found, account: Account) -> Iterator[str]:
    parts = []
    if found.bad and found.rounds:
        first, last = clock_time(found.rounds[0]), clock_time(found.rounds[-1])
        parts.append(f"First seen {first}, last {last}" if first != last else f"Seen {first}")
    if account.before is not None:
        run, at = account.before
        parts.append(f"Last good: {clock_time(at)} (run {markdown(run)})")
    if parts:
        yield ". ".join(parts)


def _rows(found: Found) -> Iterator[str]:
    """A row for each test and target: what failed, by country and layer, and how many pass."""
    cells: dict[tuple[str, str], list[Observed]] = {}
    for one in found.cells:
        cells.setdefault((one.record.test, one.record.target), []).append(one)
    order = sorted(cells.items(), key=lambda item: (item[0][0] not in found.asked.main, -_failing(item[1])))
    for (test, target), of_row in order[:_MOST_ROWS]:
        inside = [one for one in of_row if one.agent is not None and not is_outside(one.agent)]
        outside = [one for one in of_row if one.agent is not None and is_outside(one.agent)]
        name = f"{markdown(test, 30)} {markdown(target, 80)}"
        yield f"| {name} | {_side(found, inside)} | {_side(found, outside)} |"


def _failing(cells: list[Observed]) -> int:
    return sum(1 for one in cells if one.record.verdict is Verdict.FAIL)


def _side(found: Found, cells: list[Observed]) -> str:
    if not cells:
        return "-"
    parts = []
    bad = [one for one in cells if one.record.verdict is Verdict.FAIL]
    if bad:
        countries = list(dict.fromkeys(one.record.country or "?" for one in bad))
        shown = " ".join(markdown(one, 4) for one in countries[:_MOST_COUNTRIES])
        more = f" +{len(countries) - _MOST_COUNTRIES}" if len(countries) > _MOST_COUNTRIES else ""
        layers = sorted({phase.word for one in bad if (phase := found.phase(one)) is not None})
        parts.append(f"{len(bad)} fail: {shown}{more}{f' ({layers[0]})' if len(layers) == 1 else ''}")
    good = sum(1 for one in cells if one.record.verdict in JUDGED) - len(bad)
    if good:
        parts.append(f"{good} pass")
    silent = sum(1 for one in cells if one.record.verdict in {Verdict.NO_ANSWER, Verdict.PARTIAL, None})
    if silent:
        parts.append(f"{silent} without an answer")
    return ", ".join(parts) or "-"


def _tail(account: Account, main: int) -> str:
    beside = account.cells - main
    parts = f" ({main} of what it is about, {beside} beside it)" if 0 < beside < account.cells else ""
    reruns = f", {count(account.reruns, 're-run')}" if account.reruns else ""
    took = (
        f"{count(account.tests, 'test')}{reruns}, {count(account.cells, 'cell')}{parts}, "
        f"{account.units:.2f} units, {span(account.seconds)}"
    )
    run = account.run
    told = f"{_public(account)}Run `{run}`: {took}."
    if account.simulated:
        return f"{told} Simulated. All: `orchestrator report {run} --format html`"
    return f"{told} Again: `orchestrator rerun {run}`; all: `orchestrator report {run} --format html`"


def _public(account: Account) -> str:
    one = account.snapshot
    if one is None or one.link is None:
        return ""
    return f"{until(one, one.at).capitalize()}: {markdown_link(one.link)}\n\n"


def _text(sentence: Sentence) -> str:
    return written(sentence, lambda part: markdown(part, _MOST_OF_ONE))
