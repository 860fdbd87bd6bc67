"""What a run came to: its counts by how things ended, and the exit code they make. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellState, Verdict
from orchestrator.records import Counts, RunState

# Where tests that have no end yet are counted, so that the sums hold for a run that goes on or was
# interrupted. A test that was created is one of which nothing has come, or a partial one (``begun_tests``); a
# creation whose answer is not recorded may have been paid for, so it is never called "not run".
_COUNTED_AS: Mapping[SpecState, SpecState] = {
    SpecState.PLANNED: SpecState.NOT_RUN,
    SpecState.CREATING: SpecState.UNKNOWN,
    SpecState.WAITING: SpecState.TIMED_OUT,
}


_TEST_ENDS = (
    SpecState.COMPLETE,
    SpecState.PARTIAL,
    SpecState.TIMED_OUT,
    SpecState.FAILED,
    SpecState.UNKNOWN,
    SpecState.NOT_RUN,
)


_CELL_ENDS = (
    CellState.ANSWERED,
    CellState.ERRORS,
    CellState.PARTIAL,
    CellState.MISSING,
    CellState.NOT_RUN,
)


def tests_group(counts: Counts) -> dict[str, int]:
    """The group ``tests`` of the summary; the ends add up to ``planned``."""
    ends = dict.fromkeys(_TEST_ENDS, 0)
    for state, number in counts.tests.items():
        ends[_COUNTED_AS.get(state, state)] += number
    waiting = counts.tests.get(SpecState.WAITING, 0)
    must_hold(
        counts.begun_tests <= waiting, f"{counts.begun_tests} open tests have answers, of only {waiting}"
    )
    ends[SpecState.TIMED_OUT] -= counts.begun_tests
    ends[SpecState.PARTIAL] += counts.begun_tests
    return {
        "planned": sum(ends.values()),
        "created": counts.created,
        **{state.value: ends[state] for state in _TEST_ENDS},
    }


def cells_group(counts: Counts) -> dict[str, int]:
    """The group ``cells``; a pending cell is missing once its creation was sent, partial once a part of its
    answer is there, else not run."""
    ends = {state: counts.cells.get(state, 0) for state in _CELL_ENDS}
    pending = counts.cells.get(CellState.PENDING, 0)
    must_hold(
        counts.pending_sent <= pending, f"{counts.pending_sent} pending cells were sent, of only {pending}"
    )
    must_hold(
        counts.begun_cells <= counts.pending_sent,
        f"{counts.begun_cells} pending cells have answers, but only {counts.pending_sent} were sent",
    )
    must_hold(
        counts.left_out <= ends[CellState.NOT_RUN],
        f"{counts.left_out} cells were left out, but only {ends[CellState.NOT_RUN]} are not run",
    )
    ends[CellState.MISSING] += counts.pending_sent - counts.begun_cells
    ends[CellState.PARTIAL] += counts.begun_cells
    ends[CellState.NOT_RUN] += pending - counts.pending_sent
    return {"planned": sum(ends.values()), **{state.value: ends[state] for state in _CELL_ENDS}}


def verdicts_group(counts: Counts) -> dict[str, int]:
    """The group ``verdicts``; it adds up to the planned cells."""
    pending = counts.cells.get(CellState.PENDING, 0)
    verdicts = {verdict.value: counts.verdicts.get(verdict, 0) for verdict in Verdict}
    verdicts[Verdict.NO_ANSWER.value] += counts.pending_sent - counts.begun_cells
    verdicts[Verdict.PARTIAL.value] += counts.begun_cells
    verdicts[Verdict.NOT_RUN.value] += pending - counts.pending_sent
    return verdicts


def exit_code(counts: Counts, allow_missing: float = 0.0) -> Exit:
    """What the run came to so far: 0, 1 or 3.

    An error row is an answer that came; it counts by its verdict. Cells that were left out before anything
    was created, because their agent could not have answered, do not make a run incomplete; cells that were
    not run for any other reason do. ``allow_missing`` is the share of the cells that may have been asked for
    in vain (:func:`within`); what was refused, is in doubt, was never asked for or is open is none of these.
    """
    tests, cells = tests_group(counts), cells_group(counts)
    silent = cells["partial"] + cells["missing"] + tests["partial"] + tests["timed_out"]
    unfinished = (
        (0 if within(counts, allow_missing) else silent)
        + (cells["not_run"] - counts.left_out)
        + tests["failed"]
        + tests["unknown"]
        + tests["not_run"]
    )
    if unfinished:
        return Exit.INCOMPLETE
    if counts.verdicts.get(Verdict.FAIL, 0):
        return Exit.EXPECTATION_FAILED
    return Exit.OK


def lacking(counts: Counts) -> int:
    """Cells that lack an answer or a part of one, though their test was created and has its end."""
    return counts.cells.get(CellState.PARTIAL, 0) + counts.cells.get(CellState.MISSING, 0)


def within(counts: Counts, allow_missing: float) -> bool:
    """Whether the cells that lack answers are no more than this share of those that were not left out.

    A test that is still open may yet answer: as long as there is one, nothing is allowed to be missing.
    """
    open_tests = counts.tests.get(SpecState.WAITING, 0) + counts.cells.get(CellState.PENDING, 0)
    wanted = sum(counts.cells.values()) - counts.left_out
    # A share such as 0.07 is no exact number: 7 % of 100 cells are 7.
    return not open_tests and 0 < lacking(counts) <= math.floor(allow_missing * wanted + 1e-9)


def end_state(code: Exit) -> RunState:
    """The state in which a run with this exit code is left."""
    if code in (Exit.OK, Exit.EXPECTATION_FAILED):
        return RunState.COMPLETE
    if code in (Exit.SIGHUP, Exit.SIGINT, Exit.SIGTERM):
        return RunState.INTERRUPTED
    return RunState.REFUSED if code is Exit.REFUSED else RunState.INCOMPLETE


def must_hold(holds: bool, message: str) -> None:
    """Raise ``AssertionError`` where counts contradict each other: a defect of ours, not a result."""
    if not holds:
        raise AssertionError(f"the counts of the run do not add up: {message}")
