"""Ends at a bad moment, or of errors that behave badly: the run ends all the same, and tells what happened."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from backends.servers import wait_until
from instrumentation.recording import traced
from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.runtime import Result, Run, collect, execute, load, prepare
from pocketflow_otel.runtime.running import holding
from pocketflow_otel.runtime.running import run as running_run
from runtime.running.running import call, document, python, ran, statuses
from runtime.running.things import Gate

LONGEST_SECONDS = 60


@pytest.fixture(autouse=True)
def gate(monkeypatch):
    monkeypatch.setattr(running_run, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(holding, "_ENDING_SECONDS", 0.05)
    Gate.close()
    yield
    Gate.opened.set()


def ended(nodes: dict[str, Any], **how: Any) -> Result:
    """The result of a run, which has to come."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ran, nodes, **how).result(LONGEST_SECONDS)


def test_a_listener_that_interrupts_while_a_node_is_given_up_is_waited_for_by_nobody():
    outer = {"type": "parallel", "timeout": 0.1, "with": {"do": {"s": call("wait_at_gate")}}, "on_error": "continue"}
    plan = prepare(load(document({"outer": outer, "b": call("wait_until_reached")})))
    runs: list[Run] = []

    def listen(event):
        if (event.kind, event.node) == ("node.finished", "b"):
            time.sleep(0.4)  # meanwhile the node is given up, and whoever does so wants to tell
            runs[0].interrupt()

    runs.append(Run(plan, on_event=listen))
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(lambda: runs[0].start().result()).result(LONGEST_SECONDS)
    assert statuses(result)["outer.s"] == "cancelled"


@pytest.mark.parametrize("limits", [{}, {"seconds": 60}, {"tokens": 10}])
def test_a_condition_that_makes_no_sense_once_a_budget_is_used_up_ends_the_run(limits):
    PocketFlowInstrumentor().instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    try:
        nodes = {"a": call("spend", tokens=100), "b": {**python("return 1", needs=["a"]), "when": "a.x > 1"}}
        assert ended(nodes, limits=limits).status in {"failed", "limit"}
    finally:
        PocketFlowInstrumentor().uninstrument()


@pytest.mark.parametrize("limits", [{}, {"seconds": 60}])
@pytest.mark.parametrize("nodes", [{"a": call("raise_evil")}, {"a": call("raise_evil", retry={"tries": 2})}])
def test_an_error_whose_own_code_fails_is_told_like_others(nodes, limits):
    result = ended(nodes, limits=limits)
    assert (result.status, result.error.node, statuses(result)) == ("failed", "a", {"a": "failed"})
    assert result.error.type.endswith("things.Evil")


def test_who_would_have_to_be_asked_inside_an_undo_node_is_not_waited_for():
    ask = {"type": "approve", "with": {"prompt": "ok?"}}
    nodes = {
        "a": python("return 1", undo="back"),
        "back": {"type": "parallel", "with": {"do": {"ask": ask}}},
        "b": python("raise ValueError('no')", needs=["a"]),
    }
    result = ended(nodes, may_ask=False)
    assert (result.status, result.error.node) == ("failed", "b")
    assert [record.status for record in result.undone if record.node == "back"] == ["waiting"]


def test_a_limit_inside_an_undo_node_is_no_success():
    inside = {"x": call("raise_limit"), "y": python("return 1", needs=["x"])}
    nodes = {
        "a": python("return 1", undo="back"),
        "back": {"type": "parallel", "with": {"do": inside}},
        "b": python("raise ValueError('no')", needs=["a"]),
    }
    result = ended(nodes)
    (back,) = [record for record in result.undone if record.node == "back"]
    assert back.status == "limit"


def test_a_node_does_not_run_once_the_run_was_interrupted_while_somebody_decided():
    runs: list[Run] = []

    def decide(pause):
        runs[0].interrupt()
        wait_until(lambda: pause.is_over)

    runs.append(Run(prepare(load(document({"a": call("tell", value=1)}))), on_step=decide))
    result = runs[0].start().result()
    assert (result.status, statuses(result), Gate.told) == ("interrupted", {"a": "cancelled"}, [])


class Slowly(SpanProcessor):
    """Takes its time when a span of a node begins, and counts those that are open."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.open: list[str] = []

    def on_start(self, span, parent_context=None):
        self.open.append(span.name)
        if span.name == f"invoke_node {self._name}":
            time.sleep(0.3)

    def on_end(self, span):
        self.open.remove(span.name)


def test_a_span_that_begins_as_its_node_is_given_up_ends():
    processor = Slowly("c")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    try:
        slow = {"type": "runtime.running.things:Summarize", "timeout": 0.1, "reads": {"text": "t"}, "needs": ["t"]}
        ended({"t": python("return 'a b'"), "c": {**slow, "on_error": "continue"}})
        wait_until(lambda: processor.open == [])
    finally:
        PocketFlowInstrumentor().uninstrument()


def test_what_is_taken_back_as_outputs_make_no_sense_has_all_the_time_it_needs():
    back = {"x": python("import time; time.sleep(0.5)"), "y": call("tell", value="y", needs=["x"])}
    nodes = {"a": python("return {'n': 1}", undo="back"), "back": {"type": "parallel", "with": {"do": back}}}
    result = ended(nodes, limits={"seconds": 0.3}, given={"texts": []}, outputs={"o": "${inputs.texts[3]}"})
    assert (result.status, result.error.type) == ("failed", "MissingValue")
    assert Gate.told == [("back.y", "y")]
    assert [record.status for record in result.undone if record.node == "back"] == ["succeeded"]


def test_a_clock_that_had_no_thread_at_first_has_one_later(monkeypatch):
    start, failed = threading.Thread.start, []

    def start_later(thread):
        if thread.name == "pocketflow-clock" and not failed:
            failed.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_later)
    held = {"type": "parallel", "with": {"do": {"s": call("wait_at_gate")}}}
    inner = {"p": {**held, "timeout": 0.1, "on_error": "continue"}, "q": {**held, "timeout": 0.1, "needs": ["p"]}}
    result = ended(inner)
    assert failed
    assert (statuses(result)["q"], result.error.type) == ("failed", "NodeTimeout")


def test_a_fallback_is_not_told_of_the_class_beside_it():
    nodes = {
        "w": {"type": "runtime.running.things:WaitsAtItsEnd"},
        "f": call("fail_when_reached", on_error="continue", fallback=[1]),
        "opens": call("open_gate", needs=["f"]),
    }
    with traced() as recording:
        ended(nodes)
        (span,) = [span for span in recording.spans if span.name == "invoke_node w"]
    assert span.attributes["pocketflow.store.attribution"] == "shared"


def test_nodes_run_with_the_threads_that_there_are(monkeypatch):
    start = threading.Thread.start

    def start_few(thread):
        if thread.name == "pocketflow-node":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    each = {"type": "map", "with": {"over": [1, 2, 3], "parallel": 3, "do": {"x": python("return i", i="${item}")}}}
    nodes = {"each": each, **{name: python("return 1", needs=["each"]) for name in "abc"}}
    for limits in ({}, {"seconds": 60}):
        result = ended(nodes, limits=limits)
        assert (result.status, len(result.nodes)) == ("succeeded", 7)


def test_collect_gives_the_result_of_a_run_that_nobody_waited_for():
    run = execute(prepare(load(document({"a": python("return 1")}))))
    assert collect(run) is collect(run)
