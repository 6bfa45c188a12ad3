"""Instruments PocketFlow for a while, and keeps all that is exported meanwhile."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

from opentelemetry.exporter.otlp.json.common._log_encoder import encode_logs as logs_as_json
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans as spans_as_json
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as logs_as_protobuf
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as spans_as_protobuf
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from pocketflow_otel import semconv
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation import PocketFlowInstrumentor
from pocketflow_otel.options import CONTENT_ENV, ContentMode

CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}
"""Options that record all content on spans."""


class _Started(SpanProcessor):
    def __init__(self) -> None:
        self.count = 0

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.count += 1


class Recording:
    """What was exported.

    Attributes:
        provider: The tracer provider that the instrumentation was given.
    """

    def __init__(self) -> None:
        self.provider = TracerProvider(sampler=ALWAYS_ON, span_limits=SpanLimits(), shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        self._started = _Started()
        self.provider.add_span_processor(self._started)
        self.provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    @property
    def started(self) -> int:
        """How many spans have begun since the last `clear`."""
        return self._started.count

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that have ended since the last `clear`, in that order."""
        return self._spans.get_finished_spans()

    @property
    def logs(self) -> Sequence[ReadableLogRecord]:
        return self._logs.get_finished_logs()

    def clear(self) -> None:
        self._spans.clear()
        self._logs.clear()
        self._started.count = 0

    def nodes(self, name: str | None = None) -> list[ReadableSpan]:
        """Spans of nodes, all of them or those of one name."""
        return [
            span
            for span in self.spans
            if span.name.startswith(semconv.SPAN_NODE) and name in (None, span.attributes[semconv.NODE_NAME])
        ]

    def named(self, name: str) -> ReadableSpan:
        """The one span of a name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        return [
            span for span in self.spans if span.parent is not None and span.parent.span_id == parent.context.span_id
        ]

    def exported(self) -> dict[str, bytes]:
        """All spans and log records as each OTLP encoding has them."""
        encoded = {
            "spans as protobuf": spans_as_protobuf(self.spans).SerializeToString(),
            "spans as JSON": spans_as_json(self.spans).to_json().encode(),
        }
        if self.logs:
            encoded["logs as protobuf"] = logs_as_protobuf(self.logs).SerializeToString()
            encoded["logs as JSON"] = logs_as_json(self.logs).to_json().encode()
        return encoded


@contextlib.contextmanager
def tracing(mode: ContentMode = ContentMode.NO_CONTENT, **options: Any) -> Iterator[Recording]:
    """Instruments PocketFlow within a ``with`` statement.

    Args:
        mode: What the standard variable for content says.
        options: Options of the instrumentor.
    """
    recording = Recording()
    reraise, failures = guard.reraise, guard.failures
    guard.reraise = True
    instrumentor = PocketFlowInstrumentor()
    with mock.patch.dict(os.environ, {CONTENT_ENV: str(mode)}):
        instrumentor.instrument(
            tracer_provider=recording.provider, logger_provider=recording.logger_provider, **options
        )
    try:
        yield recording
    finally:
        instrumentor.uninstrument()
        guard.reraise = reraise
        recording.provider.shutdown()
        recording.logger_provider.shutdown()
    assert guard.failures == failures
