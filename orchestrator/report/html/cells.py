"""What the page needs to know of a cell, a tenth of what the engine saw: a run may have 100,000 of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.insight.values import CellKey, Observed, Phase
from orchestrator.model import Answer, AnswerStatus, Hop, Metric, Verdict
from orchestrator.report.html.text import milliseconds, shown
from orchestrator.safe import https_link
from orchestrator.testtypes.layers import BY_SERVER, PACKETS, PATHS, Layer, timed

WAIT = "waitTime"
_BAD = frozenset({Verdict.FAIL, Verdict.WARN})
_SERVERS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell. ``verdict`` is ``None`` while it is open. Times are milliseconds, ``loss`` is percent.

    ``phase`` is the engine's word, which comes when all cells are seen. ``time`` is the one that stands for
    its kind of test, of several servers the worst; ``parts`` add up to it. ``traced``: hops of it came.
    ``reached``: it is not bad, or a trace of it came to its target. ``earlier`` are the hops of the newest
    good run, of a bad cell only.
    """

    key: CellKey
    kind: str
    spec: str | None
    country: str
    verdict: Verdict | None
    why: str = ""
    phase: Phase | None = None
    time: float | None = None
    wait: float | None = None
    latency: float | None = None
    loss: float | None = None
    parts: tuple[float, ...] = ()
    servers: tuple[str, ...] = ()
    link: str | None = None
    traced: bool = False
    reached: bool = True
    earlier: tuple[tuple[Hop, ...], ...] = ()

    @property
    def row(self) -> tuple[str, str]:
        """Test block and target."""
        return self.key[:2]


def cell_of(one: Observed, hosts: Collection[str]) -> Cell:
    """The cell; ``hosts`` are those that a link may point to."""
    record = one.record
    bad = record.verdict in _BAD
    whole, parted = timed(record.type)
    measured = _measured(one.rows)
    return Cell(
        key=CellKey(record.test, record.target, record.agent_id),
        kind=record.type,
        spec=record.spec,
        country=(one.agent.country if one.agent is not None else record.country) or "",
        verdict=record.verdict,
        why="; ".join(record.reasons),
        time=None if whole is None else _worst(measured, whole.name, whole.whole or ""),
        wait=None if parted is None else _worst(measured, parted.name, WAIT),
        latency=_worst(measured, PACKETS.name, PACKETS.whole or ""),
        loss=_worst(measured, PACKETS.name, "loss"),
        parts=() if parted is None else _parts(measured, parted),
        servers=_servers(one.rows) if bad else (),
        link=_link(one.rows, hosts) if bad else None,
        traced=any(row.paths for row in one.rows),
        reached=not bad or any("responseTime" in metrics for metrics in measured.get(PATHS.name, ())),
        earlier=one.earlier if bad else (),
    )


def words_of_parts(kind: str) -> tuple[str, ...]:
    """What the parts of a cell of this kind are called."""
    parted = timed(kind)[1]
    return () if parted is None else tuple(parted.parts.values())


_Measured = Mapping[str, Sequence[Mapping[str, Metric]]]


def _measured(rows: Iterable[Answer]) -> _Measured:
    """The metrics of the rows that measured something, by layer."""
    found: dict[str, list[Mapping[str, Metric]]] = {}
    for row in rows:
        if row.status is AnswerStatus.OK:
            found.setdefault(row.layer, []).append(row.metrics)
    return found


def _worst(measured: _Measured, layer: str, metric: str) -> float | None:
    worst: float | None = None
    for metrics in measured.get(layer, ()):
        value = metrics.get(metric)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            worst = float(value) if worst is None else max(worst, float(value))
    return worst


def _parts(measured: _Measured, layer: Layer) -> tuple[float, ...]:
    if layer.name not in measured:
        return ()
    found = tuple(_worst(measured, layer.name, metric) or 0.0 for metric in layer.parts)
    return found if any(found) else ()


def _servers(rows: Sequence[Answer]) -> tuple[str, ...]:
    """What each server said, where a cell asks several."""
    asked = [row for row in rows if row.layer == BY_SERVER.name and row.server]
    if len(asked) < 2:
        return ()
    told = [f"{shown(row.server or '')}: {_said(row)}" for row in asked[:_SERVERS]]
    return (*told, f"and {len(asked) - _SERVERS} more servers") if len(asked) > _SERVERS else tuple(told)


def _said(row: Answer) -> str:
    if row.status is AnswerStatus.ERROR:
        return shown(row.error or "an error")
    return milliseconds(_worst(_measured([row]), row.layer, BY_SERVER.whole or ""))


def _link(rows: Iterable[Answer], hosts: Collection[str]) -> str | None:
    return next((link for row in rows if (link := https_link(row.link, hosts)) is not None), None)
