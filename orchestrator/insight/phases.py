"""Which layer of a bad cell broke first. An error's type tells, else its text, else the metric.

Of several things that are wrong the lowest counts: a certificate behind 100 % loss is a matter of connecting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestrator.insight.values import Observed, Phase, Trouble
from orchestrator.model import Answer, AnswerStatus
from orchestrator.testtypes.layers import BYTE_RATE, DETAILS, HTTP, LAYERS, MBPS, MS, PACKETS, PATHS

_BY_TYPE = {
    "dns": Phase.DNS,
    "connect": Phase.CONNECT,
    "send": Phase.CONNECT,
    "ssl": Phase.TLS,
    "tls": Phase.TLS,
    "http": Phase.ANSWER,
}
# For layers whose rows tell no type; the first that is found in the text.
_BY_TEXT: tuple[tuple[re.Pattern[str], Phase], ...] = (
    (re.compile(r"resolv|nxdomain|servfail", re.IGNORECASE), Phase.DNS),
    (re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE), Phase.TLS),
    (re.compile(r"\b0 bytes received", re.IGNORECASE), Phase.WAIT),
    (
        re.compile(r"\bconnect|refused|unreachable|not reachable|no route|no response", re.IGNORECASE),
        Phase.CONNECT,
    ),
    (re.compile(r"\bstatus code|\bresponse code|\bHTTP/?[0-9. ]* ?[45]\d\d\b", re.IGNORECASE), Phase.ANSWER),
    (re.compile(r"\breceiv", re.IGNORECASE), Phase.RECEIVE),
)
_NOTHING_CAME = re.compile(r"\b0 bytes", re.IGNORECASE)
_DNS_LAYERS = frozenset(layer.name for layer in LAYERS.values() if layer.resolves)
_SCRIPTS = frozenset(layer.name for layer in LAYERS.values() if layer.scripted)
_LOSSES = frozenset({"loss", "jitter", "mos", "discards", "pdv", "proxyLoss", "proxyJitter"})
_ANSWERS = frozenset(
    {"responseCode", "isValid", "completion", "numErrors", "componentErrors", "availability"}
)
_TLS = frozenset({"sslVersion", "sslCipher"})
_TIMES = frozenset({MS, BYTE_RATE, MBPS})
_PACKET_LAYER = PACKETS.name
# Layers that tell of packets only: every other one has got through if it measured something.
_PACKETS = frozenset({PACKETS.name, PATHS.name, DETAILS})


def phase_of(cell: Observed) -> Phase | None:
    """The phase of a cell that is bad, ``None`` if nothing is wrong with it."""
    found = list(_found(cell))
    if not found and not cell.troubles:
        return None
    # A trace that ends early is common where probes are filtered: it tells only where nothing else does.
    if not set(found) - {Phase.ERROR} and ends_early(cell.rows):
        return Phase.CONNECT
    return min(found, key=lambda phase: phase.level, default=Phase.ERROR)


def _found(cell: Observed) -> Iterator[Phase]:
    filtered = is_filtered(cell.rows)
    asked = [trouble for trouble in cell.troubles if trouble.asked]
    # What nobody asked for makes no cell fail, but an error row shows where the asked one came from.
    others = [trouble for trouble in cell.troubles if trouble.metric is None or not asked]
    for trouble in dict.fromkeys((*asked, *others)):
        if not (filtered and trouble.layer == PACKETS.name):
            yield phase_of_trouble(trouble)
    if cell.troubles and not filtered and any(_all_lost(row) for row in cell.rows):
        yield Phase.CONNECT


def phase_of_trouble(trouble: Trouble) -> Phase:
    """The phase of one thing that is wrong."""
    if trouble.metric is not None:
        return _of_metric(trouble.layer, trouble.metric)
    if trouble.layer in _DNS_LAYERS:
        return Phase.DNS
    kind = (trouble.error_type or "").strip().lower()
    if kind == "receive":
        return Phase.WAIT if _NOTHING_CAME.search(trouble.text) else Phase.RECEIVE
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    by_text = (phase for pattern, phase in _BY_TEXT if pattern.search(trouble.text))
    return next(by_text, Phase.RECEIVE if trouble.layer in _SCRIPTS else Phase.ERROR)


def _of_metric(layer: str, metric: str) -> Phase:
    if metric in _LOSSES:
        return Phase.LOSS
    if metric == "waitTime":
        return Phase.WAIT
    known = LAYERS.get(layer)
    if known is not None and known.metrics.get(metric) in _TIMES:
        return Phase.SLOW
    if layer in _DNS_LAYERS:
        return Phase.DNS
    if metric in _ANSWERS:
        return Phase.ANSWER
    return Phase.TLS if metric in _TLS else Phase.ERROR


def is_filtered(rows: Sequence[Answer]) -> bool:
    """Whether every probe is lost while HTTP answers: probes are blocked, and loss cannot be judged."""
    return any(map(_all_lost, rows)) and any(
        row.layer == HTTP.name and "responseCode" in row.metrics for row in rows
    )


def _all_lost(row: Answer) -> bool:
    if row.layer != _PACKET_LAYER:
        return False
    loss = row.metrics.get("loss")
    return isinstance(loss, int | float) and loss >= 100


def ends_early(rows: Sequence[Answer]) -> bool:
    """Whether traces came and none reached its target, and nothing else of the cell got through."""
    traces = [row for row in rows if row.layer == PATHS.name and row.status is AnswerStatus.OK]
    if not traces or any("responseTime" in row.metrics for row in traces):
        return False
    through = any(
        row.status is AnswerStatus.OK and (row.layer not in _PACKETS or not _all_lost(row))
        for row in rows
        if row.layer not in {PATHS.name, DETAILS}
    )
    return not through
