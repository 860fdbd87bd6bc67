"""Runs that have ended, with answers, for the tests of what keeps a store small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
from builders import make_agent, make_answer, make_run, make_spec, make_tests
from stores import answered

from orchestrator.holdings import RunOutline
from orchestrator.lifecycle import SpecState
from orchestrator.records import RunFacts, RunState
from orchestrator.store.base import Store

RAW = '{"padding":"' + "x" * 900 + '"}'
DAY = 86_400.0


async def ended_run(
    store: Store,
    run: str,
    *,
    state: RunState = RunState.COMPLETE,
    exit_code: int | None = 0,
    specs: int = 2,
    raw: str = RAW,
    **changes: Any,
) -> None:
    """A run of so many specs of two agents with two answers each, in this state."""
    planned = make_tests([make_spec(f"k{n}") for n in range(specs)], run)
    made = [replace(test, state=SpecState.WAITING, test_id=test.spec.key, created=2.0) for test in planned]
    await store.create_run(make_run(run, **changes), made, [], [make_agent("1"), make_agent("2")])
    rows = [make_answer(layer, agent, raw=raw) for layer in ("http-server", "network") for agent in "12"]
    ends = answered("1", "2")
    # At once, so that they share their commits.
    async with anyio.create_task_group() as tasks:
        for test in made:
            tasks.start_soon(store.add_answers, run, test.spec.key, rows)
            tasks.start_soon(store.close_test, run, test.spec.key, SpecState.COMPLETE, ends, 3.0)
    await store.update_run(run, state=state, finished=4.0, exit_code=exit_code, facts=RunFacts())


def outline(number: int, **changes: Any) -> RunOutline:
    """The ``number``-th run of a plan, begun on that day, ended with 1."""
    values: dict[str, Any] = {
        "id": f"r{number}",
        "plan": "sweep",
        "started": number * DAY,
        "finished": number * DAY + 60.0,
        "state": RunState.COMPLETE,
        "exit_code": 1,
        "parent": None,
        "origin": "https://api.thousandeyes.com",
        "account": None,
        "simulated": False,
    }
    return RunOutline(**(values | changes))
