"""Layers of a test: all that is known of each, in one table (api-facts 3.1, 3.4, 7.5).

The vendor's door, the schedule and the plan read it; nobody else names a layer. Metrics go by their v7 names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.model import Json
from orchestrator.testtypes.table import TEST_TYPES

# "" is a plain number: a code, a score or a mark.
MS, PERCENT, BYTES, BYTE_RATE, MBPS = "ms", "%", "B", "B/s", "Mbps"
COUNT, PLAIN, TEXT, BOOL = "count", "", "text", "bool"

# Medians in seconds from creation to complete answers before any was measured; the vendor documents none.
NETWORK_MEDIAN, WEB_MEDIAN, BROWSER_MEDIAN = 18.0, 30.0, 50.0


class V6Data(NamedTuple):
    """Where v6 has the rows of a layer: the path below ``/v6``, the keys of the list in the envelope."""

    path: str
    family: str
    key: str


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer.

    ``metrics`` are names with units. A row without any metric of ``evidence`` has measured nothing: failed
    measurements are rows without metric keys, usually with an error text, but not every layer has a field for
    one. ``median`` is what to expect, in seconds, of a test whose primary layer this is. ``v6`` is ``None``
    where v6 has no such layer, ``aliases`` are other names of it in links.

    ``row_for_each`` names the request field (a list) for each item of which an agent gives a row of its own;
    else it gives one row. ``may_split``: it may be one for each server of the test, or for each direction;
    how many is not documented (:mod:`orchestrator.testtypes.expected`). ``measures_network``: not there
    without network measurements. ``both_ways``: may be asked for both directions at once. ``finishes_last``:
    when it is complete, the others most likely are. ``traces``: its rows are path traces, and ``details`` is
    the name of the answers with their hops. ``resolves``: it is about names, not about reaching anything.
    ``scripted``: a browser or a script acted, so an error may be anybody's. ``parts`` are times that add up
    to the whole, each with its word. ``whole`` is the one time, in milliseconds, that stands for the layer
    where there is room for one number; ``None`` where it has no time.
    """

    name: str
    metrics: Mapping[str, str]
    evidence: frozenset[str]
    median: float = NETWORK_MEDIAN
    v6: V6Data | None = None
    aliases: tuple[str, ...] = ()
    row_for_each: str | None = None
    may_split: bool = False
    measures_network: bool = False
    both_ways: bool = False
    finishes_last: bool = False
    traces: bool = False
    details: str | None = None
    resolves: bool = False
    scripted: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    whole: str | None = None


def _ms(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, MS)


_NETWORK_TIMES = ("minLatency", "avgLatency", "maxLatency", "jitter")
_NETWORK = {
    "loss": PERCENT,
    **_ms(*_NETWORK_TIMES),
    "availableBandwidth": MBPS,
    "capacity": MBPS,
    "bandwidth": MBPS,
    "proxyLoss": PERCENT,
    **_ms("proxyMinLatency", "proxyAverageLatency", "proxyMaxLatency", "proxyJitter"),
    "healthScore": PLAIN,
    "server": TEXT,
    "serverIp": TEXT,
    "direction": TEXT,
}
_WEB_EVIDENCE = frozenset({"responseCode", "totalTime", "responseTime", "connectTime", "dnsTime"})

_ALL = (
    Layer(
        "network",
        _NETWORK,
        evidence=frozenset(_NETWORK) - {"server", "serverIp", "direction", "healthScore"},
        v6=V6Data("net/metrics", "net", "metrics"),
        may_split=True,
        measures_network=True,
        both_ways=True,
        whole="avgLatency",
    ),
    Layer(
        "path-vis",
        # Derived over the path traces of one row: hops and time of the longest, and how many there were.
        {"numberOfHops": COUNT, "responseTime": MS, "pathTraces": COUNT},
        evidence=frozenset({"pathTraces"}),
        v6=V6Data("net/path-vis", "net", "pathVis"),
        may_split=True,
        measures_network=True,
        finishes_last=True,
        traces=True,
        details="path-vis-detail",
        whole="responseTime",
    ),
    Layer(
        "http-server",
        {
            "responseCode": PLAIN,
            **_ms("dnsTime", "connectTime", "sslTime", "waitTime", "receiveTime"),
            **_ms("responseTime", "redirectTime", "totalTime"),
            "wireSize": BYTES,
            "throughput": BYTE_RATE,
            "numRedirects": COUNT,
            "healthScore": PLAIN,
            "serverIp": TEXT,
            "sslVersion": TEXT,
            "sslCipher": TEXT,
        },
        evidence=_WEB_EVIDENCE,
        median=WEB_MEDIAN,
        v6=V6Data("web/http-server", "web", "httpServer"),
        parts={
            "dnsTime": "DNS",
            "connectTime": "connect",
            "sslTime": "TLS",
            "waitTime": "server wait",
            "receiveTime": "receive",
        },
        whole="totalTime",
    ),
    Layer(
        "page-load",
        {
            **_ms("responseTime", "domLoadTime", "pageLoadTime"),
            "totalSize": BYTES,
            "numObjects": COUNT,
            "numErrors": COUNT,
        },
        evidence=frozenset({"pageLoadTime", "domLoadTime", "responseTime"}),
        median=BROWSER_MEDIAN,
        v6=V6Data("web/page-load", "web", "pageLoad"),
        scripted=True,
        whole="pageLoadTime",
    ),
    Layer(
        "web-transactions",
        {**_ms("transactionTime"), "componentErrors": COUNT},
        evidence=frozenset({"transactionTime"}),
        median=BROWSER_MEDIAN,
        v6=V6Data("web/web-transactions", "web", "webTransaction"),
        scripted=True,
        whole="transactionTime",
    ),
    Layer(
        "api",
        # The unit of apiTransactionTime is not documented; its neighbours are in milliseconds.
        {**_ms("apiTransactionTime"), "completion": PERCENT},
        evidence=frozenset({"apiTransactionTime", "completion"}),
        median=WEB_MEDIAN,
        whole="apiTransactionTime",
    ),
    Layer(
        "ftp-server",
        {
            **_ms("dnsTime", "connectTime", "negotiationTime", "waitTime"),
            **_ms("responseTime", "transferTime", "totalTime"),
            "wireSize": BYTES,
            "throughput": BYTE_RATE,
            "responseCode": PLAIN,
            "serverIp": TEXT,
        },
        evidence=_WEB_EVIDENCE,
        median=WEB_MEDIAN,
        v6=V6Data("web/ftp-server", "web", "ftpServer"),
        parts={
            "dnsTime": "DNS",
            "connectTime": "connect",
            "negotiationTime": "negotiation",
            "waitTime": "server wait",
            "transferTime": "transfer",
        },
        whole="totalTime",
    ),
    Layer(
        "dns-server",
        {**_ms("resolutionTime"), "mappings": TEXT, "server": TEXT, "serverId": TEXT},
        evidence=frozenset({"resolutionTime", "mappings"}),
        v6=V6Data("dns/server", "dns", "server"),
        row_for_each="dnsServers",
        resolves=True,
        whole="resolutionTime",
    ),
    Layer(
        "dns-trace",
        {
            **_ms("finalQueryTime"),
            "queries": COUNT,
            "failedQueries": COUNT,
            "finalServerQueried": TEXT,
            "mappings": TEXT,
            "output": TEXT,
        },
        evidence=frozenset({"finalQueryTime", "queries", "mappings", "output"}),
        v6=V6Data("dns/trace", "dns", "trace"),
        resolves=True,
        whole="finalQueryTime",
    ),
    Layer(
        "dnssec",
        {"isValid": BOOL},
        evidence=frozenset({"isValid"}),
        v6=V6Data("dns/dnssec", "dns", "dnssec"),
        resolves=True,
    ),
    Layer(
        "sip-server",
        {
            "availability": PERCENT,
            **_ms("dnsTime", "connectTime", "registerTime", "inviteTime", "optionsTime"),
            **_ms("waitTime", "responseTime", "totalTime"),
            "responseCode": PLAIN,
            "numRedirects": COUNT,
            "serverIp": TEXT,
        },
        evidence=frozenset({"availability", "totalTime", "responseTime", "responseCode"}),
        median=WEB_MEDIAN,
        v6=V6Data("voice/sip-server", "voice", "sipMetrics"),
        parts={
            "dnsTime": "DNS",
            "connectTime": "connect",
            "registerTime": "register",
            "inviteTime": "invite",
            "optionsTime": "options",
            "waitTime": "server wait",
        },
        whole="totalTime",
    ),
    Layer(
        "rtp-server",
        {
            "mos": PLAIN,
            "codecMaxMos": PLAIN,
            "loss": PERCENT,
            "discards": PERCENT,
            **_ms("latency", "pdv"),
            "dscp": TEXT,
            "dscpName": TEXT,
            "codecName": TEXT,
            "serverIp": TEXT,
        },
        evidence=frozenset({"mos", "loss", "latency"}),
        v6=V6Data("voice/rtp-stream", "voice", "metrics"),
        # What the vendor's models call it.
        aliases=("rtp-stream",),
        whole="latency",
    ),
)

LAYERS: Mapping[str, Layer] = MappingProxyType({layer.name: layer for layer in _ALL})


class _Metrics(Mapping[str, Mapping[str, str]]):
    """The metrics of each layer, by its name."""

    def __getitem__(self, name: str) -> Mapping[str, str]:
        return LAYERS[name].metrics

    def __iter__(self) -> Iterator[str]:
        return iter(LAYERS)

    def __len__(self) -> int:
        return len(LAYERS)


METRICS: Mapping[str, Mapping[str, str]] = _Metrics()
# The layer of path traces, and the name of the answers with their hops, which are read one by one.
PATHS = next(layer for layer in _ALL if layer.traces)
DETAILS = PATHS.details or ""
# The layer of packets; the one whose answer proves that HTTP got through; the one with a row for each server.
PACKETS = next(layer for layer in _ALL if layer.measures_network and not layer.traces)
HTTP = next(layer for layer in _ALL if "responseCode" in layer.metrics and "sslTime" in layer.metrics)
BY_SERVER = next(layer for layer in _ALL if layer.row_for_each is not None)


def layer_of_answer(name: str) -> Layer | None:
    """The layer of an answer's name, also of :data:`DETAILS`; ``None`` for one that is not in the table."""
    return LAYERS.get(PATHS.name if name == DETAILS else name)


@lru_cache(maxsize=64)
def timed(kind: str) -> tuple[Layer | None, Layer | None]:
    """The layer whose time stands for a type of test, and the one whose times are parts of a whole."""
    known = TEST_TYPES.get(kind)
    layers = [LAYERS[name] for name in known.layers] if known is not None else []
    whole = next((layer for layer in layers if layer.whole is not None), None)
    return whole, next((layer for layer in layers if layer.parts), None)


def layers_of(type_name: str, fields: Mapping[str, Json]) -> tuple[str, ...]:
    """The layers that a test with these fields has, the primary one first.

    Without network measurements those that measure the network are not there, except where the field of that
    name means something else (:attr:`TestType.always_network`).
    """
    kind = TEST_TYPES[type_name]
    if kind.always_network or fields.get("networkMeasurements") is not False:
        return kind.layers
    return tuple(layer for layer in kind.layers if not LAYERS[layer].measures_network)


def prior_median(type_name: str) -> float:
    """Seconds to expect of a type that was never measured, from its primary layer."""
    kind = TEST_TYPES.get(type_name)
    return NETWORK_MEDIAN if kind is None else LAYERS[kind.layers[0]].median


def rows_for_each(type_name: str, fields: Mapping[str, Json]) -> int:
    """How many rows an agent gives in the layers that have one for each item of a request field, or 1."""
    names = (LAYERS[layer].row_for_each for layer in TEST_TYPES[type_name].layers)
    listed = next((fields.get(name) for name in names if name is not None), None)
    return len(listed) if isinstance(listed, list | tuple) else 1
