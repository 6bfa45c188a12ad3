"""Runs that stop before each node, for someone to look and decide."""

import threading
from typing import Any

import pytest

from pocketflow_otel.runtime import collect, execute, execute_async, load, prepare
from runtime.running.running import call, document, python, statuses
from runtime.running.things import Gate


@pytest.fixture(autouse=True)
def gate():
    Gate.close()


def stepped(nodes: dict[str, Any], decide: Any, given: dict[str, Any] | None = None, **more: Any) -> Any:
    return collect(execute(prepare(load(document(nodes, **more)), given), on_step=decide))


EACH: dict[str, Any] = {
    "a": python("return [1, 2]"),
    "each": {"type": "map", "with": {"over": "${a}", "parallel": 2, "do": {"x": python("return 10 * i", i="${item}")}}},
    "b": call("burn_async", seconds=0.001, needs=["each"]),
    "c": python("return 3", needs=["each"]),
}


def test_a_run_stops_before_each_node_one_after_the_other():
    pauses = []

    def decide(pause):
        pauses.append((pause.node, pause.type, pause.at, pause.visit, pause.role))

    result = stepped(EACH, decide, limits={"parallel": 8})
    assert result.status == "succeeded"
    assert result.outputs == {"each": [{"x": 10}, {"x": 20}], "b": None, "c": 3}
    assert pauses[0] == ("a", "python", (), 1, "node")
    assert sorted(pauses[1:4]) == [
        ("each", "map", (), 1, "node"),
        ("each.x", "python", (0,), 1, "node"),
        ("each.x", "python", (1,), 1, "node"),
    ]
    assert [pause[0] for pause in pauses[4:]] == ["b", "c"]


def test_a_pause_tells_what_the_node_is_given_and_finds_without_secrets():
    given = {"key": "sk-live-4242424242424242", "words": ["one"]}
    declared = {"key": {"secret": True}, "words": {"type": "list"}}
    told = {}
    nodes = {
        "first": python("return {'n': [1]}"),
        "a": call("tell", value={"key": "${inputs.key}", "n": "${first.n}"}),
        "b": {
            "type": "runtime.running.things:Summarize",
            "reads": {"text": "words"},
            "needs": ["a"],
            "with": {"words": 2},
        },
    }

    def decide(pause):
        told[pause.node] = (pause.workflow, pause.given, pause.store)
        return "stop" if pause.node == "b" else "step"

    stepped(nodes, decide, given, inputs=declared)
    workflow, handed, store = told["a"]
    assert (workflow, handed["value"]["n"], store["first"]) == ("tried", [1], {"n": [1]})
    assert given["key"] not in repr(told)
    assert (told["b"][1], told["b"][2]["text"]) == ({"words": 2}, ["one"])


def test_what_a_pause_tells_is_a_copy():
    def decide(pause):
        if pause.node == "b":
            pause.given["args"]["n"].append(1)
            pause.store["a"].append(1)

    result = stepped({"a": python("return [7]"), "b": python("return n", n="${a}")}, decide)
    assert result.outputs == {"b": [7]}


def test_a_reference_that_leads_nowhere_is_told_at_the_pause_and_fails_the_node():
    seen = []

    def decide(pause):
        if pause.node == "b":
            with pytest.raises(LookupError, match="no key 'm'"):
                _ = pause.given
            seen.append(pause.node)

    result = stepped({"a": call("tell", value={"n": 1}), "b": call("tell", value="${a.m}")}, decide)
    assert (seen, result.status) == (["b"], "failed")


def test_a_run_goes_on_without_stopping_once_it_is_told_to():
    asked = []

    def decide(pause):
        asked.append(pause.node)
        return "continue" if pause.node == "each" else "step"

    result = stepped(EACH, decide)
    assert (asked, result.status, result.summary.visits) == (["a", "each"], "succeeded", 6)


def test_after_going_on_nodes_run_side_by_side_again():
    nodes = {
        "first": python("return 1"),
        "a": call("wait_until_reached", needs=["first"]),
        "b": call("reach", needs=["first"]),
    }
    result = stepped(nodes, lambda pause: "continue" if pause.node == "a" else "step")
    assert (result.outputs["a"], result.outputs["b"]) == (True, None)


def test_a_run_that_is_stopped_is_interrupted_and_the_node_does_not_run():
    nodes = {
        "a": python("return 1", undo="back"),
        "back": call("tell", value=1),
        "b": call("tell", value=2, needs=["a"]),
    }
    result = stepped(nodes, lambda pause: "stop" if pause.node == "b" else None)
    assert (result.status, statuses(result), Gate.told) == ("interrupted", {"a": "succeeded", "b": "cancelled"}, [])
    assert result.nodes[-1].reason == "stopped: the run was interrupted"


@pytest.mark.parametrize("answer", [ValueError("odd"), "run", 5])
def test_whoever_decides_and_fails_stops_the_run_and_is_told(answer):
    def decide(pause):
        if isinstance(answer, Exception):
            raise answer
        return answer

    result = stepped({"a": call("tell", value=1)}, decide)
    assert (result.status, Gate.told) == ("interrupted", [])
    (problem,) = result.problems
    assert problem in (
        "on_step failed: ValueError: odd",
        "on_step gave 'run': expected step, continue or stop",
        "on_step gave 5: expected step, continue or stop",
    )


def test_nodes_that_are_skipped_are_not_asked_about_and_undo_nodes_are():
    asked = []
    nodes = {
        "a": python("return 1", undo="back"),
        "back": call("tell", value=1),
        "no": python("return 1", when="a > 1"),
        "last": python("raise ValueError('no')", needs=["a"]),
    }
    result = stepped(nodes, lambda pause: asked.append((pause.node, pause.role)))
    assert result.status == "failed"
    assert asked == [("a", "node"), ("last", "node"), ("back", "undo")]


def test_time_that_somebody_takes_to_decide_is_not_the_runs():
    outer = {"type": "parallel", "timeout": 0.05, "with": {"do": {"x": python("return 1")}}}

    def decide(pause):
        threading.Event().wait(0.1)

    assert stepped({"outer": outer}, decide, limits={"seconds": 0.05}).status == "succeeded"


async def test_a_run_in_an_event_loop_stops_and_the_loop_goes_on():
    asked = []
    plan = prepare(load(document({f"n{i}": call("burn_async", seconds=0.001) for i in range(4)})))
    loop_thread = threading.current_thread()

    def decide(pause):
        asked.append((pause.node, threading.current_thread() is loop_thread))

    result = collect(await execute_async(plan, on_step=decide))
    assert (result.status, sorted(asked)) == ("succeeded", [(f"n{i}", False) for i in range(4)])
