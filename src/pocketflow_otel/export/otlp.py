"""OTLP that never holds the program up: a bounded queue, a bounded end, and one line about what goes wrong.

Endpoints, headers, certificates, compression and timeouts are the SDK exporters' business and come from the standard
variables. `configure` uses this; in set-ups of the program's own the SDK's exporters stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from pocketflow_otel.export import problems
from pocketflow_otel.export.attempt import attempt, listen_to
from pocketflow_otel.export.background import Background, Limits
from pocketflow_otel.export.otlp_variables import (
    DEFAULT_PORTS,
    HTTP,
    Signal,
    endpoint,
    has_endpoint,
    protocol,
    timeout_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace.export import SpanExporter


def receiver(exporter: str) -> str | None:
    """Where an exporter sends its spans, as `endpoint` writes it.

    Args:
        exporter: Its name.

    Returns:
        None for those that send nothing over a network, or of which that is not known.
    """
    if exporter == "jaeger" and not has_endpoint("TRACES"):
        return f"http://localhost:{DEFAULT_PORTS[HTTP]}"
    return endpoint() if exporter in ("otlp", "jaeger") else None


def source(signal: Signal = "TRACES") -> str:
    """The name under which problems with OTLP are reported."""
    return f"OTLP to {endpoint(signal)}"


class ExportProcessor(SpanProcessor):
    """Hands ended spans to an exporter, in the background and within bounds.

    Args:
        exporter: The exporter.
        source: What problems are reported under.
        timeout_seconds: How long the end of the program may wait for it.
        limits: Sizes and delay; by default the standard variables'.
    """

    def __init__(
        self, exporter: SpanExporter, source: str, timeout_seconds: float, limits: Limits | None = None
    ) -> None:
        listen_to(exporter)
        self._source = source
        self._timeout_seconds = timeout_seconds
        self.exporter: Final = exporter
        self.background: Final[Background[ReadableSpan]] = Background(
            "pocketflow-otel-spans",
            self._send,
            lambda reason, count: problems.report(source, reason, dropped=count),
            lambda: close(exporter.shutdown),
            stop_seconds=timeout_seconds,
            limits=limits or Limits.from_environment(),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queues a sampled span."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.background.put(span)

    def shutdown(self) -> None:
        """Sends what is queued, for as long as the timeout allows."""
        self.background.join()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits until what has ended is sent, or lost."""
        return self.background.flush(timeout_millis / 1000)

    def _send(self, batch: list[ReadableSpan]) -> str | None:
        failure = attempt(lambda: self.exporter.export(batch), self._timeout_seconds, self.exporter.shutdown)
        return failure.reason if failure else None


def span_processor() -> ExportProcessor:
    """Sends spans to the receiver that the environment names.

    Raises:
        ValueError: If the environment makes no sense.
    """
    exporter: SpanExporter
    if protocol() == HTTP:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        exporter = HttpExporter()
    else:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        exporter = GrpcExporter()
    return ExportProcessor(exporter, source(), timeout_seconds())


def close(shutdown: Callable[[], object]) -> None:
    """Shuts an exporter down, whatever it makes of that."""
    attempt(shutdown, timeout_seconds())
