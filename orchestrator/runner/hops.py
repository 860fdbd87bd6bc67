"""Whose hops to read, where the plan leaves it to us: looked up, chosen, told; the schedule reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.events import Event, HopsChosen
from orchestrator.insight.phases import phase_of
from orchestrator.insight.values import PATH_LEVELS, Observed, Trouble
from orchestrator.model import Agent, Answer, AnswerStatus, CellResult, Spec, Verdict, by_agent
from orchestrator.records import CellRecord
from orchestrator.runner.context import Context
from orchestrator.schedule.feedback import HopsToRead
from orchestrator.schedule.hops import Traced, allowance, chosen
from orchestrator.testtypes import PATHS
from orchestrator.verdict.expect import findings, judge_cell, newest, parsed


async def choose_hops(context: Context, keys: Sequence[str], room: int) -> None:
    """Choose for tests of one block; ``room`` is how many reads are left in the window."""
    agents = await context.store.agents(context.run.id)
    cells: list[Traced] = []
    for key in keys:
        if key in context.tests:
            answers = await context.store.answers(context.run.id, key)
            cells += _traced(context.tests[key].record.spec, answers, agents)
    found: dict[str, list[Traced]] = {key: [] for key in keys}
    for cell in chosen(cells, allowance(room, context.schedule.details)):
        found[cell.key].append(cell)
    details = {key: tuple((cell.agent_id, cell.round_id) for cell in wanted) for key, wanted in found.items()}
    for key, rounds in details.items():
        if rounds:
            context.tell(HopsChosen.of(rounds, failing=sum(cell.failing for cell in found[key])), key)
    if any(details.values()):
        # Hops are read last. Whoever goes on with the run until then may find no room to choose again.
        await context.durably(context.store.add_events(context.run.id, context.take_events()))
    for key, rounds in details.items():
        context.schedule.apply(HopsToRead(key, rounds), context.clock.now())


def chosen_before(events: Iterable[Event]) -> frozenset[tuple[str, int]]:
    """Agents and rounds whose hops an earlier session chose, from the events of a spec."""
    told = [event.fact for event in events if isinstance(event.fact, HopsChosen)]
    return frozenset(path for fact in told for path in fact.rounds)


def _traced(spec: Spec, answers: Iterable[Answer], agents: Mapping[str, Agent]) -> Iterator[Traced]:
    of_agent = by_agent(answers)
    for agent_id in spec.agents:
        rows = newest(spec, agent_id, of_agent.get(agent_id, ()))
        rounds = [row.round_id for row in rows if row.layer == PATHS.name and row.status is AnswerStatus.OK]
        failing = _failing(spec, judge_cell(spec, agent_id, rows, parsed(spec)), rows)
        if rounds and failing is not None:
            agent = agents.get(agent_id)
            country, network = (None, None) if agent is None else (agent.country, agent.network)
            yield Traced(spec.key, spec.target, agent_id, max(rounds), failing, country, network)


def _failing(spec: Spec, cell: CellResult, rows: tuple[Answer, ...]) -> bool | None:
    """Whether the cell fails where a path can be to blame, or passes; ``None`` where it does neither."""
    if cell.verdict in (Verdict.PASS, Verdict.WARN):
        return False
    if cell.verdict is not Verdict.FAIL:
        return None
    found = findings(spec, rows, parsed(spec))
    seen = Observed(
        CellRecord(
            spec.key, spec.test, spec.type, spec.target, cell.agent_id, "", None, cell.state, cell.verdict
        ),
        spec,
        rows,
        tuple(Trouble(one.layer, one.text, one.metric, one.error_type, one.asked) for one in found),
    )
    phase = phase_of(seen)
    return True if phase is not None and phase.level in PATH_LEVELS else None
