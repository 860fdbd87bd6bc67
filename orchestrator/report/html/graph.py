"""The paths to a target as a graph: agents left, equal hops merged, the target right.

Which targets are drawn, and what is joined to what; ``drawing`` sets it on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from orchestrator.insight.groups import prefix_of
from orchestrator.insight.jumps import Gets, jumps
from orchestrator.insight.kinds import KINDS
from orchestrator.insight.look import Explanation
from orchestrator.insight.values import Group
from orchestrator.model import Hop, Verdict
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.material import Material
from orchestrator.report.html.text import shown

MOST = 3  # graphs
SINGLE = 50  # agents that are drawn one by one
_PATH_LEVEL = 2
_JUDGED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})

# Nodes: ("agent", name), ("hop", address), ("target", "").
Node = tuple[str, str]
TARGET: Node = ("target", "")


@dataclass(slots=True)
class Through:
    """What goes through a node or a link: cells, and how many of them are bad. ``at`` are hop numbers."""

    cells: int = 0
    bad: int = 0
    at: list[int] = field(default_factory=list)

    def add(self, *, bad: bool, at: int = 0) -> None:
        """One more cell."""
        self.cells += 1
        self.bad += bad
        self.at.append(at)

    @property
    def share(self) -> float:
        """The bad part."""
        return self.bad / self.cells if self.cells else 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How a cell's packets go. ``hops`` are those of now; ``beyond`` those after them, of an earlier run."""

    cell: Cell
    agent: str
    hops: tuple[tuple[Hop, ...], ...]
    beyond: tuple[tuple[Hop, ...], ...]
    reached: bool

    @property
    def bad(self) -> bool:
        """Whether the cell fails."""
        return self.cell.verdict is Verdict.FAIL


@dataclass(slots=True)
class Net:
    """The graph of one target. Links that are known from an earlier run only are apart (``True``).

    ``slower`` has, by link, what the rest of each path takes longer from there on, milliseconds.
    """

    nodes: dict[Node, Through] = field(default_factory=dict)
    links: dict[tuple[Node, Node, bool], Through] = field(default_factory=dict)
    hops: dict[str, Hop] = field(default_factory=dict)
    slower: dict[tuple[Node, Node], list[float]] = field(default_factory=dict)

    def node(self, node: Node, *, bad: bool, at: int) -> None:
        """A cell goes through a node, which is its hop number ``at``."""
        self.nodes.setdefault(node, Through()).add(bad=bad, at=at)

    def link(self, one: Node, other: Node, *, bad: bool, earlier: bool) -> None:
        """A trace goes from one to the other."""
        self.links.setdefault((one, other, earlier), Through()).add(bad=bad)


def drawn(material: Material) -> list[tuple[str, str]]:
    """The targets whose paths are drawn: of each path cause the one with most of its cells, then those that
    most other cells do not reach. What an agent or a group of agents explains needs no drawing."""
    causes = [one for one in material.insight.points if isinstance(one, Explanation)]
    paths = [one for one in causes if KINDS[one.group.kind].path]
    found = [row for cause in paths if (row := _most_of(material, cause)) is not None]
    told = {key for one in causes if one in paths or _is_of_agents(one.group.kind) for key in one.cells}
    broken = {
        row: sum(1 for cell in cells.values() if _is_broken(cell) and cell.key not in told)
        for row, cells in material.grid.items()
        if _known(cells.values())
    }
    found += sorted((row for row, number in broken.items() if number), key=lambda row: -broken[row])
    return list(dict.fromkeys(found))[:MOST]


def _is_broken(cell: Cell) -> bool:
    return cell.phase is not None and cell.phase.level == _PATH_LEVEL


def _known(cells: Iterable[Cell]) -> bool:
    return any(cell.traced or cell.earlier for cell in cells)


def _is_of_agents(kind: str) -> bool:
    return KINDS[kind].agents or kind in ("agent", "endpoint")


def _most_of(material: Material, cause: Explanation) -> tuple[str, str] | None:
    numbers: dict[tuple[str, str], int] = {}
    for key in cause.cells:
        numbers[key[:2]] = numbers.get(key[:2], 0) + 1
    known = [row for row in numbers if _known(material.grid.get(row, {}).values())]
    return max(known, key=lambda row: numbers[row], default=None)


def cause_of(material: Material, row: tuple[str, str]) -> tuple[int, Group] | None:
    """The path cause, by number and group, that has most cells of a target."""
    best: tuple[int, int, Group] | None = None
    for number, one in enumerate(material.insight.points, 1):
        if isinstance(one, Explanation) and KINDS[one.group.kind].path:
            cells = sum(1 for key in one.cells if key[:2] == row)
            if cells and (best is None or cells > best[0]):
                best = (cells, number, one.group)
    return None if best is None else best[1:]


def ways(material: Material, row: tuple[str, str]) -> list[Way]:
    """The ways of a target's cells whose hops are known; what did not answer has none."""
    cells = [cell for cell in material.grid[row].values() if cell.verdict in _JUDGED]
    grouped = len(cells) > SINGLE
    found = []
    for cell in cells:
        now = tuple(_answered(trace) for trace in material.traces.get(cell.key, ()))
        now = tuple(trace for trace in now if trace)
        earlier = () if cell.reached else tuple(_answered(trace) for trace in cell.earlier)
        if now or any(earlier):
            name = _group(material, cell) if grouped else material.name(cell.key.agent_id)
            found.append(
                Way(cell, name, now, tuple(_beyond(now, one) for one in earlier if one), cell.reached)
            )
    return found


def _group(material: Material, cell: Cell) -> str:
    agent = material.agents.get(cell.key.agent_id)
    network = agent.network if agent is not None else None
    return ", ".join(one for one in (cell.country or "?", network) if one)


def _answered(trace: Iterable[Hop]) -> tuple[Hop, ...]:
    """Silent hops are skipped: nobody knows whether two of them are one."""
    return tuple(hop for hop in trace if hop.address is not None)


def _beyond(now: Sequence[Sequence[Hop]], earlier: Sequence[Hop]) -> tuple[Hop, ...]:
    """What an earlier trace has from the last hop on that answers now too; all of it if none does."""
    there = {hop.address for trace in now for hop in trace}
    last = max((n for n, hop in enumerate(earlier) if hop.address in there), default=0)
    return tuple(earlier[last:])


def net_of(found: Sequence[Way]) -> Net:
    """What is joined to what. Where all that arrives comes by one last hop, that hop is the target."""
    lasts = {trace[-1].address for way in found if way.reached for trace in way.hops}
    merged = next(iter(lasts)) if len(lasts) == 1 else None
    net = Net()
    for way in found:
        _note_jumps(net, way, merged)
        seen: dict[Node, int] = {("agent", way.agent): 0}
        joined: set[tuple[Node, Node, bool]] = set()
        for hops, earlier in (*((one, False) for one in way.hops), *((one, True) for one in way.beyond)):
            arrives = way.reached or earlier
            chain = [*_chain(net, way, hops, earlier=earlier), *([(TARGET, 99)] if arrives else [])]
            chain = [(_or_target(node, merged), at) for node, at in chain]
            for node, at in chain:
                seen.setdefault(node, at)
            joined |= {(one, other, earlier) for (one, _), (other, _) in pairwise(chain) if one != other}
        for node, at in seen.items():
            net.node(node, bad=way.bad, at=at)
        for one, other, earlier in joined:
            if not (earlier and (one, other, False) in joined):
                net.link(one, other, bad=way.bad, earlier=earlier)
    return net


def _or_target(node: Node, merged: str | None) -> Node:
    return TARGET if node == ("hop", merged) else node


def _note_jumps(net: Net, way: Way, merged: str | None) -> None:
    """Where the ways of a cell get slow and stay so, once for each link."""
    added: dict[tuple[Node, Node], float] = {}
    for hops in way.hops:
        for jump in jumps(hops, reached=way.reached):
            if jump.gets is Gets.SLOW and jump.after is not None:
                link = (_or_target(("hop", jump.after), merged), _or_target(("hop", jump.address), merged))
                added[link] = min(jump.added, added.get(link, jump.added))
    for link, value in added.items():
        net.slower.setdefault(link, []).append(value)


def _chain(net: Net, way: Way, hops: Sequence[Hop], *, earlier: bool) -> Iterator[tuple[Node, int]]:
    """The nodes of a trace. One that begins beyond the hops of now begins there, not at the agent."""
    if not earlier or not way.hops:
        yield ("agent", way.agent), 0
    for hop in hops:
        address = hop.address or ""
        net.hops.setdefault(address, hop)
        yield ("hop", address), hop.number


def is_named(group: Group | None, hop: Hop) -> bool:
    """Whether a cause of the path is about this hop."""
    if group is None or hop.address is None:
        return False
    if group.kind == "hop-network":
        return hop.network in group.value
    if group.kind == "hop-prefix":
        return prefix_of(hop.address) in group.value
    return hop.address in group.value


def name_of(hop: Hop) -> str:
    """What a hop is called: by its name, else by its address."""
    return shown(hop.rdns or hop.address or "")


def totals(found: Sequence[Way]) -> Mapping[str, tuple[int, int]]:
    """By agent, or group of agents: how many cells, and how many of them are bad."""
    numbers: dict[str, tuple[int, int]] = {}
    for way in found:
        cells, bad = numbers.get(way.agent, (0, 0))
        numbers[way.agent] = (cells + 1, bad + way.bad)
    return numbers
