"""What a run came to as one value, which every report draws."""

from __future__ import annotations

from collections import Counter

from builders import make_answer
from insight_runs import PASSES, SILENT, How, expired, refused
from insight_worlds import FLEET, OSLO
from told_runs import LEFT_OUT, cell, source_of, told

from orchestrator.insight.headline import Mark
from orchestrator.insight.values import Phase, Trouble
from orchestrator.insight.words import plain
from orchestrator.model import Agent, Answer, Verdict
from orchestrator.report.overview import causes, key_of, overview

TARGETS = [f"t{n}.example.com" for n in range(1, 9)]
WARNS = How(Verdict.WARN, None, (Trouble("network", "network.loss 2 %, expected < 1", "loss", asked=False),))


def mixed(agent: Agent, target: str) -> How:
    """One target is down, one agent silent, one has warnings everywhere, one cell fails alone."""
    if agent.id == OSLO:
        return SILENT
    if agent.id == "a18":
        return LEFT_OUT
    if target == TARGETS[2]:
        return expired()
    if target == TARGETS[4]:
        return WARNS
    return refused() if (agent.id, target) == ("a02", TARGETS[6]) else PASSES


CELLS = [cell(agent, target, mixed(agent, target)) for target in TARGETS for agent in FLEET]


async def test_failures_come_first_then_silences_then_warnings_and_all_are_numbered() -> None:
    found = await told(CELLS, FLEET)
    assert [(one.number, one.severity, one.word, one.total) for one in found.points] == [
        (1, Verdict.FAIL, "TLS", 16),
        (2, Verdict.NO_ANSWER, "agent side", 8),
        (3, Verdict.WARN, "packet loss", 16),
    ]
    assert (found.mark, plain(found.headline)) == (
        Mark.BAD,
        "Two causes explain 24 of 25 bad cells; one more has warnings only",
    )
    (alone,) = found.rest
    assert (alone.verdict, alone.total) == (Verdict.FAIL, 1)
    assert [(one.record.agent_id, one.phase) for one in alone.cells] == [("a02", Phase.CONNECT)]
    assert [(one.cells, one.agents_total) for one in found.left_out] == [(8, 1)]


async def test_every_bad_cell_is_told_in_one_place_only() -> None:
    found = await told(CELLS, FLEET, most=1000)
    parts = [*(one.cells for one in found.points), *(one.cells for one in found.rest)]
    shown = Counter(key_of(one.record) for cells in parts for one in cells)
    bad = {Verdict.FAIL, Verdict.WARN, Verdict.NO_ANSWER, Verdict.PARTIAL}
    assert shown == Counter(key_of(one.record) for one in CELLS if one.record.verdict in bad)
    numbers = causes(found.insight)
    assert all(numbers[key_of(one.record)] == part.number for part in found.points for one in part.cells)


async def test_only_the_first_cells_of_each_are_kept_and_the_rest_is_counted() -> None:
    found = await told(CELLS, FLEET, most=3)
    assert [(len(one.cells), one.total) for one in found.points] == [(3, 16), (3, 8), (3, 16)]


async def test_links_are_read_for_the_first_cells_only() -> None:
    linked = [
        cell(agent, target, How(Verdict.FAIL, (row_with(f"https://app.example.com/{n}", agent),),
                                (Trouble("http-server", "refused", error_type="connect"),)))
        for target in TARGETS[:1] for n, agent in enumerate(FLEET)
    ]  # fmt: skip
    found = await overview(source_of(linked, FLEET), links=2)
    (one,) = found.points
    assert [cell.link for cell in one.cells[:4]] == [
        "https://app.example.com/0", "https://app.example.com/1", None, None,
    ]  # fmt: skip


def row_with(link: str, agent: Agent) -> Answer:
    return make_answer("http-server", agent.id, link=link)


async def test_what_was_not_run_takes_the_tick_away() -> None:
    how = [How(Verdict.NOT_RUN, rows=()), *(PASSES for _ in FLEET[1:])]
    cells = [cell(agent, TARGETS[0], one) for agent, one in zip(FLEET, how, strict=True)]
    found = await told(cells, FLEET)
    assert (found.mark, plain(found.headline)) == (Mark.SILENT, "17 cells pass; 1 cell was not run")
    whole = await told(cells[1:], FLEET)
    assert (whole.mark, plain(whole.headline)) == (Mark.GOOD, "All 17 cells pass")
