"""The door to OpenTelemetry: values become what its SDK knows, and its exporters send them (extra ``otel``).

The exporters read their headers, time-outs, certificates and compression from the environment, as the SDK
documents them (``OTEL_EXPORTER_OTLP_HEADERS``, ...); the address is never read from there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.errors import MissingExtra
from orchestrator.safe import visible
from orchestrator.telemetry.points import Attributes, Points
from orchestrator.telemetry.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import ResourceMetrics
    from opentelemetry.sdk.trace import ReadableSpan

SERVICE, SCOPE = "orchestrator", "orchestrator.telemetry"
_INSTANCE = "service.instance.id"
# What a request may hold, so that a collector with small limits takes it.
MOST_POINTS = 2000
# What a record that names a cause has: the cause, what was sent, and a number.
_TRIED_AGAIN = 3
# The exporters say why they failed to these loggers only.
_LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


class Exporter:
    """Sends by OTLP over HTTP, as protobuf. For one thread; :meth:`close` may come from another.

    ``mask`` takes secrets out of every text. Raises ``MissingExtra`` without the SDK.
    """

    def __init__(self, url: str, mask: Callable[[str], str]) -> None:
        try:
            import requests  # noqa: PLC0415 - an extra
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - an extra
                OTLPMetricExporter,
            )
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise MissingExtra("OpenTelemetry", "otel") from error
        session = requests.Session()
        # Headers with a key go to the address that was named, and nowhere else.
        session.max_redirects = 0
        base = url.rstrip("/")
        self._metrics = OTLPMetricExporter(
            f"{base}/v1/metrics", session=session, max_export_batch_size=MOST_POINTS
        )
        self._spans = OTLPSpanExporter(f"{base}/v1/traces", session=session)
        self._mask = mask
        # One that names the process would make every run another source.
        known = {name: value for name, value in Resource.create({}).attributes.items() if name != _INSTANCE}
        if str(known.get("service.name", "")).startswith("unknown_service"):
            known["service.name"] = SERVICE
        self._resource = Resource(known)
        self.why: str | None = None

    def points(self, batch: Sequence[Points]) -> bool:
        """Send what was measured; whether it was taken. :attr:`why` says why not, while it tries, too."""
        from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData  # noqa: PLC0415 - an extra

        data = MetricsData([*self._resource_metrics(batch)])
        with self._heard():
            return self._ended(self._metrics.export(data) is MetricExportResult.SUCCESS)

    def spans(self, batch: Sequence[Span]) -> bool:
        """The same of spans."""
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - an extra

        spans = [self._span(one) for one in batch]
        with self._heard():
            return self._ended(self._spans.export(spans) is SpanExportResult.SUCCESS)

    def close(self) -> None:
        """Nothing is tried again."""
        self._metrics.shutdown()
        self._spans.shutdown()  # type: ignore[no-untyped-call] # so it is in the SDK

    def _ended(self, taken: bool) -> bool:
        self.why = None if taken else (self.why or "it was not taken")
        return taken

    def _resource_metrics(self, batch: Sequence[Points]) -> Iterator[ResourceMetrics]:
        from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - an extra
            Gauge,
            Metric,
            NumberDataPoint,
            ResourceMetrics,
            ScopeMetrics,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - an extra

        scope = InstrumentationScope(SCOPE)
        for cell in batch:
            metrics = [
                Metric(
                    point.name,
                    None,
                    point.unit,
                    Gauge([NumberDataPoint(self._masked(point.attributes), 0, point.at, point.value)]),
                )
                for point in cell.points
            ]
            resource = self._resource.merge(Resource(self._masked(cell.resource)))
            yield ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")

    def _span(self, span: Span) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - an extra
        from opentelemetry.trace import (  # noqa: PLC0415 - an extra
            SpanContext,
            SpanKind,
            Status,
            StatusCode,
            TraceFlags,
        )

        def context(span_id: int) -> SpanContext:
            return SpanContext(span.trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))

        failed = span.error is not None
        return ReadableSpan(
            span.name,
            context(span.span_id),
            None if span.parent is None else context(span.parent),
            self._resource,
            self._masked(span.attributes),
            kind=SpanKind.CLIENT if span.request else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, self._mask(span.error or ""))
            if failed
            else Status(StatusCode.UNSET),
            start_time=span.start,
            end_time=span.end,
            instrumentation_scope=InstrumentationScope(SCOPE),
        )

    def _masked(self, attributes: Attributes) -> Mapping[str, str | int | bool]:
        return {
            name: self._mask(value) if isinstance(value, str) else value for name, value in attributes.items()
        }

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """What the exporters say in this thread is remembered, and not logged each time."""
        hears = _Hears(self)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(hears)
        try:
            yield
        finally:
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(hears)


class _Hears(logging.Filter):
    def __init__(self, exporter: Exporter) -> None:
        super().__init__()
        self._exporter, self._thread = exporter, threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        told = record.args if isinstance(record.args, tuple) else ()
        # A record without a cause comes at the end of tries that had one.
        if len(told) == _TRIED_AGAIN and isinstance(record.msg, str):
            cause = told[0] if record.msg.startswith("Transient") else told[2]
            code = "" if record.msg.startswith("Transient") or told[1] is None else f"{told[1]} "
            self._exporter.why = code + _words(cause)
        elif self._exporter.why is None:
            self._exporter.why = "it was not taken in time"
        return False


def _words(cause: object) -> str:
    """A failure in few words: of one inside another the innermost."""
    if isinstance(cause, BaseException) and cause.args:
        cause = getattr(cause.args[0], "reason", cause)
    return visible(str(cause).rpartition(": ")[2])[:200]
