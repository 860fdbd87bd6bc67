"""Which cells a person means, and what happened to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import UsageProblem
from orchestrator.model import CellState, Verdict
from orchestrator.near import folded, near
from orchestrator.records import CellRecord, RunRecord, SpecName, TestRecord
from orchestrator.report.stories import Explained, Story
from orchestrator.store.base import Archive

# A shorter beginning of a spec's key would rather be a part of a target's name.
SHORTEST_KEY = 4


# Names that are listed where a part of one fits several.
LISTED = 8


async def explain(archive: Archive, run: RunRecord, cell: str, agent: str | None = None) -> Explained:
    """The stories of the tests that ``cell`` means, and the cells of it that were never planned.

    ``cell`` is a target's or a block's name or a part of one, the beginning of a spec's key, TARGET@AGENT or
    @AGENT; ``agent`` an id, a name or a part of one. Raises ``UsageProblem`` if the run has no such cell, and
    where a part fits several targets or agents: it names them.
    """
    planned = await archive.spec_names(run.id)
    names = {one.id: one.name for one in (await archive.agents(run.id)).values()}
    target, agent = parted(cell, agent, planned)
    meant = specs_meant(target, planned)
    agents = None if agent is None else agents_meant(agent, names)
    all_cells = [one async for one in archive.cells_of(run.id, [spec.key for spec in meant])]
    all_cells += [one async for one in archive.left_out(run.id) if _is_of(one, target)]
    cells = [one for one in all_cells if agents is None or one.agent_id in agents]
    _check_one("target", target, {one.target for one in cells} | {spec.target for spec in meant})
    if agents is not None:
        _check_one("agent", agent or "", {names.get(one.agent_id, one.agent) for one in cells})
        keys = {one.spec for one in cells if one.spec is not None}
        meant = [spec for spec in meant if spec.key in keys]
    left_out = tuple(one for one in cells if one.spec is None)
    if not meant and not left_out:
        raise _no_cell(run, target, agent, {spec.target for spec in planned}, set(names.values()))
    stories = [
        await _story(
            archive,
            run,
            await archive.test(run.id, spec.key),
            [one for one in cells if agents is not None and one.spec == spec.key],
            [one for one in all_cells if one.spec == spec.key and one.state in _AWAITED],
            [one for one in all_cells if agents is None and one.spec == spec.key and one.verdict in _BAD],
        )
        for spec in meant
    ]
    return Explained(run, tuple(stories), left_out)


_BAD = (Verdict.FAIL, Verdict.WARN)
_AWAITED = (CellState.PENDING, CellState.PARTIAL, CellState.MISSING)


def _no_cell(
    run: RunRecord, target: str, agent: str | None, targets: set[str], agents: set[str]
) -> UsageProblem:
    what = f"no cell {target!r}" if target else "no cell"
    meant = [near(target, targets) if target else None, near(agent, agents) if agent else None]
    proposals = [repr(one) for one in meant if one and one not in {target, agent}]
    return UsageProblem(
        f"run {run.id} has {what}" + (f" with agent {agent!r}" if agent else ""),
        hint=f"did you mean {' with '.join(proposals)}?"
        if proposals
        else "give a target's name or a spec's key as `orchestrator results` shows them",
    )


def _check_one(what: str, part: str, found: set[str]) -> None:
    """A part of a name that fits several means none of them; a whole name means its own."""
    if not part or len(found) < 2 or not all(_has(one, part) and one != part for one in found):
        return
    names = sorted(found)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    raise UsageProblem(
        f"{part!r} is a part of several {what}s: {', '.join(names[:LISTED])}{more}", hint=f"name one {what}"
    )


async def _story(
    archive: Archive,
    run: RunRecord,
    test: TestRecord,
    cells: Sequence[CellRecord],
    silent: Sequence[CellRecord],
    bad: Sequence[CellRecord],
) -> Story:
    key, agents = test.spec.key, {one.agent_id for one in cells}
    answers = await archive.answers(run.id, key) if agents else ()
    mine = [one for one in answers if one.agent_id in agents]
    return Story(
        test,
        tuple(await archive.events(run.id, key)),
        tuple(cells),
        tuple(one for one in mine if one.paths is not None),
        tuple(one for one in mine if one.paths is None),
        tuple(one.agent or one.agent_id for one in silent),
        tuple(bad),
    )


def specs_meant(target: str, planned: Sequence[SpecName]) -> list[SpecName]:
    """The specs of exactly this target or block or with a key that begins so, else those whose target, else
    those whose block has it in its name. Nothing means all."""
    exact = [
        spec
        for spec in planned
        if folded(target) in {folded(spec.target), folded(spec.test)}
        or (len(target) >= SHORTEST_KEY and spec.key.startswith(target))
    ]
    by_target = [spec for spec in planned if _has(spec.target, target)]
    return exact or by_target or [spec for spec in planned if _has(spec.test, target)]


def agents_meant(agent: str, names: Mapping[str, str]) -> set[str]:
    """The ids of the agents with this id or name, else of those that have it in their name."""
    exact = {key for key, name in names.items() if key == agent or folded(name) == folded(agent)}
    return exact or {key for key, name in names.items() if _has(name, agent)}


def parted(cell: str, agent: str | None, planned: Sequence[SpecName]) -> tuple[str, str | None]:
    """Target and agent. A target may have an @ of its own."""
    target, sign, name = cell.rpartition("@")
    if sign and agent is None and name and cell not in {spec.target for spec in planned}:
        return target, name
    return cell, agent


def _is_of(one: CellRecord, target: str) -> bool:
    return _has(one.target, target) or _has(one.test, target)


def _has(text: str, part: str) -> bool:
    return folded(part) in folded(text)
