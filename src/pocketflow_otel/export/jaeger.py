"""The exporter named ``jaeger``: it speaks OTLP, as OpenTelemetry has no exporter of Jaeger's own protocol any more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pocketflow_otel.export import exporters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class JaegerSpanExporter(SpanExporter):
    """Sends spans to Jaeger: to ``http://localhost:4318/v1/traces`` unless the standard OTLP variables say otherwise.

    ``OTEL_EXPORTER_OTLP_(TRACES_)PROTOCOL=grpc`` counts where an endpoint is given too: 4317 would be its port.

    Args:
        endpoint: Where to send them. Default: the OTLP endpoint variables, then a Jaeger on this machine.
    """

    def __init__(self, endpoint: str | None = None) -> None:
        self._otlp = _otlp_exporter(endpoint)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends a batch."""
        return self._otlp.export(spans)

    def shutdown(self) -> None:
        """Closes the connection."""
        self._otlp.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Waits until nothing is under way, at most some milliseconds."""
        return self._otlp.force_flush(timeout_millis)


def _otlp_exporter(endpoint: str | None) -> SpanExporter:
    if _protocol() == "grpc" and (endpoint or _is_endpoint_set()):
        return exporters.spans_over_grpc(endpoint)
    # Without an endpoint it reads the variables, and goes by the port 4318 of this machine.
    return exporters.spans_over_http(endpoint)


def _protocol() -> str:
    value = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL) or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL, "")
    return value.strip().lower()


def _is_endpoint_set() -> bool:
    return bool(os.environ.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or os.environ.get(OTEL_EXPORTER_OTLP_ENDPOINT))
