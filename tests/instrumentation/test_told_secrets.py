"""Secrets that the program has told stand in no span, whoever makes it."""

import pocketflow
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.capture import told
from pocketflow_otel.capture.redaction import MASK
from pocketflow_otel.capture.seen import SeenSecrets

SECRET = "plain words that nobody would take for a key"


@pytest.fixture
def provider():
    made = TracerProvider(shutdown_on_exit=False)
    PocketFlowInstrumentor().instrument(tracer_provider=made)
    yield made
    PocketFlowInstrumentor().uninstrument()


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(told, "_told", SeenSecrets())
    seen = SeenSecrets()
    seen.add(SECRET)
    told.tell(seen)


def test_they_are_masked_in_spans_of_others(provider, known):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    class Ask(pocketflow.Node):
        def exec(self, prep_res):
            with provider.get_tracer("a client").start_as_current_span(f"call {SECRET}") as span:
                span.set_attribute("one", f"key {SECRET}")
                span.set_attribute("several", ["a", SECRET])
                span.set_attribute("number", 7)
                span.add_event("answer", {"body": f"wrong key: {SECRET}", "size": 3})
                span.set_status(Status(StatusCode.ERROR, f"refused: {SECRET}"))

    pocketflow.Flow(Ask()).run({})
    (span,) = [each for each in exporter.get_finished_spans() if each.instrumentation_scope.name == "a client"]
    assert SECRET not in span.to_json()
    assert span.name == f"call {MASK}"
    assert dict(span.attributes) == {"one": f"key {MASK}", "several": ("a", MASK), "number": 7}
    assert dict(span.events[0].attributes) == {"body": f"wrong key: {MASK}", "size": 3}
    assert span.status.description == f"refused: {MASK}"


def test_nothing_is_changed_where_nothing_was_told(provider):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("a client").start_as_current_span("call") as span:
        span.set_attribute("one", f"key {SECRET}")
    assert exporter.get_finished_spans()[0].attributes["one"] == f"key {SECRET}"
