"""Nodes that go on in their threads where a limit is reached: the run comes to its end without them, in order."""

import threading
import time
from typing import Any

import pytest

from backends.servers import wait_until
from instrumentation.recording import traced
from pocketflow_otel import budget
from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.runtime.running import holding
from pocketflow_otel.runtime.running import run as running_run
from pocketflow_otel.runtime.running.clock import Clock
from runtime.running.running import call, document, python, ran, statuses
from runtime.running.things import Gate


@pytest.fixture(autouse=True)
def gate(monkeypatch):
    monkeypatch.setattr(running_run, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(holding, "_ENDING_SECONDS", 0.1)
    Gate.close()
    yield
    Gate.opened.set()
    wait_until(lambda: not any(thread.name.startswith("pocketflow-") for thread in threading.enumerate()))


STUCK = call("wait_at_gate")
HOLDERS: dict[str, Any] = {
    "flat": STUCK,
    "parallel": {"type": "parallel", "with": {"do": {"one": STUCK, "two": call("tell", value=1)}}},
    "map": {"type": "map", "with": {"over": [1, 2, 3], "parallel": 2, "do": {"one": STUCK}}},
    "deep": {"type": "parallel", "with": {"do": {"in": {"type": "map", "with": {"over": [1], "do": {"one": STUCK}}}}}},
    "class": {"type": "runtime.running.things:Slow"},
}


@pytest.mark.parametrize("stuck", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("parallel", [1, 8])
def test_at_a_limit_what_was_done_is_taken_back_though_a_node_goes_on_in_its_thread(stuck, parallel):
    nodes = {
        "a": python("return 7", undo="back"),
        "back": call("tell", value="${output}"),
        "b": stuck | {"needs": ["a"]},
    }
    result = ran(nodes, limits={"seconds": 0.3, "parallel": parallel})
    assert result.status == "limit"
    assert [(record.node, record.status) for record in result.undone] == [("back", "succeeded")]
    assert ("back", 7) in Gate.told
    assert result.summary.abandoned_threads >= 1
    assert result.problems == ()
    leaves = [record for record in result.nodes if record.status == "cancelled" and "given up" in record.reason]
    assert leaves
    assert all(record.seconds > 0.1 for record in leaves)


def test_what_a_node_does_after_it_was_given_up_does_not_count():
    events: list[Any] = []
    plan = prepare(load(document({"stuck": STUCK, "slow": HOLDERS["class"]}, limits={"seconds": 0.3})))
    result = collect(execute(plan, on_event=lambda event: events.append((event.kind, event.node))))
    store = dict(result.store)
    Gate.opened.set()
    wait_until(lambda: "pocketflow-node" not in {thread.name for thread in threading.enumerate()})
    assert Gate.told == ["stuck"]
    assert result.store == store
    assert set(store) == {"_run"}
    assert statuses(result) == {"stuck": "cancelled", "slow": "cancelled"}
    assert sorted(events[-3:]) == [("node.finished", "slow"), ("node.finished", "stuck"), ("run.finished", "")]


def test_flows_and_nodes_that_hold_a_stuck_one_end_in_the_trace():
    with traced() as recording:
        ran({"outer": HOLDERS["deep"]}, limits={"seconds": 0.3})
        names = [span.name.split()[-1] for span in recording.spans]
    assert sorted(names) == ["in", "iteration", "one", "outer", "tried"]


@pytest.mark.parametrize("stuck", HOLDERS.values(), ids=HOLDERS)
def test_a_node_that_holds_others_takes_no_longer_than_it_may(stuck):
    outer = {
        "type": "parallel",
        "timeout": 0.2,
        "with": {"do": {"inside": stuck}},
        "on_error": "continue",
        "fallback": 5,
    }
    result = ran({"outer": outer, "b": python("return o + 1", o="${outer}")})
    assert (result.status, result.outputs) == ("degraded", {"b": 6})
    error = next(record.error for record in result.nodes if record.node == "outer")
    assert error is not None
    assert (error.type, error.message) == ("NodeTimeout", "outer took longer than 0.2 s")


def test_a_node_that_was_given_up_leaves_its_room_to_others():
    outer = {"type": "parallel", "timeout": 0.2, "with": {"do": {"one": STUCK}}, "on_error": "continue"}
    others = {f"b{number}": python("return 1", after="${outer}") for number in range(3)}
    result = ran({"outer": outer, **others}, limits={"parallel": 1})
    assert result.outputs == {"b0": 1, "b1": 1, "b2": 1}


def test_the_time_of_one_try_does_not_end_the_next_one():
    inner = {"one": call("fail_times", times=3), "two": python("import time; time.sleep(0.02)")}
    outer = {"type": "parallel", "timeout": 30, "with": {"do": inner}, "retry": {"tries": 4}}
    result = ran({"outer": outer})
    assert result.status == "succeeded"


def test_a_limit_of_visits_is_reached_beside_a_node_that_goes_on():
    nodes = {
        "stuck": STUCK,
        "a": call("wait_until_reached", undo="back"),
        "back": call("tell", value=3),
        "b": python("return 1", needs=["a"]),
        "c": python("return 1", needs=["b"]),
    }
    result = ran(nodes, limits={"visits": 3})
    assert result.status == "limit"
    assert Gate.told == [("back", 3)]
    assert statuses(result) == {"a": "succeeded", "b": "succeeded", "c": "limit", "stuck": "cancelled"}


def test_time_passes_though_a_coroutine_keeps_the_loop_busy():
    nodes = {"a": call("keep_loop_busy", seconds=1.5), "b": python("return 1")}
    result = ran(nodes, limits={"seconds": 0.2})
    assert result.status == "limit"
    assert statuses(result) == {"a": "cancelled", "b": "succeeded"}


def test_a_map_goes_on_with_the_threads_that_there_are(monkeypatch):
    start = threading.Thread.start

    def start_few(thread):
        if thread.name == "pocketflow-items":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    each = {"type": "map", "with": {"over": [1, 2, 3], "parallel": 3, "do": {"x": python("return 2 * i", i="${item}")}}}
    assert ran({"each": each}).outputs == {"each": [{"x": 2}, {"x": 4}, {"x": 6}]}


def test_a_run_ends_in_full_also_if_nobody_asks_for_its_result(tmp_path):
    events: list[str] = []
    plan = prepare(load(document({"a": python("return 1")})))
    run = execute(plan, on_event=lambda event: events.append(event.kind), directory=tmp_path / "run")
    assert events == ["run.started", "node.started", "node.finished", "run.finished"]
    assert (tmp_path / "run" / "result.json").exists()
    assert collect(run).outputs == {"a": 1}


def test_a_clock_calls_in_order_and_not_what_was_taken_back():
    clock, called, done = Clock(), [], threading.Event()
    clock.later(0.2, lambda: (called.append("late"), done.set()))
    forget = clock.later(0.1, lambda: called.append("forgotten"))
    clock.later(0.05, lambda: called.append("early"))
    forget()
    assert done.wait(10)
    assert called == ["early", "late"]
    clock.later(0.01, lambda: called.append("closed"))
    clock.close()
    wait_until(lambda: "pocketflow-clock" not in {thread.name for thread in threading.enumerate()})
    assert called in (["early", "late"], ["early", "late", "closed"])


def test_a_clock_keeps_nothing_of_what_was_taken_back():
    clock = Clock()
    clock.later(60, time.time)
    for _ in range(1000):
        clock.later(30, time.time)()
    assert len(clock._calls) <= 3
    clock.close()


def test_a_budget_around_a_run_is_reached_beside_a_node_that_goes_on():
    nodes = {
        "stuck": STUCK,
        "a": call("wait_until_reached", undo="back"),
        "back": call("tell", value=3),
        "b": python("return 1", needs=["a"]),
    }
    with traced(), budget(visits=2):
        result = ran(nodes)
    assert result.status == "limit"
    assert Gate.told == [("back", 3)]
    assert statuses(result) == {"a": "succeeded", "b": "limit", "stuck": "cancelled"}
