"""Which lines and columns a matrix has, the worst first, and what is left out of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from orchestrator.model import Agent
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.layout import LABEL, By
from orchestrator.report.html.material import Grid
from orchestrator.report.html.signs import badness
from orchestrator.report.html.text import DASH, shown

_LABEL = re.compile(r"\s*[:=/]\s*")


@dataclass(frozen=True, slots=True)
class Column:
    """One agent, or all of a group (``many``)."""

    label: str
    group: str
    agents: tuple[str, ...]
    many: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a test block: targets that are not shown one by one."""

    block: str
    targets: int
    bad: int


@dataclass(frozen=True)
class Axes:
    """Lines by test block and target; columns in groups; ``rest`` has one line for each block."""

    rows: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rest: tuple[Rest, ...]
    targets: int

    @cached_property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """The groups of columns with their widths."""
        return tuple((name, len(list(ones))) for name, ones in groupby(self.columns, lambda one: one.group))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The columns, from 1, that begin a group, but for the first."""
        found, at = [], 1
        for _, width in self.groups[:-1]:
            at += width
            found.append(at)
        return tuple(found)


def axes(grid: Grid) -> Axes:
    """The lines and columns of a run's matrix."""
    ranked = sorted(grid.grid, key=lambda row: _rank(grid.grid[row].values()))
    most = grid.size.rows
    rows = ranked
    if most is not None:
        told = grid.worse
        rows = [row for row in ranked if row in told or any(badness(grid.grid[row].values()))][:most]
    kept = {*rows}
    rest = [row for row in ranked if row not in kept]
    return Axes(tuple(rows), tuple(_columns(grid)), tuple(_rest(grid, rest)), len(ranked))


def _rank(cells: Iterable[Cell]) -> tuple[int, int, int]:
    failing, silent, warning = badness(cells)
    return (-failing, -warning, -silent)


def _rest(grid: Grid, rows: Sequence[tuple[str, str]]) -> Iterator[Rest]:
    targets = Counter(test for test, _ in rows)
    bad = Counter(row[0] for row in rows if any(badness(grid.grid[row].values())))
    yield from (Rest(block, number, bad[block]) for block, number in targets.items())


def _columns(grid: Grid) -> Iterator[Column]:
    of_group = grouping(grid.layout.columns, grid.agents)
    groups: dict[str, list[str]] = {}
    for agent in grid.by_agent:
        country = grid.by_agent[agent][0].country
        groups.setdefault(of_group(agent, country), []).append(agent)
    few = grid.size.columns is None or len(grid.by_agent) <= grid.size.columns
    named = grid.named
    for group in sorted(groups, key=lambda name: (_share(grid, groups[name]), name)):
        members = sorted(groups[group], key=lambda one: (_share(grid, [one]), grid.name(one)))
        alone = [one for one in members if few or one in named]
        together = tuple(one for one in members if not few and one not in named)
        for one in alone:
            yield Column(shown(grid.name(one)), group, (one,))
        if together:
            yield Column(f"{group}: {len(together)}", group, together, many=True)


def _share(grid: Grid, agents: Iterable[str]) -> float:
    """The bad part of what these agents saw, negative: the worst comes first."""
    cells = [cell for agent in agents for cell in grid.by_agent[agent]]
    failing, silent, warning = badness(cells)
    return -(failing + silent + warning / 1000) / (len(cells) or 1)


def grouping(by: str, agents: Mapping[str, Agent]) -> Callable[[str, str], str]:
    """What the agents are grouped by: of an agent's id and country, the name of its group."""

    def of(agent_id: str, country: str) -> str:
        agent = agents.get(agent_id)
        if by == By.COUNTRY:
            return country or DASH
        if agent is None:
            return DASH
        if by == By.NETWORK:
            return shown(agent.network or "")
        if by == By.LOCATION:
            return shown(agent.location or "")
        return shown(_of_label(agent.labels, by.removeprefix(LABEL)))

    return of


def _of_label(labels: Iterable[str], key: str) -> str:
    """The rest of the label that is the key and a ``:``, ``=`` or ``/``; the key alone is a label too."""
    for label in labels:
        name, *value = _LABEL.split(label, maxsplit=1)
        if name.strip() == key:
            return value[0] if value else label
    return ""
