"""OTLP that leaves a process, as a receiver gets it."""

import pytest

from e2e.agent import OUTLINE, OUTPUT
from e2e.outline import outline
from e2e.receiver import GRPC, HTTP, Receiver, receiving, receiving_http

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def content_on_spans(receiver: Receiver) -> dict[str, str]:
    """The content among the attributes of all spans."""
    kinds = ("pocketflow.store.value.", "pocketflow.stdout", "pocketflow.params", "input.value", "output.value")
    return {
        f"{span.name}: {name}": value
        for span in receiver.spans()
        for name, value in span.attributes.items()
        if name.startswith(kinds) and not name.endswith((".bytes", ".lines"))
    }


@pytest.fixture
def receiver():
    with receiving_http() as receiver:
        yield receiver


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_the_whole_tree_arrives(programs, protocol):
    with receiving(protocol) as receiver:
        outcome = programs.instrument("agent.py", **receiver.variables)

    assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
    assert [outline(trace) for trace in receiver.traces()] == [OUTLINE]
    assert content_on_spans(receiver) == {}


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_metrics_arrive_beside_it(programs, protocol):
    with receiving(protocol) as receiver:
        programs.instrument("agent.py", **receiver.variables, OTEL_METRICS_EXPORTER="otlp")

    assert receiver.metrics() == {
        "gen_ai.invoke_workflow.duration",
        "pocketflow.node.duration",
        "pocketflow.node.retries",
    }


CONTENT_OF_THE_AGENT = {
    "invoke_workflow Flow: input.value": "{}",
    "invoke_workflow Flow: output.value": '{"answer":"yes","checked":[3,3]}',
    "invoke_node Ask: output.value": '"yes"',
    "invoke_node Ask: pocketflow.stdout": "asking\n",
    "invoke_node Ask: pocketflow.store.value.answer": '"yes"',
    "invoke_workflow Checks: input.value": '{"answer":"yes"}',
    "invoke_workflow Checks: output.value": '{"answer":"yes","checked":[3,3]}',
    "invoke_workflow Checks: pocketflow.store.value.checked": "[3,3]",
    "invoke_node Check: input.value": '["one","two"]',
    "invoke_node Check: output.value": "[3,3]",
    "invoke_node Check: pocketflow.store.value.checked": "[3,3]",
}


@pytest.mark.parametrize("mode", ["true", "SPAN_ONLY"])
def test_content_arrives_where_the_standard_variable_asks_for_it(programs, receiver, mode):
    programs.instrument("agent.py", **receiver.variables, **{CONTENT: mode})

    assert content_on_spans(receiver) == CONTENT_OF_THE_AGENT
    assert [outline(trace) for trace in receiver.traces()] == [OUTLINE]


def test_content_can_go_to_log_records(programs, receiver):
    programs.instrument("agent.py", **receiver.variables, OTEL_LOGS_EXPORTER="otlp", **{CONTENT: "EVENT_ONLY"})

    assert content_on_spans(receiver) == {}
    name_of = {span.span_id: span.name for span in receiver.spans()}
    assert sorted((name_of[span_id], event) for event, span_id in receiver.log_records()) == [
        ("invoke_node Ask", "pocketflow.node.io"),
        ("invoke_node Ask", "pocketflow.node.output"),
        ("invoke_node Ask", "pocketflow.store.change"),
        ("invoke_node Check", "pocketflow.node.io"),
        ("invoke_node Check", "pocketflow.store.change"),
        ("invoke_workflow Checks", "pocketflow.node.io"),
        ("invoke_workflow Checks", "pocketflow.store.change"),
        ("invoke_workflow Flow", "pocketflow.node.io"),
    ]


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_run_sends_what_it_writes(programs, protocol):
    with receiving(protocol) as receiver:
        outcome = programs.run("agent.py", **receiver.variables | {"OTEL_TRACES_EXPORTER": ""})

    assert outcome.seen == (OUTPUT, 0)
    (trace,) = programs.read()
    assert outline(trace) == OUTLINE
    assert receiver.spans() == list(trace.spans)
    first, *shown = outcome.stderr.splitlines()
    assert first == (
        f"pocketflow-otel: tracing to files in {programs.traces}, console, otlp; without content, which --content adds"
    )
    assert any("2 flows" in line or "1 flow" in line for line in shown)
    assert not any(line.startswith("pocketflow-otel:") for line in shown)


def test_run_sends_content_when_it_is_asked_to(programs, receiver):
    programs.run("--content", "agent.py", **receiver.variables | {"OTEL_TRACES_EXPORTER": ""})

    assert content_on_spans(receiver) == CONTENT_OF_THE_AGENT


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_jaeger_is_otlp_to_where_the_endpoint_variables_point(programs, protocol):
    with receiving(protocol) as receiver:
        outcome = programs.instrument("agent.py", **receiver.variables | {"OTEL_TRACES_EXPORTER": "jaeger"})

    assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
    assert [outline(trace) for trace in receiver.traces()] == [OUTLINE]


def test_run_knows_jaeger_too(programs, receiver):
    outcome = programs.run("--quiet", "agent.py", **receiver.variables | {"OTEL_TRACES_EXPORTER": "jaeger"})

    assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
    assert [outline(trace) for trace in receiver.traces()] == [OUTLINE]
    assert programs.read() == []
