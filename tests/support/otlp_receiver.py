"""A collector on loopback: takes OTLP over HTTP, and reads it by the official protobuf classes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

READERS: Mapping[str, Any] = {
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/traces": ExportTraceServiceRequest,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A point with all of its attributes, those of its resource first."""

    name: str
    unit: str
    value: float
    at: int
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What came. ``answers`` says with which status, by the number of the request; ``None``: not at all."""

    url: str = ""
    answers: Callable[[int], int | None] = lambda _: 200
    headers: Mapping[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def points(self) -> list[Seen]:
        """Every point that was taken, in the order in which they came."""
        return [
            Seen(
                metric.name, metric.unit, point.as_double, point.time_unix_nano, {**resource, **plain(point)}
            )
            for message in self._read("/v1/metrics")
            for one in message.resource_metrics
            for resource in [plain(one.resource)]
            for scope in one.scope_metrics
            for metric in scope.metrics
            for point in metric.gauge.data_points
        ]

    def spans(self) -> list[Any]:
        """Every span that was taken."""
        return [
            span
            for message in self._read("/v1/traces")
            for one in message.resource_spans
            for scope in one.scope_spans
            for span in scope.spans
        ]

    def _read(self, path: str) -> Iterator[Any]:
        for came, _, body in self.requests:
            if came == path:
                message = READERS[path]()
                message.ParseFromString(body)
                yield message


def plain(one: Any) -> dict[str, Any]:
    """The attributes of a span, a point or a resource."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}


@contextmanager
def collecting(
    answers: Callable[[int], int | None] = lambda _: 200, headers: Mapping[str, str] | None = None
) -> Iterator[Collector]:
    """A collector as long as the block runs."""
    collector = Collector(answers=answers, headers=headers or {})
    count = iter(range(1, 1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = collector.answers(next(count))
            if status is None:
                collector.closing.wait()
                return
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if status == 200:
                collector.requests.append((self.path, dict(self.headers), body))
            self.send_response(status)
            for name, value in collector.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library calls it
            """Nothing is written."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        collector.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
