"""What a run came to, in numbers: the summary document and the exit code. Pure.

Facts of a run (``RunRecord.facts``) that are read here and in the texts for people; all may be missing::

    requests  {"creations", "reruns", "reads", "refused_429", "errors"}: counts
    budgets   {"organization" | "instant_test": {"limit", "remaining", "reset", "others"}}: as last seen;
              ``reset`` in epoch seconds, ``others`` calls a window that other users are seen to spend
    waits     {name: seconds}: how long creations waited, by what for (the names of ``waits.WAITS``)
    units     {"estimated": units}
    planned   {"tests", "cells"}: what the plan came to at the start; checked against the sums
    stopped   why the run ended before its plan did, one line
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellState, Verdict
from orchestrator.report.times import utc
from orchestrator.store.base import Counts, RunRecord, RunState

SCHEMA = 1
REQUESTS = ("creations", "reruns", "reads", "refused_429", "errors")
BUDGETS = ("organization", "instant_test")

# Where tests that have no end yet are counted, so that the sums hold for a run that goes on or was
# interrupted. Of a test that was created nothing has come so far; a creation whose answer is not recorded
# may have been paid for, so it is never called "not run".
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
    return {
        "planned": sum(ends.values()),
        "created": counts.created,
        **{state.value: ends[state] for state in _TEST_ENDS},
    }


def cells_group(counts: Counts) -> dict[str, int]:
    """The group ``cells``; a pending cell is missing once its creation was sent, else not run."""
    ends = {state: counts.cells.get(state, 0) for state in _CELL_ENDS}
    pending = counts.cells.get(CellState.PENDING, 0)
    _must(counts.pending_sent <= pending, f"{counts.pending_sent} pending cells were sent, of only {pending}")
    _must(
        counts.left_out <= ends[CellState.NOT_RUN],
        f"{counts.left_out} cells were left out, but only {ends[CellState.NOT_RUN]} are not run",
    )
    ends[CellState.MISSING] += counts.pending_sent
    ends[CellState.NOT_RUN] += pending - counts.pending_sent
    return {"planned": sum(ends.values()), **{state.value: ends[state] for state in _CELL_ENDS}}


def verdicts_group(counts: Counts) -> dict[str, int]:
    """The group ``verdicts``; it adds up to the planned cells."""
    pending = counts.cells.get(CellState.PENDING, 0)
    verdicts = {verdict.value: counts.verdicts.get(verdict, 0) for verdict in Verdict}
    verdicts[Verdict.NO_ANSWER.value] += counts.pending_sent
    verdicts[Verdict.NOT_RUN.value] += pending - counts.pending_sent
    return verdicts


def exit_code(counts: Counts) -> Exit:
    """What the run came to so far: 0, 1 or 3.

    An error row is an answer that came; it counts by its verdict. Cells that were left out before anything
    was created, because their agent could not have answered, do not make a run incomplete; cells that were
    not run for any other reason do.
    """
    tests, cells = tests_group(counts), cells_group(counts)
    unfinished = (
        cells["partial"]
        + cells["missing"]
        + (cells["not_run"] - counts.left_out)
        + tests["partial"]
        + tests["timed_out"]
        + tests["failed"]
        + tests["unknown"]
        + tests["not_run"]
    )
    if unfinished:
        return Exit.INCOMPLETE
    if counts.verdicts.get(Verdict.FAIL, 0):
        return Exit.EXPECTATION_FAILED
    return Exit.OK


def end_state(code: Exit) -> RunState:
    """The state in which a run with this exit code is left."""
    if code in (Exit.OK, Exit.EXPECTATION_FAILED):
        return RunState.COMPLETE
    if code in (Exit.SIGINT, Exit.SIGTERM):
        return RunState.INTERRUPTED
    return RunState.REFUSED if code is Exit.REFUSED else RunState.INCOMPLETE


def summary(run: RunRecord, counts: Counts, *, now: float | None = None) -> dict[str, object]:
    """The summary document, keys as documented and stable.

    ``now`` (epoch seconds) gives the duration of a run that has not ended; the exit code of such a run is the
    one that it would have if it stopped here. A budget that was never seen has nulls. Raises
    ``AssertionError`` if a group does not add up: a defect of ours, not to be reported as a result.
    """
    tests, cells, verdicts = tests_group(counts), cells_group(counts), verdicts_group(counts)
    _check_sums(run, tests, cells, verdicts)
    end = run.finished if run.finished is not None else now
    requests = _mapping(run.facts.get("requests"))
    budgets = _mapping(run.facts.get("budgets"))
    return {
        "schema": SCHEMA,
        "run": run.id,
        "plan": run.plan,
        "state": run.state.value,
        "exit_code": int(exit_code(counts)) if run.exit_code is None else run.exit_code,
        "started": utc(run.started),
        "finished": utc(run.finished),
        "seconds": None if end is None else round(max(0.0, end - run.started), 3),
        "tests": tests,
        "cells": cells,
        "verdicts": verdicts,
        "requests": {name: int(number(requests.get(name)) or 0) for name in REQUESTS},
        "budgets": {name: _budget(_mapping(budgets.get(name))) for name in BUDGETS},
        "units": {"estimated": number(_mapping(run.facts.get("units")).get("estimated")) or 0.0},
    }


def number(value: object) -> float | None:
    """A number from a fact, or ``None`` where there is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _budget(facts: Mapping[str, object]) -> dict[str, object]:
    limit, remaining = number(facts.get("limit")), number(facts.get("remaining"))
    return {
        "limit": None if limit is None else int(limit),
        "remaining": None if remaining is None else int(remaining),
        "reset": utc(number(facts.get("reset"))),
    }


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _check_sums(
    run: RunRecord, tests: Mapping[str, int], cells: Mapping[str, int], verdicts: Mapping[str, int]
) -> None:
    planned = _mapping(run.facts.get("planned"))
    for group, counted in (("tests", tests["planned"]), ("cells", cells["planned"])):
        expected = number(planned.get(group))
        _must(
            expected is None or counted == expected,
            f"{counted} {group} have an end, but {expected} were planned",
        )
    judged = sum(verdicts.values())
    _must(judged == cells["planned"], f"{judged} verdicts for {cells['planned']} planned cells")


def _must(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(f"the counts of the run do not add up: {message}")
