"""Sends saved traces over OTLP. Needs neither the instrumentation nor an SDK's pipeline."""
