"""What a page is made of, and the one order in which its causes are numbered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.insight.look import Insight
from orchestrator.insight.values import CellKey
from orchestrator.model import Agent, Hop
from orchestrator.records import RunRecord
from orchestrator.report.comparison import Held
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.layout import Layout, Size, size_of
from orchestrator.report.overview import Overview
from orchestrator.report.since import Since

# The kinds of explanations that name an agent.
OF_AGENT = frozenset({"agent", "endpoint"})
# The traces of a cell: each a sequence of hops by number.
Traces = tuple[tuple[Hop, ...], ...]


class Grid:
    """Cells by row and column, and what their agents are called: what a matrix is drawn of.

    ``before`` is the main time of cells before, milliseconds.
    """

    cells: Sequence[Cell]
    agents: Mapping[str, Agent]
    names: Mapping[str, str]
    layout: Layout

    @property
    def before(self) -> Mapping[CellKey, float]:
        """The main time of cells before, milliseconds."""
        raise NotImplementedError

    @property
    def named(self) -> frozenset[str]:
        """Agents that are told of by name: they keep a column of their own, however many there are."""
        raise NotImplementedError

    @property
    def worse(self) -> frozenset[tuple[str, str]]:
        """Rows that are told of because they got worse: they are drawn, however many there are."""
        raise NotImplementedError

    @cached_property
    def grid(self) -> Mapping[tuple[str, str], Mapping[str, Cell]]:
        """The cells by test block and target, then by agent, in the order of the plan."""
        found: dict[tuple[str, str], dict[str, Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.row, {})[cell.key.agent_id] = cell
        return found

    @cached_property
    def by_agent(self) -> Mapping[str, Sequence[Cell]]:
        """The cells of each agent, in the order of the plan."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.key.agent_id, []).append(cell)
        return found

    @cached_property
    def size(self) -> Size:
        """What is drawn of a matrix as large as this one."""
        return size_of(len(self.grid) * len(self.by_agent))

    def name(self, agent_id: str) -> str:
        """What an agent is called."""
        return self.names.get(agent_id) or agent_id


@dataclass(frozen=True)
class Material(Grid):
    """A run with what was seen in it.

    ``traces`` are paths of this run by cell, of those targets of which they were read.
    """

    overview: Overview
    cells: Sequence[Cell]
    agents: Mapping[str, Agent]
    names: Mapping[str, str]
    layout: Layout = field(default_factory=Layout)
    traces: Mapping[CellKey, Traces] = field(default_factory=dict)

    @property
    def run(self) -> RunRecord:
        """The run."""
        return self.overview.run

    @property
    def insight(self) -> Insight:
        """What its bad cells share."""
        return self.overview.insight

    @property
    def since(self) -> Since:
        """What is known of the time before it."""
        return self.overview.since or Since()

    @property
    def before(self) -> Mapping[CellKey, float]:
        return self.since.times

    @cached_property
    def named(self) -> frozenset[str]:
        return frozenset(one.group.value[0] for one in self.insight.points if one.group.kind in OF_AGENT)

    @cached_property
    def worse(self) -> frozenset[tuple[str, str]]:
        return rows_worse(self.since.held)

    @cached_property
    def cause_of(self) -> Mapping[CellKey, tuple[int, ...]]:
        """The numbers of the explanations of each cell that has one."""
        found: dict[CellKey, tuple[int, ...]] = {}
        for number, one in enumerate(self.insight.points, 1):
            for key in one.cells:
                found[key] = (*found.get(key, ()), number)
        return found


def rows_worse(held: Held | None) -> frozenset[tuple[str, str]]:
    """The test blocks and targets whose cells got worse together."""
    told = () if held is None else held.comparison.worse.told
    return frozenset((which.test, which.target) for one in told for which in one.cells)
