"""Runs that were never made: cells as a run leaves them, as what reports are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from insight_runs import How, observed
from report_rows import Make

from orchestrator.insight.look import look
from orchestrator.insight.values import Observed
from orchestrator.insight.words import Names
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, CellState, Verdict
from orchestrator.records import CellRecord, Counts, RunRecord, TestRecord
from orchestrator.report.overview import Overview, overview
from orchestrator.report.source import Source

MAKE = Make()
LEFT_OUT = How(Verdict.NOT_RUN, rows=())
_STATES = {
    None: CellState.PENDING,
    Verdict.NO_ANSWER: CellState.MISSING,
    Verdict.NOT_RUN: CellState.NOT_RUN,
    Verdict.PARTIAL: CellState.PARTIAL,
}


def cell(agent: Agent, target: str, how: How, *, test: str = "web", reason: str = "") -> Observed:
    """A cell as a run leaves it, with its reasons; what is ``LEFT_OUT`` has no spec."""
    one = observed(agent, target, how, test=test)
    reasons = (reason,) if reason else tuple(trouble.text for trouble in how.troubles)
    state = _STATES.get(how.verdict, CellState.ANSWERED)
    spec = None if how is LEFT_OUT else one.record.spec
    return one._replace(record=one.record._replace(reasons=reasons, state=state, spec=spec))


def source_of(
    cells: Sequence[Observed],
    agents: Iterable[Agent],
    *,
    unknown: Sequence[TestRecord] = (),
    record: RunRecord | None = None,
    counted: Counts | None = None,
    **run: Any,
) -> Source:
    """A source over these cells, in the order in which they are given; the counts are theirs, or as
    ``counted``."""
    known = {agent.id: agent for agent in agents}
    hops = [hop for one in cells for row in one.rows for path in row.paths or () for hop in path.hops]
    hops += [hop for one in cells for trace in one.earlier for hop in trace]
    names = Names(
        agents={agent.id: agent.name for agent in known.values()},
        hops={hop.address: hop.rdns for hop in hops if hop.address and hop.rdns},
        networks={hop.address: hop.network for hop in hops if hop.address and hop.network},
    )
    record = record or _run(**run)
    found: list[Any] = []

    async def insight() -> Any:
        found[:] = found or [look(record.id, cells, names)]
        return found[0]

    async def watched(hand_on: Any) -> Any:
        for one in cells:
            hand_on(one)
        return await insight()

    async def agents_() -> Any:
        return known

    async def counts() -> Counts:
        return counted or _counts([one.record for one in cells])

    async def tests() -> Sequence[TestRecord]:
        return unknown

    async def answers(spec: str) -> Any:
        return [row for one in cells if one.record.spec == spec for row in one.rows]

    async def each() -> AsyncIterator[CellRecord]:
        for one in cells:
            yield one.record

    return Source(record, MAKE.started + 600, counts, agents_, tests, answers, each, _nothing, insight,
                  watched)  # fmt: skip


async def _nothing() -> AsyncIterator[Any]:
    nothing: Sequence[Any] = ()
    for one in nothing:
        yield one


async def told(cells: Sequence[Observed], agents: Iterable[Agent], *, most: int = 10, **run: Any) -> Overview:
    """What is told of a run with these cells."""
    return await overview(source_of(cells, agents, **run), most=most)


async def overview_of(
    run: RunRecord,
    counts: Counts | None = None,
    cells: Sequence[CellRecord] = (),
    unknown: Sequence[TestRecord] = (),
    *,
    most: int = 10,
) -> Overview:
    """What is told of bare records; the counts are those of the cells, or as given."""
    bare = [Observed(one) for one in cells]
    return await overview(source_of(bare, (), unknown=unknown, record=run, counted=counts), most=most)


def _run(**changes: Any) -> RunRecord:
    return MAKE.run(**{"finished": MAKE.started + 197, **changes})


def _counts(cells: Sequence[CellRecord]) -> Counts:
    states = Counter(one.state for one in cells)
    specs = {one.spec for one in cells if one.spec is not None}
    return Counts(
        tests={SpecState.COMPLETE: len(specs)},
        created=len(specs),
        cells=states,
        verdicts=Counter(one.verdict for one in cells if one.verdict is not None),
        left_out=sum(1 for one in cells if one.spec is None),
        pending_sent=states[CellState.PENDING],
    )
