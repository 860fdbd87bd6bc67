"""The cells of one test, judged as their answers come: each as soon as all of its layers are in. Pure.

A verdict changes by new evidence only: a row of another server or direction, or of a newer round. What is
judged once is not judged again. Hops are no layer of a test: no cell waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from orchestrator.model import COLLECTED, Answer, CellResult, CellState, Metric, Spec, Verdict
from orchestrator.verdict.expect import Parsed, judge_newest, parsed

_LACKING = frozenset({CellState.MISSING, CellState.PARTIAL})

# Layer, server and direction: rows of one round that agree in these are one.
_Place = tuple[str, str | None, str | None]


class Change(NamedTuple):
    """What a cell comes to now, and the verdict that it had ``before``, if it had one."""

    cell: CellResult
    before: Verdict | None = None


class Judging:
    """What is known of the cells of one test, and what has been said of them so far.

    Of each row only what a verdict is made of is kept, until the test is closed. ``failing``: a cell failed.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._rows: dict[str, dict[_Place, Answer]] = {}
        self._said: dict[str, CellResult] = {}
        # Agents whose cell was judged with all of its layers, and of whom nothing new came since.
        self._settled: set[str] = set()
        self.failing = False

    def know(self, cells: Iterable[CellResult]) -> None:
        """Take note of verdicts that an earlier session of the run has stored."""
        for cell in cells:
            self._say(cell)
            self._settled.discard(cell.agent_id)

    def take(self, rows: Iterable[Answer]) -> tuple[Change, ...]:
        """Take in rows of the spec's own agents; returns what changes by them, in the order of the rows."""
        touched: dict[str, None] = {}
        for row in rows:
            if row.layer in self._asked and self._keep(row):
                touched[row.agent_id] = None
        return tuple(self._changes(touched))

    def end(self, why: tuple[str, ...] = ()) -> tuple[Change, ...]:
        """Nothing more will come: what that changes, in the order of the spec's agents.

        ``why`` the last polls brought nothing is told with each cell that lacks answers.
        """
        return tuple(
            change
            for agent_id in self._spec.agents
            if agent_id not in self._settled
            and (change := self._change(_explained(self._judged(agent_id), why))) is not None
        )

    @cached_property
    def _expectations(self) -> Parsed:
        return parsed(self._spec)

    @cached_property
    def _asked(self) -> Mapping[str, frozenset[str]]:
        """The metrics that expectations ask for, by layer."""
        wanted = (*self._expectations.expect, *self._expectations.warn)
        return {
            layer: frozenset(one.metric for one in wanted if one.layer == layer)
            for layer in self._spec.layers
        }

    def _keep(self, row: Answer) -> bool:
        """Whether the row is news. Of two that are the same the store keeps the first, too."""
        place = (row.layer, row.server, row.direction)
        rows = self._rows.setdefault(row.agent_id, {})
        known = rows.get(place)
        if known is not None and known.round_id >= row.round_id:
            return False
        rows[place] = self._slim(row)
        self._settled.discard(row.agent_id)
        return True

    def _slim(self, row: Answer) -> Answer:
        """The row without what no verdict is made of: a run may have thousands of open cells."""
        asked = self._asked[row.layer]
        metrics: dict[str, Metric] = {}
        if asked:
            metrics = {name: value for name, value in row.metrics.items() if name in asked}
        return row._replace(agent="", country=None, date=None, metrics=metrics, raw="", link=None, paths=None)

    def _changes(self, agents: Iterable[str]) -> Iterable[Change]:
        for agent_id in agents:
            if len({place[0] for place in self._rows[agent_id]}) < len(self._asked):
                continue  # a layer is missing: the usual case, cheaply
            cell = self._judged(agent_id)
            if cell.state in COLLECTED:
                self._settled.add(agent_id)
                change = self._change(cell)
                if change is not None:
                    yield change

    def _judged(self, agent_id: str) -> CellResult:
        # In the order of the store, whatever order they came in: reasons are told in it.
        rows = sorted(self._rows.get(agent_id, {}).values(), key=_in_store)
        return judge_newest(self._spec, agent_id, rows, self._expectations)

    def _change(self, cell: CellResult) -> Change | None:
        before = self._said.get(cell.agent_id)
        if cell == before:
            return None
        self._say(cell)
        return Change(cell, None if before is None else before.verdict)

    def _say(self, cell: CellResult) -> None:
        self._said[cell.agent_id] = cell
        self.failing = self.failing or cell.verdict is Verdict.FAIL


def _in_store(row: Answer) -> tuple[str, str, str]:
    return row.layer, row.server or "", row.direction or ""


def _explained(cell: CellResult, why: tuple[str, ...]) -> CellResult:
    """A cell that lacks answers says what the last polls met; that a row never came needs no reason."""
    return replace(cell, reasons=(*cell.reasons, *why)) if cell.state in _LACKING else cell
