"""A site over a store with runs of every kind, for tests of the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from builders import make_agent, make_answer, make_run, make_spec, make_tests

from orchestrator.clock import LoopClock
from orchestrator.lifecycle import SpecState
from orchestrator.model import CellResult, CellState, Verdict
from orchestrator.records import BudgetSeen, Planned, RunFacts, RunSettings, RunState
from orchestrator.store.base import Store
from orchestrator.store.opening import open_store
from orchestrator.web.guard import Terms
from orchestrator.web.hooks import Alerts
from orchestrator.web.server import serving
from orchestrator.web.shelf import Drawer, Shelf
from orchestrator.web.site import Site

GOOD, BAD, OPEN, HOSTILE = "aa01", "aa02", "aa03", "aa04"
ATTACK = "<script>alert(1)</script>\"'&\u202e"
_ENDS = {
    "good": (CellState.ANSWERED, Verdict.PASS),
    "bad": (CellState.ANSWERED, Verdict.FAIL),
    "none": (CellState.MISSING, Verdict.NO_ANSWER),
}


async def keep(
    store: Store,
    run: str,
    ends: Sequence[Sequence[str]] = (("good", "good"),),
    *,
    state: RunState = RunState.COMPLETE,
    exit_code: int | None = 0,
    target: str = "https://example.com",
    agent: str = "agent",
    **changes: object,
) -> None:
    """A run with a target for each of ``ends``, which says how it ended from each agent."""
    agents = [make_agent(str(n), name=f"{agent} {n}") for n in range(len(ends[0]))]
    specs = [
        make_spec(f"k{n}", target=f"{target}/{n}", agents=tuple(one.id for one in agents))
        for n in range(len(ends))
    ]
    tests = [replace(test, state=SpecState.WAITING, test_id=test.spec.key, created=2.0)
             for test in make_tests(specs, run)]  # fmt: skip
    planned = Planned(len(specs), sum(map(len, ends)))
    await store.create_run(make_run(run, **changes), tests, [], agents)
    for spec, row in zip(specs, ends, strict=True) if state is not RunState.RUNNING else ():
        rows = [make_answer(agent_id=one.id) for one, end in zip(agents, row, strict=True) if end != "none"]
        await store.add_answers(run, spec.key, rows)
        cells = [CellResult(one.id, *_ENDS[end]) for one, end in zip(agents, row, strict=True)]
        await store.close_test(run, spec.key, SpecState.COMPLETE, cells, 3.0)
    seen = BudgetSeen(240, 200, 1_700_000_060.0, 3.0)
    headline = None if state is RunState.RUNNING else f"what came of {run}"
    facts = RunFacts(planned=planned, organization=seen, headline=headline)
    finished = None if state is RunState.RUNNING else 1_700_000_100.0
    await store.update_run(run, state=state, finished=finished, exit_code=exit_code, facts=facts)


async def furnish(store: Store) -> None:
    """A good run, a bad one and one that goes on (as far as the store knows), and one whose texts attack."""
    await keep(store, GOOD, [("good", "good"), ("good", "good")])
    await keep(store, BAD, [("good", "bad"), ("good", "none")], exit_code=1)
    await keep(
        store,
        HOSTILE,
        [("bad", "good")],
        exit_code=1,
        plan=ATTACK,
        account=ATTACK,
        target=ATTACK,
        agent=ATTACK,
        settings=RunSettings(simulated=True),
    )
    await keep(store, OPEN, [("good", "good")], state=RunState.RUNNING, exit_code=None, plan="going")


def _nobody(_: str) -> None:
    """Nobody is told."""


@asynccontextmanager
async def site_over(
    place: Path | str, terms: Terms | None = None, *, furnished: bool = True, alerts: Alerts | None = None
) -> AsyncIterator[str]:
    """A site that is served on loopback; gives its origin. ``place`` is a folder, or
    the URL of a store. The run that goes on is held by this process."""
    url, clock = place if isinstance(place, str) else str(place / "runs.db"), LoopClock()
    async with open_store(url) as opened:
        if furnished:
            await furnish(opened.store)
        site = Site(opened, Drawer(url), Shelf(clock.now), clock)
        async with (
            opened.lease.hold("going", clock, wait=False, told=_nobody),
            serving(site, terms or Terms(), "127.0.0.1", 0, alerts) as origin,
        ):
            yield origin
