"""A summary for a ticket: what is wrong and how many, then the bad cells by cause, and the commands to go on.

Everything that comes from the API or the plan stands in code spans, where it is neither link nor mention.
The size is bounded whatever the size of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from orchestrator.insight.words import Data, Sentence, written
from orchestrator.model import Verdict
from orchestrator.report.commands import next_commands, repeat_command
from orchestrator.report.comparison import lines
from orchestrator.report.digest import Group
from orchestrator.report.headline import STATES, allowed, ends, groups, many, silences
from orchestrator.report.overview import BadCell, Overview, Point, Rest, phase_word
from orchestrator.report.shared import TITLE, until
from orchestrator.report.since import Since, numbers
from orchestrator.report.summary import summary, units_told
from orchestrator.report.times import duration, people, span
from orchestrator.safe import markdown, markdown_link

# Cells that are shown of each explanation, and those of them with a link to the product.
CELLS, LINKS = 10, 3
UNKNOWN_LIMIT = 20
_POINTS = 20
_WORSE = 10
_NAMES = 12
_NAME, _WHAT_LIMIT = 100, 200


def ticket(found: Overview) -> str:
    """Markdown with a final line break."""
    summary(found.run, found.counts, now=found.now)  # raises where the counts do not add up
    run = found.run
    parts = [
        f"# {markdown(run.plan)}, {people(run.started)}{' (simulated)' if run.simulated else ''}",
        _headline(found),
        "\n".join(_points(found)),
        "\n".join(_since(found)),
        "\n".join(_numbers(found)),
        "\n".join(_shared(found)),
        "\n".join(_cells(found)),
        _groups("Left out before the start", found.left_out),
        _groups("Not run", found.not_run),
        _unknown(found),
        _commands(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _headline(found: Overview) -> str:
    run, took = found.run, duration(found.run, found.now)
    code = "" if run.exit_code is None else f"exit {run.exit_code}, "
    state = STATES[run.state]
    time = "" if took is None else f", {span(took)}"
    return f"**{found.mark.sign} {_capital(found.headline)}** ({code}{state}{time})"


def _points(found: Overview) -> Iterator[str]:
    for point in found.points[:_POINTS]:
        age = "" if point.age is None else f"; {point.age.words}"
        yield f"{point.number}. **{_capital(point.text)}** ({point.word}, {point.found.sure}{age})"
        if point.details:
            yield f"   {'; '.join(_text(one) for one in point.details)}"
    if len(found.points) > _POINTS:
        yield f"\nand {many(len(found.points) - _POINTS, 'explanation')} more"
    if found.points and found.rest:
        yield ""
    for rest in found.rest:
        yield f"- {many(rest.total, 'cell')} {rest.words}"


def _since(found: Overview) -> Iterator[str]:
    """What changed since the base, the run before and those before it; nothing where there is none of it."""
    since = found.since
    if since is None or (since.base is None and not since.trail):
        return
    title = f"Since {_text(since.against)}, {since.when}" if since.against else "Earlier runs"
    yield f"## {title}"
    yield ""
    if since.held is not None:
        told = [f"{one.number} {one.words}" for one in numbers(since.held) if one.number]
        compared = many(since.held.comparison.comparable, "cell")
        yield f"- {compared} compared: {', '.join(told) or 'nothing is worse'}"
        texts = since.held.comparison.texts if since.asked else since.worse
        yield from (f"- {_capital(text)}" for text in texts[:_WORSE])
        if len(texts) > _WORSE:
            yield f"- and {len(texts) - _WORSE} more"
    if found.news:
        yield f"- {_capital(found.news)}"
    if since.trail:
        marks = [*(one.mark for one in since.trail), found.mark]
        signs = " ".join(one.sign for one in marks)
        yield f"- the last {many(len(since.trail) + 1, 'run')} of the plan, this one last: {signs}"
    yield from _gate(since)


def _gate(since: Since) -> Iterator[str]:
    held = since.held
    if held is None or not since.asked:
        return
    judged = held.comparison.judgement
    reasons = f": {'; '.join(judged.reasons)}" if judged.reasons else ""
    yield f"- gate {judged.level.value}: exit {judged.exit_code}{reasons}"
    yield from (f"- {line}" for line in lines(held, markdown).limits)


def _text(sentence: Sentence) -> str:
    return written(sentence, lambda part: markdown(part, _WHAT_LIMIT))


def _capital(sentence: Sentence) -> str:
    text = _text(sentence)
    return text if isinstance(sentence[0], Data) else f"{text[:1].upper()}{text[1:]}"


def _numbers(found: Overview) -> Iterator[str]:
    counts, group = found.counts, groups(found.counts)
    cells, tests, verdicts = group["cells"], group["tests"], group["verdicts"]
    wanted = cells["planned"] - counts.left_out
    asked = {name.replace("-", " "): number for name, number in verdicts.items()}
    asked["not run"] -= counts.left_out
    told = [
        f"{cells['answered'] + cells['errors']} of {many(wanted, 'cell')} collected",
        ends(asked),
        allowed(found.run, counts),
        f"{counts.left_out} left out" if counts.left_out else "",
        f"{many(tests['planned'], 'test')}: {ends(tests)}" if tests["planned"] else "no test",
        units_told(found.run),
    ]
    yield " · ".join(part for part in told if part)
    told = silences(found.run, markdown)
    if told:
        yield ""
        yield from (f"- {line}" for line in told[:UNKNOWN_LIMIT])
    if len(told) > UNKNOWN_LIMIT:
        yield f"- and {many(len(told) - UNKNOWN_LIMIT, 'silent agent')} more"
    if found.run.facts.stopped is not None:
        yield f"\nStopped: {markdown(found.run.facts.stopped, _WHAT_LIMIT)}"


def _shared(found: Overview) -> Iterator[str]:
    if found.shared:
        yield f"## {TITLE}"
        yield ""
    for one in found.shared:
        what = f"{markdown(one.test, _NAME)} {markdown(one.target, _NAME)}"
        link = f": {markdown_link(one.link)}" if one.link else ""
        yield f"- {what} ({until(one, found.now)}){link}"


def _cells(found: Overview) -> Iterator[str]:
    shown: Iterable[Point | Rest] = chain(found.points[:_POINTS], found.rest)
    rows = [row for one in shown for row in _rows(one)]
    if rows:
        yield "## Bad cells by cause"
        yield ""
        yield "| | test | target | agent | what | in the product |"
        yield "| ---: | --- | --- | --- | --- | --- |"
        yield from rows


def _rows(one: Point | Rest) -> Iterator[str]:
    """Cells that share a target or an agent, and the words of what is wrong, in one row."""
    number = str(one.number) if isinstance(one, Point) else "-"
    cells = one.cells[:CELLS]
    for alike in _alike(cells):
        tests = _names(cell.record.test for cell in alike)
        targets = _names(cell.record.target for cell in alike)
        agents = _names(cell.record.agent or cell.record.agent_id for cell in alike)
        links = " ".join(markdown_link(cell.link) for cell in alike if cell.link) or "-"
        what = markdown(_what(alike[0]), _WHAT_LIMIT)
        yield f"| {number} | {tests} | {targets} | {agents} | {what} | {links} |"
    if one.total > len(cells):
        yield f"| {number} | and {one.total - len(cells)} more | | | | |"


def _alike(cells: Sequence[BadCell]) -> list[list[BadCell]]:
    by_target: dict[tuple[str, ...], list[BadCell]] = {}
    by_agent: dict[tuple[str, ...], list[BadCell]] = {}
    for cell in cells:
        what = _what(cell)
        by_target.setdefault((cell.record.test, cell.record.target, what), []).append(cell)
        by_agent.setdefault((cell.record.agent_id, what), []).append(cell)
    return list(min(by_target, by_agent, key=len).values())


def _names(names: Iterable[str]) -> str:
    return ", ".join(markdown(name, _NAME) for name in dict.fromkeys(names))


def _what(cell: BadCell) -> str:
    reasons = "; ".join(dict.fromkeys(cell.record.reasons))
    if reasons:
        return reasons
    if cell.phase is not None:
        return phase_word(cell.phase)
    return "no answer came" if cell.record.verdict is Verdict.NO_ANSWER else "only some layers answered"


def _groups(title: str, parts: Sequence[Group]) -> str:
    if not parts:
        return ""
    lines = [f"## {title}", ""]
    for group in parts:
        names = ", ".join(markdown(name, _NAME) for name in group.agents[:_NAMES])
        more = group.agents_total - len(group.agents[:_NAMES])
        rest = f" and {more} more" if more else ""
        lines.append(f"- {markdown(group.reason)}: {many(group.cells, 'cell')}, {names}{rest}")
    return "\n".join(lines)


def _unknown(found: Overview) -> str:
    tests = found.unknown
    if not tests:
        return ""
    lines = [
        "## Creations whose outcome is unknown",
        "",
        "Their answers were lost: they may exist and may have been paid for, so they were not repeated.",
        "Look for these names in the product:",
        "",
    ]
    shown = tests[:UNKNOWN_LIMIT]
    lines += [f"- {markdown(test.name or test.spec.key)} ({markdown(test.spec.target)})" for test in shown]
    if len(tests) > len(shown):
        lines.append(f"- and {len(tests) - len(shown)} more")
    return "\n".join(lines)


def _commands(found: Overview) -> str:
    run = found.run
    lines = [f"Run {markdown(run.id)} of {markdown(run.origin)}", ""]
    repeat = repeat_command(run)
    if repeat:
        lines.append(f"- again: {markdown(repeat, 1000)}")
    commands = next_commands(run, found.counts, bool(found.unknown), reported=True)
    lines += [f"- {what}: {markdown(command, 1000)}" for what, command in commands]
    return "\n".join(lines)
