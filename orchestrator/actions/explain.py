"""Which cells a person means, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import UsageProblem
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.stories import Explained, Story
from orchestrator.store.base import Archive

# A shorter beginning of a spec's key would rather be a part of a target's name.
SHORTEST_KEY = 4


async def explain(archive: Archive, run: RunRecord, cell: str, agent: str | None = None) -> Explained:
    """The stories of the tests that ``cell`` means, and the cells of it that were never planned.

    ``cell`` is a target's name or a part of it, the beginning of a spec's key, or TARGET@AGENT; ``agent`` an
    id or a name. Raises ``UsageProblem`` if the run has no such cell.
    """
    planned = await archive.tests(run.id)
    target, agent = _parted(cell, agent, planned)
    tests = tests_meant(target, planned)
    keys = {test.spec.key for test in tests}
    cells = [one async for one in archive.cells(run.id) if _is_meant(one, target, agent, keys)]
    if agent is not None:
        keys = {one.spec for one in cells if one.spec is not None}
        tests = [test for test in tests if test.spec.key in keys]
    left_out = tuple(one for one in cells if one.spec is None)
    if not tests and not left_out:
        raise UsageProblem(
            f"run {run.id} has no cell {target!r}" + (f" with agent {agent!r}" if agent else ""),
            hint="give a target's name or a spec's key as `orchestrator results` shows them",
        )
    stories = [
        await _story(archive, run, test, [one for one in cells if agent and one.spec == test.spec.key])
        for test in tests
    ]
    return Explained(run, tuple(stories), left_out)


async def _story(archive: Archive, run: RunRecord, test: TestRecord, cells: Sequence[CellRecord]) -> Story:
    key, agents = test.spec.key, {one.agent_id for one in cells}
    answers = await archive.answers(run.id, key) if agents and test.spec.path_details else ()
    details = (one for one in answers if one.paths is not None and one.agent_id in agents)
    return Story(test, tuple(await archive.events(run.id, key)), tuple(cells), tuple(details))


def tests_meant(target: str, planned: Sequence[TestRecord]) -> list[TestRecord]:
    """The tests of exactly this target or with a key that begins so, else those whose target has it in it."""
    exact = [
        test
        for test in planned
        if test.spec.target == target or (len(target) >= SHORTEST_KEY and test.spec.key.startswith(target))
    ]
    return exact or [test for test in planned if _has(test.spec.target, target)]


def _parted(cell: str, agent: str | None, planned: Sequence[TestRecord]) -> tuple[str, str | None]:
    """Target and agent. A target may have an @ of its own."""
    target, sign, name = cell.rpartition("@")
    if sign and agent is None and target and cell not in {test.spec.target for test in planned}:
        return target, name
    return cell, agent


def _is_meant(one: CellRecord, target: str, agent: str | None, keys: set[str]) -> bool:
    if agent not in {None, one.agent_id, one.agent}:
        return False
    return one.spec in keys if one.spec is not None else _has(one.target, target)


def _has(target: str, part: str) -> bool:
    return part.lower() in target.lower()
