"""What is told of a run in figures."""

import dataclasses

import pytest
from opentelemetry.sdk.trace import TracerProvider

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.export.file import TraceFileProcessor
from runtime.running.running import call, python, ran


def test_what_tracing_reads_and_writes_is_no_nodes_doing(tmp_path):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(TraceFileProcessor(directory=tmp_path / "traces"))
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    try:
        result = ran({"a": python("return 1"), "b": python("return a", a="${a}")}, directory=tmp_path / "run")
    finally:
        PocketFlowInstrumentor().uninstrument()
    assert [(record.read_bytes, record.written_bytes) for record in result.nodes] == [(0, 0), (0, 0)]


def test_a_long_loop_has_a_result_that_can_be_copied_as_plain_data():
    nodes = {"count": python("return n + 1", n="${count ?? 0}")}
    nodes["check"] = {"type": "condition", "with": {"cases": [{"when": "count < 2000", "action": "again"}]}}
    edges = [{"from": "count", "to": "check"}, {"from": "check", "action": "again", "to": "count"}]
    result = ran(nodes, edges=edges, limits={"visits": 5000})
    copied = dataclasses.asdict(result)
    assert len(copied["nodes"]) == result.summary.visits == 4000
    assert result.summary.critical_path == ("count", "check") * 2000


def test_the_critical_path_goes_through_nodes_that_were_skipped():
    nodes = {"a": python("return 1"), "b": python("return 2", when="a == 2"), "c": python("return 3")}
    edges = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    assert ran(nodes, edges=edges).summary.critical_path == ("a", "c")


def test_undo_nodes_are_on_no_critical_path():
    nodes = {"a": python("return 1", undo="u"), "b": call("fail", needs=["a"]), "u": call("tell", value=1)}
    assert ran(nodes).summary.critical_path == ("a", "b")


def test_who_waits_is_told_in_the_result():
    result = ran({"ask": {"type": "approve", "with": {"prompt": "Go on?"}}}, may_ask=False)
    assert (result.status, result.error.node) == ("waiting", "ask")


def test_what_a_node_is_wrongly_given_is_told_as_in_a_document():
    nodes = {"a": python("return 'x'"), "b": {"type": "file.read", "with": {"path": "x", "max_bytes": "${a}"}}}
    error = ran(nodes).error
    assert error.node == "b"
    assert error.message == "b (file.read) is given what it does not take: max_bytes: expected a whole number, not 'x'"


@pytest.mark.parametrize(("parallel", "at_once"), [(1, False), (2, True)])
def test_parallelism_is_how_many_were_at_work_on_average(parallel, at_once):
    nodes = {name: {"type": "runtime.running.things:rest", "with": {"seconds": 0.1}} for name in ("a", "b")}
    assert (ran(nodes, limits={"parallel": parallel}).summary.parallelism > 1) is at_once
