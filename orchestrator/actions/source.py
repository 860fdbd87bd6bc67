"""What the reports of a run are made of, read from a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.diagnosis.naming import is_diagnosis
from orchestrator.records import FINISHED, RunRecord
from orchestrator.report.source import Source
from orchestrator.store.base import Archive

if TYPE_CHECKING:
    from orchestrator.actions.asked import Asked
    from orchestrator.insight.look import Insight
    from orchestrator.insight.values import Observed

# So many runs are looked through for the last one of each plan.
SEARCHED = 1000


def source_of(
    archive: Archive,
    run: RunRecord,
    now: float,
    known: Insight | None = None,
    asked: Asked | None = None,
) -> Source:
    """A source over the store; nothing is read before a format asks. ``now`` is epoch seconds, ``known`` the
    insight of the run, if somebody has it; ``asked`` says what the run is held against, if anything."""
    found = [] if known is None else [known]
    comparing = None
    if asked is not None:
        from orchestrator.actions.since import Comparing  # noqa: PLC0415 - start-up stays light

        comparing = Comparing(archive, run, asked)

    async def looked() -> Insight:
        return found[0] if found else await watched()

    async def watched(hand_on: Callable[[Observed], object] | None = None) -> Insight:
        from orchestrator.actions.insight import insight  # noqa: PLC0415 - start-up stays light

        taking = None if comparing is None else await comparing.looked()
        found[:] = [await insight(archive, run, _both(hand_on, None if taking is None else taking.take))]
        return found[0]

    return Source(
        run=run,
        now=now,
        counts=lambda: archive.counts(run.id),
        agents=lambda: archive.agents(run.id),
        tests=lambda: archive.tests(run.id),
        answers=lambda key: archive.answers(run.id, key),
        cells=lambda: archive.cells(run.id),
        bad_cells=lambda: archive.cells(run.id, passing=False),
        snapshots=lambda: archive.snapshots(run.id),
        results=lambda: archive.results(run.id),
        insight=looked,
        watched=watched,
        metric_names=lambda: archive.metric_names(run.id),
        each_test=lambda states: archive.each_test(run.id, states),
        since=None if comparing is None else comparing.since,
        others=lambda: _of_other_plans(archive, run, now),
    )


async def _of_other_plans(archive: Archive, run: RunRecord, now: float) -> list[Source]:
    """The newest run of each other plan in the same kind of world that has ended and stands for its plan."""
    newest = await last_of_each(archive)
    same = [one for one in newest if one.simulated == run.simulated and one.plan != run.plan]
    return [source_of(archive, one, now) for one in same]


async def last_of_each(archive: Archive) -> list[RunRecord]:
    """The newest run of each plan that has ended and stands for its plan, in the order of names; of a plan
    that was simulated too, one of each kind. Nobody runs a diagnosis again by its name: it is left out."""
    newest: dict[tuple[str, bool], RunRecord] = {}
    for one in await archive.runs(SEARCHED):
        stands = one.state in FINISHED and not one.settings.partial and not one.settings.confirms
        if stands and not is_diagnosis(one.plan):
            newest.setdefault((one.plan, one.simulated), one)
    return [newest[which] for which in sorted(newest)]


Take = Callable[["Observed"], object]


def _both(one: Take | None, other: Take | None) -> Take | None:
    """Who hands a cell on to both, or to the one that there is."""
    if one is None or other is None:
        return one or other

    def take(cell: Observed) -> None:
        one(cell)
        other(cell)

    return take
