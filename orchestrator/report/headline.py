"""One line that says what a run came to."""

from __future__ import annotations

from orchestrator.model import Verdict
from orchestrator.report.summary import cells_group, tests_group
from orchestrator.store.base import Counts, RunRecord, RunState

_STATES = {
    RunState.RUNNING: "still running",
    RunState.COMPLETE: "complete",
    RunState.INCOMPLETE: "incomplete",
    RunState.INTERRUPTED: "interrupted",
    RunState.REFUSED: "refused by the API",
}


def headline(run: RunRecord, counts: Counts) -> str:
    """For example ``complete: 90 of 92 cells collected, 2 failed an expectation``; without data of others."""
    cells = cells_group(counts)
    wanted = cells["planned"] - counts.left_out
    parts = [f"{cells['answered'] + cells['errors']} of {many(wanted, 'cell')} collected"]
    failed, warned = counts.verdicts.get(Verdict.FAIL, 0), counts.verdicts.get(Verdict.WARN, 0)
    if failed:
        parts.append(f"{failed} failed an expectation")
    if warned:
        parts.append(f"{many(warned, 'warning')}")
    if cells["partial"]:
        parts.append(f"{cells['partial']} partial")
    if cells["missing"] - counts.pending_sent:
        parts.append(f"{cells['missing'] - counts.pending_sent} without an answer")
    if counts.pending_sent:
        parts.append(f"{counts.pending_sent} still open")
    if cells["not_run"] - counts.left_out:
        parts.append(f"{cells['not_run'] - counts.left_out} not run")
    if counts.left_out:
        parts.append(f"{counts.left_out} left out beforehand")
    unknown = tests_group(counts)["unknown"]
    if unknown:
        parts.append(f"{many(unknown, 'creation')} with unknown outcome")
    return f"{_STATES[run.state]}: {', '.join(parts)}"


def many(number: int, word: str) -> str:
    """A number with its noun: ``1 cell``, ``2 cells``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
