from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellState, Verdict
from orchestrator.records import Counts, Paths, RunState
from orchestrator.report.summary import summary
from orchestrator.verdict.counts import end_state, exit_code

if TYPE_CHECKING:
    from report_rows import Make

ENDS = [state for state in CellState if state is not CellState.PENDING]


def test_the_document_has_exactly_the_documented_keys_and_values(make: Make) -> None:
    run = make.run(
        finished=make.started + 65.25,
        state=RunState.COMPLETE,
        exit_code=0,
        facts={
            "requests": {"creations": 2, "reads": 9, "refused_429": 0, "errors": 1, "reruns": 0},
            "budgets": {
                "organization": {"limit": 240, "remaining": 200, "reset": make.started + 48, "others": 3},
                "instant_test": {"limit": 24, "remaining": 22, "reset": make.started + 48, "others": 0},
            },
            "units": {"estimated": 1.25},
            "planned": {"tests": 2, "cells": 5},
        },
    )
    counts = make.counts(
        cells={CellState.ANSWERED: 4, CellState.NOT_RUN: 1},
        verdicts={Verdict.PASS: 4, Verdict.NOT_RUN: 1},
        left_out=1,
        paths=Paths(wanted=4, got=3),
    )
    assert summary(run, counts) == {
        "schema": 1,
        "run": "20261121-054712-ab12",
        "plan": "branch-sweep",
        "state": "complete",
        "exit_code": 0,
        "started": "2026-11-21T05:47:12Z",
        "finished": "2026-11-21T05:48:17Z",
        "seconds": 65.25,
        "tests": {
            "planned": 2, "created": 2, "complete": 2, "partial": 0, "timed_out": 0, "failed": 0,
            "unknown": 0, "not_run": 0,
        },
        "cells": {"planned": 5, "answered": 4, "errors": 0, "partial": 0, "missing": 0, "not_run": 1},
        "allow_missing": 0.0,
        "verdicts": {"pass": 4, "warn": 0, "fail": 0, "partial": 0, "no-answer": 0, "not-run": 1},
        "requests": {"creations": 2, "reruns": 0, "reads": 9, "refused_429": 0, "errors": 1},
        "budgets": {
            "organization": {"limit": 240, "remaining": 200, "reset": "2026-11-21T05:48:00Z"},
            "instant_test": {"limit": 24, "remaining": 22, "reset": "2026-11-21T05:48:00Z"},
        },
        "units": {"estimated": 1.25},
        "paths": {"wanted": 4, "got": 3},
        "silent_agents": [],
        "raw_pruned": None,
        "answers_pruned": None,
    }  # fmt: skip


def test_a_run_that_was_just_started_has_nulls_where_nothing_is_known(make: Make) -> None:
    document = summary(make.run(), make.counts(), now=make.started + 3)
    assert document["finished"] is None
    assert document["seconds"] == 3.0
    assert document["budgets"] == {
        name: {"limit": None, "remaining": None, "reset": None} for name in ("organization", "instant_test")
    }


def test_a_run_in_the_middle_counts_every_test_and_cell_once(make: Make) -> None:
    counts = Counts(
        tests={
            SpecState.PLANNED: 3, SpecState.CREATING: 1, SpecState.WAITING: 2, SpecState.COMPLETE: 4,
            SpecState.FAILED: 1,
        },
        created=6,
        cells={CellState.PENDING: 12, CellState.ANSWERED: 8, CellState.NOT_RUN: 2},
        verdicts={Verdict.PASS: 8, Verdict.NOT_RUN: 2},
        pending_sent=6,
    )  # fmt: skip
    document = summary(make.run(), counts)
    assert document["tests"] == {
        "planned": 11, "created": 6, "complete": 4, "partial": 0, "timed_out": 2, "failed": 1, "unknown": 1,
        "not_run": 3,
    }  # fmt: skip
    assert document["cells"] == {
        "planned": 22, "answered": 8, "errors": 0, "partial": 0, "missing": 6, "not_run": 8,
    }  # fmt: skip
    assert document["verdicts"] == {
        "pass": 8, "warn": 0, "fail": 0, "partial": 0, "no-answer": 6, "not-run": 8,
    }  # fmt: skip
    assert document["exit_code"] == 3


@given(
    tests=st.dictionaries(st.sampled_from(list(SpecState)), st.integers(0, 50)),
    ends=st.lists(st.tuples(st.sampled_from(ENDS), st.sampled_from(list(Verdict))), max_size=40),
    pending=st.integers(0, 30),
    data=st.data(),
)
def test_every_group_adds_up_to_planned(
    make: Make,
    tests: dict[SpecState, int],
    ends: list[tuple[CellState, Verdict]],
    pending: int,
    data: st.DataObject,
) -> None:
    cells: dict[CellState, int] = {state: sum(1 for end, _ in ends if end is state) for state in ENDS}
    counts = Counts(
        tests=tests,
        created=0,
        cells=cells | {CellState.PENDING: pending},
        verdicts={verdict: sum(1 for _, end in ends if end is verdict) for verdict in Verdict},
        left_out=data.draw(st.integers(0, cells[CellState.NOT_RUN])),
        pending_sent=data.draw(st.integers(0, pending)),
    )
    document = summary(make.run(), counts)
    for group in ("tests", "cells"):
        numbers = document[group]
        assert isinstance(numbers, dict)
        total = sum(count for name, count in numbers.items() if name not in ("planned", "created"))
        assert total == numbers["planned"], f"{group} do not add up: {numbers}"
    verdicts, cell_numbers = document["verdicts"], document["cells"]
    assert isinstance(verdicts, dict)
    assert isinstance(cell_numbers, dict)
    assert sum(verdicts.values()) == cell_numbers["planned"]


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"verdicts": {Verdict.PASS: 3}}, {}),
        ({"left_out": 1}, {}),
        ({"pending_sent": 1}, {}),
        ({}, {"planned": {"tests": 3, "cells": 4}}),
        ({}, {"planned": {"tests": 2, "cells": 5}}),
    ],
)
def test_counts_that_do_not_add_up_are_a_defect_and_not_a_report(
    make: Make, changes: dict[str, object], facts: dict[str, object]
) -> None:
    with pytest.raises(AssertionError, match="do not add up"):
        summary(make.run(facts=facts), make.counts(**changes))


OK = {"tests": {SpecState.COMPLETE: 1}, "cells": {CellState.ANSWERED: 1}, "verdicts": {Verdict.PASS: 1}}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, Exit.OK),
        ({"verdicts": {Verdict.WARN: 1}}, Exit.OK),
        ({"verdicts": {Verdict.FAIL: 1}}, Exit.EXPECTATION_FAILED),
        ({"cells": {CellState.ERRORS: 1}}, Exit.OK),
        ({"cells": {CellState.ERRORS: 1}, "verdicts": {Verdict.FAIL: 1}}, Exit.EXPECTATION_FAILED),
        ({"cells": {CellState.PARTIAL: 1}, "verdicts": {Verdict.PARTIAL: 1}}, Exit.INCOMPLETE),
        ({"cells": {CellState.PARTIAL: 1}, "verdicts": {Verdict.FAIL: 1}}, Exit.INCOMPLETE),
        ({"cells": {CellState.MISSING: 1}, "verdicts": {Verdict.NO_ANSWER: 1}}, Exit.INCOMPLETE),
        ({"cells": {CellState.NOT_RUN: 1}, "verdicts": {Verdict.NOT_RUN: 1}}, Exit.INCOMPLETE),
        ({"cells": {CellState.NOT_RUN: 1}, "verdicts": {Verdict.NOT_RUN: 1}, "left_out": 1}, Exit.OK),
        ({"cells": {CellState.PENDING: 1}, "verdicts": {}}, Exit.INCOMPLETE),
        ({"cells": {CellState.PENDING: 1}, "verdicts": {}, "pending_sent": 1}, Exit.INCOMPLETE),
        ({"tests": {SpecState.UNKNOWN: 1}}, Exit.INCOMPLETE),
        ({"tests": {SpecState.FAILED: 1}}, Exit.INCOMPLETE),
        ({"tests": {SpecState.NOT_RUN: 1}}, Exit.INCOMPLETE),
        ({"tests": {SpecState.WAITING: 1}}, Exit.INCOMPLETE),
        ({"tests": {SpecState.CREATING: 1}}, Exit.INCOMPLETE),
    ],
)
def test_the_exit_code_is_the_truth(make: Make, changes: dict[str, object], code: Exit) -> None:
    assert exit_code(make.counts(**{**OK, **changes})) is code


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (Exit.OK, RunState.COMPLETE),
        (Exit.EXPECTATION_FAILED, RunState.COMPLETE),
        (Exit.INCOMPLETE, RunState.INCOMPLETE),
        (Exit.REFUSED, RunState.REFUSED),
        (Exit.SIGINT, RunState.INTERRUPTED),
        (Exit.SIGTERM, RunState.INTERRUPTED),
    ],
)
def test_the_exit_code_leaves_the_run_in_its_state(code: Exit, state: RunState) -> None:
    assert end_state(code) is state


def test_the_stored_exit_code_is_shown_whatever_the_counts_say(make: Make) -> None:
    assert summary(make.run(state=RunState.INTERRUPTED, exit_code=130), make.counts())["exit_code"] == 130


@pytest.mark.parametrize("reset", [float("inf"), 1e300, -1e300, "soon", None])
def test_an_absurd_reset_is_shown_as_unknown(make: Make, reset: object) -> None:
    run = make.run(facts={"budgets": {"organization": {"limit": 240, "remaining": 1, "reset": reset}}})
    budgets = summary(run, make.counts())["budgets"]
    assert isinstance(budgets, dict)
    assert budgets["organization"] == {"limit": 240, "remaining": 1, "reset": None}
