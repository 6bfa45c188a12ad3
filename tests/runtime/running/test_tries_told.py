"""What a trace tells of nodes that are tried again, and of those that take too long."""

import threading
import warnings

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pocketflow import AsyncNode, Node

from backends.servers import wait_until
from pocketflow_otel import PocketFlowInstrumentor
from runtime.running.running import call, ran

AGAIN = {"tries": 3, "wait": 0}


class Gate:
    """Holds threads that have been given up, until a test lets them go."""

    opened = threading.Event()
    left = threading.Semaphore(0)


class FailsTwice(Node):
    """Succeeds at the third try of the whole node."""

    tried = 0

    def post(self, shared, prep_res, exec_res):
        type(self).tried += 1
        if type(self).tried < 3:
            raise ConnectionError("busy")
        shared["said"] = "done"


class FailsTwiceAsync(AsyncNode):
    """The same, in the event loop."""

    async def post_async(self, shared, prep_res, exec_res):
        return FailsTwice.post(FailsTwice(), shared, prep_res, exec_res)


class Slow(Node):
    """Takes longer than it may."""

    def __init__(self, max_retries=1):
        super().__init__(max_retries)

    def exec(self, prep_res):
        rest()

    def post(self, shared, prep_res, exec_res):
        shared["late"] = True


class Wrong(Node):
    """Fails for a reason that no further try would change."""

    def exec(self, prep_res):
        raise KeyError("x")


def rest():
    print("rests")
    try:
        assert Gate.opened.wait(30)
    finally:
        Gate.left.release()


@pytest.fixture(autouse=True)
def _anew():
    FailsTwice.tried = 0
    Gate.opened, Gate.left = threading.Event(), threading.Semaphore(0)
    yield
    Gate.opened.set()


@pytest.fixture
def recorded():
    """Spans, and the metrics that were kept."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    PocketFlowInstrumentor().instrument(tracer_provider=provider, meter_provider=MeterProvider([reader]))
    yield exporter, reader
    PocketFlowInstrumentor().uninstrument()


def spans_of(exporter, name):
    return [span for span in exporter.get_finished_spans() if span.name == name]


def told(span, *names):
    return tuple(span.attributes.get(f"pocketflow.{name}") for name in names)


def total(reader, name):
    data = reader.get_metrics_data()
    return sum(
        point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    )


@pytest.mark.parametrize("kind", ["FailsTwice", "FailsTwiceAsync"])
def test_a_class_that_is_run_again_is_one_visit_with_several_tries(recorded, kind):
    exporter, reader = recorded
    result = ran({"load": {"type": f"{__name__}:{kind}", "retry": AGAIN}})
    (record,) = result.nodes
    assert (record.visit, record.attempts) == (1, 3)
    spans = spans_of(exporter, "invoke_node load")
    assert [told(span, "node.visit", "node.try", "node.tries") for span in spans] == [
        (1, None, 3),
        (1, 2, 3),
        (1, 3, 3),
    ]
    assert [span.status.is_ok or span.status.is_unset for span in spans] == [False, False, True]
    assert not any("pocketflow.attempt.last" in span.attributes for span in spans)
    (flow,) = spans_of(exporter, "invoke_workflow tried")
    assert told(flow, "flow.visits") == (result.summary.visits,) == (1,)
    assert (total(reader, "pocketflow.node.retries"), total(reader, "pocketflow.node.errors")) == (2, 0)


def test_visits_have_the_numbers_of_the_result_inside_maps_too(recorded):
    exporter, _ = recorded
    each = {"type": "map", "with": {"over": [1, 2], "do": {"one": {"type": f"{__name__}:FailsTwice", "retry": AGAIN}}}}
    result = ran({"each": each})
    inside = [record for record in result.nodes if record.node == "each.one"]
    assert [(record.visit, record.at) for record in inside] == [(1, (0,)), (1, (1,))]
    assert {told(span, "node.visit") for span in spans_of(exporter, "invoke_node one")} == {(1,)}


def test_the_try_that_no_other_follows_says_so(recorded):
    exporter, reader = recorded
    retry = AGAIN | {"on": ["ConnectionError"]}
    nodes = {
        "whole": {"type": f"{__name__}:Wrong", "retry": retry, "on_error": "continue", "fallback": {}},
        "inside": call("fail", retry=retry, on_error="continue", fallback=0),
    }
    ran(nodes)
    (whole,) = spans_of(exporter, "invoke_node whole")
    (attempt,) = spans_of(exporter, "attempt")
    assert told(whole, "node.tries", "attempt.last") == (3, True)
    assert told(attempt, "max_retries", "attempt.last") == (3, True)
    assert "exception.stacktrace" in attempt.events[0].attributes
    assert (total(reader, "pocketflow.node.retries"), total(reader, "pocketflow.node.errors")) == (0, 2)


@pytest.mark.parametrize(
    ("more", "tries", "inner"),
    [
        ({"type": f"{__name__}:Slow"}, 1, "invoke_node slow"),
        ({"type": f"{__name__}:Slow", "retry": AGAIN}, 3, "invoke_node slow"),
        ({"type": f"{__name__}:Slow", "with": {"max_retries": 2}}, 1, "attempt"),
        ({"type": f"{__name__}:rest", "retry": AGAIN}, 3, "attempt"),
    ],
)
def test_spans_of_what_takes_too_long_end_then_and_once(recorded, more, tries, inner):
    exporter, _ = recorded
    result = ran({"slow": more | {"timeout": 0.05}})
    assert (result.status, result.error.type) == ("failed", "NodeTimeout")
    ended = exporter.get_finished_spans()
    slow = [span for span in ended if span.name == inner]
    assert [span.attributes["error.type"] for span in slow] == ["pocketflow_otel.runtime.errors.NodeTimeout"] * tries
    assert all(span.end_time - span.start_time < 10e9 for span in ended)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Gate.opened.set()
        for _ in range(tries):
            assert Gate.left.acquire(timeout=30)
        wait_until(lambda: not any(thread.name == "pocketflow-try" for thread in threading.enumerate()))
    assert exporter.get_finished_spans() == ended
    assert "late" not in result.store


def test_spans_tell_what_a_node_runs_for_besides_its_own_work(recorded):
    exporter, _ = recorded
    nodes = {
        "a": call("tell", value=1, undo="u"),
        "b": call("fail", needs=["a"], on_error="h"),
        "h": call("fail"),
        "u": call("tell", value=2),
    }
    ran(nodes)
    roles = {span.name: told(span, "node.role") for span in exporter.get_finished_spans()}
    assert (roles["invoke_node a"], roles["invoke_node b"]) == ((None,), (None,))
    assert (roles["invoke_node h"], roles["invoke_node u"]) == (("handler",), ("undo",))
