"""What the reports of a run are made of, read from a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.records import RunRecord
from orchestrator.report.source import Source
from orchestrator.store.base import Archive

if TYPE_CHECKING:
    from orchestrator.insight.look import Insight
    from orchestrator.insight.values import Observed


def source_of(archive: Archive, run: RunRecord, now: float, known: Insight | None = None) -> Source:
    """A source over the store; nothing is read before a format asks. ``now`` is epoch seconds, ``known`` the
    insight of the run, if somebody has it."""
    found = [] if known is None else [known]

    async def looked() -> Insight:
        return found[0] if found else await watched()

    async def watched(hand_on: Callable[[Observed], object] | None = None) -> Insight:
        from orchestrator.actions.insight import insight  # noqa: PLC0415 - start-up stays light

        found[:] = [await insight(archive, run, hand_on)]
        return found[0]

    return Source(
        run=run,
        now=now,
        counts=lambda: archive.counts(run.id),
        agents=lambda: archive.agents(run.id),
        tests=lambda: archive.tests(run.id),
        answers=lambda key: archive.answers(run.id, key),
        cells=lambda: archive.cells(run.id),
        results=lambda: archive.results(run.id),
        insight=looked,
        watched=watched,
        metric_names=lambda: archive.metric_names(run.id),
        each_test=lambda states: archive.each_test(run.id, states),
    )
