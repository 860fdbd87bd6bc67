"""What a run came to, on one screen: the headline, what the bad cells share, numbers, what to do next.

Requests, budgets and waits explain the run and not the network: they are told when asked for (``verbose``),
or where something is odd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.errors import Exit
from orchestrator.insight.headline import Mark
from orchestrator.insight.words import Data, Sentence, written
from orchestrator.records import Requests, RunRecord, RunState, TestRecord
from orchestrator.report.commands import next_commands
from orchestrator.report.digest import Group
from orchestrator.report.headline import STATES, allowed, ends, groups, many, silences
from orchestrator.report.overview import BadCell, Overview, Point, phase_word
from orchestrator.report.shared import until
from orchestrator.report.summary import summary, units_told
from orchestrator.report.times import clock_time, duration, people, span
from orchestrator.report.waits import awaited
from orchestrator.safe import terminal
from orchestrator.terminal.console import say, table
from orchestrator.terminal.layout import DOT, Entry, can_write, print_commands, show, tell

if TYPE_CHECKING:
    from rich.console import Console

Mask = Callable[[str], str]

BUDGET_NAMES = {"organization": "organization", "instant_test": "instant tests"}
_MARKS = {
    Mark.BAD: "bold red",
    Mark.WARNED: "yellow",
    Mark.SILENT: "magenta",
    Mark.OPEN: "cyan",
    Mark.GOOD: "green",
}
_SILENT = 10
_POINTS = 5
_CELLS = 3
_REASONS = 4
_WORSE = 3
_UNKNOWN = 20
# A run of which a greater share was spent waiting is odd.
_WAITED = 0.2
_NAME, _WORDS = 60, 200


def print_summary(console: Console, found: Overview, *, verbose: bool = False, mask: Mask = str) -> None:
    """What a run came to; a good run takes two lines. ``mask`` takes a token out of the texts."""
    summary(found.run, found.counts, now=found.now)  # raises where the counts do not add up
    points = found.points[:_POINTS]
    show(console, [_headline(console, found, mask), *(_entry(one, points, mask) for one in points)])
    more = len(found.points) - len(points)
    if more:
        command = f"orchestrator explain {terminal(found.run.id)}"
        tell(console, f"and {many(more, 'explanation')} more: {command}", indent=2, hang=4)
    _print_rests(console, found, mask)
    _print_since(console, found, mask)
    for shared in found.shared:
        what = f"{terminal(mask(shared.test), _NAME)} {terminal(mask(shared.target), _NAME)}"
        link = f": {terminal(mask(shared.link))}" if shared.link else ""
        tell(console, f"snapshot of {what}, {until(shared, found.now)}{link}", indent=2, hang=4)
    if found.run.facts.stopped is not None:
        tell(console, f"stopped: {terminal(mask(found.run.facts.stopped))}", "yellow", indent=2, hang=4)
    told = silences(found.run, lambda name: terminal(mask(name)))
    more = len(told) - _SILENT
    for line in [*told[:_SILENT], *([f"and {many(more, 'silent agent')} more"] if more > 0 else [])]:
        tell(console, line, "yellow", indent=2, hang=4)
    good = found.mark is Mark.GOOD and found.code == Exit.OK
    for line in _numbers(found, DOT if can_write(console, DOT) else ";", good=good, mask=mask):
        tell(console, line, indent=2, hang=4)
    for line in _asked(found, verbose=verbose, mask=mask):
        tell(console, line, indent=2, hang=12)
    if verbose:
        _print_reasons(console, found, mask)
    commands = [] if good and not verbose else next_commands(found.run, found.counts, bool(found.unknown))
    if commands:
        say(console, "Next", "bold")
        print_commands(console, commands)


def print_explained(console: Console, found: Overview, *, cells: bool = False, mask: Mask = str) -> None:
    """The headline and every explanation, with ``cells`` the first of each; then what cannot be told."""
    entries = [_entry(one, found.points, mask) for one in found.points]
    if cells:
        entries = [
            replace(entry, below=[*entry.below, *_of_point(point, mask)])
            for entry, point in zip(entries, found.points, strict=True)
        ]
    show(console, [_headline(console, found, mask), *entries])
    _print_rests(console, found, mask)
    for limit in found.insight.limits:
        tell(console, f"not told: {terminal(limit)}", indent=2, hang=4)


def _of_point(point: Point, mask: Mask) -> Iterator[str]:
    for cell in point.cells:
        yield f"{_cell(cell, mask)}{_reason(cell, mask)}"
    if point.total > len(point.cells):
        yield f"and {point.total - len(point.cells)} more (`results --cause {point.number}`)"


def _written(sentence: Sentence, mask: Mask) -> str:
    """A sentence for a terminal, with a capital where our own word begins it."""
    text = written(sentence, lambda part: terminal(mask(part), _WORDS))
    return text if isinstance(sentence[0], Data) else f"{text[:1].upper()}{text[1:]}"


def _inside(sentence: Sentence, mask: Mask) -> str:
    return written(sentence, lambda part: terminal(mask(part), _WORDS))


def _headline(console: Console, found: Overview, mask: Mask) -> Entry:
    run, sign = found.run, found.mark
    return Entry(
        f"{terminal(run.plan, _NAME)}  {_written(found.headline, mask)}",
        _ending(found),
        sign=sign.sign if can_write(console, sign.sign) else sign.plain_sign,
        style=_MARKS[sign],
        bold=True,
    )


def _ending(found: Overview) -> str:
    """``exit 3, incomplete``; what goes on or was killed has no code yet."""
    run = found.run
    if run.exit_code is None:
        return STATES[run.state]
    state = "" if run.state is RunState.COMPLETE else f", {STATES[run.state]}"
    return f"exit {run.exit_code}{state}"


def _entry(point: Point, points: Sequence[Point], mask: Mask) -> Entry:
    words, sures = (
        max(map(len, column)) for column in zip(*((p.word, p.found.sure) for p in points), strict=True)
    )
    right = f"{point.word:>{words}}  {point.found.sure:<{sures}}".rstrip()
    details = "; ".join(_inside(one, mask) for one in point.details)
    text = f"{point.number} {_written(point.text, mask)}"
    inline = f"{point.word}, {point.found.sure}"
    return Entry(text, right, inline, [details] if details else [], indent=2, hang=2)


def _print_rests(console: Console, found: Overview, mask: Mask) -> None:
    """``1 more without a common cause: login from New York (receive)``; where nothing else is told, each cell
    with its reason."""
    for rest in found.rest:
        shown, more = rest.cells[:_CELLS], rest.total - len(rest.cells[:_CELLS])
        and_more = f" and {more} more" if more else ""
        if found.points:
            named = ", ".join(_cell(cell, mask) for cell in shown)
            head = f"{rest.total} more {rest.words}"
            tell(console, f"{head}: {named}{and_more}", indent=2, hang=4)
            continue
        if len(found.rest) > 1:  # of one kind the headline tells
            tell(console, f"{rest.total} {rest.words}:", indent=2)
        for cell in shown:
            tell(console, f"{_cell(cell, mask)}{_reason(cell, mask)}", indent=2, hang=4)
        if more:
            tell(console, and_more.strip(), indent=2)


def _print_since(console: Console, found: Overview, mask: Mask) -> None:
    """What got worse though it passes, and what is new and what is over, one line each."""
    since = found.since
    if since is not None and not since.asked:  # else the comparison stands below
        sign = Mark.WARNED.sign if can_write(console, Mark.WARNED.sign) else Mark.WARNED.plain_sign
        for sentence in since.worse[:_WORSE]:
            tell(console, f"{sign} {_inside(sentence, mask)}", "yellow", indent=2, hang=4)
        if len(since.worse) > _WORSE:
            tell(console, f"and {len(since.worse) - _WORSE} more: orchestrator diff", indent=2, hang=4)
    if found.news:
        tell(console, _inside(found.news, mask), indent=2, hang=4)


def _cell(cell: BadCell, mask: Mask) -> str:
    record = cell.record
    phase = "" if cell.phase is None else f" ({phase_word(cell.phase)})"
    target, agent = terminal(mask(record.target), _NAME), terminal(record.agent or record.agent_id, _NAME)
    return f"{target} from {agent}{phase}"


def _reason(cell: BadCell, mask: Mask) -> str:
    reasons = "; ".join(dict.fromkeys(cell.record.reasons))
    return f": {terminal(mask(reasons), _WORDS)}" if reasons else ""


def _numbers(found: Overview, dot: str, *, good: bool, mask: Mask) -> Iterator[str]:
    """What came of the cells, and the run itself; of a good run in one line."""
    run, counts = found.run, found.counts
    took = duration(run, found.now)
    time = "" if took is None else span(took)
    tests = _tests(found)
    units = units_told(run)
    simulated = ", simulated" if run.simulated else ""
    if good:
        yield f"{tests}, {time}, {units}, run {terminal(run.id)}{simulated}"
    else:
        cells, verdicts = groups(counts)["cells"], groups(counts)["verdicts"]
        wanted = cells["planned"] - counts.left_out
        came = cells["answered"] + cells["errors"]
        asked = {**verdicts, "not-run": verdicts["not-run"] - counts.left_out}
        told = ends({name.replace("-", " "): number for name, number in asked.items()})
        yield f" {dot} ".join(
            part
            for part in (f"{came} of {many(wanted, 'cell')} in {time}", told, allowed(run, counts))
            if part
        )
    for number, what, parts in (
        (counts.left_out, "left out", found.left_out),
        (None, "not run", found.not_run),
    ):
        if parts:
            total = sum(one.cells for one in parts) if number is None else number
            yield f"{total} {what}: {_groups(parts, mask)}"
    if found.unknown:
        shown = found.unknown[:_CELLS]
        names = ", ".join(terminal(mask(one.name or one.spec.key), 2 * _NAME) for one in shown)
        more = f" and {len(found.unknown) - len(shown)} more" if len(found.unknown) > len(shown) else ""
        lost = many(len(found.unknown), "creation")
        yield f"{lost} with unknown outcome, not repeated; to be looked for in the product: {names}{more}"
    if not good:
        yield f"run {terminal(run.id)}{simulated}, {people(run.started)}, {tests}, {units}"
    if run.answers_pruned is not None:
        yield f"its answers were pruned, {people(run.answers_pruned)}; cells and verdicts are here"
    elif run.raw_pruned is not None:
        yield f"its raw rows were pruned, {people(run.raw_pruned)}; what was made of them is here"


def _tests(found: Overview) -> str:
    """``17 tests``, and what came of them where not all are complete."""
    tests = groups(found.counts)["tests"]
    told = many(tests["planned"], "test")
    return told if tests["complete"] == tests["planned"] else f"{told} ({ends(tests)})"


def _groups(parts: Sequence[Group], mask: Mask) -> str:
    """``the agent is offline (branch-07, branch-09), the agent is disabled (branch-13)``."""
    told = [f"{terminal(mask(one.reason), 120)} ({_agents(one, _CELLS)})" for one in parts[:_REASONS]]
    more = len(parts) - _REASONS
    return ", ".join([*told, *([f"and {more} other reasons"] if more > 0 else [])])


def _agents(group: Group, most: int) -> str:
    names = ", ".join(terminal(name, _NAME) for name in group.agents[:most])
    more = group.agents_total - len(group.agents[:most])
    return f"{names} and {more} more" if more > 0 else names


def _asked(found: Overview, *, verbose: bool, mask: Mask) -> Iterator[str]:
    """Requests, budgets, waits, paths: all if ``verbose``, else what is odd."""
    run, counts = found.run, found.counts
    sent, paths = run.facts.requests, counts.paths
    if verbose:
        for name, group in groups(counts).items():
            yield f"{name:<9} {_counted(group)}"
    if paths.wanted and (verbose or (paths.got < paths.wanted and not found.insight.standing.open)):
        yield f"paths     {paths.got} of {paths.wanted} came"
    if verbose or sent.refused_429 or sent.errors:
        yield f"requests  {_requests(sent)}"
    if verbose:
        yield from budget_lines(run)
    waited = waited_line(run)
    if waited and (verbose or _is_long(run, found.now)):
        yield waited


def _is_long(run: RunRecord, now: float) -> bool:
    took = duration(run, now)
    return took is not None and sum(run.facts.waits.values()) > _WAITED * took


def budget_lines(run: RunRecord) -> list[str]:
    """A line per budget seen: limit, remaining, reset, spent by others."""
    lines = []
    for name, seen in run.facts.budgets.items():
        if seen is None or seen.limit is None:
            continue
        # A window that is over says nothing of the next one.
        over = seen.remaining is None
        left = f"{seen.limit:g} a window" if over else f"{seen.remaining:g} of {seen.limit:g} left"
        resets = "" if over else f", resets {clock_time(seen.reset)}"
        spent = "" if seen.others is None else f", others spend {seen.others:g} a window"
        lines.append(f"budget    {BUDGET_NAMES[name]}: {left}{resets}{spent}")
    return lines


def waited_line(run: RunRecord) -> str:
    """What creations waited for, and how long; empty if for nothing."""
    waited = [f"{span(seconds)} for {awaited(name)}" for name, seconds in run.facts.waits.items() if seconds]
    return f"waited    {', '.join(waited)}" if waited else ""


def _counted(group: Mapping[str, int]) -> str:
    """``12 planned, 12 created: 11 complete, 1 open``."""
    head = ", ".join(f"{group[name]} {name}" for name in ("planned", "created") if name in group)
    return ": ".join(part for part in (head, ends(group)) if part) or "none"


def _requests(sent: Requests) -> str:
    parts = [many(sent.creations, "creation")]
    if sent.reruns:
        parts.append(many(sent.reruns, "re-run"))
    parts += [
        many(sent.reads, "read"),
        f"{sent.refused_429} refused (429)",
        many(sent.errors, "error"),
    ]
    return ", ".join(parts)


def _print_reasons(console: Console, found: Overview, mask: Mask) -> None:
    print_groups(console, "Left out before the start", found.left_out, mask)
    print_groups(console, "Not run", found.not_run, mask)
    _print_unknown(console, found.unknown, mask)


def print_groups(console: Console, title: str, parts: Sequence[Group], mask: Mask = str) -> None:
    """Cells that share the reason why they have no answer, one line per reason; nothing for none."""
    if not parts:
        return
    say(console, title, "bold")
    for group in parts:
        reason, agents = terminal(mask(group.reason), _WORDS), _agents(group, len(group.agents))
        tell(console, f"{reason}: {many(group.cells, 'cell')}, {agents}", indent=2, hang=4)


def _print_unknown(console: Console, tests: Sequence[TestRecord], mask: Mask) -> None:
    if not tests:
        return
    say(console, "Creations whose outcome is unknown; they were not repeated", "bold yellow")
    shown = tests[:_UNKNOWN]
    rows = [(terminal(mask(test.name or test.spec.key)), terminal(mask(test.spec.target))) for test in shown]
    table(console, (), rows, indent=2)
    if len(tests) > len(shown):
        say(console, f"  and {len(tests) - len(shown)} more")
