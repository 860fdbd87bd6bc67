"""A run as JUnit XML: one test case per cell, one suite per test block. Written as the cells come.

A failed expectation is a ``failure``; a cell without a full answer is an ``error``, also when it was not run
for another reason than being left out beforehand; a cell that was left out is ``skipped``. A warning, and an
error row that nothing asked for, are told in ``system-out`` of a case that passes.

The document keeps to the schema of the Jenkins xUnit plugin (junit-10.xsd). CI servers take what stands
before the last dot of a class name for a package, so class names have none, and the target stands in the
case's name. What the bad cells of a suite share is in its properties (``cause.1.text``), numbered as
everywhere. The counts of a suite come before its cases: the cells are read twice and never all held at once,
which no library for JUnit documents does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from orchestrator.insight.look import Explanation
from orchestrator.insight.silence import Silence
from orchestrator.insight.values import CellKey
from orchestrator.insight.words import plain
from orchestrator.model import CellState, Verdict
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.times import duration, utc
from orchestrator.safe import xml_attribute, xml_text

if TYPE_CHECKING:
    from orchestrator.report.since import Since

Cells = Callable[[], AsyncIterable[CellRecord]]
Out = Callable[[str], object]
Point = Explanation | Silence

_WITHOUT_ANSWER = {
    CellState.MISSING: "no answer came",
    CellState.PARTIAL: "only some layers answered",
    CellState.PENDING: "no answer came until this was written",
    CellState.NOT_RUN: "not run",
}


@dataclass(slots=True)
class _Suite:
    """A block of the plan. ``late`` are cells that do not come with the others: those that were left out."""

    kinds: Counter[str] = field(default_factory=Counter)
    late: list[CellRecord] = field(default_factory=list)


async def write_junit(
    run: RunRecord,
    cells: Cells,
    out: Out,
    *,
    tests: Sequence[TestRecord] | AsyncIterable[TestRecord] = (),
    points: Sequence[Point] = (),
    now: float | None = None,
    since: Since | None = None,
) -> None:
    """Write the document; it begins with its declaration (UTF-8).

    ``cells`` gives the cells in the order of the plan and is called twice. ``tests`` tell how long each took,
    ``points`` in their order what bad and silent cells share; each stands in the suites that it is about.
    ``now`` (epoch seconds) is the end of a run that goes on. ``since`` is the run held against a base that
    was named: what its gate says stands in every suite, and a cell that counts there as worse is a failure.
    """
    worse = {} if since is None else since.counted
    suites = await _counted(cells(), worse)
    gate = [] if since is None else since.gate
    document = _Document(run, out, suites, await _times_of(tests), points, gate, worse)
    document.begin(took=duration(run, now))
    block: str | None = None
    async for cell in cells():
        if cell.spec is None or cell.test not in suites:
            continue
        if cell.test != block:
            if block is not None:
                document.finish_suite(block)
            block = cell.test
            document.begin_suite(block)
        document.case(cell)
    if block is not None:
        document.finish_suite(block)
    for left in list(suites):  # blocks of which every cell was left out
        document.begin_suite(left)
        document.finish_suite(left)
    out("</testsuites>\n")


async def _counted(cells: AsyncIterable[CellRecord], worse: Mapping[CellKey, str]) -> dict[str, _Suite]:
    suites: dict[str, _Suite] = {}
    begun: set[str] = set()
    block: str | None = None
    async for cell in cells:
        late = cell.spec is None or (cell.test != block and cell.test in begun)
        suite = suites.setdefault(cell.test, _Suite())
        suite.kinds[_kind(cell, worse)] += 1
        if late:
            suite.late.append(cell)
        else:
            block = cell.test
            begun.add(block)
    return suites


class _Times:
    """Seconds that tests took, from creation to close."""

    def __init__(self) -> None:
        self._of_spec: dict[str, float] = {}
        self._of_block: dict[str, tuple[float, float]] = {}

    def add(self, test: TestRecord) -> None:
        """Take note of a test; of one that is open there is nothing to note."""
        if test.created is None or test.closed is None:
            return
        self._of_spec[test.spec.key] = test.closed - test.created
        first, last = self._of_block.get(test.spec.test, (test.created, test.closed))
        self._of_block[test.spec.test] = (min(first, test.created), max(last, test.closed))

    def of_cell(self, cell: CellRecord) -> float | None:
        """A cell's time is that of its test; the API tells no other."""
        return self._of_spec.get(cell.spec or "")

    def of_block(self, test: str) -> float | None:
        """From the first creation to the last close."""
        found = self._of_block.get(test)
        return None if found is None else found[1] - found[0]


async def _times_of(tests: Iterable[TestRecord] | AsyncIterable[TestRecord]) -> _Times:
    times = _Times()
    if isinstance(tests, AsyncIterable):
        async for test in tests:
            times.add(test)
    else:
        for test in tests:
            times.add(test)
    return times


def _kind(cell: CellRecord, worse: Mapping[CellKey, str]) -> str:
    if cell.spec is None and cell.state is CellState.NOT_RUN:
        return "skipped"
    if cell.verdict is Verdict.FAIL or _key(cell) in worse:
        return "failure"
    return "error" if cell.state in _WITHOUT_ANSWER else "passed"


def _key(cell: CellRecord) -> CellKey:
    return CellKey(cell.test, cell.target, cell.agent_id)


class _Document:
    """Writes tag after tag. A suite leaves ``suites`` when it is finished."""

    def __init__(
        self,
        run: RunRecord,
        out: Out,
        suites: dict[str, _Suite],
        times: _Times,
        points: Sequence[Point],
        gate: Sequence[tuple[str, str]],
        worse: Mapping[CellKey, str],
    ) -> None:
        self._run, self._out, self._suites, self._times = run, out, suites, times
        self._points = [
            (_properties(number, one), {key.test for key in one.cells})
            for number, one in enumerate(points, start=1)
        ]
        self._gate, self._worse = gate, worse
        self._classes = class_names(run.plan, suites)

    def begin(self, *, took: float | None) -> None:
        run = self._run
        total = sum((suite.kinds for suite in self._suites.values()), Counter[str]())
        self._out('<?xml version="1.0" encoding="UTF-8"?>\n')
        # The schema knows no "skipped" here.
        self._line(_open("testsuites", name=run.plan, time=_seconds(took), **_counts(total)))

    def begin_suite(self, test: str) -> None:
        run, kinds = self._run, self._suites[test].kinds
        counts = {**_counts(kinds), "skipped": str(kinds["skipped"])}
        took = _seconds(self._times.of_block(test))
        name = suite_name(run.plan, test)
        self._line(_open("testsuite", name=name, timestamp=utc(run.started), time=took, **counts))
        told = [
            ("run", run.id),
            *self._gate,
            *(pair for pairs, tests in self._points if test in tests for pair in pairs),
        ]
        properties = (_open("property", "/", name=name, value=value) for name, value in told)
        self._line(f"<properties>{''.join(properties)}</properties>")

    def case(self, cell: CellRecord) -> None:
        head = {
            "name": case_name(cell.target, cell.agent or cell.agent_id),
            "classname": self._classes[cell.test],
            "time": _seconds(self._times.of_cell(cell)),
        }
        inside = _outcome(cell, self._worse)
        begin = _open("testcase", "" if inside else "/", **head)
        self._line(f"{begin}{inside}</testcase>" if inside else begin)

    def finish_suite(self, test: str) -> None:
        for cell in self._suites.pop(test).late:
            self.case(cell)
        self._line("</testsuite>")

    def _line(self, text: str) -> None:
        self._out(text + "\n")


def _properties(number: int, one: Point) -> list[tuple[str, str]]:
    """What is told of a cause, or of cells that share their silence, by the names of properties."""
    texts = [plain(one.text)]
    told = {"kind": one.group.kind, "value": " / ".join(one.group.value)}
    if isinstance(one, Explanation):
        told = {"rank": str(one.rank), **told}
        texts.append(plain(one.why))
    told |= {"certainty": one.sure, "text": ". ".join(texts)}
    what = "cause" if isinstance(one, Explanation) else "silence"
    return [(f"{what}.{number}.{name}", value) for name, value in told.items()]


def suite_name(plan: str, test: str) -> str:
    """What the suite of a test block is called, in every document of a plan."""
    return f"{plan}.{test}"


def case_name(target: str, agent: str) -> str:
    """What the case of a cell is called."""
    return f"{target} @ {agent}"


def class_names(plan: str, tests: Iterable[str]) -> dict[str, str]:
    """Names of classes by test: without dots, and still no two alike (``a.b`` beside ``a_b``)."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for test in tests:
        name = f"{plan} / {test}".replace(".", "_")
        while name in taken:
            name += "_"
        taken.add(name)
        found[test] = name
    return found


def _outcome(cell: CellRecord, worse: Mapping[CellKey, str]) -> str:
    kind, reasons = _kind(cell, worse), "\n".join(cell.reasons)
    if kind == "skipped":
        return _open("skipped", "/", message="; ".join(cell.reasons) or "left out")
    if kind == "failure" and cell.verdict is not Verdict.FAIL:
        text = worse[_key(cell)]
        return f"{_open('failure', type='worse', message=text)}{_text(text)}</failure>"
    if kind == "failure":
        return _told("failure", "expectation", cell, "an expectation failed")
    if kind == "error":
        return _told("error", cell.state.value.replace("_", "-"), cell, _WITHOUT_ANSWER[cell.state])
    return f"<system-out>{_text(reasons)}</system-out>" if reasons else ""


def _told(tag: str, kind: str, cell: CellRecord, default: str) -> str:
    head = _open(tag, type=kind, message=cell.reasons[0] if cell.reasons else default)
    return f"{head}{_text(chr(10).join(cell.reasons))}</{tag}>"


def _counts(kinds: Counter[str]) -> dict[str, str]:
    counts = {"tests": kinds.total(), "failures": kinds["failure"], "errors": kinds["error"]}
    return {name: str(count) for name, count in counts.items()}


def _seconds(value: float | None) -> str:
    return f"{max(0.0, value or 0.0):.3f}"


def _open(tag: str, end: str = "", /, **attributes: str | None) -> str:
    """A tag with those attributes that are told."""
    told = {name: xml_attribute(value) for name, value in attributes.items() if value is not None}
    return f"<{tag}{''.join(f' {name}={quoteattr(text)}' for name, text in told.items())}{end}>"


def _text(text: str) -> str:
    return escape(xml_text(text))
