"""The checks that every fault test relies on: each of them can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fault_cases import PLAN
from simulated_run import Ran, check_promises, served_rows, virtual_run

from orchestrator.errors import Exit
from orchestrator.lifecycle import SpecState
from orchestrator.simulator.settings import Settings as World


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run on a good day."""
    return virtual_run(PLAN, World(), store=tmp_path_factory.mktemp("promises") / "store.db")


def created_again(ran: Ran) -> Ran:
    creations: list[Any] = ran.witness["creations"]
    return replace(ran, witness={**ran.witness, "creations": [*creations, creations[0]]})


def created_and_forgotten(ran: Ran) -> Ran:
    stranger = {"test_id": "77", "name": "nobody follows it"}
    return replace(ran, witness={**ran.witness, "creations": [*ran.witness["creations"], stranger]})


def answer_lost(ran: Ran) -> Ran:
    return replace(ran, answers=ran.answers[1:])


def answer_doubled(ran: Ran) -> Ran:
    return replace(ran, answers=[*ran.answers, ran.answers[0]])


def cell_uncounted(ran: Ran) -> Ran:
    cells = {**ran.summary["cells"], "answered": ran.summary["cells"]["answered"] - 1}
    return replace(ran, summary={**ran.summary, "cells": cells})


def request_uncounted(ran: Ran) -> Ran:
    requests = {**ran.summary["requests"], "creations": 2}
    return replace(ran, summary={**ran.summary, "requests": requests})


def too_late(ran: Ran) -> Ran:
    return replace(ran, seconds=20 * 60 + 120.0)


def falsely_complete(ran: Ran) -> Ran:
    return replace(ran, tests=[replace(ran.tests[0], state=SpecState.PARTIAL), *ran.tests[1:]])


def falsely_ended(ran: Ran) -> Ran:
    left = replace(falsely_complete(ran), outcome=replace(ran.outcome, exit_code=Exit.INCOMPLETE))
    return replace(left, tests=[replace(ran.tests[0], state=SpecState.WAITING), *ran.tests[1:]])


def test_a_good_run_keeps_every_promise(good: Ran) -> None:
    check_promises(good)
    assert len(served_rows(good)) == len(good.answers) == 2 * 3 * 2 + 2 * 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (created_again, "created more than once"),
        (created_and_forgotten, "neither followed nor unknown"),
        (answer_lost, "served, but not stored"),
        (answer_doubled, "stored more than once"),
        (cell_uncounted, "cells do not add up"),
        (request_uncounted, "were sent, but told"),
        (too_late, "took 1320 s of 1200 s"),
        (falsely_complete, "exit 0 with"),
        (falsely_ended, "has open tests"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_promise_is_seen(good: Ran, spoil: Callable[[Ran], Ran], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_promises(spoil(good))
