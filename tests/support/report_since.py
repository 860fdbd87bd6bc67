"""What reports know of earlier runs, for runs that were never made."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from told_runs import MAKE

from orchestrator.actions.looked import Looked, times_before
from orchestrator.compare.cells import Past
from orchestrator.compare.look import Now, compare
from orchestrator.insight.values import CellKey, Observed
from orchestrator.insight.words import Names
from orchestrator.model import Agent, Answer, Verdict
from orchestrator.records import RunRecord
from orchestrator.report.comparison import LAST_GOOD, Held
from orchestrator.report.since import TRAIL, Earlier, Reading, Since, key_of
from orchestrator.report.source import Source
from orchestrator.testtypes.layers import HTTP

HOUR = 3600.0


def known(source: Source, since: Since) -> Source:
    """The source with what is known of the time before its run."""

    async def told() -> Since:
        return since

    return replace(source, since=told)


def as_cells(runs: Sequence[Sequence[Observed]], started: float) -> tuple[Earlier, ...]:
    """Earlier runs, the oldest first, an hour apart."""
    return tuple(_earlier(cells, started - HOUR * (len(runs) - n), n) for n, cells in enumerate(runs))


def _earlier(cells: Iterable[Observed], started: float, number: int) -> Earlier:
    reading, verdicts = Reading(), dict[Verdict, int]()
    for one in cells:
        reading.add(one.record)
        if one.record.verdict is not None:
            verdicts[one.record.verdict] = verdicts.get(one.record.verdict, 0) + 1
    return Earlier(f"6500000{number}", started, verdicts, reading.cells, reading.rows)


def held(
    run: RunRecord,
    now: Sequence[Observed],
    before: Sequence[Observed],
    fleet: Iterable[Agent],
    *,
    name: str = LAST_GOOD,
    options: tuple[str, ...] = (),
) -> Held:
    """A run held against one base."""
    names = Names(agents={agent.id: agent.name for agent in fleet})
    one, other = _looked(now), _looked(before)
    past = Past(other.samples)
    base = MAKE.run(id="65000006", started=run.started - HOUR)
    return Held(
        run=run,
        base=base,
        name=name,
        comparison=compare(Now(one.samples, one.judged), past, names),
        names=names,
        records=one.records,
        options=options,
        times=times_before(past.samples, one.samples),
        now=times_before(lambda which: [one.samples[which]], one.samples),
    )


def _looked(cells: Iterable[Observed]) -> Looked:
    looked = Looked()
    for one in cells:
        looked.take(one)
    return looked


def since(found: Held, runs: Sequence[Sequence[Observed]], *, asked: bool = True) -> Since:
    """What is known, with these runs before it, the oldest first."""
    times = {key_of(which): value for which, value in found.times.items()}
    trail = as_cells(runs[-TRAIL:], found.run.started)
    return Since(trail=trail, held=found, base=found.base, times=times, asked=asked)


def cheap(run: RunRecord, cells: Sequence[Observed]) -> Since:
    """What a report of a large run knows by itself: verdicts of seven runs as bad as this one, and times."""
    chance = random.Random(7)
    before: dict[CellKey, float] = {}
    for one in cells:
        time = next((row.metrics.get("totalTime") for row in one.rows if row.layer == HTTP.name), None)
        if isinstance(time, float):
            record = one.record
            factor = chance.choice((*[1.0] * 10, 0.5, 1.5))
            before[CellKey(record.test, record.target, record.agent_id)] = time * factor
    trail = as_cells([cells] * TRAIL, run.started)
    base = MAKE.run(id="65000006", started=run.started - HOUR)
    return Since(trail=trail, base=base, times=before, limit="so many cells")


def faster(cells: Iterable[Observed], target: str, by: float) -> list[Observed]:
    """The cells with the times of one target divided."""
    return [_faster(one, by) if one.record.target == target else one for one in cells]


def _faster(one: Observed, by: float) -> Observed:
    def row(answer: Answer) -> Answer:
        times = {
            name: value / by if name.endswith("Time") and isinstance(value, float) else value
            for name, value in answer.metrics.items()
        }
        return answer._replace(metrics=times) if answer.layer == HTTP.name else answer

    return one._replace(rows=tuple(row(answer) for answer in one.rows))
