"""The reports over the embedded store, whose counts must add up at every point in the life of a run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.actions.reading import summed_up
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, AgentType, CellResult, CellState, NotRun, Verdict
from orchestrator.report.junit import write_junit
from orchestrator.report.markdown import ticket
from orchestrator.report.results import write_csv, write_jsonl
from orchestrator.report.summary import summary
from orchestrator.store.opening import open_store
from orchestrator.terminal.console import make_console
from orchestrator.terminal.summary import print_summary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from report_rows import Make

    from orchestrator.records import RunRecord
    from orchestrator.store.base import Store

AGENTS = (Agent("1001", "branch-01", AgentType.ENTERPRISE), Agent("1002", "branch-02", AgentType.ENTERPRISE))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(str(tmp_path / "store.db")) as opened:
        yield opened.store


async def stored_run(make: Make, store: Store) -> RunRecord:
    """Two specs of two agents each, and a cell that is left out."""
    run = make.run(facts={"planned": {"tests": 2, "cells": 5}})
    spec = make.test().spec
    planned = make.test(state=SpecState.PLANNED, test_id=None, name=None, created=None, closed=None)
    specs = [planned, replace(planned, position=1, spec=replace(spec, key="bbbb00000002", target="mail"))]
    left_out = NotRun("web", "http-server", "portal", "branch-07", "the agent is offline")
    await store.create_run(run, specs, [left_out], AGENTS)
    return run


async def cells_of(store: Store, run: RunRecord) -> object:
    return summary(await store.run(run.id), await store.counts(run.id))["cells"]


async def test_the_summary_adds_up_at_every_step_of_a_run(make: Make, store: Store) -> None:
    run = await stored_run(make, store)
    key, at = make.test().spec.key, make.started
    empty = {"planned": 5, "answered": 0, "errors": 0, "partial": 0, "missing": 0, "not_run": 5}
    assert await cells_of(store, run) == empty
    await store.intend(run.id, key, "name", at)
    assert await cells_of(store, run) == {**empty, "missing": 2, "not_run": 3}
    await store.created(run.id, key, "77", {}, at)
    assert await cells_of(store, run) == {**empty, "missing": 2, "not_run": 3}
    ends = [
        CellResult("1001", CellState.ANSWERED, Verdict.PASS),
        CellResult("1002", CellState.ERRORS, Verdict.FAIL, ("timed out",)),
    ]
    await store.close_test(run.id, key, SpecState.COMPLETE, ends, at)
    assert await cells_of(store, run) == {**empty, "answered": 1, "errors": 1, "not_run": 3}


async def test_every_report_is_made_from_the_store(make: Make, store: Store) -> None:
    run = await stored_run(make, store)
    key, at = make.test().spec.key, make.started
    await store.intend(run.id, key, "name", at)
    await store.created(run.id, key, "77", {}, at)
    slow = make.answer(layer="http-server", metrics={"totalTime": 9})
    await store.add_answers(run.id, key, [make.answer(), slow])
    ends = [
        CellResult("1001", CellState.ANSWERED, Verdict.FAIL, ("too slow",)),
        CellResult("1002", CellState.MISSING, Verdict.NO_ANSWER),
    ]
    await store.close_test(run.id, key, SpecState.PARTIAL, ends, at)
    record = await store.run(run.id)
    found = (await summed_up(store, record, now=at + 60)).overview

    lines: list[str] = []
    await write_jsonl(run.id, lambda: store.results(run.id), lines.append)
    rows = [json.loads(line) for line in lines]
    assert {(row["layer"], row["test_id"], row["verdict"]) for row in rows} == {
        ("network", "77", "fail"),
        ("http-server", "77", "fail"),
    }
    assert await write_csv(run.id, lambda: store.results(run.id), lambda _: None) == 2
    xml: list[str] = []
    await write_junit(record, lambda: store.cells(run.id), xml.append)
    assert 'tests="5"' in "".join(xml)
    assert "| - | `web` | `portal` | `branch-01` | `too slow` | - |" in ticket(found)
    stream = io.StringIO()
    print_summary(make_console(stream), found)
    assert "1 left out: the agent is offline (branch-07)" in stream.getvalue()
