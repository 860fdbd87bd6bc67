"""A run as JUnit XML: one test case per cell, one suite per test block of the plan.

A failed expectation is a ``failure``; a cell without a full answer is an ``error``, also when it was not run
for another reason than being left out beforehand; a cell that was left out is ``skipped``. A warning, and an
error row that nothing asked for, are told in ``system-out`` of a case that passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from orchestrator.model import CellState, Verdict
from orchestrator.records import CellRecord, RunRecord
from orchestrator.report.times import utc
from orchestrator.safe import xml_attribute, xml_text

_WITHOUT_ANSWER = {
    CellState.MISSING: "no answer came",
    CellState.PARTIAL: "only some layers answered",
    CellState.PENDING: "no answer came until this was written",
    CellState.NOT_RUN: "not run",
}


async def junit(run: RunRecord, cells: AsyncIterable[CellRecord]) -> bytes:
    """The document, UTF-8 with its declaration. Holds a few small objects per cell in memory."""
    cases: dict[str, list[TestCase]] = {}
    async for cell in cells:
        cases.setdefault(cell.test, []).append(_case(run, cell))
    document = JUnitXml(xml_attribute(run.plan))
    for test, in_suite in cases.items():
        suite = TestSuite(xml_attribute(f"{run.plan}.{test}"))
        suite.timestamp = utc(run.started) or ""
        suite.add_property("run", xml_attribute(run.id))
        # All at once: the library counts every case anew each time that one is added.
        suite.add_testcases(in_suite)
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # the library's own lack
    text: bytes = document.tostring()  # type: ignore[no-untyped-call] # likewise
    return text


def _case(run: RunRecord, cell: CellRecord) -> TestCase:
    name = xml_attribute(cell.agent or cell.agent_id)
    case = TestCase(name, xml_attribute(f"{run.plan}.{cell.test}.{cell.target}"))
    reasons = "\n".join(cell.reasons)
    if cell.spec is None and cell.state is CellState.NOT_RUN:
        case.result = Skipped(xml_attribute("; ".join(cell.reasons) or "left out"))
    elif cell.verdict is Verdict.FAIL:
        case.result = _explained(Failure(_first(cell, "an expectation failed"), "expectation"), reasons)
    elif cell.state in _WITHOUT_ANSWER:
        kind = cell.state.value.replace("_", "-")
        case.result = _explained(Error(_first(cell, _WITHOUT_ANSWER[cell.state]), kind), reasons)
    elif reasons:
        case.system_out = xml_text(reasons)
    return case


def _first(cell: CellRecord, default: str) -> str:
    return xml_attribute(cell.reasons[0] if cell.reasons else default)


def _explained(result: Failure | Error, reasons: str) -> Failure | Error:
    if reasons:
        result.text = xml_text(reasons)
    return result
