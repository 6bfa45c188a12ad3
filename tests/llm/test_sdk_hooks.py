"""Spans of others are watched through hooks on the SDK, which change nothing, keep nothing and can be taken away."""

import gc
import logging
import weakref
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pocketflow import Flow

from instrumentation.forking import run_forking
from instrumentation.recording import traced
from llm.reports import FLOW, PRICES, Does, Reporter, official, totals, usage_on
from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.guard import guard


def exporting(**options: Any) -> Any:
    """A provider, and what it exports to."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def flow(write: Reporter) -> Flow:
    """A flow that calls a model."""
    return Flow(Does(lambda: write.span(official())))


def test_the_sdk_is_left_as_it_was(instrumentor):
    before = list(Span.__dict__.items())
    for _ in range(2):
        instrumentor.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
        hooked = list(Span.__dict__.items())
        instrumentor.uninstrument()

    assert [name for name, _ in hooked] == [name for name, _ in before]
    assert [name for (name, one), (_, other) in zip(before, hooked, strict=True) if one is not other] == [
        "start",
        "end",
    ]
    assert list(Span.__dict__) == [name for name, _ in before]
    assert all(Span.__dict__[name] is value for name, value in before)


def test_instrumenting_twice_counts_once(instrumentor, caplog):
    with traced(price_file=PRICES) as recording:
        instrumentor.instrument(**recording.providers)
        flow(Reporter(recording.tracer_provider)).run({})

    assert caplog.messages == ["Attempting to instrument while already instrumented"]
    assert totals(recording) == (1, 100, 10)


def test_a_hook_that_someone_else_put_over_ours_goes_on(instrumentor, monkeypatch):
    with traced(price_file=PRICES) as recording:
        ours = Span.__dict__["end"]
        monkeypatch.setattr(Span, "end", lambda span, end_time=None: ours(span, end_time))
        flow(Reporter(recording.tracer_provider)).run({})
        assert totals(recording) == (1, 100, 10)
    Reporter(recording.tracer_provider).span(official())

    assert recording.spans[-1].name == "call"


def test_a_span_that_is_open_while_instrumentation_goes_is_left_alone(instrumentor):
    provider, exporter = exporting()
    instrumentor.instrument(tracer_provider=provider)
    spans: list[Any] = []
    write = Reporter(provider)
    Flow(Does(lambda: spans.append(write.begin(official())))).run({})
    instrumentor.uninstrument()
    spans.pop().end()

    assert [span.name for span in exporter.get_finished_spans()] == ["invoke_node Does", FLOW, "call"]


# Spans of other tools.


class Unreadable(Span):
    """A span of a tool whose attributes can't be read."""

    @property
    def attributes(self):
        raise RuntimeError


def test_attributes_that_raise_are_not_the_programs_problem(monkeypatch, caplog):
    monkeypatch.setattr(guard, "reraise", False)
    monkeypatch.setattr(guard, "failures", 0)
    with traced(price_file=PRICES) as recording:
        write = Reporter(recording.tracer_provider)

        def work():
            template: Any = write.begin({})
            span = Unreadable("theirs", template.context, instrumentation_scope=template.instrumentation_scope)
            span.start()
            span.end()
            write.span(official())
            return "result"

        store: dict[str, Any] = {}
        Flow(Does(work, lambda shared, result: shared.update(result=result))).run(store)

    assert store == {"result": "result"}
    assert totals(recording) == (1, 100, 10)
    assert guard.failures == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


ODD = {
    "a text": "100",
    "a float": 100.5,
    "negative": -1,
    "huge": 10**30,
    "true": True,
    "nothing": None,
    "several": (1, 2),
    "nan": float("nan"),
    "bytes": b"100",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
def test_a_count_that_is_none_counts_as_nothing(odd):
    with traced(price_file=PRICES) as recording:
        write = Reporter(recording.tracer_provider)

        def work():
            span: Any = write.begin({})
            # Past what the SDK checks, as tools with spans of their own may write.
            span._attributes._dict.update(official() | {"gen_ai.usage.input_tokens": odd})
            span.end()

        Flow(Does(work)).run({})

    assert totals(recording) == (1, 0, 10)


def test_a_scope_without_a_name(instrumentor):
    provider, exporter = exporting()
    instrumentor.instrument(tracer_provider=provider, price_file=PRICES)
    Flow(Does(lambda: Reporter(provider).span(official(), ""))).run({})

    assert [usage_on(span).get("calls") for span in exporter.get_finished_spans() if span.name == FLOW] == [1]


def test_attributes_that_the_sdk_dropped_are_not_known(instrumentor):
    provider, exporter = exporting(span_limits=SpanLimits(max_span_attributes=3))
    instrumentor.instrument(tracer_provider=TracerProvider(shutdown_on_exit=False), price_file=PRICES)
    flow(Reporter(provider)).run({})

    assert [span.name for span in exporter.get_finished_spans()] == ["call"]


# What is kept.


def test_spans_that_never_end_are_not_kept():
    with traced() as recording:
        write = Reporter(recording.tracer_provider)
        recording.tracer_provider._active_span_processor._span_processors = ()
        begun: list[weakref.ref[Any]] = []

        def work():
            for _ in range(100):
                begun.append(weakref.ref(write.begin(official())))

        Flow(Does(work)).run({})
        gc.collect()
        assert [reference() for reference in begun] == [None] * 100

        open_spans = PocketFlowInstrumentor()._hooks._sdk_spans._open
        assert dict(open_spans) == {}


def test_a_span_that_ended_keeps_nothing_of_its_flow():
    with traced() as recording:
        write = Reporter(recording.tracer_provider)
        recording.tracer_provider._active_span_processor._span_processors = ()
        ended: list[Any] = []

        class Held:
            pass

        held = Held()
        reference = weakref.ref(held)

        def work(held=held):
            span = write.begin(official())
            span.end()
            ended.append(span)

        Flow(Does(work)).run({"held": held})
        del held, work
        gc.collect()
        assert reference() is None
        assert len(ended) == 1


@pytest.mark.parametrize("processor", ["simple", "batch"])
def test_a_child_of_a_fork_calls_models_as_well(tmp_path, processor):
    forked = run_forking(
        tmp_path,
        processor,
        """
        from opentelemetry import trace

        def call(tokens):
            attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": tokens}
            provider.get_tracer("official").start_span("call", attributes=attributes).end()

        class Calls(Node):
            def exec(self, prepared):
                call(self.params["tokens"])

        def inner(tokens):
            flow = Flow(Calls())
            flow.set_params({"tokens": tokens})
            flow.run({})

        class Forks(Node):
            def exec(self, prepared):
                call(1)
                child = os.fork()
                if not child:
                    call(10)
                    inner(100)
                    leave()
                wait_for(child)
                call(1000)

        Flow(Forks()).run({})
        """,
    )
    told = {
        (span.name, span.pid == forked.parent): span.attributes.get("pocketflow.usage.input_tokens")
        for span in forked.spans
        if span.name != "call"
    }

    assert told == {
        ("invoke_node Calls", False): 100,
        ("invoke_workflow Flow", False): 100,
        ("invoke_node Forks", True): 1001,
        ("invoke_workflow Flow", True): 1001,
    }


def test_a_child_of_a_fork_counts_while_a_thread_of_its_parent_did(tmp_path):
    forked = run_forking(
        tmp_path,
        "simple",
        """
        from pocketflow_otel import record_llm_usage

        class Calls(Node):
            def exec(self, prepared):
                record_llm_usage(model="m", input_tokens=1)

        stop = threading.Event()

        def keep_calling():
            while not stop.is_set():
                Flow(Calls()).run({})

        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=keep_calling, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(15):
            child = os.fork()
            if not child:
                signal.alarm(20)
                Flow(Calls()).run({})
                leave()
            wait_for(child)
        stop.set()
        for thread in threads:
            thread.join()
        """,
    )
    children = [span for span in forked.spans if span.pid != forked.parent and span.name == FLOW]

    assert [span.attributes["pocketflow.usage.calls"] for span in children] == [1] * 15
