"""The end of a test, and of its cells that lack answers, all in one write."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.events import Closed
from orchestrator.lifecycle import SpecState
from orchestrator.runner.context import Context
from orchestrator.runner.judge import cells_of, tell_judged


async def close(context: Context, key: str) -> None:
    """Close a test that is complete or whose deadline has come, and judge the cells that were not judged when
    their answers came: they lack some. No poll of it is under way (:mod:`orchestrator.schedule.closing`)."""
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
    judged = test.judging.end(why)
    context.tell(Closed(state), key)
    events = context.take_events()
    wall = context.clock.wall()
    await context.durably(
        context.store.close_test(context.run.id, key, state, cells_of(judged), wall, error, events)
    )
    tell_judged(context, key, judged)
    del context.tests[key]


def _named(layer: str, absent: Sequence[str]) -> str:
    """A layer, with the servers or directions that not every agent answered of."""
    return f"{layer} ({', '.join(absent)})" if absent else layer
