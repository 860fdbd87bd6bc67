"""Cells that share the reason why they have no answer. What is kept does not grow with the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.model import NotRun

_NAMES = 12
_GROUPS = 20
_OTHER = "other reasons"


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that share a reason. ``agents`` are the first few of ``agents_total`` different ones."""

    reason: str
    cells: int
    agents: tuple[str, ...]
    agents_total: int


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
