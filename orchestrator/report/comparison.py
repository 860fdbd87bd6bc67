"""A comparison for people and for programs: text, Markdown, JSON, a cell a line, JUnit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from orchestrator.compare.document import Sides, cell_document, document
from orchestrator.compare.gate import Kind, Strictness, counts
from orchestrator.compare.look import MIN_COVER, RECOMMENDED, Comparison
from orchestrator.compare.values import Change, Compared, Which, Why
from orchestrator.compare.words import amount, brief, headline
from orchestrator.insight.words import Data, Names, Sentence, written
from orchestrator.records import CellRecord, RunRecord
from orchestrator.report.headline import many
from orchestrator.report.junit import case_name, class_names, suite_name
from orchestrator.report.times import people, utc
from orchestrator.safe import json_line, markdown, terminal, xml_attribute, xml_text

MOST = 10
# The base that is taken where none is named.
LAST_GOOD = "last-good"
_KINDS = {Why.VERDICT: Kind.NOW_FAIL_ALONE, Why.PATH: Kind.ENDS_EARLIER}
_NOT_COMPARED = frozenset({Change.UNKNOWN, Change.GONE, Change.NEW})
_ORDER = (Change.WORSE, Change.BETTER, Change.UNKNOWN, Change.GONE, Change.NEW, Change.SAME)
Escape = Callable[[str], str]


@dataclass(frozen=True)
class Held:
    """A run held against a base. ``name`` is what the base was asked for by; ``records`` are the cells of the
    run, ``options`` what its tests are asked with otherwise than before. ``times`` is the main time of each
    cell before, milliseconds: the median of the base and its history; ``now`` is that of this run."""

    run: RunRecord
    base: RunRecord
    name: str
    comparison: Comparison
    names: Names
    records: Mapping[Which, CellRecord] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    times: Mapping[Which, float] = field(default_factory=dict)
    now: Mapping[Which, float] = field(default_factory=dict)

    def document(self, mask: Escape = str) -> dict[str, object]:
        """The document of ``diff --format json``."""
        sides = Sides(self.run.id, self.base.id, self.name, utc(self.base.finished), self.options)
        return document(self.comparison, sides, mask)

    def gate_document(self, mask: Escape = str) -> dict[str, object]:
        """What a summary says of a run that was held against another: the key ``gate``."""
        whole = self.document(mask)
        gate = whole.pop("gate")
        assert isinstance(gate, dict)  # noqa: S101 - of our own making
        kept = ("base", "history", "cells", "worse", "explanations")
        return {**gate, **{key: whole[key] for key in kept}}

    @property
    def brief(self) -> Sentence:
        """What passes and got worse together, in a few words; empty where nothing did."""
        told = [one for one in self.comparison.worse.told if one.failing is None]
        if not told:
            return ()
        compared = {one.which: one for one in self.comparison.compared}
        first = brief(told[0], self.names, compared)
        if len(told) == 1:
            return (*first, " than usual")
        return (*first, f" than usual, and {many(len(told) - 1, 'more thing')} got worse")

    @property
    def no_worse(self) -> Sentence:
        """That nothing got worse, behind a headline; empty where too little could be compared for that."""
        found = self.comparison
        known = sum(one.change is not Change.GONE for one in found.compared)
        if self.brief or found.worse_by(Why.VERDICT) or found.comparable < MIN_COVER * known:
            return ()
        if found.runs > 1:
            return (f"; nothing is worse than in the last {found.runs} runs",)
        base = ("the last good run",) if self.name == LAST_GOOD else (Data(self.name),)
        return ("; nothing is worse than in ", *base)

    def counts(self, one: Compared) -> bool:
        """Whether the gate counts a cell that got worse."""
        found, level = self.comparison, self.comparison.judgement.level
        if level is Strictness.OFF or one.change is not Change.WORSE or one.which in found.flaky:
            return False
        if one.why is Why.VERDICT or one.why is Why.PATH:
            together = one.why is Why.VERDICT and one.which not in found.worse.isolated
            return counts(Kind.NOW_FAIL if together else _KINDS[one.why], level)
        if one.which not in found.worse.alone:
            return counts(Kind.MOVED, level)
        return counts(Kind.PERSISTS if one.which in found.persisting else Kind.MOVED_ALONE, level)

    def agent(self, which: Which) -> str:
        """An agent by the name that people know."""
        record = self.records.get(which)
        return self.names.agents.get(which.agent_id, record.agent if record is not None else which.agent_id)


def oddity(held: Held) -> str | None:
    """What is odd about the two runs, in words; ``None`` for a run that is held against an earlier one."""
    if held.base.id == held.run.id:
        return f"run {held.run.id} is compared with itself: nothing can differ"
    if held.base.started > held.run.started:
        return (
            f"the base {held.base.id} is newer than run {held.run.id}: "
            "what got worse since then is told as better, and the other way round"
        )
    return None


@dataclass(frozen=True, slots=True)
class Lines:
    """What is told: ``head``, numbered ``points``, lines below them, and what it could not see."""

    head: str
    against: str
    points: tuple[str, ...]
    below: tuple[str, ...]
    limits: tuple[str, ...]


def lines(held: Held, escaped: Escape = terminal) -> Lines:
    """The comparison in lines, data escaped."""
    found = held.comparison
    now_fail, texts = len(found.worse_by(Why.VERDICT)), [written(text, escaped) for text in found.texts]
    against = f"against {escaped(held.name)}: run {held.base.id} of {people(held.base.started)}"
    earlier = found.runs - 1
    return Lines(
        head=headline(now_fail, found.texts, len(found.lost), found.comparable),
        against=against + (f", and {many(earlier, 'run')} before it" if earlier else ""),
        points=tuple(texts),
        below=tuple(below(held, escaped)),
        limits=tuple(written(line, escaped) for line in limits_of(held)),
    )


def below(held: Held, escaped: Escape) -> Iterator[str]:
    """What stands below the points, one line each."""
    found = held.comparison
    alone = [one for one in found.compared if one.which in found.worse.isolated]
    if alone:
        yield f"{many(len(alone), 'cell')} fail alone: {_named(held, alone, escaped)}"
    moved = len(found.worse.alone - found.persisting)
    if moved:
        yield f"{many(moved, 'cell')} worse by a metric, each alone: often chance"
    if found.flaky:
        flaky = [one for one in found.compared if one.which in found.flaky]
        yield f"{many(len(flaky), 'cell')} not worse when run again: {_named(held, flaky, escaped)}"
    recovered = [written(text, escaped) for text in found.recovered]
    better = found.counts[Change.BETTER]
    if recovered or better:
        yield f"better: {'; '.join(recovered[:3]) or many(better, 'cell')}"
    yield _numbers(held)


def _numbers(held: Held) -> str:
    found = held.comparison
    told = [f"{found.counts[change]} {change.value}" for change in Change if found.counts[change]]
    routes = [one for one in found.routes.values() if one.networks or one.hops or one.ends is not None]
    paths = f" · paths: {len(found.routes) - len(routes)} same, {len(routes)} changed" if found.routes else ""
    return f"{found.comparable} cells compared: {', '.join(told)}{paths}"


def limits_of(held: Held) -> Iterator[Sentence]:
    """What could not be compared or seen, one sentence each."""
    found = held.comparison
    for option in held.options:
        yield ("asked otherwise than before: ", Data(option))
    seen = found.could_have_seen
    told = [f"{kind} x{seen[kind]:.2g}" for kind in ("run", "target", "agent") if kind in seen]
    if told:
        yield (f"smaller changes of a whole group would not have been seen: {', '.join(told)}",)
    if found.runs < RECOMMENDED:
        few = f"{many(found.runs, 'run')} to compare with: only large changes are seen"
        yield (f"{few}; `run --rounds {RECOMMENDED}` makes a baseline of several",)


def _named(held: Held, cells: Sequence[Compared], escaped: Escape, most: int = 3) -> str:
    told = [f"{escaped(one.which.target)} from {escaped(held.agent(one.which))}" for one in cells[:most]]
    more = f" and {len(cells) - most} more" if len(cells) > most else ""
    return ", ".join(told) + more


def markdown_text(held: Held, mask: Escape = str) -> str:
    """The comparison for a ticket."""
    told = lines(held, lambda text: markdown(mask(text)))
    judged = held.comparison.judgement
    head = f"## {markdown(mask(held.run.plan))}: {told.head}"
    verdict = f"Gate {judged.level.value}: **{_word(judged.exit_code)}**"
    parts = [head, f"{verdict}. Run {held.run.id} {told.against}."]
    if told.points:
        parts.append("\n".join(f"{number}. {text}" for number, text in enumerate(told.points, start=1)))
    cells = [one for one in held.comparison.compared if held.counts(one)]
    if cells:
        parts.append(_table(held, cells, mask))
    parts.append("\n".join(f"- {line}" for line in (*told.below, *told.limits)))
    return "\n\n".join(parts) + "\n"


def _word(code: int) -> str:
    return {0: "nothing worse that counts", 1: "worse", 3: "cannot judge"}.get(code, str(code))


def _table(held: Held, cells: Sequence[Compared], mask: Escape) -> str:
    rows = ["| test | target | agent | what |", "| --- | --- | --- | --- |"]
    for one in cells[:MOST]:
        told = (one.which.test, one.which.target, held.agent(one.which), what(held, one))
        rows.append("| " + " | ".join(markdown(mask(text)) for text in told) + " |")
    if len(cells) > MOST:
        rows.append(f"\nand {len(cells) - MOST} more")
    return "\n".join(rows)


def what(held: Held, one: Compared) -> str:
    """What changed in a cell, in one line of plain text."""
    if one.change is Change.WORSE and one.why is Why.VERDICT:
        record = held.records.get(one.which)
        return "; ".join(record.reasons) if record is not None and record.reasons else "fails now"
    if one.why is Why.PATH:
        return f"its path ends at {one.ends}, before at its target" if one.ends else "its path ends earlier"
    changed = [
        f"{name} {_shown(name, pair.before)} -> {_shown(name, pair.after)}"
        for name, pair in sorted(one.metrics.items(), key=lambda item: (-abs(item[1].z), item[0]))
        if pair.change is one.change
    ]
    return ", ".join(changed[:3]) or one.change.value


def _shown(name: str, value: object) -> str:
    return amount(name, value) if isinstance(value, float) else str(value)


def json_text(held: Held, mask: Escape = str) -> str:
    """The document."""
    return json.dumps(held.document(mask), indent=2) + "\n"


def chosen(held: Held, *, everything: bool) -> Iterator[Compared]:
    """The cells in the order in which they are told: what changed, or ``everything``."""
    for change in _ORDER:
        if everything or change is not Change.SAME:
            yield from (one for one in held.comparison.compared if one.change is change)


def jsonl_text(held: Held, cells: Sequence[Compared], mask: Escape = str) -> str:
    """One cell a line."""
    told = []
    for one in cells:
        record = held.records.get(one.which)
        country = None if record is None else record.country
        found = cell_document(one, held.agent(one.which), country, counts=held.counts(one), mask=mask)
        told.append(json_line(found) + "\n")
    return "".join(told)


def junit_text(held: Held, cells: Sequence[Compared], mask: Escape = str) -> str:
    """One test case a cell; a failure is what got worse and counts. A schema as that of a run's report."""
    blocks: dict[str, list[Compared]] = {}
    for one in cells:
        blocks.setdefault(one.which.test, []).append(one)
    classes = class_names(held.run.plan, sorted(blocks))
    told = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f"<testsuites name={_attribute(held.run.plan, mask)}>\n",
    ]
    for test, members in sorted(blocks.items()):
        failing = sum(held.counts(one) for one in members)
        skipped = sum(one.change in _NOT_COMPARED for one in members)
        told.append(
            f'<testsuite name={_attribute(suite_name(held.run.plan, test), mask)} tests="{len(members)}" '
            f'failures="{failing}" errors="0" skipped="{skipped}">\n'
        )
        told += [_case(held, one, classes[test], mask) for one in members]
        told.append("</testsuite>\n")
    return "".join([*told, "</testsuites>\n"])


def _case(held: Held, one: Compared, group: str, mask: Escape) -> str:
    name = case_name(one.which.target, held.agent(one.which))
    head = f"<testcase name={_attribute(name, mask)} classname={_attribute(group, mask)}"
    if held.counts(one):
        text = what(held, one)
        inner = (
            f'<failure type="worse" message={_attribute(text, mask)}>{escape(xml_text(mask(text)))}</failure>'
        )
    elif one.change in _NOT_COMPARED:
        inner = f"<skipped message={_attribute(one.change.value, mask)}/>"
    elif one.change is Change.SAME:
        return f"{head}/>\n"
    else:
        inner = f"<system-out>{escape(xml_text(mask(f'{one.change.value}: {what(held, one)}')))}</system-out>"
    return f"{head}>{inner}</testcase>\n"


def _attribute(text: str, mask: Escape) -> str:
    return quoteattr(xml_attribute(mask(text)))
