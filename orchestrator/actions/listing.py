"""Runs page by page, the plans there are, and a plan's history: what pages and lists are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.actions.reading import as_it_stands, no_run_of
from orchestrator.catalogue import Outcome, PlanSeen, Which
from orchestrator.errors import UsageProblem
from orchestrator.records import RunRecord, RunState
from orchestrator.report.headline import headline
from orchestrator.store.opening import Opened

PAGE = 50
# Runs of a page whose cells are counted, because nothing was said of them yet.
COUNTED = 5
# How far back a history goes: so many runs, and no more cells than a page is quick with.
HISTORY = 30
CELLS = 60_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of runs, newest first; ``older`` is the id to go on ``before``, if there are more.

    ``plans`` are those that a page can be asked for.
    """

    runs: tuple[RunRecord, ...]
    older: str | None
    plans: tuple[PlanSeen, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The newest runs of a plan, oldest first, each with what came of its targets and agents."""

    plan: str
    runs: tuple[RunRecord, ...]
    outcomes: tuple[Outcome, ...]


async def listed(opened: Opened, which: Which, before: str | None = None, most: int = PAGE) -> Listed:
    """A page of runs as they stand.

    A run that is said to go on and was killed is interrupted, and found as such. Raises ``UsageProblem`` for
    a plan of which there is no run.
    """
    store = opened.store
    plans = await store.plans()
    if which.plan is not None and all(one.name != which.plan for one in plans):
        raise UsageProblem(await no_run_of(store, which.plan), hint="`orchestrator runs` lists them")
    found = await store.runs_page(replace(which, states=_stored(which.states)), before, most + 1)
    older = found[most - 1].id if len(found) > most else None
    standing = [await as_it_stands(opened, run) for run in found[:most]]
    runs = [run for run in standing if not which.states or run.state in which.states]
    bare = [run.id for run in runs if run.facts.headline is None][:COUNTED]
    told = [await _counted(opened, run) if run.id in bare else run for run in runs]
    return Listed(tuple(told), older, tuple(plans))


def _stored(states: Sequence[RunState]) -> tuple[RunState, ...]:
    """The states in the store that may turn out to be one of these."""
    if RunState.INTERRUPTED in states and RunState.RUNNING not in states:
        return (*states, RunState.RUNNING)
    return tuple(states)


async def _counted(opened: Opened, run: RunRecord) -> RunRecord:
    told = headline(run, await opened.store.counts(run.id))
    return replace(run, facts=replace(run.facts, headline=told))


async def history(opened: Opened, plan: str, most: int = HISTORY) -> History:
    """The newest runs of a plan that ended or go on. Raises ``UsageProblem`` if there is none."""
    found = await opened.store.runs_page(Which(plan=plan), None, most)
    if not found:
        raise UsageProblem(await no_run_of(opened.store, plan), hint="`orchestrator runs` lists them")
    runs = [await as_it_stands(opened, run) for run in _few_cells(found)]
    outcomes = await opened.store.outcomes([run.id for run in runs])
    return History(plan, tuple(reversed(runs)), tuple(reversed(outcomes)))


def _few_cells(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The first of them, as long as they have few enough cells together."""
    kept: list[RunRecord] = []
    cells = 0
    for run in runs:
        cells += run.facts.planned.cells if run.facts.planned is not None else 0
        if kept and cells > CELLS:
            break
        kept.append(run)
    return kept
