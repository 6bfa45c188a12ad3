"""What a real MLflow makes of our spans, also in its pages."""

import json
from typing import Any

import pytest

from backends.llm_programs import PROGRAMS, SESSION, SOURCES, USER
from backends.observing import Observed
from backends.stored import furthest_ns, kinds, stored_told, told, usage

pytestmark = pytest.mark.slow

each_run = pytest.mark.parametrize(("program", "content"), PROGRAMS)


def as_stored(key: str, value: Any) -> dict[str, Any]:
    """It takes texts that are JSON for what they hold, but for numbers, true, false and null."""
    try:
        held = json.loads(value)
    except (TypeError, ValueError):
        return {key: value}
    return {key: held if isinstance(held, str | list | dict) else value}


@each_run
def test_every_span_arrives_as_it_was(in_mlflow: Observed, program, content):
    for trace in in_mlflow.traces(program, content):
        stored = in_mlflow.stored[trace.trace_id]
        assert stored_told(stored, trace, as_stored) == told(trace, as_stored)
        assert furthest_ns(trace, stored) == 0


def test_all_of_ours_are_chains_and_calls_are_those_of_models(in_mlflow: Observed):
    shown = kinds(in_mlflow.stored)
    ours = {name: shown[name] for name in ("invoke_workflow", "invoke_node", "iteration", "item", "attempt")}
    assert ours == {name: {"CHAIN"} for name in ours}
    assert shown["chat"] == {"CHAT_MODEL"}


@each_run
def test_tokens_and_cost_are_those_on_the_outermost_flow(in_mlflow: Observed, program, content):
    for trace in in_mlflow.traces(program, content):
        stored = in_mlflow.stored[trace.trace_id]
        read, written, cost = usage(trace)
        assert (stored.input_tokens, stored.output_tokens) == (read, written)
        assert stored.cost == pytest.approx(cost)


@each_run
def test_inputs_and_outputs_are_there_where_content_is_on(in_mlflow: Observed, program, content):
    for trace in in_mlflow.traces(program, content):
        spans = in_mlflow.stored[trace.trace_id].spans
        for span in trace.spans:
            shown = spans[span.span_id].attributes
            if span.scope == "pocketflow_otel":
                assert shown.get("mlflow.spanInputs") == as_shown(span.attributes.get("input.value"))
                assert shown.get("mlflow.spanOutputs") == as_shown(span.attributes.get("output.value"))
        (root,) = trace.roots()
        assert ("input.value" in root.attributes) == content
    everything = repr([in_mlflow.stored[trace.trace_id] for trace in in_mlflow.traces("support", content)])
    assert ("Why was I charged twice?" in everything) == content


def as_shown(text: str | None) -> Any:
    """Nothing where it is empty."""
    return as_stored("", text)[""] or None


def test_runs_of_a_session_are_together(in_mlflow: Observed):
    runs = [trace.trace_id for content in (True, False) for trace in in_mlflow.traces("support", content)]
    assert in_mlflow.sessions == {SESSION: set(runs)}
    assert {(in_mlflow.stored[run].session, in_mlflow.stored[run].user) for run in runs} == {(SESSION, USER)}


def test_a_trace_file_is_taken_line_by_line(in_mlflow: Observed):
    sent, stored = in_mlflow.file, in_mlflow.file_stored
    assert stored_told(stored, sent, as_stored) == told(sent, as_stored)
    assert furthest_ns(sent, stored) == 0
    assert (stored.input_tokens, stored.output_tokens) == usage(sent)[:2] == (207, 87)


@pytest.mark.parametrize("program", SOURCES)
def test_the_page_of_a_trace_shows_its_spans(in_mlflow: Observed, program):
    lines = in_mlflow.shown[program].splitlines()
    trace, *_ = in_mlflow.traces(program, True)
    assert {span.name for span in trace.spans} <= set(lines)
    assert {"Inputs", "Outputs"} <= set(lines)


def test_the_page_shows_tokens_and_the_session(in_mlflow: Observed):
    lines = in_mlflow.shown["support"].splitlines()
    assert {"2,660 tokens", "150", "55", "1.2K", SESSION} <= set(lines)
