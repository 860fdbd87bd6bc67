"""What a person asks of a run after its counts: what is wrong, what was left out, what was not run.

One pass over the cells; what is kept does not grow with the run.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.model import Answer, CellState, NotRun, Verdict
from orchestrator.records import CellRecord

LIMIT = 50
_NAMES = 12
_GROUPS = 20
_OTHER = "other reasons"

# The most telling first: an expectation that failed, what could not be measured, what is missing.
_RANKS = ("fail", "error", "partial", "no answer", "warn")
_DEFAULT_WHAT = {
    "fail": "an expectation failed",
    "error": "the measurement failed",
    "partial": "only some layers answered",
    "no answer": "no answer came",
    "warn": "a warning",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """A cell that is not as expected: the reason for people, and a link to the product, if one is known."""

    kind: str
    cell: CellRecord
    what: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that share a reason. ``agents`` are the first few of ``agents_total`` different ones."""

    reason: str
    cells: int
    agents: tuple[str, ...]
    agents_total: int


@dataclass(frozen=True, slots=True)
class Digest:
    """``troubles`` are the first ones, ranked; ``more`` were not kept. ``kinds`` counts all of them."""

    troubles: tuple[Trouble, ...] = ()
    more: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    left_out: tuple[Group, ...] = ()
    not_run: tuple[Group, ...] = ()


def kind_of(cell: CellRecord) -> str | None:
    """One of the kinds of trouble, or ``None`` for a cell that is fine, pending, or not run."""
    if cell.state in (CellState.PENDING, CellState.NOT_RUN):
        return None
    if cell.verdict is Verdict.FAIL:
        return "fail"
    by_state = {CellState.ERRORS: "error", CellState.PARTIAL: "partial", CellState.MISSING: "no answer"}
    return by_state.get(cell.state) or ("warn" if cell.verdict is Verdict.WARN else None)


async def digest(cells: AsyncIterable[CellRecord], *, limit: int = LIMIT) -> Digest:
    """Read all cells once. At most ``limit`` troubles are kept, the most telling kinds first."""
    kept: dict[str, list[Trouble]] = {kind: [] for kind in _RANKS}
    kinds = dict.fromkeys(_RANKS, 0)
    left_out, not_run = Groups(), Groups()
    async for cell in cells:
        if cell.state is CellState.NOT_RUN:
            group = left_out if cell.spec is None else not_run
            group.add("; ".join(cell.reasons), cell.agent_id, cell.agent or cell.agent_id)
        kind = kind_of(cell)
        if kind is None:
            continue
        kinds[kind] += 1
        if len(kept[kind]) < limit:
            kept[kind].append(Trouble(kind, cell, "; ".join(cell.reasons) or _DEFAULT_WHAT[kind]))
    ranked = [trouble for kind in _RANKS for trouble in kept[kind]][:limit]
    return Digest(
        tuple(ranked), sum(kinds.values()) - len(ranked), kinds, left_out.frozen(), not_run.frozen()
    )


async def with_links(digest: Digest, answers: Callable[[str], Awaitable[Sequence[Answer]]]) -> Digest:
    """The digest with the links that the answers carry; ``answers`` gives those of one spec by its key."""
    links: dict[tuple[str, str], str] = {}
    for spec in dict.fromkeys(trouble.cell.spec for trouble in digest.troubles):
        for answer in await answers(spec) if spec is not None else ():
            if answer.link:
                links.setdefault((spec or "", answer.agent_id), answer.link)
    troubles = tuple(
        replace(trouble, link=links.get((trouble.cell.spec or "", trouble.cell.agent_id)))
        for trouble in digest.troubles
    )
    return replace(digest, troubles=troubles)


def grouped(cells: Iterable[NotRun], names: Mapping[str, str]) -> tuple[Group, ...]:
    """Cells that are left out of a plan, by reason; ``names`` has the agents' names by id."""
    groups = Groups()
    for cell in cells:
        groups.add(cell.reason, cell.agent, names.get(cell.agent, cell.agent))
    return groups.frozen()


class Groups:
    """Groups by reason, in the order of first sight; their number is bounded, the rest share one group."""

    def __init__(self) -> None:
        self._cells: dict[str, int] = {}
        self._agents: dict[str, dict[str, str]] = {}

    def add(self, reason: str, agent_id: str, agent: str) -> None:
        """One more cell."""
        reason = reason or "no reason was recorded"
        if reason not in self._cells and len(self._cells) >= _GROUPS:
            reason = _OTHER
        self._cells[reason] = self._cells.get(reason, 0) + 1
        self._agents.setdefault(reason, {})[agent_id] = agent

    def frozen(self) -> tuple[Group, ...]:
        """What was added."""
        groups = []
        for reason, number in self._cells.items():
            agents = self._agents[reason]
            groups.append(Group(reason, number, tuple(agents.values())[:_NAMES], len(agents)))
        return tuple(groups)
