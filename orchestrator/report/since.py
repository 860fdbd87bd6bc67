"""What changed since earlier runs of a plan: how they went, what is new, what is bad still, what got worse.

Pure: an action reads the earlier runs, each as an :class:`Earlier`, and holds the run against its base; here
it is decided what of that is told. A cell is *bad* where it fails or has no whole answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.compare.values import Change, Which, Why
from orchestrator.insight.headline import Mark
from orchestrator.insight.values import CellKey
from orchestrator.insight.words import Data, Sentence
from orchestrator.model import Verdict
from orchestrator.records import CellRecord, RunRecord
from orchestrator.report.comparison import LAST_GOOD, Held, what
from orchestrator.report.headline import many
from orchestrator.report.times import people

# Earlier runs that are told of: with the run itself there are eight.
TRAIL = 7
BAD = frozenset({Verdict.FAIL, Verdict.NO_ANSWER, Verdict.PARTIAL})
_GOOD = frozenset({Verdict.PASS, Verdict.WARN})
# The worst first; what was not run is no part of it.
_WORST = (Verdict.FAIL, Verdict.NO_ANSWER, Verdict.PARTIAL, Verdict.WARN, Verdict.PASS)
_NAMED = 3

# What a cell has to have been for an explanation of it to be bad still.
_ALIKE: Mapping[Verdict, frozenset[Verdict]] = {
    Verdict.FAIL: frozenset({Verdict.FAIL}),
    Verdict.NO_ANSWER: frozenset({Verdict.NO_ANSWER, Verdict.PARTIAL}),
    Verdict.WARN: frozenset({Verdict.WARN, Verdict.FAIL}),
}


@dataclass(frozen=True)
class Earlier:
    """An earlier run. ``cells`` are those that did not pass, ``rows`` has the worst of each test block and
    target; ``None`` where the run is too large to be looked through."""

    run: str
    started: float
    verdicts: Mapping[Verdict, int]
    cells: Mapping[CellKey, Verdict] | None = None
    rows: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)

    @property
    def mark(self) -> Mark:
        """How it went."""
        worst = next((one for one in _WORST if self.verdicts.get(one)), None)
        return mark_of(worst)


def mark_of(worst: Verdict | None) -> Mark:
    """The sign of the worst verdict of some cells; of none that nothing is known."""
    marks = {Verdict.FAIL: Mark.BAD, Verdict.WARN: Mark.WARNED, Verdict.PASS: Mark.GOOD, None: Mark.OPEN}
    return marks.get(worst, Mark.SILENT)


def worst_of(verdicts: Iterable[Verdict | None]) -> Verdict | None:
    """The worst verdict, ``None`` where none of them says anything."""
    known = {one for one in verdicts if one in _WORST}
    return next((one for one in _WORST if one in known), None)


def key_of(which: Which) -> CellKey:
    """The key of a cell, as explanations name it."""
    return CellKey(which.test, which.target, which.agent_id)


class Reading:
    """Takes the cells of an earlier run one after the other."""

    def __init__(self) -> None:
        self.cells: dict[CellKey, Verdict] = {}
        self.rows: dict[tuple[str, str], Verdict] = {}

    def add(self, cell: CellRecord) -> None:
        """The next cell."""
        verdict = cell.verdict
        if verdict is None or verdict not in _WORST:
            return
        row = (cell.test, cell.target)
        known = self.rows.get(row)
        if known is None or _WORST.index(verdict) < _WORST.index(known):
            self.rows[row] = verdict
        if verdict is not Verdict.PASS:
            self.cells[CellKey(cell.test, cell.target, cell.agent_id)] = verdict


@dataclass(frozen=True)
class Since:
    """What is known of the time before a run. ``trail`` are earlier runs, the oldest first.

    ``held``: the run against its base. ``times``: the main time of cells before, milliseconds. ``asked``: a
    base was named, so that the gate is told too. ``limit`` is what was left out because the run is large.
    """

    trail: tuple[Earlier, ...] = ()
    held: Held | None = None
    base: RunRecord | None = None
    times: Mapping[CellKey, float] = field(default_factory=dict)
    asked: bool = False
    limit: str = ""

    @property
    def before(self) -> Mapping[CellKey, Verdict] | None:
        """The cells of the run before that did not pass, if there is one and its cells were read."""
        return self.trail[-1].cells if self.trail else None

    @property
    def worse(self) -> tuple[Sentence, ...]:
        """What passes and got worse together, one sentence each."""
        if self.held is None:
            return ()
        found = self.held.comparison
        told = zip(found.worse.told, found.texts, strict=True)
        return tuple(text for one, text in told if one.failing is None)

    @property
    def gate(self) -> list[tuple[str, str]]:
        """What the gate says, by the names of properties; nothing if no base was named."""
        if self.held is None or not self.asked:
            return []
        judged = self.held.comparison.judgement
        reasons = [(f"gate.reason.{n}", reason) for n, reason in enumerate(judged.reasons, start=1)]
        return [
            ("gate.base", self.held.base.id),
            ("gate.level", judged.level.value),
            ("gate.exit_code", str(judged.exit_code)),
            *reasons,
        ]

    @property
    def counted(self) -> dict[CellKey, str]:
        """The cells that got worse and count at the gate, each with what changed; none if no base was
        named."""
        held = self.held
        if held is None or not self.asked:
            return {}
        counted = [one for one in held.comparison.compared if held.counts(one)]
        return {key_of(one.which): what(held, one) for one in counted}

    @property
    def against(self) -> Sentence:
        """What it is compared with, in a few words."""
        if self.base is None:
            return ()
        if self.held is None or self.held.name == LAST_GOOD:
            return ("the last good run",)
        return (Data(self.held.name),)

    @property
    def when(self) -> str:
        """Which run that was; empty where there is none."""
        return "" if self.base is None else f"run {self.base.id} of {people(self.base.started)}"


@dataclass(frozen=True, slots=True)
class Numbered:
    """So many cells did something; ``verdict`` is the colour of it."""

    verdict: Verdict
    number: int
    words: str


def numbers(held: Held) -> tuple[Numbered, ...]:
    """What became of the cells. What moved alone is left out: of many cells some always do."""
    found = held.comparison
    alone = found.worse.alone | found.better.alone
    moved = {True: set[Which](), False: set[Which]()}
    for rolled, worse in ((found.worse, True), (found.better, False)):
        for told in rolled.told:
            if told.failing is None:
                moved[worse].update(told.cells)
    recovered = sum(one.change is Change.BETTER and one.why is Why.VERDICT for one in found.compared)
    return (
        Numbered(Verdict.FAIL, len(found.worse_by(Why.VERDICT)), "now fail"),
        Numbered(Verdict.NO_ANSWER, len(found.lost), "now silent"),
        Numbered(Verdict.WARN, len(moved[True] - alone), "slower or worse"),
        Numbered(Verdict.PASS, len(moved[False] - alone), "faster or better"),
        Numbered(Verdict.PASS, recovered, "recovered"),
    )


@dataclass(frozen=True, slots=True)
class Age:
    """Since when it is so: ``runs`` before this one in a row, 0 for what is new; ``since`` the first."""

    runs: int
    since: float | None = None

    @property
    def short(self) -> str:
        """In two or three words."""
        return f"still, {many(self.runs, 'run')}" if self.runs else "new"

    @property
    def words(self) -> str:
        """In a few words."""
        if not self.runs or self.since is None:
            return "new"
        return f"still, as in {many(self.runs, 'run')} before since {people(self.since)}"


def age(cells: Iterable[CellKey], severity: Verdict, trail: Iterable[Earlier]) -> Age | None:
    """Since when at least half of these cells are as they are; ``None`` where nothing earlier is known."""
    wanted, alike = tuple(cells), _ALIKE.get(severity, BAD)
    runs, since, known = 0, None, False
    for one in reversed(tuple(trail)):
        if one.cells is None:
            break
        known = True
        if 2 * sum(one.cells.get(key) in alike for key in wanted) < len(wanted):
            break
        runs, since = runs + 1, one.started
    return Age(runs, since) if known else None


@dataclass
class News:
    """The bad cells of a run by what they were in the run before: takes them one after the other."""

    before: Mapping[CellKey, Verdict]
    new: int = 0
    still: int = 0
    recovered: int = 0
    where: dict[str, None] = field(default_factory=dict)

    def add(self, key: CellKey, verdict: Verdict | None) -> None:
        """The next cell."""
        was_bad = self.before.get(key) in BAD
        if verdict in BAD:
            self.new += not was_bad
            self.still += was_bad
        elif verdict in _GOOD and was_bad:
            self.recovered += 1
            self.where[key.target] = None

    @property
    def any(self) -> bool:
        """Whether anything is bad now, or was before."""
        return bool(self.new or self.still or self.recovered)


def news_of(news: News, since: Since) -> Sentence:
    """What is new and what is over, in one sentence; empty where there is nothing of either."""
    if not news.any or not since.trail:
        return ()
    last = since.trail[-1]
    good = ", a good one" if last.mark is Mark.GOOD else ""
    told: list[str] = [
        f"since the run before{good} ({people(last.started)}): {many(news.new, 'bad cell')} new, ",
        f"{news.still} still bad, {news.recovered} recovered",
    ]
    if news.where:
        told.append(" (")
        for n, target in enumerate(list(news.where)[:_NAMED]):
            told += [", ", Data(target)] if n else [Data(target)]
        more = len(news.where) - _NAMED
        told.append(f" and {more} more)" if more > 0 else ")")
    if not good and since.base is not None and since.held is not None and since.held.name == LAST_GOOD:
        told.append(f"; the last good run was {people(since.base.started)}")
    return tuple(told)


def trail_of(since: Since) -> str:
    """How the earlier runs of the plan went, in one sentence; empty where there is none."""
    marks = [one.mark for one in since.trail]
    if not marks:
        return ""
    run = 0
    for mark in reversed(marks):
        if (mark is Mark.GOOD) is not (marks[-1] is Mark.GOOD):
            break
        run += 1
    how = "good" if marks[-1] is Mark.GOOD else "not good"
    if run == 1:
        return f"The run of this plan before it was {how}."
    return f"The last {run} runs of this plan before it were {how}."
