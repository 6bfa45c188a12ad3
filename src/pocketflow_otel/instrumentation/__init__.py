"""Traces PocketFlow: finds it, hooks its methods, and tells as spans what happens."""

from pocketflow_otel.instrumentation.instrumentor import PocketFlowInstrumentor

__all__ = ["PocketFlowInstrumentor"]
