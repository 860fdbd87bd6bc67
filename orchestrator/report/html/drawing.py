"""The graph on paper: columns by hop, order by barycentre, and the table that says the same in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.insight.values import Group
from orchestrator.model import Hop
from orchestrator.report.html.graph import (
    TARGET,
    Net,
    Node,
    Through,
    Way,
    cause_of,
    drawn,
    is_named,
    name_of,
    net_of,
    totals,
    ways,
)
from orchestrator.report.html.material import Material
from orchestrator.report.html.text import clip_name, median, shown
from orchestrator.report.html.view import Dot, Graph, Link, Part, Traced

WIDTH, LEFT, RIGHT, TOP = 1180, 190.0, 150.0, 34.0
_SWEEPS = 12
_LINE = 21.0
_BAD, _MIXED = 0.8, 0.0
_STROKES = {"g-bad": "#b93708", "g-mix": "#b5781f", "g-good": "#9aa4ad"}
_FILLS = {"d-bad": "#b93708", "d-mix": "#b5781f", "d-good": "#4f9277"}
_LISTED = 60
_JUMPS = 4
_SENTENCE = (
    Part("From the agents (left) to the target (right), equal hops merged; red is what fails. "),
    Part("Dashed: where the path went in the last good run, while no packet comes through now."),
)
_SLOWER = (Part(" +ms: from there on every hop is so much slower."),)


def graphs(material: Material) -> tuple[Graph, ...]:
    """The path graphs of a run."""
    found = (_graph(number, material, row) for number, row in enumerate(drawn(material), 1))
    return tuple(one for one in found if one is not None)


def _graph(number: int, material: Material, row: tuple[str, str]) -> Graph | None:
    found = ways(material, row)
    if not found:
        return None
    net = net_of(found)
    cause = cause_of(material, row)
    columns = _ordered(net, _columns(net))
    places = _places(columns)
    height = round(TOP + _LINE * max(len(column) for column in columns) + 12)
    dashed = any(earlier for _, _, earlier in net.links)
    return Graph(
        id=number,
        block=shown(row[0]),
        target=shown(row[1]),
        sentence=(*_SENTENCE[: 1 + dashed], *(_SLOWER if _jumped(net) else ())),
        cause=None if cause is None else cause[0],
        width=WIDTH,
        height=height,
        heads=tuple(_heads(columns)),
        links=tuple(_links(net, places)),
        dots=tuple(_dots(net, places, found, row[1], None if cause is None else cause[1])),
        traced=tuple(_traced(found, row[1])),
        notes=tuple(_notes(material, row, found)),
    )


def _columns(net: Net) -> list[list[Node]]:
    """Agents, then hops by their usual number, then the target; a number that nobody has is no column."""
    at: dict[Node, float] = {node: median(through.at) or 0.0 for node, through in net.nodes.items()}
    hops = sorted({at[node] for node in net.nodes if node[0] == "hop"})
    columns = [[node for node in net.nodes if node[0] == "agent"]]
    columns += [[node for node in net.nodes if node[0] == "hop" and at[node] == number] for number in hops]
    return columns + ([[TARGET]] if TARGET in net.nodes else [])


def _ordered(net: Net, columns: list[list[Node]]) -> list[list[Node]]:
    """Each node near the middle of its neighbours, so that few lines cross."""
    near: dict[Node, list[Node]] = {node: [] for node in net.nodes}
    for one, other, _ in net.links:
        near[one].append(other)
        near[other].append(one)
    order = [sorted(column, key=lambda node: (-net.nodes[node].share, node)) for column in columns]
    for sweep in range(_SWEEPS):
        for column in order if sweep % 2 else order[::-1]:
            height = {node: place for place, node in _heights(order)}
            column.sort(key=lambda node: (_middle(near[node], height, height[node]), node))
    return order


def _heights(columns: Sequence[Sequence[Node]]) -> Iterator[tuple[float, Node]]:
    for column in columns:
        yield from (((n + 0.5) / len(column), node) for n, node in enumerate(column))


def _middle(near: Sequence[Node], height: Mapping[Node, float], own: float) -> float:
    return sum(height[node] for node in near) / len(near) if near else own


def _places(columns: Sequence[Sequence[Node]]) -> dict[Node, tuple[float, float]]:
    most = max(len(column) for column in columns)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(columns) - 1)
    found = {}
    for x, column in enumerate(columns):
        gap = _LINE * most / len(column)
        for y, node in enumerate(column):
            found[node] = (round(LEFT + x * step, 1), round(TOP + gap * (y + 0.5), 1))
    return found


def _heads(columns: Sequence[Sequence[Node]]) -> Iterator[tuple[float, str]]:
    step = (WIDTH - LEFT - RIGHT) / max(1, len(columns) - 1)
    many = len(columns) > 12
    for n, column in enumerate(columns):
        kind = column[0][0]
        word = {"agent": "agents", "target": "target"}.get(kind, f"{n}" if many else f"hop {n}")
        yield round(LEFT + n * step, 1), word


def _class(prefix: str, through: Through) -> str:
    if through.share >= _BAD:
        return f"{prefix}-bad"
    return f"{prefix}-mix" if through.share > _MIXED else f"{prefix}-good"


def _links(net: Net, places: Mapping[Node, tuple[float, float]]) -> Iterator[Link]:
    jumped = _jumped(net)
    # What fails is drawn last, over the rest.
    for (one, other, earlier), through in sorted(net.links.items(), key=lambda item: item[1].share):
        (x, y), (to_x, to_y) = places[one], places[other]
        bend = round((to_x - x) / 2, 1)
        css = "g-bad" if earlier else _class("g", through)
        width = round(min(7.0, 0.7 + 0.6 * math.sqrt(through.cells)), 1)
        note = "" if earlier else jumped.get((one, other), "")
        middle = (round((x + to_x) / 2, 1), round((y + to_y) / 2 - 5, 1))
        path = f"M{x:g} {y:g}C{x + bend:g} {y:g} {to_x - bend:g} {to_y:g} {to_x:g} {to_y:g}"
        yield Link(path, css, _STROKES[css], width, earlier, note, *middle)


def _jumped(net: Net) -> Mapping[tuple[Node, Node], str]:
    """What stands beside the links where paths get slow, those of most cells: the least of their cells."""
    shared = [link for link, added in net.slower.items() if len(added) > 1]
    shared.sort(key=lambda link: (-len(net.slower[link]), link))
    return {link: f"+{min(net.slower[link]):.0f} ms" for link in shared[:_JUMPS]}


def _dots(
    net: Net,
    places: Mapping[Node, tuple[float, float]],
    found: Sequence[Way],
    target: str,
    named: Group | None,
) -> Iterator[Dot]:
    numbers = totals(found)
    for node, through in net.nodes.items():
        count = f"{through.bad} of {through.cells} cells through it fail"
        if node[0] == "agent":
            yield _agent(node[1], through, places[node], numbers[node[1]][0], count)
        elif node == TARGET:
            x, y = places[node]
            css, name = _class("d", through), clip_name(target)
            text = f"{shown(target)}: {count}"
            yield Dot(x, y, 7.0, _FILLS[css], css, text, name, x + 13, y + 4, "start", bad=True)
        else:
            yield _hop(net.hops[node[1]], through, places[node], count, named)


def _agent(name: str, through: Through, place: tuple[float, float], cells: int, count: str) -> Dot:
    (x, y), css, bad = place, _class("d", through), through.share >= _BAD
    label = ("✕ " if bad else "") + clip_name(name) + (f" ({cells})" if cells > 1 else "")
    return Dot(x, y, 3.0, _FILLS[css], css, f"{shown(name)}: {count}", label, x - 9, y + 4, "end", bad)


def _hop(hop: Hop, through: Through, place: tuple[float, float], count: str, named: Group | None) -> Dot:
    (x, y), css, ring = place, _class("d", through), is_named(named, hop)
    where = f" ({shown(hop.network)})" if hop.network else ""
    radius = round(min(8.0, 2.2 + 0.9 * math.sqrt(through.cells)), 1)
    label = f"✕ {clip_name(hop.rdns or hop.address or '')}" if ring else ""
    text = f"{name_of(hop)}{where}: {count}"
    return Dot(x, y, radius, _FILLS[css], css, text, label, x, y - radius - 9, "middle", ring, ring)


def _traced(found: Sequence[Way], target: str) -> Iterator[Traced]:
    for way in sorted(found, key=lambda way: (not way.bad, way.agent))[:_LISTED]:
        hops = (*way.hops, *way.beyond)[0]
        last = way.hops[0][-1] if way.hops else None
        yield Traced(
            agent=shown(way.agent),
            bad=way.bad,
            ends=shown(target) if way.reached else (name_of(last) if last is not None else "not known"),
            network=shown(last.network or "") if last is not None else "",
            hops=" › ".join(name_of(hop) for hop in hops),  # noqa: RUF001 - an arrow that reads well
            earlier=not way.hops,
        )


def _notes(material: Material, row: tuple[str, str], found: Sequence[Way]) -> Iterator[str]:
    cells = len(material.grid[row])
    if len(found) < cells:
        yield f"{len(found)} of {cells} agents are drawn: of the others no hops are known."
    if len(found) > len({way.agent for way in found}):
        yield "The agents are grouped by country and network."
    if len(found) > _LISTED:
        yield f"The table has the first {_LISTED} agents, those that fail first."
