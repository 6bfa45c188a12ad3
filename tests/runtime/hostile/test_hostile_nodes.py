"""Nodes whose code does what it should not: its run goes on or fails, tells why, and comes to an end."""

import json
import math
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pocketflow_otel.runtime import InvalidInputs, Result, Run, collect, execute, load, prepare
from runtime.hostile.nodes import ERRORS, let_go

HERE = "runtime.hostile.nodes"
LONGEST_SECONDS = 60


@pytest.fixture(autouse=True)
def _let_go():
    let_go.clear()
    yield
    let_go.set()


def node(name: str, **config: Any) -> dict[str, Any]:
    return {"type": f"{HERE}:{name}", "with": config}


def document(nodes: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"workflow": "hostile", "nodes": nodes, **others}


def ran(nodes: dict[str, Any], folder: Path | None = None, **others: Any) -> Result:
    """What came of a run, which must end; its result is JSON, and in its folder."""
    run = Run(prepare(load(document(nodes, **others))), directory=folder)
    run.start()
    waiting = threading.Thread(target=run.wait, daemon=True)
    waiting.start()
    waiting.join(LONGEST_SECONDS)
    assert not waiting.is_alive(), "the run does not end"
    result = run.result()
    text = json.dumps(result.as_json())
    if folder is not None:
        saved = json.loads((folder / "result.json").read_text("utf-8", "surrogatepass"))
        assert (saved["status"], saved["run_id"]) == (result.status, result.run_id)
        events = [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
        assert [events[0]["kind"], events[-1]["kind"]] == ["run.started", "run.finished"]
        started = [event["node"] for event in events if event["kind"] == "node.started"]
        assert sorted(started) == sorted(event["node"] for event in events if event["kind"] == "node.finished")
    assert text
    return result


def outcome(result: Result, name: str = "a") -> tuple[str, str, str]:
    (record,) = (record for record in result.nodes if record.node == name)
    error = record.error
    return record.status, error.type if error else "", error.message if error else ""


@pytest.mark.parametrize("type_name", ["raises", "raises_in_loop"])
@pytest.mark.parametrize("kind", ERRORS)
def test_whatever_a_node_raises_is_an_error_of_the_node(kind, type_name, tmp_path):
    result = ran({"a": node(type_name, kind=kind), "b": node("give", value="${a}")}, tmp_path / "run")
    status, error, message = outcome(result)
    assert (result.status, status) == ("failed", "failed")
    # A coroutine can't raise these two: Python says so instead.
    assert (error.rpartition(".")[2], message) == (kind, "it said") or error == "RuntimeError"


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("holder", ["map", "parallel", "workflow"])
def test_so_it_is_inside_other_nodes(kind, holder):
    config = {"over": [1, 2, 3], "parallel": 3} if holder == "map" else {}
    result = ran({"a": {"type": holder, "with": {**config, "do": {"inner": node("raises", kind=kind)}}}})
    assert result.status == "failed"
    assert result.error.node == "a.inner"
    assert result.error.type.rpartition(".")[2] == kind


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "CancelledError"])
def test_an_error_that_is_no_exception_is_not_tried_again_nor_continued_from(kind):
    result = ran({"a": {**node("raises", kind=kind), "retry": {"tries": 3}, "on_error": "continue"}})
    assert (result.status, result.nodes[0].attempts) == ("failed", 0)


def test_a_node_that_exits_ends_neither_the_process_nor_its_thread_alone(tmp_path):
    result = ran({"a": {**node("exits"), "timeout": 30}}, tmp_path / "run")
    assert outcome(result) == ("failed", "SystemExit", "3")


@pytest.mark.parametrize("type_name", ["unspeakable", "unspeakable_in_loop"])
def test_an_error_that_fails_to_say_what_it_is_is_told_as_such(type_name, tmp_path):
    result = ran({"a": {**node(type_name), "retry": {"tries": 2}}}, tmp_path / "run")
    status, error, message = outcome(result)
    assert (status, error) == ("failed", f"{HERE}.Unspeakable")
    assert message == "(what it says can't be told: its __str__ raised KeyboardInterrupt)"
    assert result.nodes[0].attempts == 2


def test_of_an_error_that_says_very_much_the_beginning_is_told():
    _, _, message = outcome(ran({"a": node("talkative")}))
    assert message.startswith("too much too much")
    assert len(message) == 4096


ODD = {
    "generator": "generator",
    "lock": "lock",
    "file": "BytesIO",
    "model": "Undumpable",
    "key": {"Unkeyable": 1},
    "liar": "Liar",
    "dict": {"a": 1},
    "text": "abc",
    "number": hex(10**5000),
    "nan": "nan",
    "surrogate": "\ud800",
    "class": "type",
}


@pytest.mark.parametrize("kind", [*ODD, "thread", "loop", "self"])
def test_what_nobody_can_copy_or_show_is_handed_on_and_told_by_its_type(kind, tmp_path):
    nodes = {"a": node("odd", kind=kind), "b": node("give", value="${a}")}
    result = ran(nodes, tmp_path / "run", outputs={"a": "${a}", "b": "${b}"})
    assert result.status == "succeeded"
    assert result.outputs["a"] is result.outputs["b"] or kind == "key"
    saved = json.loads((tmp_path / "run" / "result.json").read_text("utf-8", "surrogatepass"))
    if kind in ODD and kind not in {"class", "surrogate"}:
        assert saved["outputs"]["a"] == ODD[kind]


def test_tables_of_others_are_handed_on(tmp_path):
    result = ran(
        {"a": node("table_of_arrow"), "b": node("give", value="${a}")}, tmp_path / "run", outputs={"b": "${b}"}
    )
    assert result.status == "succeeded"
    assert result.outputs["b"]["a"].to_pylist() == [1, 2]
    saved = json.loads((tmp_path / "run" / "result.json").read_text())
    assert saved["outputs"]["b"] == "Table[2x2]"


def test_a_coroutine_is_awaited_and_a_generator_of_the_loop_is_not(tmp_path):
    result = ran({"a": node("coroutine"), "b": node("generator_of_loop")}, tmp_path / "run")
    assert result.status == "succeeded"
    assert result.outputs["a"] == 5


def test_an_output_that_holds_itself_is_an_error_that_says_so():
    result = ran({"a": node("ring_of_lists")})
    assert outcome(result) == ("failed", "ValueError", "a value that holds itself can't be handed to other nodes")


def test_an_object_that_holds_itself_is_told_to_some_depth(tmp_path):
    result = ran({"a": node("ring_of_objects")}, tmp_path / "run", outputs={"a": "${a}"})
    assert result.status == "succeeded"


@pytest.mark.parametrize(("depth", "status"), [(200, "succeeded"), (201, "failed"), (100_000, "failed")])
def test_an_output_may_be_nested_so_deep_and_no_deeper(depth, status, tmp_path):
    result = ran({"a": node("nested", depth=depth)}, tmp_path / "run")
    assert result.status == status
    if status == "failed":
        assert outcome(result)[2] == "a value that is nested more than 200 deep can't be handed to other nodes"


def test_inputs_that_nobody_can_hand_on_are_refused():
    ring: list[Any] = []
    ring.append(ring)
    plain = load(document({"a": node("give", value="${inputs.x}")}, inputs={"x": {}}))
    with pytest.raises(InvalidInputs, match="input 'x': a value that holds itself"):
        prepare(plain, {"x": ring})


def test_large_inputs_and_outputs_stay_out_of_records_and_events(tmp_path):
    nodes = {"a": node("large"), "b": node("give", value="${a.text}"), "c": node("give", value="${inputs.x}")}
    plan = prepare(load(document(nodes, inputs={"x": {}}, outputs={"n": 1})), {"x": "y" * 20_000_000})
    result = collect(execute(plan, directory=tmp_path / "run"))
    assert result.status == "succeeded"
    assert [record.output for record in result.nodes] != []
    assert all(len(json.dumps(record.as_json())) < 1000 for record in result.nodes)
    assert sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file()) < 20_000


def test_of_much_that_is_printed_the_beginning_and_the_end_are_kept(tmp_path):
    result = ran({"a": node("print_much")}, tmp_path / "run")
    (record,) = result.nodes
    assert len(record.stdout) < 50_000
    assert record.stdout.startswith("xxx")
    assert "characters left out" in record.stdout
    assert (tmp_path / "run" / "events.jsonl").stat().st_size < 100_000


def test_a_node_that_takes_stdout_away_does_not_take_it_from_later_runs(capsys):
    before = sys.stdout
    result = ran({"a": node("replace_stdout")})
    sys.stdout = before
    later = ran({"a": {"type": "python", "with": {"code": "print('heard')"}}})
    assert (result.status, later.nodes[0].stdout) == ("succeeded", "heard\n")


def test_a_thread_that_outlives_its_run_is_nothing_to_wait_for():
    result = ran({"a": node("leave_a_thread")})
    assert result.outputs == {"a": "left"}
    (left,) = (thread for thread in threading.enumerate() if thread.name == "left-behind")
    let_go.set()
    left.join(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_node_may_fork(tmp_path):
    result = ran({"a": node("fork")}, tmp_path / "run")
    assert result.outputs == {"a": "child ended with 7"}


def test_what_a_node_does_to_what_it_was_given_changes_nothing_for_others():
    nodes = {
        "a": node("give", value={"list": [1, {"deep": 2}]}),
        "b": node("change", given="${a}"),
        "c": {**node("give", value="${a}"), "needs": ["b"]},
    }
    result = ran(nodes, outputs={"c": "${c}", "a": "${a}"})
    assert result.outputs == {"c": {"list": [1, {"deep": 2}]}, "a": {"list": [1, {"deep": 2}]}}


@pytest.mark.parametrize(
    ("type_name", "status", "told"),
    [
        ("close_loop", "failed", "Cannot close a running event loop"),
        ("stop_loop", "succeeded", ""),
        ("cancel_itself", "failed", ""),
        ("cancel_itself_and_go_on", "succeeded", ""),
        ("cancel_all", "failed", ""),
    ],
)
def test_a_node_can_not_take_the_event_loop_from_others(type_name, status, told, tmp_path):
    nodes = {
        "a": {**node(type_name), "on_error": "continue"},
        "b": {**node("deaf"), "needs": ["a"]},
        "c": {**node("coroutine"), "needs": ["b"]},
    }
    result = ran({**nodes, "a": node(type_name)}, tmp_path / "run")
    assert result.status == status
    assert told in outcome(result)[2]
    if status == "succeeded":
        assert (result.outputs["c"], outcome(result, "b")[0]) == (5, "succeeded")


@pytest.mark.parametrize("limit", ["seconds", "timeout"])
def test_no_time_at_all_is_a_limit_like_others(limit):
    config: dict[str, Any] = {"limits": {"seconds": 1e-9}} if limit == "seconds" else {"defaults": {"timeout": 1e-9}}
    nodes = {"a": node("pause"), "b": node("coroutine"), "c": node("deaf")}
    result = ran(nodes, **config)
    assert result.status == ("limit" if limit == "seconds" else "failed")
    assert math.isfinite(result.seconds)


INNER = {"workflow": "inner", "nodes": {"x": {"type": f"{HERE}:coroutine"}, "y": {"type": f"{HERE}:give"}}}


@pytest.mark.parametrize("type_name", ["runs_another", "runs_another_in_loop", "runs_another_and_blocks_the_loop"])
def test_runs_inside_runs_end_and_stay_apart(type_name, tmp_path):
    twice = {"workflow": "middle", "nodes": {"m": node(type_name, document=INNER)}}
    result = ran({f"a{number}": node(type_name, document=twice) for number in range(4)}, tmp_path / "run")
    assert result.status == "succeeded"
    assert result.outputs == {f"a{number}": {"m": {"x": 5, "y": None}} for number in range(4)}
    assert len(result.nodes) == 4
