"""The live console: flows and nodes as they run, line by line, on standard error."""

from pocketflow_otel.export.console.exporter import ConsoleSpanExporter
from pocketflow_otel.export.console.live import LiveConsole

__all__ = ["ConsoleSpanExporter", "LiveConsole"]
