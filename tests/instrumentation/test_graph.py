"""The graph of a flow, and where its class is defined, as the span of an outermost flow tells them."""

import inspect
import json
from itertools import pairwise
from typing import Any

import pocketflow
import pytest

from instrumentation.recording import traced


class Ask(pocketflow.Node): ...


class AskAll(pocketflow.BatchNode): ...


class AskLater(pocketflow.AsyncNode): ...


class Chat(pocketflow.Flow): ...


def place(cls: type) -> dict[str, Any]:
    """What a graph tells of a node's class."""
    return {
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "file": inspect.getsourcefile(cls),
        "line": inspect.getsourcelines(cls)[1],
    }


def test_the_graph_holds_nodes_edges_and_nested_flows() -> None:
    start, middle, inner_start = Ask(), AskAll(), AskLater()
    inner = pocketflow.AsyncFlow(inner_start)
    inner.name = "inner"
    start - "asked" >> middle
    start - "stop" >> None
    middle >> inner
    inner - "once more" >> start
    inner_start - "again" >> inner_start
    with traced() as recording, pytest.warns(UserWarning, match="Flow ends"):
        Chat(start).run({})
    assert recording.graph("invoke_workflow Chat") == {
        "nodes": [
            {"id": "Ask", "kind": "node", **place(Ask)},
            {"id": "AskAll", "kind": "batch", **place(AskAll)},
            {
                "id": "inner",
                "kind": "async_flow",
                **place(pocketflow.AsyncFlow),
                "flow": {
                    "nodes": [{"id": "AskLater", "kind": "async", **place(AskLater)}],
                    "edges": [{"from": "AskLater", "action": "again", "to": "AskLater"}],
                },
            },
        ],
        "edges": [
            {"from": "Ask", "action": "asked", "to": "AskAll"},
            {"from": "Ask", "action": "stop", "to": None},
            {"from": "AskAll", "action": "default", "to": "inner"},
            {"from": "inner", "action": "once more", "to": "Ask"},
        ],
    }


def test_only_the_outermost_flow_tells_the_graph() -> None:
    inner = pocketflow.Flow(Ask())
    inner.name = "inner"
    with traced() as recording:
        Chat(inner).run({})
    told = [
        name for name in recording.attributes("invoke_workflow inner") if name.startswith("code.") or "graph" in name
    ]
    assert told == ["graph.node.id"]


def test_a_flow_run_by_a_node_tells_its_own_graph() -> None:
    class Runs(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            pocketflow.Flow(Ask()).run({})

    with traced() as recording:
        Chat(Runs()).run({})
    assert recording.names == [
        ("invoke_workflow Chat", [("invoke_node Runs", [("invoke_workflow Flow", ["invoke_node Ask"])])])
    ]
    assert [node["id"] for node in recording.graph("invoke_workflow Flow")["nodes"]] == ["Ask"]


def test_a_flow_that_holds_itself() -> None:
    class Once(pocketflow.Flow):
        def prep(self, shared: Any) -> None:
            if shared.setdefault("depth", 0) == 2:
                raise RecursionError("deep enough")
            shared["depth"] += 1

    once = Once()
    once.start(once)
    with traced() as recording, pytest.raises(RecursionError, match="deep enough"):
        once.run({})
    outermost = recording.spans[0]
    assert json.loads((outermost.attributes or {})["pocketflow.flow.graph"]) == {
        "nodes": [{"id": "Once", "kind": "flow", **place(Once)}],
        "edges": [],
    }


def chain(length: int) -> pocketflow.Flow:
    nodes = [Ask() for _ in range(length)]
    for one, other in pairwise(nodes):
        one >> other
    return Chat(nodes[0])


def test_a_graph_that_is_too_long_goes_without_places() -> None:
    with traced() as recording:
        chain(100).run({})
    graph, attributes = recording.graph("invoke_workflow Chat"), recording.attributes("invoke_workflow Chat")
    assert [node["id"] for node in graph["nodes"]] == ["Ask", *(f"Ask#{number}" for number in range(2, 101))]
    assert {tuple(node) for node in graph["nodes"]} == {("id", "class", "kind")}
    assert len(graph["edges"]) == 99
    assert attributes["pocketflow.truncated"] == ("pocketflow.flow.graph",)


def test_of_a_graph_that_is_still_too_long_the_beginning_is_told() -> None:
    with traced() as recording:
        chain(500).run({})
    text = recording.attributes("invoke_workflow Chat")["pocketflow.flow.graph"]
    graph = json.loads(text)
    assert len(text.encode()) <= 16 * 1024
    assert graph["omitted"] is True
    assert 100 < len(graph["nodes"]) < 500
    assert [node["id"] for node in graph["nodes"][:2]] == ["Ask", "Ask#2"]
    assert len(graph["edges"]) == len(graph["nodes"]) - 1


@pytest.mark.parametrize("cls", [Chat, pocketflow.Flow])
def test_an_outermost_flow_tells_where_its_class_is(cls: Any) -> None:
    with traced() as recording:
        cls(Ask()).run({})
    attributes = recording.attributes(f"invoke_workflow {cls.__name__}")
    expected = place(cls)
    assert attributes["code.function.name"] == expected["class"]
    assert attributes["code.file.path"] == expected["file"]
    assert attributes["code.line.number"] == expected["line"]


def test_a_class_in_a_function_has_a_place() -> None:
    class Local(pocketflow.Flow):
        def prep(self, shared: Any) -> None: ...

    with traced() as recording:
        Local().run({})
    attributes = recording.attributes("invoke_workflow Local")
    assert attributes["code.function.name"].endswith("test_a_class_in_a_function_has_a_place.<locals>.Local")
    assert attributes["code.line.number"] == inspect.getsourcelines(Local)[1]


def test_a_class_without_a_source_has_a_name_only() -> None:
    exec("import pocketflow\nclass Made(pocketflow.Flow): ...", namespace := {"__name__": "made_up"})
    with traced() as recording:
        namespace["Made"]().run({})  # type: ignore[operator]
    told = {key for key in recording.attributes("invoke_workflow Made") if key.startswith("code.")}
    assert told == {"code.function.name"}
    assert recording.attributes("invoke_workflow Made")["code.function.name"] == "made_up.Made"
