"""What a real Phoenix makes of our spans, also in its pages."""

from typing import Any

import pytest

from backends.llm_programs import PROGRAMS, SESSION, SOURCES, USER
from backends.observing import Observed
from backends.stored import furthest_ns, kinds, stored_told, told, usage

pytestmark = pytest.mark.slow

each_run = pytest.mark.parametrize(("program", "content"), PROGRAMS)


def as_stored(key: str, value: Any) -> dict[str, Any]:
    """It keeps the kind beside the attributes, and all others as they are."""
    return {} if key == "openinference.span.kind" else {key: value}


@each_run
def test_every_span_arrives_as_it_was(in_phoenix: Observed, program, content):
    for trace in in_phoenix.traces(program, content):
        stored = in_phoenix.stored[trace.trace_id]
        assert stored_told(stored, trace, as_stored) == told(trace, as_stored)
        assert furthest_ns(trace, stored) < 1_000


def test_all_of_ours_are_chains_and_calls_are_those_of_models(in_phoenix: Observed):
    shown = kinds(in_phoenix.stored)
    ours = {name: shown[name] for name in ("invoke_workflow", "invoke_node", "iteration", "item", "attempt")}
    assert ours == {name: {"CHAIN"} for name in ours}
    assert shown["chat"] == {"LLM"}


@each_run
def test_tokens_and_cost_are_those_on_the_outermost_flow(in_phoenix: Observed, program, content):
    for trace in in_phoenix.traces(program, content):
        stored = in_phoenix.stored[trace.trace_id]
        read, written, cost = usage(trace)
        assert (stored.input_tokens, stored.output_tokens) == (read, written)
        assert stored.cost == pytest.approx(cost)


@each_run
def test_inputs_and_outputs_are_there_where_content_is_on(in_phoenix: Observed, program, content):
    for trace in in_phoenix.traces(program, content):
        (root,) = trace.roots()
        stored = in_phoenix.stored[trace.trace_id]
        assert (stored.input, stored.output) == (
            root.attributes.get("input.value"),
            root.attributes.get("output.value"),
        )
        assert (stored.input is not None) == content
    everything = repr([in_phoenix.stored[trace.trace_id] for trace in in_phoenix.traces("support", content)])
    assert ("Why was I charged twice?" in everything) == content


def test_runs_of_a_session_are_together(in_phoenix: Observed):
    runs = [trace.trace_id for content in (True, False) for trace in in_phoenix.traces("support", content)]
    assert in_phoenix.sessions == {SESSION: set(runs)}
    assert {(in_phoenix.stored[run].session, in_phoenix.stored[run].user) for run in runs} == {(SESSION, USER)}


def test_spans_can_be_filtered_by_attributes(in_phoenix: Observed):
    sent = [*in_phoenix.file.spans, *(span for run in in_phoenix.runs for trace in run.traces for span in trace.spans)]
    chose = {span.span_id for span in sent if span.attributes.get("pocketflow.action") == "search"}
    assert in_phoenix.found == {"attributes['pocketflow']['action'] == 'search'": chose}
    assert len(chose) == 8


def test_a_trace_file_arrives_by_way_of_the_collector(in_phoenix: Observed):
    sent, stored = in_phoenix.file, in_phoenix.file_stored
    assert stored_told(stored, sent, as_stored) == told(sent, as_stored)
    assert (stored.input_tokens, stored.output_tokens) == usage(sent)[:2] == (207, 87)


@pytest.mark.parametrize("program", SOURCES)
def test_the_page_of_a_trace_shows_its_spans(in_phoenix: Observed, program):
    lines = in_phoenix.shown[program].splitlines()
    tree = lines[lines.index("Trace") :]
    trace, *_ = in_phoenix.traces(program, True)
    assert [line for line in tree if line in {span.name for span in trace.spans}][: len(trace.spans)] == in_order(trace)
    assert "chain" in tree
    assert {"Input", "Output"} <= set(tree)


def test_the_page_shows_tokens_and_the_session(in_phoenix: Observed):
    lines = in_phoenix.shown["support"].splitlines()
    assert {"2,660", "1,200", "150", "55", "View Session", USER} <= set(lines)


def in_order(trace: Any) -> list[str]:
    """The names of a trace's spans, each before those below it."""

    def below(span: Any) -> list[str]:
        return [span.name, *(name for child in trace.children(span) for name in below(child))]

    return [name for root in trace.roots() for name in below(root)]
