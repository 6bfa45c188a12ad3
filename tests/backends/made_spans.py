"""Spans made to measure, sent by the real SDK and its real exporter."""

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, Status, StatusCode

SECOND_NS = 1_000_000_000
_BEGAN = time.time_ns()
_SERVICES = itertools.count(1)


@dataclass
class Kept(SpanExporter):
    """Keeps spans until a test sends them."""

    spans: list[ReadableSpan] = field(default_factory=list)

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


@dataclass
class Sender:
    """Makes spans of one service, and sends those that have ended when asked to.

    Attributes:
        service: Its name.
    """

    service: str
    _tracer: trace.Tracer
    _exporter: OTLPSpanExporter
    _kept: Kept

    def begin(self, name: str, parent: Span | None = None, **attributes: Any) -> Span:
        context = trace.set_span_in_context(parent) if parent else trace.context_api.Context()
        return self._tracer.start_span(name, context, attributes=attributes, start_time=_BEGAN)

    def span(
        self,
        name: str,
        parent: Span | None = None,
        *,
        seconds: float = 0.001,
        error: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> SpanContext:
        """A span that has ended; all begin at the same time."""
        span = self.begin(name, parent, **(attributes or {}))
        return self.end(span, seconds=seconds, error=error)

    def end(self, span: Span, *, seconds: float = 0.001, error: str | None = None) -> SpanContext:
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(span.start_time + int(seconds * SECOND_NS))
        return span.get_span_context()

    def send(self) -> None:
        """Sends the spans that have ended since, in one request."""
        assert self._exporter.export(self._kept.spans) is SpanExportResult.SUCCESS
        self._kept.spans.clear()


@contextmanager
def sending(url: str, service: str | None = None, **resource: str) -> Iterator[Sender]:
    """Gives a sender to an OTLP endpoint.

    Args:
        url: The endpoint for HTTP, without a path.
        service: The name of the service, by default one that nobody else has.
        resource: Further attributes of the resource.
    """
    kept, service = Kept(), service or f"sender-{next(_SERVICES)}"
    limits = SpanLimits(max_attributes=10_000)
    provider = TracerProvider(
        resource=Resource.create({"service.name": service, **resource}), span_limits=limits, shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(kept))
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    try:
        yield Sender(service, provider.get_tracer("tests"), exporter, kept)
    finally:
        provider.shutdown()
        exporter.shutdown()
