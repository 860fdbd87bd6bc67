"""What is wrong with a run: what the engine needs, read from a store, one test after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.insight.look import Insight, Observations, nothing_wrong
from orchestrator.insight.values import Observed, Trouble
from orchestrator.insight.words import Names
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, Answer, Hop, Verdict
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.names import agent_names
from orchestrator.store.base import Archive
from orchestrator.verdict.expect import Parsed, findings, newest, newest_details, parsed

# So many good runs are looked through for the paths of cells.
_RUNS = 10
_SILENCES = {
    SpecState.UNKNOWN: "the answer to their creation was lost",
    SpecState.FAILED: "their creation was refused",
    SpecState.TIMED_OUT: "nothing had come at their deadline",
}
_TROUBLED = frozenset({Verdict.FAIL, Verdict.WARN})
# Verdicts that there is something to be told of.
_TOLD = _TROUBLED | {Verdict.NO_ANSWER, Verdict.PARTIAL}

# Test block, type, target, agent id.
_Cell = tuple[str, str, str, str]
_Traces = tuple[tuple[Hop, ...], ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Every cell of a run with its rows, and what things are called."""

    cells: Sequence[Observed]
    names: Names


async def insight(
    archive: Archive, run: RunRecord, hand_on: Callable[[Observed], object] | None = None
) -> Insight:
    """What the bad cells of a run share, as far as the run has come; nothing of it is stored.

    Each cell is handed on with what was seen of it, test by test, before the whole is explained. Where nobody
    asks for them and nothing is bad, nothing but counts is read; of each cell only what the engine needs is
    kept.
    """
    counts = await archive.counts(run.id)
    if hand_on is None and not any(counts.verdicts.get(verdict) for verdict in _TOLD):
        return nothing_wrong(run.id, counts)
    observed = Observations()

    def take(one: Observed) -> None:
        observed.take(one)
        if hand_on is not None:
            hand_on(one)

    names = await _observe(archive, run, take)
    return observed.told(run.id, names, counts.paths)


async def gathered(archive: Archive, run: RunRecord) -> Gathered:
    """The cells of a run as the engine takes them."""
    cells: list[Observed] = []
    names = await _observe(archive, run, cells.append)
    return Gathered(cells, names)


async def _observe(archive: Archive, run: RunRecord, take: Callable[[Observed], object]) -> Names:
    """Read the cells of a run one after the other; returns what things are called."""
    agents = await archive.agents(run.id)
    earlier = await _earlier(archive, run)
    hops, targets = dict[str, Hop](), set[tuple[str, str]]()
    async for one in archive.collected(run.id):
        spec = one.test.spec
        targets.add((spec.test, spec.target))
        expectations = parsed(spec)
        for cell in one.cells:
            answers = one.answers.get(cell.agent_id, ())
            observed = _observed(cell, one.test, expectations, answers, agents, earlier)
            for hop in hops_of(observed):
                if hop.address is not None:
                    hops[hop.address] = hop
            take(observed)
    async for cell in archive.left_out(run.id):
        take(Observed(cell))
    return names_of(agents.values(), targets, hops)


def _observed(
    cell: CellRecord,
    test: TestRecord,
    expectations: Parsed,
    answers: Sequence[Answer],
    agents: Mapping[str, Agent],
    earlier: Mapping[_Cell, _Traces],
) -> Observed:
    rows = newest(test.spec, cell.agent_id, answers)
    found = findings(test.spec, rows, expectations) if cell.verdict in _TROUBLED else ()
    return Observed(
        record=cell,
        spec=test.spec,
        rows=(*rows, *newest_details(answers)),
        troubles=tuple(Trouble(one.layer, one.text, one.metric, one.error_type, one.asked) for one in found),
        agent=agents.get(cell.agent_id),
        earlier=earlier.get((cell.test, cell.type, cell.target, cell.agent_id), ()),
        silence=_SILENCES.get(test.state),
    )


def hops_of(one: Observed) -> list[Hop]:
    now = [hop for row in one.rows for path in row.paths or () for hop in path.hops]
    return [*(hop for trace in one.earlier for hop in trace), *now]


def names_of(agents: Iterable[Agent], targets: Iterable[tuple[str, str]], hops: Mapping[str, Hop]) -> Names:
    blocks = Counter(target for _, target in targets)
    return Names(
        agents=agent_names(agents),
        hops={address: hop.rdns for address, hop in hops.items() if hop.rdns},
        networks={address: hop.network for address, hop in hops.items() if hop.network},
        doubled=frozenset(target for target, number in blocks.items() if number > 1),
    )


async def _earlier(archive: Archive, run: RunRecord) -> Mapping[_Cell, _Traces]:
    """The paths of each cell in the newest good run before this one that knows them, where hops are wanted.

    A good run has no hops where the plan wants those of failing targets only, so several are looked through.
    """
    # Where nothing is wrong nobody asks which way the packets went before.
    verdicts = (await archive.counts(run.id)).verdicts
    if not any(verdicts.get(verdict) for verdict in _TROUBLED):
        return {}
    wanted = [test.spec async for test in archive.each_test(run.id) if test.spec.path_details]
    left = {(spec.test, spec.type, spec.target, agent_id) for spec in wanted for agent_id in spec.agents}
    found: dict[_Cell, _Traces] = {}
    for good in await archive.good_runs(run.id, _RUNS) if left else ():
        rows: dict[_Cell, list[Answer]] = {}
        async for one in archive.traced(good.id):
            cell = (one.test, one.type, one.target, one.answer.agent_id)
            if cell in left:
                rows.setdefault(cell, []).append(one.answer)
        for cell, answers in rows.items():
            details = newest_details(answers)
            found[cell] = tuple(path.hops for answer in details for path in answer.paths or ())
        left -= found.keys()
        if not left:
            break
    return found
