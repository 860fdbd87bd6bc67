"""The vendor's OpenTelemetry data model, v2: what it calls our metrics, and in which unit.

Source: docs.thousandeyes.com, "ThousandEyes for OpenTelemetry Data Model v2 - Metrics" (names, units and what
they mean, as read in November 2026). Its part about RTP streams, SIP's total time and API tests could not be
read: their names are those of catalogues that mirror it, their units those of the rest of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.model import Answer, AnswerStatus

SECONDS, MILLISECONDS, PERCENT, BYTE_RATE, COUNT = "s", "ms", "%", "By/s", "1"


@dataclass(frozen=True, slots=True)
class Published:
    """A metric of the vendor's by its ``name``, with its ``unit`` (UCUM).

    It is our ``metric`` times ``scale``, a truth counting as 1 or 0. Without one it tells only whether
    something was measured: ``on_ok``, or for a row that is an error ``on_error``. ``None``: there is none.
    """

    name: str
    unit: str
    metric: str | None = None
    scale: float = 1.0
    on_ok: float | None = None
    on_error: float | None = None

    def value(self, answer: Answer) -> float | None:
        """What it is of a row, in its unit; ``None`` where it has none."""
        if answer.status is not AnswerStatus.OK:
            return self.on_error
        if self.metric is None:
            return self.on_ok
        found = answer.metrics.get(self.metric)
        return None if found is None or isinstance(found, str) else float(found) * self.scale


def _up(name: str) -> Published:
    """100 if there is no error, else 0."""
    return Published(name, PERCENT, on_ok=100.0, on_error=0.0)


def _took(name: str, metric: str) -> Published:
    return Published(name, SECONDS, metric, 0.001)


# What a response's code is called, by layer; it stands beside the values.
STATUS_CODES: Mapping[str, str] = MappingProxyType(
    {"http-server": "http.response.status_code", "ftp-server": "ftp.response.status_code"}
)
# By layer. Page load's completion is left out: what it is of a page that loaded in part is not published.
PUBLISHED: Mapping[str, tuple[Published, ...]] = MappingProxyType(
    {
        "network": (
            # The vendor's is "the maximum round trip time for the packets sent to the target".
            _took("network.latency", "maxLatency"),
            Published("network.loss", PERCENT, "loss"),
            Published("network.jitter", MILLISECONDS, "jitter"),
        ),
        "http-server": (
            _up("http.server.request.availability"),
            # "Time-to-first-byte as measured in the client".
            _took("http.client.request.duration", "responseTime"),
            Published("http.server.throughput", BYTE_RATE, "throughput"),
        ),
        "page-load": (_took("web.page_load.duration", "pageLoadTime"),),
        "web-transactions": (
            _took("web.transaction.duration", "transactionTime"),
            _up("web.transaction.completion"),
            Published("web.transaction.errors.count", COUNT, on_ok=0.0, on_error=1.0),
        ),
        "api": (
            _took("api.duration", "apiTransactionTime"),
            Published("api.completion", PERCENT, "completion", on_error=0.0),
        ),
        "ftp-server": (
            _up("ftp.server.request.availability"),
            _took("ftp.client.request.duration", "responseTime"),
            Published("ftp.server.throughput", BYTE_RATE, "throughput"),
        ),
        "dns-server": (_up("dns.lookup.availability"), _took("dns.lookup.duration", "resolutionTime")),
        "dns-trace": (_up("dns.lookup.availability"), _took("dns.lookup.duration", "finalQueryTime")),
        "dnssec": (Published("dns.lookup.validity", PERCENT, "isValid", 100.0, on_error=0.0),),
        "sip-server": (
            Published("sip.server.request.availability", PERCENT, "availability", on_error=0.0),
            _took("sip.client.request.duration", "responseTime"),
            _took("sip.client.request.total_time", "totalTime"),
        ),
        "rtp-server": (
            Published("rtp.client.request.mos", COUNT, "mos"),
            Published("rtp.client.request.loss", PERCENT, "loss"),
            Published("rtp.client.request.discards", PERCENT, "discards"),
            _took("rtp.client.request.duration", "latency"),
            _took("rtp.client.request.pdv", "pdv"),
        ),
    }
)
