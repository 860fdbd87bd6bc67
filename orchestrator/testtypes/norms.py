"""How much a metric has to change to be another one: its floors, absolute and relative, by layer and metric.

A change counts only if it is larger than both; smaller ones are the noise of small values and of measuring.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.testtypes.layers import LAYERS


@dataclass(frozen=True, slots=True)
class Norm:
    """``absolute`` is in the metric's unit, ``relative`` a share of the former value.

    ``falls``: it gets worse when it falls. ``whole``: it stands for its layer, so that a cell is called worse
    by it; the others only tell where.
    """

    absolute: float
    relative: float = 0.0
    falls: bool = False
    whole: bool = False


_TOTAL = Norm(50.0, 0.2, whole=True)
_WAIT = Norm(50.0, 0.25)
_NAME = Norm(20.0, 0.5)
_CONNECT = Norm(10.0, 0.2)
_BODY = Norm(30.0, 0.5)
_LOOKUP = Norm(20.0, 0.5, whole=True)
_BROWSER = Norm(300.0, 0.25)
_SCRIPT = Norm(300.0, 0.25, whole=True)
_SHARE = Norm(1.0, falls=True, whole=True)
_LOSS = Norm(5.0, whole=True)
_PLAIN_LOSS = Norm(5.0)
_LATENCY = Norm(5.0, 0.2)
_JITTER = Norm(5.0, 0.5)
_RATE = Norm(1_000_000.0, 0.3, falls=True)
_BANDWIDTH = Norm(1.0, 0.3, falls=True)
_SIGNALLING = Norm(50.0, 0.25)

# Metrics of one name are the same thing in every layer, but for those that are named with their layer.
_BY_METRIC: Mapping[str, Norm] = {
    "dnsTime": _NAME,
    "connectTime": _CONNECT,
    "negotiationTime": _CONNECT,
    "sslTime": Norm(15.0, 0.2),
    "waitTime": _WAIT,
    "receiveTime": _BODY,
    "transferTime": _BODY,
    "responseTime": Norm(50.0, 0.2),
    "totalTime": _TOTAL,
    "throughput": _RATE,
    "availableBandwidth": _BANDWIDTH,
    "loss": _LOSS,
    "discards": _PLAIN_LOSS,
    "avgLatency": Norm(5.0, 0.2, whole=True),
    "latency": _LATENCY,
    "jitter": _JITTER,
    "pdv": _JITTER,
    "mos": Norm(0.3, falls=True, whole=True),
    "resolutionTime": _LOOKUP,
    "finalQueryTime": _LOOKUP,
    "domLoadTime": _BROWSER,
    "pageLoadTime": _SCRIPT,
    "transactionTime": _SCRIPT,
    "apiTransactionTime": _SCRIPT,
    "completion": _SHARE,
    "availability": _SHARE,
    "registerTime": _SIGNALLING,
    "inviteTime": _SIGNALLING,
    "optionsTime": _SIGNALLING,
}
_OF_LAYER: Mapping[tuple[str, str], Norm] = {
    ("path-vis", "responseTime"): _LATENCY,
    ("sip-server", "totalTime"): Norm(50.0, 0.25, whole=True),
}


def _all() -> Iterator[tuple[str, Norm]]:
    for layer in LAYERS.values():
        for metric in layer.metrics:
            norm = _OF_LAYER.get((layer.name, metric), _BY_METRIC.get(metric))
            if norm is not None:
                yield f"{layer.name}.{metric}", norm


# By ``layer.metric``.
NORMS: Mapping[str, Norm] = MappingProxyType(dict(_all()))
# Metrics that are no amount: they are equal or they changed.
MARKS = frozenset({"responseCode", "sslVersion", "isValid", "mappings", "serverIp"})
