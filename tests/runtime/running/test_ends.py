"""What is left of runs, and of what they hold, when they end: nothing that goes on, waits or is kept by mistake."""

import asyncio
import gc
import json
import threading

import pytest

from backends.servers import wait_until
from pocketflow_otel.runtime import Run, collect, execute_async, load, prepare
from pocketflow_otel.runtime.errors import RunError
from pocketflow_otel.runtime.running import run as running_run
from runtime.running.endings import Held
from runtime.running.running import call, document, python, ran, statuses
from runtime.running.things import Gate


@pytest.fixture(autouse=True)
def gate():
    Gate.close()
    Held.clients.clear()
    yield
    Gate.opened.set()


def test_a_task_of_a_nodes_own_that_ends_python_leaves_the_other_coroutines_running():
    result = ran({"a": call("exit_in_a_task"), "b": call("burn_async", seconds=0.01, needs=["a"])})
    assert statuses(result) == {"a": "succeeded", "b": "succeeded"}


def test_what_a_class_gives_stands_for_the_node_that_it_takes_over_for():
    nodes = {
        "a": python("raise ValueError('no')", on_error="instead"),
        "instead": {"type": "runtime.running.endings:Replacement"},
        "b": python("return text", text="${a.text}"),
    }
    result = ran(nodes)
    assert (result.status, result.outputs) == ("degraded", {"b": "instead"})


@pytest.mark.parametrize(
    ("undo", "told"),
    [
        ({"type": "parallel", "with": {"do": {"one": call("tell", value=1)}}}, [1]),
        ({"type": "map", "with": {"over": [1, 2], "as": "each", "do": {"one": call("tell", value="${each}")}}}, [1, 2]),
    ],
)
@pytest.mark.parametrize("limits", [{}, {"visits": 2}])
def test_an_undo_node_may_hold_nodes_and_visits_of_these_are_not_limited(undo, told, limits):
    nodes = {"a": python("return 1", undo="back"), "back": undo, "b": python("raise ValueError('no')", needs=["a"])}
    result = ran(nodes, limits=limits)
    assert result.status == "failed"
    assert [record.status for record in result.undone] == ["succeeded"]
    assert [value for _, value in Gate.told] == told


def test_a_coroutine_that_a_function_gives_is_cancelled_where_its_run_is_interrupted():
    plan = prepare(load(document({"a": {"type": "runtime.running.endings:begin_long"}})))
    reached = threading.Event()
    run = Run(plan, on_event=lambda event: reached.set() if event.kind == "node.started" else None).start()
    assert reached.wait(10)
    run.interrupt()
    result = collect(run)
    assert (result.status, statuses(result)) == ("interrupted", {"a": "cancelled"})


def test_outputs_of_nodes_side_by_side_are_gone_once_they_are_used():
    large = {f"large_{number}": call("make_large") for number in range(3)}
    large["large_async"] = {"type": "runtime.running.endings:make_large_async"}
    uses = {f"use_{name}": python("return 1", value=f"${{{name}}}") for name in large}
    # One after the other, so that no thread still holds what it did last.
    rests = {"rest_1": call("rest", seconds=0.05, needs=[*uses]), "rest_2": call("rest", seconds=0, needs=["rest_1"])}
    gc.collect()
    gc.disable()
    try:
        result = ran({**large, **uses, **rests, "count": call("count_alive", needs=["rest_2"])})
    finally:
        gc.enable()
    assert result.outputs["count"] == 0


def test_the_time_that_a_document_inside_another_may_take_ends_with_it(tmp_path):
    (tmp_path / "inner.yaml").write_text(json.dumps(document({"a": call("tell", value=1)}, limits={"seconds": 0.2})))
    nodes = {
        "inner": {"type": "workflow", "with": {"path": str(tmp_path / "inner.yaml")}},
        "after": call("rest", seconds=0.5, needs=["inner"]),
    }
    assert ran(nodes).status == "succeeded"


@pytest.mark.parametrize("undo", [False, True])
def test_connections_of_a_document_inside_another_are_open_as_long_as_it_may_need_them(tmp_path, undo):
    connections = {"http.server": {"base_url": "http://127.0.0.1:9"}}
    hold = {"type": "runtime.running.endings:hold_connection", "with": {"reference": "@http.server"}}
    inner = {"a": {**hold, **({"undo": "b"} if undo else {})}, **({"b": hold} if undo else {})}
    (tmp_path / "inner.yaml").write_text(json.dumps(document(inner, connections=connections)))
    nodes = {
        "inner": {"type": "workflow", "with": {"path": str(tmp_path / "inner.yaml")}},
        "after": {"type": "runtime.running.endings:connections_open", "needs": ["inner"]},
        "last": python("raise ValueError('no')", needs=["after"]),
    }
    result = ran(nodes)
    after = next(record for record in result.nodes if record.node == "after")
    assert after.output == [undo]
    assert [record.status for record in result.undone] == ["succeeded"] * undo


UNDONE_LATE = {
    "a": python("return 1", undo="back"),
    "back": call("rest", seconds=0.6),
    "long": call("sleep_long", needs=["a"]),
}


def test_what_is_taken_back_at_a_limit_is_waited_for(monkeypatch):
    monkeypatch.setattr(running_run, "GRACE_SECONDS", 0.1)
    result = ran(UNDONE_LATE, limits={"seconds": 0.3})
    assert (result.status, [record.status for record in result.undone]) == ("limit", ["succeeded"])
    assert result.summary.abandoned_threads == 0


def test_a_run_that_waits_for_a_thread_after_a_failure_can_be_interrupted(monkeypatch):
    monkeypatch.setattr(running_run, "GRACE_SECONDS", 0.1)
    failed = threading.Event()
    nodes = {"stuck": call("wait_at_gate"), "fails": python("raise ValueError('no')")}
    run = Run(
        prepare(load(document(nodes))),
        on_event=lambda event: failed.set() if (event.kind, event.node) == ("node.finished", "fails") else None,
    ).start()
    assert failed.wait(10)
    assert Gate.reached.wait(10)
    run.interrupt()
    result = collect(run)
    assert (result.status, statuses(result)) == ("failed", {"fails": "failed", "stuck": "cancelled"})
    assert (result.error.node, result.error.message) == ("fails", "no")


async def test_a_run_that_has_not_begun_is_not_waited_for():
    run = Run(prepare(load(document({"a": python("return 1")}))))
    for wait in (run.wait, run.result, lambda: collect(run)):
        with pytest.raises(RunError, match="has not begun"):
            wait()
    with pytest.raises(RunError, match="has not begun"):
        await run.wait_async()


async def test_events_of_a_run_that_is_over_are_none():
    run = await execute_async(prepare(load(document({"a": python("return 1")}))))
    assert [event async for event in run.events()] == []


def test_events_end_with_the_run_also_where_another_listener_keeps_the_last_one_back(monkeypatch, caplog):
    monkeypatch.setattr(running_run, "GRACE_SECONDS", 0.1)
    busy = threading.Event()

    def listen(event):
        if event.kind == "node.started":
            busy.set()
            Gate.opened.wait(20)

    run = Run(prepare(load(document({"a": python("return 1")}))), on_event=listen)

    async def follow():
        kinds = [(await anext(events := run.events())).kind]
        assert await asyncio.to_thread(busy.wait, 10)
        run.interrupt()
        return [*kinds, *[event.kind async for event in events]]

    assert asyncio.run(follow()) == ["run.started"]
    (problem,) = collect(run).problems
    assert "whoever listens is still busy" in problem
    caplog.clear()
    Gate.opened.set()
    wait_until(lambda: "pocketflow-run" not in {thread.name for thread in threading.enumerate()})
    assert caplog.text == "", "whoever has followed a run is told no more"


def test_nodes_inside_a_handler_and_an_undo_node_see_what_these_do():
    def inside(value):
        return {"type": "parallel", "with": {"do": {"one": call("tell", value=value)}}}

    nodes = {
        "a": python("return {'n': 7}", undo="back"),
        "back": inside("${output.n}"),
        "b": python("raise ValueError('first')", on_error="instead", needs=["a"]),
        "instead": inside("${error.message}"),
        "c": python("raise ValueError('second')", needs=["b"]),
    }
    result = ran(nodes)
    assert Gate.told == [("instead.one", "first"), ("back.one", 7)]
    assert [record.status for record in result.undone] == ["succeeded"]


@pytest.mark.parametrize("action", ["${output.none}", "${output.n}"])
def test_a_node_whose_action_makes_no_sense_gives_nothing(action):
    nodes = {"a": python("return {'n': 5}", action=action, visits=2)}
    result = ran(nodes, edges=[{"from": "a", "to": "a"}])
    assert (result.status, set(result.store), result.outputs) == ("failed", {"_run"}, {})


def test_a_node_may_name_itself_in_its_action():
    nodes = {"a": python("return {'next': 'go'}", action="${a.next ?? 'no'}"), "b": python("return 1")}
    result = ran(nodes, edges=[{"from": "a", "action": "go", "to": "b"}, {"from": "b", "to": "end"}])
    assert (result.status, list(statuses(result))) == ("succeeded", ["a", "b"])


def test_store_inside_a_body_is_what_its_nodes_wrote_and_what_is_around_it():
    put = {"type": "set", "with": {"values": {"key": 1}}}
    get = {"type": "template", "needs": ["put"], "with": {"text": "${store.key ?? 'nothing'} ${store.far}"}}
    nodes = {
        "out": {"type": "set", "with": {"values": {"far": 2}}},
        "body": {"type": "workflow", "needs": ["out"], "with": {"do": {"put": put, "get": get}, "output": "${get}"}},
    }
    assert ran(nodes).outputs["body"] == "1 2"


@pytest.mark.parametrize(
    "inside",
    [
        {"c": python("context.wait(60); raise ValueError('cancelled')")},
        {"b": {"type": "workflow", "with": {"do": {"c": call("sleep_long")}}}},
    ],
)
def test_what_ends_because_of_a_timeout_is_not_what_failed(inside):
    result = ran({"a": {"type": "parallel", "timeout": 0.1, "with": {"do": inside}}})
    assert (result.error.node, result.error.type) == ("a", "NodeTimeout")


def test_a_map_beside_a_node_that_failed_is_cancelled_and_says_why():
    nodes = {
        "bad": call("fail_when_reached"),
        "other": {"type": "map", "with": {"over": [1, 2], "do": {"slow": call("sleep_long")}}},
    }
    result = ran(nodes)
    assert (result.error.node, result.status) == ("bad", "failed")
    others = [record for record in result.nodes if record.node.startswith("other")]
    assert {(record.status, record.reason, record.error) for record in others} == {
        ("cancelled", "stopped: another node failed", None)
    }


@pytest.mark.parametrize("limits", [{"tokens": 5}, {"usd": 0.00001}, {"visits": 1}])
def test_limits_of_a_document_inside_hold_there(tmp_path, limits):
    inner = {"a": call("spend", tokens=6), "b": call("spend", tokens=6, needs=["a"])}
    (tmp_path / "inner.yaml").write_text(json.dumps(document(inner, limits=limits)))
    nodes = {
        "before": call("spend", tokens=100),
        "inner": {"type": "workflow", "with": {"path": str(tmp_path / "inner.yaml")}, "needs": ["before"]},
        "after": python("return 1", needs=["inner"]),
    }
    result = ran(nodes)
    assert result.status == "limit"
    assert {name: status for name, status in statuses(result).items() if name.startswith("inner.")} == {
        "inner.a": "succeeded",
        "inner.b": "limit",
    }
    del inner["b"]
    (tmp_path / "inner.yaml").write_text(json.dumps(document(inner, limits=limits)))
    assert ran(nodes).status == "succeeded"


def test_items_that_ran_at_once_are_taken_back_in_the_order_in_which_they_ended():
    events = []
    do = {"x": python("import asyncio; await asyncio.sleep(0.01 * (i % 3)); return i", i="${item}", undo="back")}
    do["back"] = python("return i", i="${item}")
    nodes = {
        "each": {"type": "map", "with": {"over": list(range(20)), "parallel": 7, "do": do}},
        "bad": python("raise ValueError('no')", needs=["each"]),
    }
    result = ran(nodes, on_event=events.append)
    ended = [event.at for event in events if (event.kind, event.node) == ("node.finished", "each.x")]
    undone = [event.at for event in events if (event.kind, event.node) == ("node.finished", "each.back")]
    assert len(ended) == 20
    assert undone == ended[::-1]
    assert [record.at for record in result.undone] == undone


def test_undo_inside_a_node_that_failed_late_is_told_that_node():
    do = {"a": python("return 1", undo="u"), "u": call("tell", value="${error.node}")}
    ran({"n": {"type": "workflow", "action": "${inputs.texts[9]}", "with": {"do": do}}}, given={"texts": []})
    assert Gate.told == [("n.u", "n")]


def test_a_degraded_holder_whose_action_leads_nowhere_is_told_with_that():
    inside = {"type": "workflow", "on_error": "continue", "with": {"do": {"b": python("return 1 / 0")}}}
    result = ran({"a": inside}, edges=[{"from": "a", "action": "go", "to": "a"}], limits={"visits": 9})
    assert (result.error.node, result.error.type) == ("a", "UnroutedAction")
