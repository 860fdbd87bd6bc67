"""The end of a test: its answers are judged, its cells get their ends, all in one write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.events import Closed
from orchestrator.lifecycle import SpecState
from orchestrator.model import Answer, CellResult, CellState, Spec
from orchestrator.runner.context import Context
from orchestrator.verdict.expect import judge_cell, parsed


async def close(context: Context, key: str) -> None:
    """Close a test that is complete or whose deadline has come. It is judged by the answers in the store:
    they are what a report will read, and an open test's answers need not be in memory. No poll of it is
    under way (:mod:`orchestrator.schedule.closing`), so those that are read are all there will be."""
    test = context.tests[key]
    spec = test.record.spec
    missing = test.progress.missing()
    why = tuple(f"{layer}: {test.problems[layer]}" for layer in missing if layer in test.problems)
    if not missing:
        state, error = SpecState.COMPLETE, None
    else:
        state = SpecState.PARTIAL if test.progress.anything else SpecState.TIMED_OUT
        age = context.clock.now() - test.created
        when = f"at its deadline of {spec.deadline:.0f} s" if age >= spec.deadline else f"after {age:.0f} s"
        named = [_named(layer, test.progress.absent(layer)) for layer in missing]
        error = "; ".join((f"{when} these layers were not complete: {', '.join(named)}", *why))
    cells = _judged(spec, why, await context.durably(context.store.answers(context.run.id, key)))
    context.tell(Closed(state), key)
    events = context.take_events()
    wall = context.clock.wall()
    await context.durably(context.store.close_test(context.run.id, key, state, cells, wall, error, events))
    del context.tests[key]


def _named(layer: str, absent: Sequence[str]) -> str:
    """A layer, with the servers or directions that not every agent answered of."""
    return f"{layer} ({', '.join(absent)})" if absent else layer


def _judged(spec: Spec, why: tuple[str, ...], answers: Sequence[Answer]) -> list[CellResult]:
    by_agent: dict[str, list[Answer]] = {agent_id: [] for agent_id in spec.agents}
    for answer in answers:
        by_agent.setdefault(answer.agent_id, []).append(answer)
    expectations = parsed(spec)
    return [
        _explained(judge_cell(spec, agent_id, by_agent[agent_id], expectations), why)
        for agent_id in spec.agents
    ]


def _explained(cell: CellResult, why: tuple[str, ...]) -> CellResult:
    """A cell that lacks answers says what the last polls met; that a row never came needs no reason."""
    if cell.state not in {CellState.MISSING, CellState.PARTIAL}:
        return cell
    return replace(cell, reasons=(*cell.reasons, *why))
