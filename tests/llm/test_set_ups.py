"""However a program sets OpenTelemetry up, its calls are counted where they can be, and it runs as ever."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from pocketflow import Flow, Node

from instrumentation.processes import run_script
from instrumentation.recording import traced
from llm.reports import FLOW, NODE, ONE_CALL, PRICES, Does, Reporter, official, usage_on, used
from pocketflow_otel import BudgetExceeded, budget, record_llm_usage


def flow(write: Reporter) -> Flow:
    """The flow of all tests here: a node that calls a model, and one that does not."""
    first = Does(lambda: write.span(official(response_id="a")))
    first >> Node()
    return Flow(first)


def exporting(processor: Callable[[InMemorySpanExporter], SpanProcessor], **options: Any) -> Any:
    """A provider, and what it exports to."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(processor(exporter))
    return provider, exporter


def exported(exporter: InMemorySpanExporter) -> dict[str, dict[str, Any]]:
    """What the spans that were exported tell of usage, by their names."""
    return {span.name: usage_on(span) for span in exporter.get_finished_spans()}


# Providers.


@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_a_provider_that_was_given(instrumentor, processor):
    provider, exporter = exporting(processor)
    instrumentor.instrument(tracer_provider=provider, price_file=PRICES)
    flow(Reporter(provider)).run({})
    provider.force_flush()
    provider.shutdown()

    assert exported(exporter) == {"call": {}, NODE: ONE_CALL, "invoke_node Node": {}, FLOW: ONE_CALL}


def test_calls_on_another_provider_than_the_flows(instrumentor):
    ours, exporter = exporting(SimpleSpanProcessor)
    theirs, other_exporter = exporting(SimpleSpanProcessor)
    instrumentor.instrument(tracer_provider=ours, price_file=PRICES)
    flow(Reporter(theirs)).run({})

    assert exported(exporter) == {NODE: ONE_CALL, "invoke_node Node": {}, FLOW: ONE_CALL}
    assert exported(other_exporter) == {"call": {}}


def test_calls_on_several_providers_at_once(instrumentor):
    providers = [exporting(SimpleSpanProcessor) for _ in range(3)]
    instrumentor.instrument(tracer_provider=providers[0][0], price_file=PRICES)

    def work():
        for number, (provider, _) in enumerate(providers):
            Reporter(provider).span(official())
            # Reported on another provider by another writer as well.
            Reporter(providers[number - 1][0]).span(official(response_id=str(number)), "first")
            Reporter(provider).span(official(response_id=str(number)), "second")

    Flow(Does(work)).run({})

    spans = [span for _, exporter in providers for span in exporter.get_finished_spans()]
    [told] = [usage_on(span) for span in spans if span.name == FLOW]
    assert (told["calls"], told["total_tokens"]) == (6, 660)


SCRIPT = """
    import json, logging, sys
    from opentelemetry import trace
    from pocketflow import Flow, Node
    from pocketflow_otel import BudgetExceeded, PocketFlowInstrumentor, budget, record_llm_usage
    from pocketflow_otel.guard import guard

    guard.reraise = True
    logging.disable()  # of budgets' warnings
    prices = {"m": {"input": 1, "output": 2}}

    class Ask(Node):
        def exec(self, prepared):
            tracer = trace.get_tracer("official")
            with tracer.start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}) as span:
                span.set_attributes({"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 100})

    def set_global_provider():
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        return exporter

    def tokens(exporter):
        return {
            span.name: span.attributes.get("pocketflow.usage.input_tokens") for span in exporter.get_finished_spans()
        }
"""


def run_program(directory: Path, program: str, **environment: str) -> Any:
    return run_script(directory, textwrap.dedent(SCRIPT) + textwrap.dedent(program), **environment)


def test_a_global_provider_that_is_set_after_instrumenting(tmp_path):
    told = run_program(
        tmp_path,
        """
        PocketFlowInstrumentor().instrument(price_file=prices)
        loaded = "opentelemetry.sdk.trace" in sys.modules
        Flow(Ask()).run({})
        exporter = set_global_provider()
        Flow(Ask()).run({})
        print(json.dumps([loaded, tokens(exporter)]))
        """,
    )

    assert told == [False, {"chat m": None, "invoke_node Ask": 100, FLOW: 100}]


def test_no_provider_at_all_with_a_budget(tmp_path):
    told = run_program(
        tmp_path,
        """
        PocketFlowInstrumentor().instrument(price_file=prices)

        class Records(Node):
            def exec(self, prepared):
                record_llm_usage(model="m", input_tokens=100)

        class Returns(Node):
            def exec(self, prepared):
                return {"prompt_tokens": 7, "completion_tokens": 3}

        def stopped(**limits):
            first = Records()
            first >> Returns() >> Ask() >> Node()
            try:
                with budget(**limits):
                    Flow(first).run({})
            except BudgetExceeded as error:
                return [error.limit, error.spent, error.node]

        limits = [{"tokens": 100}, {"tokens": 110}, {"usd": 0.0001}, {"visits": 3}, {"tokens": 111}]
        print(json.dumps([stopped(**each) for each in limits]))
        """,
    )

    assert told == [["tokens", 100, "Returns"], ["tokens", 110, "Ask"], ["usd", 0.0001, "Returns"],
                    ["visits", 3, "Node"], None]  # fmt: skip


def test_an_sdk_that_is_disabled(tmp_path):
    told = run_program(
        tmp_path,
        """
        exporter = set_global_provider()
        PocketFlowInstrumentor().instrument(price_file=prices)
        Flow(Ask()).run({})

        class Records(Node):
            def exec(self, prepared):
                record_llm_usage(model="m", input_tokens=100)

        first = Records()
        first >> Ask()
        try:
            with budget(tokens=100):
                Flow(first).run({})
        except BudgetExceeded as error:
            print(json.dumps([error.node, tokens(exporter)]))
        """,
        OTEL_SDK_DISABLED="true",
    )

    assert told == ["Ask", {}]


def test_a_provider_that_is_shut_down_while_a_flow_runs(instrumentor):
    provider, exporter = exporting(SimpleSpanProcessor)
    instrumentor.instrument(tracer_provider=provider, price_file=PRICES)
    write = Reporter(provider)
    first = Does(lambda: write.span(official()))
    first >> Does(provider.shutdown) >> Does(lambda: write.span(official()))
    store: dict[str, Any] = {}
    with budget(tokens=220):
        Flow(first).run(store)
        with pytest.raises(BudgetExceeded) as stopped:
            Flow(Node()).run(store)

    assert stopped.value.spent == 220
    assert exported(exporter) == {"call": {}, NODE: ONE_CALL}


# Samplers.


class Choosing(Sampler):
    """Decides by the beginning of a span's name."""

    def __init__(self, decisions: dict[str, Decision], default: Decision) -> None:
        self._decisions = decisions
        self._default = default

    def should_sample(self, parent_context, trace_id, name, *rest: Any, **named: Any) -> SamplingResult:
        decision = next((each for start, each in self._decisions.items() if name.startswith(start)), self._default)
        return SamplingResult(decision, named.get("attributes") or (rest[1] if len(rest) > 1 else None))

    def get_description(self) -> str:
        return "chooses"


def test_nodes_that_are_not_sampled_do_not_hide_calls_from_their_flow():
    sampler = Choosing({"invoke_node": Decision.DROP}, Decision.RECORD_AND_SAMPLE)
    with traced(price_file=PRICES, sampler=sampler) as recording:
        flow(Reporter(recording.tracer_provider)).run({})

    assert [span.name for span in recording.spans] == [FLOW, "call"]
    assert used(recording) == ONE_CALL


def test_calls_that_are_not_sampled_are_known_to_nobody():
    sampler = Choosing({"call": Decision.DROP}, Decision.RECORD_AND_SAMPLE)
    with traced(price_file=PRICES, sampler=sampler) as recording:
        flow(Reporter(recording.tracer_provider)).run({})

    assert used(recording) == used(recording, NODE) == {}


def test_a_sampler_that_drops_everything():
    with traced(price_file=PRICES, sampler=ALWAYS_OFF, budget_visits=2) as recording:
        flow(Reporter(recording.tracer_provider)).run({})
        third = Node()
        third >> Node() >> Node()
        with pytest.raises(BudgetExceeded) as stopped:
            Flow(third).run({})

    assert (stopped.value.limit, stopped.value.spent) == ("visits", 2)
    assert recording.spans == []


def test_what_is_recorded_by_hand_is_spent_where_nothing_is_sampled():
    with traced(price_file=PRICES, sampler=ALWAYS_OFF) as recording:
        first = Does(lambda: record_llm_usage(model="m", input_tokens=100))
        first >> Node()
        with budget(tokens=100), pytest.raises(BudgetExceeded):
            Flow(first).run({})

    assert recording.spans == []


def test_spans_that_are_recorded_and_not_exported_count(instrumentor):
    sampler = Choosing({"call": Decision.RECORD_ONLY}, Decision.RECORD_AND_SAMPLE)
    provider, exporter = exporting(SimpleSpanProcessor, sampler=sampler)
    instrumentor.instrument(tracer_provider=provider, price_file=PRICES)
    flow(Reporter(provider)).run({})

    assert exported(exporter) == {NODE: ONE_CALL, "invoke_node Node": {}, FLOW: ONE_CALL}
