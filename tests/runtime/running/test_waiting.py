"""What a trace tells of a run that waits for a person: that it waits, and for what; nothing has failed."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pocketflow_otel import PocketFlowInstrumentor
from runtime.running.running import call, ran


@pytest.fixture
def recorded():
    """Spans, and the metrics that were kept."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    PocketFlowInstrumentor().instrument(tracer_provider=provider, meter_provider=MeterProvider([reader]))
    yield exporter, reader
    PocketFlowInstrumentor().uninstrument()


def names_of(reader):
    data = reader.get_metrics_data()
    return {
        metric.name: [dict(point.attributes) for point in metric.data.data_points]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def asking(prompt="Send it?"):
    return {"type": "approve", "with": {"prompt": prompt}}


@pytest.mark.parametrize("more", [{}, {"retry": {"tries": 3}}])
def test_spans_of_a_run_that_waits_are_no_errors_and_say_what_for(recorded, more):
    exporter, reader = recorded
    each = {"type": "map", "with": {"over": [1], "do": {"ask": asking() | more}}}
    result = ran({"each": each}, may_ask=False)
    assert (result.status, result.error.node) == ("waiting", "each.ask")
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans} >= {"invoke_workflow tried", "invoke_workflow each", "iteration"}
    assert {span.attributes["pocketflow.waiting"] for span in spans} == {result.error.message}
    assert [span.name for span in spans if not span.status.is_unset or span.events] == []
    assert not any({"error.type", "pocketflow.batch.failed"} & set(span.attributes) for span in spans)
    metrics = names_of(reader)
    assert "pocketflow.node.errors" not in metrics
    assert not any("error.type" in point for points in metrics.values() for point in points)


def test_another_node_that_fails_is_an_error_all_the_same(recorded):
    exporter, _ = recorded
    ran({"a": call("fail"), "b": asking()}, may_ask=False, limits={"parallel": 1})
    errors = {span.name for span in exporter.get_finished_spans() if not span.status.is_unset}
    assert errors == {"invoke_workflow tried", "invoke_node a"}
