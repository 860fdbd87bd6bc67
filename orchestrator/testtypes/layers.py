"""Layers of a test and the metrics of each, by their v7 names with their units (api-facts 3.1, 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.model import Json, Spec
from orchestrator.testtypes.table import TEST_TYPES

# "" is a plain number: a code, a score or a mark.
MS, PERCENT, BYTES, BYTE_RATE, MBPS = "ms", "%", "B", "B/s", "Mbps"
COUNT, PLAIN, TEXT, BOOL = "count", "", "text", "bool"


def _ms(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, MS)


METRICS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "network": {
            "loss": PERCENT,
            **_ms("minLatency", "avgLatency", "maxLatency", "jitter"),
            "availableBandwidth": MBPS,
            "capacity": MBPS,
            "bandwidth": MBPS,
            "proxyLoss": PERCENT,
            **_ms("proxyMinLatency", "proxyAverageLatency", "proxyMaxLatency", "proxyJitter"),
            "healthScore": PLAIN,
            "server": TEXT,
            "serverIp": TEXT,
            "direction": TEXT,
        },
        # Derived over the path traces of one row: hops and time of the longest, and how many there were.
        "path-vis": {"numberOfHops": COUNT, "responseTime": MS, "pathTraces": COUNT},
        "http-server": {
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
        "page-load": {
            **_ms("responseTime", "domLoadTime", "pageLoadTime"),
            "totalSize": BYTES,
            "numObjects": COUNT,
            "numErrors": COUNT,
        },
        "web-transactions": {**_ms("transactionTime"), "componentErrors": COUNT},
        # The unit of apiTransactionTime is not documented; its neighbours are in milliseconds.
        "api": {**_ms("apiTransactionTime"), "completion": PERCENT},
        "ftp-server": {
            **_ms("dnsTime", "connectTime", "negotiationTime", "waitTime"),
            **_ms("responseTime", "transferTime", "totalTime"),
            "wireSize": BYTES,
            "throughput": BYTE_RATE,
            "responseCode": PLAIN,
            "serverIp": TEXT,
        },
        "dns-server": {**_ms("resolutionTime"), "mappings": TEXT, "server": TEXT, "serverId": TEXT},
        "dns-trace": {
            **_ms("finalQueryTime"),
            "queries": COUNT,
            "failedQueries": COUNT,
            "finalServerQueried": TEXT,
            "mappings": TEXT,
            "output": TEXT,
        },
        "dnssec": {"isValid": BOOL},
        "sip-server": {
            "availability": PERCENT,
            **_ms("dnsTime", "connectTime", "registerTime", "inviteTime", "optionsTime"),
            **_ms("waitTime", "responseTime", "totalTime"),
            "responseCode": PLAIN,
            "numRedirects": COUNT,
            "serverIp": TEXT,
        },
        "rtp-server": {
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
    }
)


def layers_of(type_name: str, fields: Mapping[str, Json]) -> tuple[str, ...]:
    """The layers that a test with these fields has, the primary one first.

    Without network measurements there is no network and no path-vis layer. In agent-to-server the same
    field means something else (loss by the second, api-facts 1.2), and its layers stay.
    """
    layers = TEST_TYPES[type_name].layers
    if type_name == "agent-to-server" or fields.get("networkMeasurements") is not False:
        return layers
    return tuple(layer for layer in layers if layer not in {"network", "path-vis"})


def expected_rows(spec: Spec, layer: str) -> int:
    """How many rows each agent gives in a layer (api-facts 3.4): one, in dns-server one per server."""
    return spec.servers if layer == "dns-server" else 1
