"""The live console by name, for set-ups that name exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pocketflow_otel.export import requested
from pocketflow_otel.export.console.live import LiveConsole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class ConsoleSpanExporter(SpanExporter):
    """Turns the live console on by name: ``OTEL_TRACES_EXPORTER=pocketflow_console``.

    An exporter sees only spans that have ended, and the console must see them start. So making this exporter asks the
    instrumentor for a `LiveConsole` on the provider, with the `verbosity` of the options.
    """

    def __init__(self) -> None:
        requested.request(lambda options: LiveConsole(verbosity=options.verbosity))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the `LiveConsole` has shown them
        """Does nothing, for the `LiveConsole` has shown the spans when they started and ended."""
        return SpanExportResult.SUCCESS
