"""One line that says what a run came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.lifecycle import SpecState
from orchestrator.model import Verdict
from orchestrator.records import Counts, RunRecord, RunState
from orchestrator.verdict.counts import cells_group, lacking, tests_group, verdicts_group, within

STATES = {
    RunState.QUEUED: "waits for a worker",
    RunState.RUNNING: "still running",
    RunState.COMPLETE: "complete",
    RunState.INCOMPLETE: "incomplete",
    RunState.INTERRUPTED: "interrupted",
    RunState.REFUSED: "refused by the API",
    RunState.SKIPPED: "never begun",
}


def headline(run: RunRecord, counts: Counts) -> str:
    """For example ``complete: 90 of 92 cells collected, 2 failed an expectation``; without data of others."""
    cells = groups(counts)["cells"]
    wanted = cells["planned"] - counts.left_out
    parts = [f"{cells['answered'] + cells['errors']} of {many(wanted, 'cell')} collected"]
    failed, warned = counts.verdicts.get(Verdict.FAIL, 0), counts.verdicts.get(Verdict.WARN, 0)
    if failed:
        parts.append(f"{failed} failed an expectation")
    if warned:
        parts.append(f"{many(warned, 'warning')}")
    if cells["partial"]:
        parts.append(f"{cells['partial']} partial")
    if cells["missing"]:
        parts.append(f"{cells['missing']} without an answer")
    if share := allowed(run, counts):
        parts.append(share)
    if cells["open"]:
        parts.append(f"{cells['open']} still open")
    if cells["not_run"] - counts.left_out:
        parts.append(f"{cells['not_run'] - counts.left_out} not run")
    if counts.left_out:
        parts.append(f"{counts.left_out} left out beforehand")
    unknown = tests_group(counts)["unknown"]
    if unknown:
        parts.append(f"{many(unknown, 'creation')} with unknown outcome")
    return f"{STATES[run.state]}: {', '.join(parts)}"


def allowed(run: RunRecord, counts: Counts) -> str:
    """Whether no more cells lack an answer than may; empty where none lacks one, or the run goes on."""
    share = run.settings.allow_missing
    if not share or not lacking(counts) or groups(counts)["cells"]["open"]:
        return ""
    what = "within" if within(counts, share) else "more than"
    return f"{what} the {100 * share:g} % that may lack an answer"


def groups(counts: Counts) -> dict[str, dict[str, int]]:
    """The groups of the summary document as people read them.

    The document counts what is open as if the run had stopped; people are told that it is open.
    """
    tests, begun_tests = counts.tests.get(SpecState.WAITING, 0), counts.begun_tests
    cells, begun_cells = counts.pending_sent, counts.begun_cells
    return {
        "tests": _open_apart(tests_group(counts), "timed_out", tests, begun_tests),
        "cells": _open_apart(cells_group(counts), "missing", cells, begun_cells),
        "verdicts": _open_apart(verdicts_group(counts), "no-answer", cells, begun_cells),
    }


def _open_apart(group: Mapping[str, int], silent: str, still_open: int, begun: int) -> dict[str, int]:
    partial = group["partial"] - begun
    return {**group, "partial": partial, silent: group[silent] - still_open + begun, "open": still_open}


def silences(run: RunRecord, shown: Callable[[str], str]) -> list[str]:
    """``branch-16-tokyo answered nothing in 42 tests``, for each agent that was not waited for to the end.

    ``shown`` escapes the names, which are the API's.
    """
    return [
        f"{shown(one.agent)} answered nothing in {many(one.tests, 'test')}" for one in run.facts.silent_agents
    ]


def ends(group: Mapping[str, int]) -> str:
    """``11 complete, 1 open``; ends that did not occur are left out."""
    return ", ".join(
        f"{count} {name.replace('_', ' ')}"
        for name, count in group.items()
        if count and name not in ("planned", "created")
    )


def many(number: int, word: str) -> str:
    """A number with its noun: ``1 cell``, ``2 cells``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
