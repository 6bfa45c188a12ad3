"""The live console: flows and nodes as they run, line by line, on standard error."""

from pocketflow_otel.export.console.live import ConsoleSpanExporter, LiveConsole

__all__ = ["ConsoleSpanExporter", "LiveConsole"]
