"""Runs go from one store into another: into the database of a team, or out of it into a file for a ticket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.errors import UsageProblem
from orchestrator.records import RunState
from orchestrator.store.opening import Opened


@dataclass(frozen=True, slots=True)
class Copied:
    """The ids of runs that were ``taken``, and of those that were ``there`` already."""

    taken: tuple[str, ...]
    there: tuple[str, ...]


async def copy(
    source: Opened,
    target: Opened,
    names: Sequence[str] = (),
    *,
    told: Callable[[str, bool], None] = lambda run, new: None,
) -> Copied:
    """Copy these runs, or all of them, oldest first; also which latencies were learned.

    Each is there as a whole or not at all, so it can be repeated. ``told`` hears each run, and whether it is
    new. Raises ``UsageProblem`` for a run that is not there, one that goes on, and one of which the target
    has something else.
    """
    if source.url == target.url:
        raise UsageProblem("a store cannot be copied into itself", hint="name another one")
    known = [outline.id for outline in reversed(await source.store.outlines())]
    wanted = [(await source.store.run(name)).id for name in names] or known
    for run in wanted:
        record = await source.store.run(run)
        if record.state is RunState.RUNNING and await source.store.goes_on(record):
            raise UsageProblem(f"run {run} goes on", hint="wait for its end; nothing was copied")
    new: list[str] = []
    there: list[str] = []
    for run in (run for run in known if run in set(wanted)):
        is_new = await target.store.take_from(source.store, run)
        (new if is_new else there).append(run)
        told(run, is_new)
    return Copied(tuple(new), tuple(there))
