"""What becomes of runs: limits, taking back, events, interruption, figures."""

import asyncio
import json
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.runtime import Run, collect, execute, execute_async, load, prepare
from runtime.running.running import call, document, python, ran, statuses
from runtime.running.things import Gate


@pytest.fixture(autouse=True)
def gate():
    Gate.close()
    yield
    Gate.opened.set()


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    PocketFlowInstrumentor().instrument(tracer_provider=provider)
    yield exporter
    PocketFlowInstrumentor().uninstrument()


def test_every_run_has_a_store_of_its_own_with_its_inputs_and_what_run_it_is():
    plan = prepare(
        load(document({"a": python("return n", n="${inputs.n}")}, inputs={"n": {"type": "integer"}})), {"n": 3}
    )
    first, second = collect(execute(plan)), collect(execute(plan))
    assert first.run_id != second.run_id
    for result in (first, second):
        assert result.store["n"] == 3
        assert result.store["_run"] == {"id": result.run_id, "workflow": "tried", "started": result.started}
    first.store["n"] = 4
    assert second.store["n"] == 3


def test_a_loop_ends_at_its_cap_with_a_status_of_its_own():
    again = [{"from": "a", "to": "a"}]
    result = ran({"a": {**call("tell", value=1), "visits": 3}}, edges=again)
    assert (result.status, result.exit_code, len(Gate.told)) == ("limit", 4, 3)
    assert result.error.node == "a"
    assert "3 visits" in result.error.message


def test_visits_of_the_whole_run_are_limited():
    result = ran({"a": call("tell", value=1)}, edges=[{"from": "a", "to": "a"}], limits={"visits": 5})
    assert (result.status, len(Gate.told)) == ("limit", 5)


@pytest.mark.parametrize(("limit", "allowed"), [("tokens", 250), ("usd", 0.0006)])
def test_tokens_and_money_are_limited_whether_or_not_anything_is_traced(limit, allowed):
    nodes = {"a": call("spend", tokens=100)}
    result = ran(nodes, edges=[{"from": "a", "to": "a"}], limits={limit: allowed, "visits": 50})
    spent = [record for record in result.nodes if record.status == "succeeded"]
    assert (result.status, len(spent), result.summary.tokens) == ("limit", 3, 300)
    assert result.summary.usd == pytest.approx(0.00075)


def test_time_of_the_whole_run_is_limited_and_coroutines_are_ended():
    result = ran({"a": call("sleep_long")}, limits={"seconds": 0.1})
    assert (result.status, Gate.told, statuses(result)) == ("limit", ["cancelled"], {"a": "cancelled"})


def test_what_was_done_is_taken_back_in_reverse_order_with_what_it_gave():
    nodes = {
        "a": python("return 'A'", undo="undo_a"),
        "b": python("return 'B'", needs=["a"], undo="undo_b"),
        "c": call("fail", text="broken", needs=["b"]),
        "undo_a": call("tell", value=["${output}", "${error.node}", "${error.message}"]),
        "undo_b": call("tell", value=["${output}", "${error.node}", "${error.message}"]),
    }
    result = ran(nodes)
    assert Gate.told == [("undo_b", ["B", "c", "broken"]), ("undo_a", ["A", "c", "broken"])]
    assert [(record.node, record.role, record.status) for record in result.undone] == [
        ("undo_b", "undo", "succeeded"),
        ("undo_a", "undo", "succeeded"),
    ]


def test_an_undo_that_fails_is_noted_and_the_others_go_on():
    nodes = {
        "a": python("return 'A'", undo="undo_a"),
        "b": python("return 'B'", needs=["a"], undo="undo_b"),
        "c": call("fail", needs=["b"]),
        "undo_a": call("tell", value="${output}"),
        "undo_b": call("fail", text="stuck"),
    }
    result = ran(nodes)
    assert [(record.node, record.status) for record in result.undone] == [("undo_b", "failed"), ("undo_a", "succeeded")]
    assert result.undone[0].error.message == "stuck"
    assert (result.status, result.error.node) == ("failed", "c")


def test_what_was_done_inside_is_taken_back_where_its_holder_stands_in_the_order():
    inner = {"x": python("return 'X'", undo="undo_x"), "undo_x": call("tell", value="${output}")}
    nodes = {
        "a": python("return 'A'", undo="undo_a"),
        "group": {"type": "parallel", "with": {"do": inner}, "needs": ["a"]},
        "b": python("return 'B'", needs=["group"], undo="undo_b"),
        "c": call("fail", needs=["b"]),
        "undo_a": call("tell", value="${output}"),
        "undo_b": call("tell", value="${output}"),
    }
    assert [record.node for record in ran(nodes).undone] == ["undo_b", "group.undo_x", "undo_a"]


def test_nothing_is_taken_back_where_all_went_well():
    nodes = {"a": python("return 'A'", undo="undo_a"), "undo_a": call("tell", value="${output}")}
    assert (ran(nodes).undone, Gate.told) == ((), [])


def test_events_tell_what_happens_in_the_order_in_which_it_does():
    events = []
    nodes = {"a": python("return 1"), "b": python("return 2", needs=["a"], when="inputs.n == 1")}
    result = ran(nodes, given={"n": 0}, on_event=events.append)
    assert [(event.kind, event.node) for event in events] == [
        ("run.started", ""),
        ("node.started", "a"),
        ("node.finished", "a"),
        ("node.skipped", "b"),
        ("run.finished", ""),
    ]
    assert {event.run_id for event in events} == {result.run_id}
    assert events[2].data["output"] == 1
    assert events[3].data["reason"] == "when: inputs.n == 1"


async def test_events_can_be_waited_for_one_by_one():
    run = Run(prepare(load(document({"a": python("return 1"), "b": python("return a", a="${a}")}))))
    kinds = [event.kind async for event in run.events()]
    assert kinds == ["run.started", *["node.started", "node.finished"] * 2, "run.finished"]
    assert collect(run).outputs == {"b": 1}


def test_a_run_that_is_interrupted_ends_what_it_can_and_takes_nothing_back():
    nodes = {
        "a": python("return 1", undo="undo_a"),
        "undo_a": call("tell", value="undone"),
        "b": call("sleep_long", needs=["a"]),
    }
    run = Run(prepare(load(document(nodes)))).start()
    assert Gate.reached.wait(10)
    run.interrupt()
    result = collect(run)
    assert (result.status, result.exit_code, Gate.told) == ("interrupted", 130, ["cancelled"])
    assert statuses(result) == {"a": "succeeded", "b": "cancelled"}


async def test_a_task_that_is_cancelled_interrupts_its_run():
    events = []
    task = asyncio.create_task(
        execute_async(prepare(load(document({"a": call("sleep_long")}))), on_event=events.append)
    )
    assert await asyncio.to_thread(Gate.reached.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert Gate.told == ["cancelled"]
    assert (events[-1].kind, events[-1].data["status"]) == ("run.finished", "interrupted")


async def test_coroutines_run_in_the_loop_of_whoever_runs_the_plan():
    code = "import asyncio\nawait asyncio.sleep(0)\nreturn id(asyncio.get_running_loop())"
    nodes = {"a": {"type": "runtime.running.things:burn_async", "with": {"seconds": 0}}, "b": python(code)}
    run = await execute_async(prepare(load(document(nodes))))
    assert collect(run).outputs["b"] == id(asyncio.get_running_loop())


def test_a_person_who_may_not_be_asked_leaves_the_run_waiting():
    nodes = {"ask": {"type": "approve", "with": {"prompt": "Go on?"}}, "after": python("return 1", needs=["ask"])}
    result = ran(nodes, may_ask=False)
    assert (result.status, result.exit_code, statuses(result)) == ("waiting", 5, {"ask": "waiting"})
    assert "--approve ask=approve" in result.nodes[0].reason


def test_a_decision_given_beforehand_leads_on():
    nodes = {
        "ask": {"type": "approve", "with": {"prompt": "Go on?"}},
        "yes": python("return 'yes'"),
        "no": python("return 'no'"),
    }
    edges = [
        {"from": "ask", "action": "approve", "to": "yes"},
        {"from": "ask", "action": "reject", "to": "no"},
    ]
    assert ran(nodes, edges=edges, decisions={"ask": "reject"}).outputs["no"] == "no"


def test_a_folder_holds_the_result_and_the_events(tmp_path):
    folder = tmp_path / "run"
    result = ran({"a": python("print('hello'); return 1")}, directory=folder)
    saved = json.loads((folder / "result.json").read_text())
    assert (saved["run_id"], saved["status"], saved["outputs"]) == (result.run_id, "succeeded", {"a": 1})
    assert saved["nodes"][0]["stdout"] == "hello\n"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in events] == ["run.started", "node.started", "node.finished", "run.finished"]
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl", "result.json"]


@pytest.mark.parametrize("kind", ["burn", "burn_async"])
def test_what_a_node_took_is_on_its_span_and_in_the_result(kind, spans, tmp_path):
    nodes = {
        "burn": {"type": f"runtime.running.things:{kind}", "with": {"seconds": 0.05}},
        "write": call("write_bytes", path=str(tmp_path / "file"), count=100_000, needs=["burn"]),
        "rest": python("return 1", needs=["write"]),
    }
    result = ran(nodes)
    records = {record.node: record for record in result.nodes}
    attributes = {span.name: span.attributes for span in spans.get_finished_spans()}
    assert 0.045 <= records["burn"].cpu_seconds <= records["burn"].seconds
    assert attributes["invoke_node burn"]["pocketflow.node.cpu_seconds"] == records["burn"].cpu_seconds
    assert records["write"].written_bytes == 100_000
    assert attributes["invoke_node write"]["pocketflow.node.written_bytes"] == 100_000
    assert (records["rest"].read_bytes, records["rest"].written_bytes) == (0, 0)
    assert "pocketflow.node.written_bytes" not in attributes["invoke_node rest"]


def test_the_graph_of_a_run_follows_its_document(spans):
    nodes = {"a": python("return 1"), "b": python("return x", x="${a}"), "c": python("return x", x="${a}")}
    nodes["d"] = python("return [x, y]", x="${b}", y="${c}")
    ran(nodes)
    flow, *_ = [span for span in spans.get_finished_spans() if span.name == "invoke_workflow tried"]
    graph = json.loads(flow.attributes["pocketflow.flow.graph"])
    edges = {(edge["from"], edge["action"], edge["to"]) for edge in graph["edges"]}
    assert edges == {("a", "default", "b"), ("a", "default", "c"), ("b", "default", "d"), ("c", "default", "d")}
    parents = {
        span.attributes["graph.node.id"]: span.attributes.get("graph.node.parent_id")
        for span in spans.get_finished_spans()
        if "graph.node.id" in span.attributes
    }
    assert (parents["a"], parents["b"], parents["c"]) == (None, "a", "a")
    assert parents["d"] in ("b", "c")
    assert not any("pocketflow.action.unrouted" in span.attributes for span in spans.get_finished_spans())


def test_a_run_belongs_to_the_span_around_it(spans):
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("test").start_as_current_span("around") as around:
        ran({"a": python("return 1")})
    flow, *_ = [span for span in spans.get_finished_spans() if span.name.startswith("invoke_workflow")]
    assert flow.parent.span_id == around.get_span_context().span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_critical_path_is_what_the_run_had_to_wait_for():
    nodes = {
        "a": call("burn", seconds=0.01),
        "slow": call("burn_async", seconds=0.05, needs=["a"]),
        "fast": python("return 1", needs=["a"]),
        "last": python("return 1", needs=["slow", "fast"]),
    }
    summary = ran(nodes).summary
    assert summary.critical_path == ("a", "slow", "last")
    assert summary.critical_seconds >= 0.06
    assert summary.visits == 4


def test_items_that_are_stopped_because_another_failed_are_not_said_to_have_failed_themselves(spans):
    code = "from runtime.running.things import Gate\nGate.reached.wait(10)\nraise ValueError('no')"
    do = {"wait": call("sleep_long", when="index == 0"), "fail": python(code, when="index == 1")}
    result = ran({"each": {"type": "map", "with": {"over": [0, 1], "parallel": 2, "do": do}}})
    assert (result.error.node, result.error.type) == ("each.fail", "ValueError")
    errors = {
        span.attributes.get("pocketflow.batch.index", 0): span.attributes["error.type"]
        for span in spans.get_finished_spans()
        if span.name == "iteration"
    }
    assert errors == {0: "pocketflow_otel.runtime.errors.Cancelled", 1: "ValueError"}


def test_what_came_of_a_map_goes_on_without_the_items_that_failed():
    feeds = {
        "type": "map",
        "with": {
            "over": [1, 0, 2],
            "on_error": "continue",
            "do": {"get": python("return [10 // n, n]", n="${item}")},
            "output": "${get}",
        },
    }
    result = ran({"feeds": feeds}, outputs={"came": "${feeds | compact | flat}", "also": "${feeds | flat | compact}"})
    assert result.status == "degraded"
    assert result.outputs == {"came": [10, 1, 5, 2], "also": [10, 1, 5, 2]}


def test_a_path_from_the_folder_of_the_document_that_is_run_is_the_same_in_others(tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    (tmp_path / "note.txt").write_text("a note")
    reading = {"read": {"type": "file.read", "with": {"path": "${inputs.path}"}}}
    outputs = {"text": "${read.text}", "base": "${run.base}"}
    part = {"workflow": "part", "inputs": {"path": {}}, "nodes": reading, "outputs": outputs}
    (tmp_path / "parts" / "part.json").write_text(json.dumps(part))
    inputs = {"path": "${run.base}/note.txt"}
    main = document({"part": {"type": "workflow", "with": {"path": "parts/part.json", "inputs": inputs}}})
    (tmp_path / "main.json").write_text(json.dumps(main))
    monkeypatch.chdir(tmp_path)

    result = collect(execute(prepare(load(Path("main.json")))))

    assert result.outputs == {"part": {"text": "a note", "base": str(tmp_path)}}
