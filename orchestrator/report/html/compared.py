"""A comparison as a page of its own: what got worse by cause, the matrix of it, the gate and its reasons.

It is made of the parts of a run's report. A cell stands in the matrix for what became of it: one that passed
and fails now counts as failing, one that moved as a warning, one that is silent now as silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.compare.values import Change, Compared, Why
from orchestrator.compare.words import headline
from orchestrator.insight.headline import Mark
from orchestrator.insight.values import CellKey
from orchestrator.model import Agent, Verdict
from orchestrator.report.comparison import Held, below, oddity, what
from orchestrator.report.headline import many
from orchestrator.report.html.axes import Axes, Column, axes
from orchestrator.report.html.before import card_of, changed
from orchestrator.report.html.causes import FIRST
from orchestrator.report.html.cells import Cell
from orchestrator.report.html.change import change_views
from orchestrator.report.html.layout import Layout
from orchestrator.report.html.material import OF_AGENT, Grid, rows_worse
from orchestrator.report.html.matrix import notes_of
from orchestrator.report.html.render import render_change
from orchestrator.report.html.signs import NOT_PLANNED
from orchestrator.report.html.text import WHAT_LIMIT, shown
from orchestrator.report.html.view import (
    ChangedCell,
    ChangePage,
    Heading,
    Key,
    Matrix,
    Part,
    Row,
    Thumb,
    View,
)
from orchestrator.report.html.view import Mark as Sign
from orchestrator.report.since import Since, key_of
from orchestrator.report.times import people

# Cells and paths that are listed one by one.
MOST, _PATHS = 500, 50
_STATES: Mapping[int, tuple[str, str, str]] = {
    0: ("k", "\u2713", "nothing worse that counts"),
    1: ("f", "\u2715", "worse"),
    3: ("n", "\u2013", "cannot be judged"),
}
_UP, _UP_ALONE, _DOWN = "\u25b2", "\u25b3", "\u25bc"
# What a cell counts as in the order of rows and columns.
_AS: Mapping[str, Verdict] = {"f": Verdict.FAIL, "w": Verdict.WARN, "n": Verdict.NO_ANSWER}


@dataclass(frozen=True)
class Changes(Grid):
    """The cells of a run that was held against another one, each with what became of it."""

    held: Held
    cells: Sequence[Cell]
    agents: Mapping[str, Agent]
    names: Mapping[str, str]
    layout: Layout
    signs: Mapping[CellKey, Sign]

    @cached_property
    def before(self) -> Mapping[CellKey, float]:
        return {key_of(which): value for which, value in self.held.times.items()}

    @cached_property
    def named(self) -> frozenset[str]:
        told = self.held.comparison.worse.told
        return frozenset(one.group.value[0] for one in told if one.group.kind in OF_AGENT)

    @cached_property
    def worse(self) -> frozenset[tuple[str, str]]:
        return rows_worse(self.held)


def compared_html(
    held: Held,
    cells: Sequence[Compared],
    mask: Callable[[str], str] = str,
    layout: Layout = Layout(),  # noqa: B008 - frozen
) -> str:
    """The page; ``cells`` are those that are listed one by one. ``mask`` takes a token out of it; of the
    ``layout`` sheet and place count."""
    return mask(render_change(change_page(held, cells), layout))


def change_page(held: Held, cells: Sequence[Compared]) -> ChangePage:
    """Everything that the template shows."""
    found, run, base = held.comparison, held.run, held.base
    grid = _grid(held)
    code = found.judgement.exit_code
    css, sign, word = _STATES.get(code, _STATES[1])
    if code == 0 and found.texts:  # the gate is off, or takes it for information
        css, sign, word = "w", Mark.WARNED.sign, "worse, and does not count"
    since = Since(held=held, base=base, asked=True)
    told = [*zip(found.worse.told, found.texts, strict=True)]
    worse = tuple(card_of(one, text, "w" if one.failing is None else "f") for one, text in told)
    head = headline(len(found.worse_by(Why.VERDICT)), found.texts, len(found.lost), found.comparable)
    listed = cells[:MOST]
    return ChangePage(
        title=f"{shown(run.plan)}: {head}",
        plan=shown(run.plan),
        facts=(people(run.started),),
        run=shown(run.id),
        simulated=run.simulated,
        state=css,
        sign=sign,
        word=word,
        headline=(Part(f"{head[:1].upper()}{head[1:]}"),),
        lead=tuple(_lead(held)),
        cards=worse[:FIRST],
        more_cards=worse[FIRST:],
        below=tuple((Part(f"{line[:1].upper()}{line[1:]}."),) for line in below(held, shown)),
        changed=changed(since, Mark.OPEN, run.started),
        matrix=_matrix(grid),
        cells=tuple(_cell(held, one) for one in listed),
        more=f"{len(cells) - len(listed)} more are not listed here" if len(cells) > len(listed) else "",
        paths=tuple(_paths(held)),
        origin=shown(run.origin),
    )


def _lead(held: Held) -> Iterator[Part]:
    earlier = held.comparison.runs - 1
    yield Part("Held against ")
    yield Part(shown(held.name), data=True)
    more = f" and {many(earlier, 'run')} before it" if earlier else ""
    yield Part(f": run {held.base.id} of {people(held.base.started)}{more}.")
    odd = oddity(held)
    if odd is not None:
        yield Part(f" {odd[:1].upper()}{odd[1:]}.")


def _grid(held: Held) -> Changes:
    cells, signs = [], {}
    for one in held.comparison.compared:
        record = held.records.get(one.which)
        if record is None:
            continue
        key, sign = key_of(one.which), _sign(held, one)
        if sign is not None:
            signs[key] = sign
        cells.append(
            Cell(
                key=key,
                kind=one.which.type,
                spec=record.spec,
                country=record.country or "",
                verdict=Verdict.PASS if sign is None else _AS.get(sign.css, Verdict.PASS),
                phase=one.phase,
                time=held.now.get(one.which),
            )
        )
    names = {one.which.agent_id: held.agent(one.which) for one in held.comparison.compared}
    return Changes(held, cells, {}, names, Layout(), signs)


def _sign(held: Held, one: Compared) -> Sign | None:
    """What became of a cell, as one sign; ``None`` for what is as it was."""
    if one.lost:
        return Sign("n", "\u2013")
    if one.change is Change.WORSE and one.why is Why.VERDICT:
        return Sign("f", one.phase.letter if one.phase is not None else "E")
    if one.change is Change.WORSE:
        return Sign("w", _UP) if held.counts(one) else Sign("u0", _UP_ALONE)
    if one.change is Change.BETTER:
        return Sign("v1", _DOWN)
    if one.change is Change.SAME:
        return Sign("s0", "=") if one.verdict is Verdict.FAIL else None
    return Sign("x", "+" if one.change is Change.NEW else "?")


_KEYS = (
    Key("f", "C", "passed and fails now: the layer that broke"),
    Key("w", _UP, "worse by a number, with others"),
    Key("u0", _UP_ALONE, "worse by a number, alone: often chance"),
    Key("v1", _DOWN, "better"),
    Key("s0", "=", "fails as before"),
    Key("n", "\u2013", "answered before, does not now"),
    Key("x", "?", "not known on both sides"),
    Key("x", "+", "new"),
    Key(NOT_PLANNED, "", "not in the plan"),
)


def _matrix(grid: Changes) -> Matrix | None:
    if not grid.cells:
        return None
    found = axes(grid)
    rows = tuple(_rows(grid, found))
    seen = {(mark.css, mark.sign if mark.css == "x" else "") for row in rows for mark in row.cells if mark}
    keys = tuple(key for key in _KEYS if (key.css, key.sign if key.css == "x" else "") in seen)
    verdict = View(
        "v", "What became of it", "What became of each cell; an empty one is as before",
        (*keys, Key("k", "", "empty: as before")), rows,
    )  # fmt: skip
    return Matrix(
        by="country",
        groups=tuple(Heading(name, width) for name, width in found.groups),
        columns=tuple(one.label for one in found.columns),
        starts=found.starts,
        views=(verdict, *change_views(grid, found)),
        thumb=Thumb(0, 0, (), ""),
        notes=tuple(notes_of(grid, found)),
    )


def _rows(grid: Changes, found: Axes) -> Iterator[Row]:
    for block, target in found.rows:
        marks = tuple(_mark(grid, one, block, target) for one in found.columns)
        yield Row(shown(block), shown(target), marks)
    for rest in found.rest:
        changed = f", {rest.bad} of them with changed cells" if rest.bad else ", all as before"
        yield Row(shown(rest.block), f"{rest.targets} targets", (), f"{rest.targets} targets{changed}")


def _mark(grid: Changes, column: Column, block: str, target: str) -> Sign | None:
    cells = grid.grid[block, target]
    there = [cells[one] for one in column.agents if one in cells]
    if not there:
        return Sign(NOT_PLANNED)
    if not column.many:
        return grid.signs.get(there[0].key)
    bad = sum(cell.verdict is not Verdict.PASS for cell in there)
    return Sign(f"s{min(3, 4 * bad // len(there))}", f"{bad}/{len(there)}") if bad else None


def _cell(held: Held, one: Compared) -> ChangedCell:
    record = held.records.get(one.which)
    sign = _sign(held, one)
    return ChangedCell(
        block=shown(one.which.test),
        target=shown(one.which.target),
        agent=shown(held.agent(one.which)),
        country=shown(record.country or "") if record is not None else "",
        css="k" if sign is None else sign.css,
        sign="" if sign is None else sign.sign,
        word=one.change.value,
        counts=held.counts(one),
        what=shown(what(held, one), WHAT_LIMIT),
    )


def _paths(held: Held) -> Iterator[tuple[Part, ...]]:
    """The paths that are other ones now, the first of them."""
    routes = held.comparison.routes
    other = [(which, told) for which in sorted(routes) if (told := [*routes[which].told])]
    for which, told in other[:_PATHS]:
        yield (
            Part(shown(which.target), data=True),
            Part(" from "),
            Part(shown(held.agent(which)), data=True),
            Part(": "),
            Part(shown("; ".join(told), WHAT_LIMIT)),
        )
    if len(other) > _PATHS:
        yield (Part(f"and {len(other) - _PATHS} more"),)
