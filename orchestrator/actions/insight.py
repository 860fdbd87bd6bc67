"""What is wrong with a run: what the engine needs, read from a store, one test after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.insight.look import Insight, look
from orchestrator.insight.values import Observed, Trouble
from orchestrator.insight.words import Names
from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, Answer, Hop, Verdict
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.names import agent_names
from orchestrator.store.base import Archive
from orchestrator.testtypes import DETAILS
from orchestrator.verdict.expect import findings, newest, parsed

# So many good runs are looked through for the paths of cells.
_RUNS = 10
_SILENCES = {
    SpecState.UNKNOWN: "the answer to their creation was lost",
    SpecState.FAILED: "their creation was refused",
    SpecState.TIMED_OUT: "nothing had come at their deadline",
}
_TROUBLED = frozenset({Verdict.FAIL, Verdict.WARN})

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

    Each cell is handed on with what was seen of it, test by test, before the whole is explained.
    """
    found = await gathered(archive, run)
    if hand_on is not None:
        for one in found.cells:
            hand_on(one)
    counts = await archive.counts(run.id)
    return look(run.id, found.cells, found.names, counts.paths)


async def gathered(archive: Archive, run: RunRecord) -> Gathered:
    """The cells of a run as the engine takes them."""
    agents = await archive.agents(run.id)
    tests = {test.spec.key: test for test in await archive.tests(run.id)}
    by_spec: dict[str | None, list[CellRecord]] = {}
    async for cell in archive.cells(run.id):
        by_spec.setdefault(cell.spec, []).append(cell)
    # Where nothing is wrong nobody asks which way the packets went before.
    troubled = any(cell.verdict in _TROUBLED for cells in by_spec.values() for cell in cells)
    earlier = await _earlier(archive, run, tests.values() if troubled else ())
    observed: list[Observed] = []
    hops: dict[str, Hop] = {}
    for key, cells in by_spec.items():
        test = None if key is None else tests.get(key)
        if test is None:
            observed += [Observed(cell) for cell in cells]
            continue
        answers = await _by_agent(archive, run.id, test)
        for cell in cells:
            one = _observed(cell, test, answers.get(cell.agent_id, ()), agents, earlier)
            hops.update((hop.address, hop) for hop in _hops_of(one) if hop.address is not None)
            observed.append(one)
    return Gathered(observed, _names(agents.values(), tests.values(), hops))


async def _by_agent(archive: Archive, run: str, test: TestRecord) -> dict[str, list[Answer]]:
    found: dict[str, list[Answer]] = {}
    for answer in await archive.answers(run, test.spec.key):
        found.setdefault(answer.agent_id, []).append(answer)
    return found


def _observed(
    cell: CellRecord,
    test: TestRecord,
    answers: Sequence[Answer],
    agents: Mapping[str, Agent],
    earlier: Mapping[_Cell, _Traces],
) -> Observed:
    rows = newest(test.spec, cell.agent_id, answers)
    found = findings(test.spec, rows, parsed(test.spec)) if cell.verdict in _TROUBLED else ()
    return Observed(
        record=cell,
        spec=test.spec,
        rows=(*rows, *_newest_details(answers)),
        troubles=tuple(Trouble(one.layer, one.text, one.metric, one.error_type, one.asked) for one in found),
        agent=agents.get(cell.agent_id),
        earlier=earlier.get((cell.test, cell.type, cell.target, cell.agent_id), ()),
        silence=_SILENCES.get(test.state),
    )


def _newest_details(answers: Iterable[Answer]) -> list[Answer]:
    """The answers with hops of the newest round that has any."""
    details = [answer for answer in answers if answer.layer == DETAILS]
    newest_round = max((answer.round_id for answer in details), default=0)
    return [answer for answer in details if answer.round_id == newest_round]


def _hops_of(one: Observed) -> list[Hop]:
    now = [hop for row in one.rows for path in row.paths or () for hop in path.hops]
    return [*(hop for trace in one.earlier for hop in trace), *now]


def _names(agents: Iterable[Agent], tests: Iterable[TestRecord], hops: Mapping[str, Hop]) -> Names:
    blocks = Counter(target for _, target in {(test.spec.test, test.spec.target) for test in tests})
    return Names(
        agents=agent_names(agents),
        hops={address: hop.rdns for address, hop in hops.items() if hop.rdns},
        networks={address: hop.network for address, hop in hops.items() if hop.network},
        doubled=frozenset(target for target, number in blocks.items() if number > 1),
    )


async def _earlier(archive: Archive, run: RunRecord, tests: Iterable[TestRecord]) -> Mapping[_Cell, _Traces]:
    """The paths of each cell in the newest good run before this one that knows them, where hops are wanted.

    A good run has no hops where the plan wants those of failing targets only, so several are looked through.
    """
    wanted = [test.spec for test in tests if test.spec.path_details]
    left = {(spec.test, spec.type, spec.target, agent_id) for spec in wanted for agent_id in spec.agents}
    found: dict[_Cell, _Traces] = {}
    for good in await archive.good_runs(run.id, _RUNS) if left else ():
        rows: dict[_Cell, list[Answer]] = {}
        async for one in archive.traced(good.id):
            cell = (one.test, one.type, one.target, one.answer.agent_id)
            if cell in left:
                rows.setdefault(cell, []).append(one.answer)
        for cell, answers in rows.items():
            details = _newest_details(answers)
            found[cell] = tuple(path.hops for answer in details for path in answer.paths or ())
        left -= found.keys()
        if not left:
            break
    return found
