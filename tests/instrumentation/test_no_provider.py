"""Programs that record nothing, or not everything, pay for nothing and notice nothing."""

from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pocketflow
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from instrumentation.processes import run_script
from instrumentation.recording import traced

EVERYTHING = {"capture_values": True, "capture_io": True, "capture_output": True, "store_depth": 3}


class Watched(MutableMapping[str, Any]):
    """A store that notices whoever looks at it."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}
        self.looks = 0

    def __getitem__(self, key: str) -> Any:
        self.looks += 1
        return self._held[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._held[key] = value

    def __delitem__(self, key: str) -> None:
        del self._held[key]

    def __iter__(self) -> Iterator[str]:
        self.looks += 1
        return iter(self._held)

    def __len__(self) -> int:
        self.looks += 1
        return len(self._held)


class Write(pocketflow.Node):
    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        shared["key"] = [1]


def looks(**options: Any) -> int:
    store = Watched()
    with traced(**EVERYTHING, **options):
        pocketflow.Flow(Write()).run(store)
    return store.looks


def test_a_store_is_looked_at_where_spans_are_recorded() -> None:
    assert looks() > 0


def test_a_store_is_not_looked_at_where_none_is() -> None:
    assert looks(sampler=ALWAYS_OFF) == 0
    assert looks(tracer_provider=None, meter_provider=None) == 0
    assert looks(tracer_provider=None) == 0
    assert looks(exclude=["*"]) == 0


def test_a_store_is_not_looked_at_where_instrumentation_is_suppressed() -> None:
    store = Watched()
    with traced(**EVERYTHING) as recording, suppress_instrumentation():
        pocketflow.Flow(Write()).run(store)
    assert store.looks == 0
    assert recording.spans == []
    assert recording.metrics == {}


def test_suppression_ends_where_it_ends() -> None:
    with traced() as recording:
        with suppress_instrumentation():
            Write().run({})
        Write().run({})
    assert recording.names == ["invoke_node Write"]


def test_suppression_inside_a_flow() -> None:
    class Suppressing(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            with suppress_instrumentation():
                pocketflow.Flow(Write()).run({})

    with traced() as recording:
        pocketflow.Flow(Suppressing()).run({})
    assert recording.names == [("invoke_workflow Flow", ["invoke_node Suppressing"])]


class Look(pocketflow.Node):
    """Looks at the current span."""

    def __init__(self, seen: list[SpanContext]) -> None:
        super().__init__(max_retries=2)
        self.seen = seen

    def exec(self, prep_res: Any) -> None:
        self.seen.append(trace.get_current_span().get_span_context())


def test_what_is_below_a_span_that_is_not_sampled_is_not_sampled() -> None:
    seen: list[SpanContext] = []
    look = Look(seen)
    look >> Look(seen)
    with traced(sampler=ParentBased(ALWAYS_OFF)) as recording:
        pocketflow.Flow(pocketflow.Flow(look)).run({})
    assert recording.spans == []
    assert len({context.trace_id for context in seen}) == 1
    assert [context.trace_flags.sampled for context in seen] == [False, False]
    assert all(context.is_valid for context in seen)


@pytest.mark.parametrize("sampled", [True, False])
def test_a_parent_from_elsewhere_decides(sampled: bool) -> None:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    parent = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=flags))
    with traced(sampler=ParentBased(ALWAYS_ON)) as recording, trace.use_span(parent):
        pocketflow.Flow(Write()).run({})
    assert [span.name for span in recording.spans] == ["invoke_workflow Flow", "invoke_node Write"] * sampled
    assert all(span.context.trace_id == 1 for span in recording.spans)


class ByAttributes(Sampler):
    """Notes what it is told, and leaves out nodes called Write."""

    def __init__(self) -> None:
        self.told: list[tuple[str, set[str]]] = []

    def should_sample(
        self, parent_context, trace_id, name, kind=None, attributes=None, links: Sequence[Any] = (), trace_state=None
    ):  # type: ignore[no-untyped-def]
        self.told.append((name, set(attributes)))
        left_out = attributes.get("gen_ai.node.name") == "Write"
        return SamplingResult(Decision.DROP if left_out else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "by attributes"


def test_samplers_are_told_operation_and_names() -> None:
    sampler = ByAttributes()
    start = Write()
    start >> Look([])
    with traced(sampler=sampler) as recording:
        pocketflow.Flow(start).run({})
    assert [span.name for span in recording.spans] == ["invoke_workflow Flow", "invoke_node Look", "attempt"]
    (flow, flow_told), (node, node_told), *_ = sampler.told
    assert (flow, node) == ("invoke_workflow Flow", "invoke_node Write")
    assert {"gen_ai.operation.name", "gen_ai.workflow.name", "openinference.span.kind"} <= flow_told
    assert {"gen_ai.operation.name", "gen_ai.node.name", "graph.node.id", "pocketflow.node.visit"} <= node_told


# Whole processes.

COLLECT = """
    import json
    import pocketflow
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pocketflow_otel import PocketFlowInstrumentor

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    class Ask(pocketflow.Node): ...
"""


def test_without_a_provider_programs_just_run(tmp_path: Path) -> None:
    script = """
    import json
    import sys
    import pocketflow
    from pocketflow_otel import PocketFlowInstrumentor

    class Ask(pocketflow.Node):
        def __init__(self):
            super().__init__(max_retries=2)

        def exec(self, prep_res):
            print("printed")
            return "answer"

        def post(self, shared, prep_res, exec_res):
            shared["answer"] = exec_res

    PocketFlowInstrumentor().instrument(capture_values=True, capture_output=True, capture_io=True)
    shared = {}
    pocketflow.Flow(Ask()).run(shared)
    print(json.dumps([shared, "opentelemetry.sdk" in sys.modules]))
    """
    assert run_script(tmp_path, script) == [{"answer": "answer"}, False]


def test_a_provider_that_is_set_later_gets_what_happens_then(tmp_path: Path) -> None:
    script = f"""{COLLECT}
    PocketFlowInstrumentor().instrument()
    flow = pocketflow.Flow(Ask())
    flow.run({{}})
    trace.set_tracer_provider(provider)
    flow.run({{}})
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script) == ["invoke_node Ask", "invoke_workflow Flow"]


def test_a_provider_that_is_set_while_a_flow_runs_gets_what_begins_then(tmp_path: Path) -> None:
    script = f"""{COLLECT}
    class SetUp(pocketflow.Node):
        def exec(self, prep_res):
            trace.set_tracer_provider(provider)

    PocketFlowInstrumentor().instrument()
    setup = SetUp()
    setup >> Ask()
    pocketflow.Flow(setup).run({{}})
    pocketflow.Flow(Ask()).run({{}})
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script)[-2:] == ["invoke_node Ask", "invoke_workflow Flow"]


def test_a_disabled_sdk_records_nothing(tmp_path: Path) -> None:
    script = f"""{COLLECT}
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    shared = {{}}
    pocketflow.Flow(Ask()).run(shared)
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script, OTEL_SDK_DISABLED="true") == []
    assert run_script(tmp_path, script) == ["invoke_node Ask", "invoke_workflow Flow"]


def test_options_come_from_the_environment(tmp_path: Path) -> None:
    script = f"""{COLLECT}
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    pocketflow.Flow(Ask()).run({{}})
    print(json.dumps([span.name for span in exporter.get_finished_spans()]))
    """
    assert run_script(tmp_path, script, OTEL_PYTHON_POCKETFLOW_EXCLUDE="As*") == ["invoke_workflow Flow"]
