"""What a run came to, told once: the terminal, Markdown, HTML and JUnit draw the same value.

:func:`overview` reads a :class:`Source` and gives an :class:`Overview`: the mark and the headline, the
explanations in the order and with the numbers that people see (failures, then silences, then warnings), each
with the first of its cells and their links, what no explanation covers, what was left out or not run, lost
creations. The counts and the run's facts stand beside them, so that a reader needs nothing else. Pure: it
decides what is told and in which order, never how it looks. Texts of others are ``Data`` in sentences, and
plain strings in records: each format escapes both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.insight.headline import Mark, mark, said
from orchestrator.insight.look import Explanation, Insight
from orchestrator.insight.silence import Silence
from orchestrator.insight.values import CellKey, Phase
from orchestrator.insight.words import Sentence
from orchestrator.model import CellState, Verdict
from orchestrator.records import CellRecord, Counts, PublicSnapshot, RunRecord, TestRecord
from orchestrator.report.comparison import Held
from orchestrator.report.digest import Group, Groups
from orchestrator.report.names import with_names
from orchestrator.report.since import Age, News, Since, age, news_of
from orchestrator.report.source import Source
from orchestrator.verdict.counts import exit_code

# Verdicts of cells that are told one by one where nothing explains them, in this order, with what is said.
_TOLD = {
    Verdict.FAIL: "without a common cause",
    Verdict.NO_ANSWER: "without an answer, without a common cause",
    Verdict.PARTIAL: "with a part of the answer only",
    Verdict.WARN: "with warnings, without a common cause",
}
AGENT_SIDE, OUR_SIDE = "agent side", "our side"
_UPPER = frozenset({"dns", "tls"})


def phase_word(phase: Phase) -> str:
    """A phase as people write it."""
    return phase.word.upper() if phase.word in _UPPER else phase.word


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that is not as it should be, its agent called as people know it.

    ``phase`` is which layer broke first, ``None`` where nothing did (no answer); ``link`` is of the product.
    """

    record: CellRecord
    phase: Phase | None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """An explanation as it is numbered for people, with the first of its ``total`` cells by the plan.

    ``age`` says since when it is so, where earlier runs are known.
    """

    number: int
    found: Explanation | Silence
    cells: tuple[BadCell, ...]
    total: int
    age: Age | None = None

    @property
    def silent(self) -> bool:
        """Whether it tells of our side: what did not answer."""
        return isinstance(self.found, Silence)

    @property
    def severity(self) -> Verdict:
        """``fail``, ``warn`` or ``no-answer``."""
        return Verdict.NO_ANSWER if isinstance(self.found, Silence) else self.found.severity

    @property
    def word(self) -> str:
        """Which layer, in one word, or whose side."""
        phase = self.phase
        if phase is None:
            return AGENT_SIDE if self.found.group.kind == "agent" else OUR_SIDE
        return phase_word(phase)

    @property
    def phase(self) -> Phase | None:
        """The phase that most of its cells have, the lowest of several; ``None`` for silence."""
        if isinstance(self.found, Silence):
            return None
        phases = self.found.phases
        return min(phases, key=lambda one: (-phases[one], one.level, one.letter), default=None)

    @property
    def text(self) -> Sentence:
        """What the cells share, and how many they are."""
        return self.found.head if isinstance(self.found, Silence) else self.found.text

    @property
    def details(self) -> tuple[Sentence, ...]:
        """What belongs below the first sentence: why (:attr:`word` says the layer), what is fine beside it,
        and last what it cannot be told from."""
        if isinstance(self.found, Silence):
            return (self.found.detail,) if self.found.detail else ()
        return (*((self.found.reason,) if self.found.reason else ()), *self.found.contrast)


@dataclass(frozen=True, slots=True)
class Rest:
    """Cells with one verdict that no explanation covers: the first of ``total``."""

    verdict: Verdict
    cells: tuple[BadCell, ...]
    total: int

    @property
    def words(self) -> str:
        """What is said of so many cells."""
        return _TOLD[self.verdict]


@dataclass(frozen=True, slots=True)
class Overview:
    """What a run came to. ``code`` is its exit code so far, ``now`` (epoch seconds) when it was read.

    ``rest`` has a part for each verdict of cells without a common cause, failures first. ``left_out`` and
    ``not_run`` group cells by reason; ``unknown`` are lost creations that nobody has given up. ``since`` is
    what is known of the time before, ``news`` what of that is new and what is over. ``shared`` are the public
    snapshots of its tests that there are, or may be.
    """

    run: RunRecord
    counts: Counts
    now: float
    code: int
    insight: Insight
    points: tuple[Point, ...]
    rest: tuple[Rest, ...]
    left_out: tuple[Group, ...]
    not_run: tuple[Group, ...]
    unknown: tuple[TestRecord, ...]
    since: Since | None = None
    news: Sentence = ()
    shared: tuple[PublicSnapshot, ...] = ()

    @property
    def mark(self) -> Mark:
        """The sign of the headline."""
        sign = mark(self.insight.standing)
        return Mark.WARNED if sign is Mark.GOOD and self._held is not None and self._held.brief else sign

    @property
    def headline(self) -> Sentence:
        """The one line over everything."""
        told, held = said(self.insight.standing), self._held
        if held is None or mark(self.insight.standing) is not Mark.GOOD:
            return told
        return ("Everything passes; ", *held.brief) if held.brief else (*told, *held.no_worse)

    @property
    def _held(self) -> Held | None:
        return None if self.since is None else self.since.held


async def overview(source: Source, *, most: int = 10, links: int = 0) -> Overview:
    """What a run came to, with at most ``most`` cells of each explanation and of each rest, and the links of
    the first ``links`` of them. One pass over the cells; what is kept does not grow with the run."""
    insight, counts = await source.insight(), await source.counts()
    lost = await source.lost()
    since = None if source.since is None else await source.since()
    sorting = _Sorting(insight, most, since)
    # What is over since the run before passes now.
    cells = source.not_passing() if since is None or since.before is None else source.cells()
    async for cell in with_names(cells, await source.names()):
        sorting.add(cell)
    run = source.run
    code = int(exit_code(counts, run.settings.allow_missing)) if run.exit_code is None else run.exit_code
    found = Overview(
        run=run,
        counts=counts,
        now=source.now,
        code=code,
        insight=insight,
        points=sorting.points(),
        rest=sorting.rest(),
        left_out=sorting.left_out.frozen(),
        not_run=sorting.not_run.frozen(),
        unknown=tuple(test for test in lost if not test.given_up),
        since=since,
        news=sorting.told_news(),
        shared=await source.shared(),
    )
    return await _linked(found, source, links) if links else found


def causes(insight: Insight) -> dict[CellKey, int]:
    """The number of the explanation that counts each cell; of several, the first."""
    found: dict[CellKey, int] = {}
    for number, one in enumerate(insight.points, start=1):
        for key in one.cells:
            found.setdefault(key, number)
    return found


def key_of(cell: CellRecord) -> CellKey:
    """The key of a cell, as explanations name it."""
    return CellKey(cell.test, cell.target, cell.agent_id)


class _Sorting:
    """The cells of a run, as they come, to where they are told."""

    def __init__(self, insight: Insight, most: int, since: Since | None = None) -> None:
        self._insight = insight
        self._since = since
        before = None if since is None else since.before
        self._news = None if before is None else News(before)
        self._most = most
        self._numbers = causes(insight)
        self._points: dict[int, list[BadCell]] = {}
        self._rest: dict[Verdict, list[BadCell]] = {}
        self._totals: dict[Verdict, int] = {}
        self.left_out, self.not_run = Groups(), Groups()

    def add(self, cell: CellRecord) -> None:
        """The next cell."""
        if cell.state is CellState.NOT_RUN:
            group = self.left_out if cell.spec is None else self.not_run
            group.add("; ".join(cell.reasons), cell.agent_id, cell.agent or cell.agent_id)
        key = key_of(cell)
        if self._news is not None:
            self._news.add(key, cell.verdict)
        number = self._numbers.get(key)
        if number is not None:
            self._keep(self._points.setdefault(number, []), cell, key)
        elif cell.verdict in _TOLD:
            self._totals[cell.verdict] = self._totals.get(cell.verdict, 0) + 1
            self._keep(self._rest.setdefault(cell.verdict, []), cell, key)

    def _keep(self, kept: list[BadCell], cell: CellRecord, key: CellKey) -> None:
        if len(kept) < self._most:
            kept.append(BadCell(cell, self._insight.phases.get(key)))

    def points(self) -> tuple[Point, ...]:
        """The explanations with the cells that were kept."""
        return tuple(
            Point(number, one, tuple(self._points.get(number, ())), len(one.cells), self._age(one))
            for number, one in enumerate(self._insight.points, start=1)
        )

    def _age(self, one: Explanation | Silence) -> Age | None:
        severity = Verdict.NO_ANSWER if isinstance(one, Silence) else one.severity
        return None if self._since is None else age(one.cells, severity, self._since.trail)

    def told_news(self) -> Sentence:
        """What is new and what is over, if the run before is known."""
        return () if self._news is None or self._since is None else news_of(self._news, self._since)

    def rest(self) -> tuple[Rest, ...]:
        """What no explanation covers. Warnings beside causes of failures are not looked at one by one."""
        causes_known = any(one.severity is Verdict.FAIL for one in self._insight.explanations)
        told = [one for one in _TOLD if one in self._totals and not (causes_known and one is Verdict.WARN)]
        return tuple(Rest(one, tuple(self._rest[one]), self._totals[one]) for one in told)


async def _linked(found: Overview, source: Source, most: int) -> Overview:
    parts = [*(one.cells for one in found.points), *(one.cells for one in found.rest)]
    shown = [cell for cells in parts for cell in cells[:most]]
    links: dict[tuple[str, str], str] = {}
    for spec in dict.fromkeys(cell.record.spec for cell in shown):
        for answer in await source.answers(spec) if spec is not None else ():
            if answer.link:
                links.setdefault((spec or "", answer.agent_id), answer.link)
    return replace(
        found,
        points=tuple(replace(one, cells=_with(one.cells, links, most)) for one in found.points),
        rest=tuple(replace(one, cells=_with(one.cells, links, most)) for one in found.rest),
    )


def _with(cells: Sequence[BadCell], links: Mapping[tuple[str, str], str], most: int) -> tuple[BadCell, ...]:
    return tuple(_links_of(cells[:most], links)) + tuple(cells[most:])


def _links_of(cells: Iterable[BadCell], links: Mapping[tuple[str, str], str]) -> Iterable[BadCell]:
    for cell in cells:
        yield replace(cell, link=links.get((cell.record.spec or "", cell.record.agent_id)))
