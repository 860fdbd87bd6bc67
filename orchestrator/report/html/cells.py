"""What the page needs to know of a cell, a tenth of what the engine saw: a run may have 100,000 of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestrator.insight.phases import phase_of
from orchestrator.insight.values import CellKey, Observed, Phase
from orchestrator.model import Answer, AnswerStatus, Hop, Verdict
from orchestrator.report.html.text import milliseconds, shown
from orchestrator.safe import https_link
from orchestrator.testtypes.layers import BY_SERVER, LAYERS, PACKETS, Layer
from orchestrator.testtypes.table import TEST_TYPES

WAIT = "waitTime"
_BAD = frozenset({Verdict.FAIL, Verdict.WARN})
_SERVERS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell. ``verdict`` is ``None`` while it is open. Times are milliseconds, ``loss`` is percent.

    ``time`` is the one that stands for its kind of test, of several servers the worst. ``parts`` add up to
    it. ``earlier`` are the hops of the newest good run, of a bad cell only.
    """

    key: CellKey
    kind: str
    spec: str | None
    country: str
    verdict: Verdict | None
    phase: Phase | None = None
    why: str = ""
    time: float | None = None
    wait: float | None = None
    latency: float | None = None
    loss: float | None = None
    parts: tuple[float, ...] = ()
    servers: tuple[str, ...] = ()
    link: str | None = None
    earlier: tuple[tuple[Hop, ...], ...] = ()

    @property
    def row(self) -> tuple[str, str]:
        """Test block and target."""
        return self.key[:2]


def cell_of(one: Observed, hosts: Collection[str]) -> Cell:
    """The cell; ``hosts`` are those that a link may point to."""
    record = one.record
    bad = record.verdict in _BAD
    whole, parted = _timed(record.type)
    return Cell(
        key=CellKey(record.test, record.target, record.agent_id),
        kind=record.type,
        spec=record.spec,
        country=(one.agent.country if one.agent is not None else record.country) or "",
        verdict=record.verdict,
        phase=(phase_of(one) or Phase.ERROR) if bad else None,
        why="; ".join(record.reasons),
        time=None if whole is None else _worst(one.rows, whole.name, whole.whole or ""),
        wait=None if parted is None else _worst(one.rows, parted.name, WAIT),
        latency=_worst(one.rows, PACKETS.name, PACKETS.whole or ""),
        loss=_worst(one.rows, PACKETS.name, "loss"),
        parts=() if parted is None else _parts(one.rows, parted),
        servers=_servers(one.rows) if bad else (),
        link=_link(one.rows, hosts) if bad else None,
        earlier=one.earlier if bad else (),
    )


@lru_cache(maxsize=64)
def _timed(kind: str) -> tuple[Layer | None, Layer | None]:
    """The layer whose time stands for a kind of test, and the one whose times are parts of a whole."""
    known = TEST_TYPES.get(kind)
    layers = [LAYERS[name] for name in known.layers] if known is not None else []
    whole = next((layer for layer in layers if layer.whole is not None), None)
    return whole, next((layer for layer in layers if layer.parts), None)


def words_of_parts(kind: str) -> tuple[str, ...]:
    """What the parts of a cell of this kind are called."""
    parted = _timed(kind)[1]
    return () if parted is None else tuple(parted.parts.values())


def _numbers(rows: Iterable[Answer], layer: str, metric: str) -> list[float]:
    return [
        float(value)
        for row in rows
        if row.layer == layer and row.status is AnswerStatus.OK
        for value in (row.metrics.get(metric),)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _worst(rows: Iterable[Answer], layer: str, metric: str) -> float | None:
    return max(_numbers(rows, layer, metric), default=None)


def _parts(rows: Sequence[Answer], layer: Layer) -> tuple[float, ...]:
    found = tuple(_worst(rows, layer.name, metric) for metric in layer.parts)
    return tuple(one or 0.0 for one in found) if any(found) else ()


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
    return milliseconds(_worst([row], row.layer, BY_SERVER.whole or ""))


def _link(rows: Iterable[Answer], hosts: Collection[str]) -> str | None:
    return next((link for row in rows if (link := https_link(row.link, hosts)) is not None), None)
