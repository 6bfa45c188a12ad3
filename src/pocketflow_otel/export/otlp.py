"""OTLP that never holds the program up: a bounded queue, a bounded end, and one line about what goes wrong.

Endpoints, headers, certificates, compression and timeouts are the SDK exporters' business and come from the standard
variables. `configure` uses this; in set-ups of the program's own the SDK's exporters stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from pocketflow_otel.export import exporters, problems
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
from pocketflow_otel.export.sender import Sender

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
        renew: Makes another exporter like it.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        source: str,
        timeout_seconds: float,
        limits: Limits | None = None,
        *,
        renew: Callable[[], SpanExporter] | None = None,
    ) -> None:
        sender = Sender(exporter, timeout_seconds, renew=renew)
        self.background: Final[Background[ReadableSpan]] = Background(
            "pocketflow-otel-spans",
            sender.send,
            lambda reason, count: problems.report(source, reason, dropped=count),
            sender.shutdown,
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


def span_processor() -> ExportProcessor:
    """Sends spans to the receiver that the environment names.

    Raises:
        ValueError: If the environment makes no sense.
    """
    make = exporters.spans_over_http if protocol() == HTTP else exporters.spans_over_grpc
    return ExportProcessor(make(), source(), timeout_seconds(), renew=make)
