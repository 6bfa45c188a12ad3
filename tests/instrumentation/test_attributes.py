"""The attributes of spans, exactly, for a small program of each of PocketFlow's classes."""

from collections.abc import Iterator
from typing import Any

import pocketflow
import pytest

from instrumentation.recording import Recording, traced


class Ask(pocketflow.Node):
    def exec(self, prep_res: Any) -> str:
        return "answer"

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> str:
        shared["answer"] = exec_res
        return "answered"


class AskAll(pocketflow.BatchNode):
    def prep(self, shared: Any) -> list[str]:
        return ["a", "b", "c"]


class AskLater(pocketflow.AsyncNode):
    async def post_async(self, shared: Any, prep_res: Any, exec_res: Any) -> str:
        shared["answer"] = "later"
        return "answered"


class AskAllLater(pocketflow.AsyncBatchNode):
    async def prep_async(self, shared: Any) -> list[str]:
        return ["a", "b"]


class AskAllAtOnce(pocketflow.AsyncParallelBatchNode):
    async def prep_async(self, shared: Any) -> tuple[str, ...]:
        return ("a", "b")


class Chat(pocketflow.Flow): ...


class Chats(pocketflow.BatchFlow):
    def prep(self, shared: Any) -> list[dict[str, Any]]:
        return [{"user": 1}, {"user": 2}]


class ChatLater(pocketflow.AsyncFlow): ...


class ChatsLater(pocketflow.AsyncBatchFlow):
    async def prep_async(self, shared: Any) -> list[dict[str, Any]]:
        return [{"user": 1}, {"user": 2}]


class ChatsAtOnce(pocketflow.AsyncParallelBatchFlow):
    async def prep_async(self, shared: Any) -> list[dict[str, Any]]:
        return [{"user": 1}, {"user": 2}]


def told(recording: Recording, name: str) -> dict[str, Any]:
    """A span's attributes, without the times, and without the graph, which has its own tests."""
    return {
        key: value
        for key, value in recording.attributes(name).items()
        if not key.endswith(".seconds") and not key.startswith("code.") and key != "pocketflow.flow.graph"
    }


def node(name: str, **more: Any) -> dict[str, Any]:
    """What is told of any node."""
    return {
        "gen_ai.operation.name": "invoke_node",
        "gen_ai.node.name": name,
        "graph.node.id": name,
        "openinference.span.kind": "CHAIN",
        "pocketflow.node.visit": 1,
        **{key.replace("__", "."): value for key, value in more.items()},
    }


def flow(name: str, **more: Any) -> dict[str, Any]:
    """What is told of any flow."""
    return {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": name,
        "openinference.span.kind": "CHAIN",
        **{key.replace("__", "."): value for key, value in more.items()},
    }


ANSWERED = {
    "pocketflow__action": "answered",
    "pocketflow__store__added": ("answer",),
    "pocketflow__store__keys": 1,
}


async def ran(runnable: Any, **options: Any) -> Recording:
    with traced(**options) as recording:
        if isinstance(runnable, pocketflow.AsyncNode):
            await runnable.run_async({})
        else:
            runnable.run({})
    return recording


NODES = {
    "Ask": (Ask, {**ANSWERED, "pocketflow__store__shape__answer": "str[6]"}),
    "AskAll": (
        AskAll,
        {"pocketflow__action": "default", "pocketflow__node__kind": "batch", "pocketflow__batch__size": 3},
    ),
    "AskLater": (
        AskLater,
        {**ANSWERED, "pocketflow__store__shape__answer": "str[5]", "pocketflow__node__kind": "async"},
    ),
    "AskAllLater": (
        AskAllLater,
        {"pocketflow__action": "default", "pocketflow__node__kind": "async_batch", "pocketflow__batch__size": 2},
    ),
    "AskAllAtOnce": (
        AskAllAtOnce,
        {
            "pocketflow__action": "default",
            "pocketflow__node__kind": "async_parallel_batch",
            "pocketflow__batch__size": 2,
        },
    ),
}


@pytest.mark.parametrize("name", NODES)
async def test_a_node_in_a_flow(name: str) -> None:
    cls, more = NODES[name]
    recording = await ran(ChatLater(cls()))
    assert told(recording, f"invoke_node {name}") == node(name, **more)


@pytest.mark.parametrize("name", NODES)
async def test_a_node_that_runs_by_itself_tells_its_class(name: str) -> None:
    cls, more = NODES[name]
    recording = await ran(cls())
    assert told(recording, f"invoke_node {name}") == node(
        name, pocketflow__node__class=f"{cls.__module__}.{name}", **more
    )
    assert recording.one(f"invoke_node {name}").parent is None


@pytest.mark.parametrize("cls", [AskAll, AskAllLater, AskAllAtOnce])
async def test_items_tell_their_index(cls: type) -> None:
    recording = await ran(cls())
    size = recording.attributes(f"invoke_node {cls.__name__}")["pocketflow.batch.size"]
    items = [dict(span.attributes or {}) for span in recording.named("item")]
    whose = {"gen_ai.node.name": cls.__name__, "openinference.span.kind": "CHAIN"}
    assert items == [{**whose, "pocketflow.batch.index": index} for index in range(size)]


FLOWS = {
    "Chat": (Chat, "flow", 1),
    "Chats": (Chats, "batch_flow", 2),
    "ChatLater": (ChatLater, "async_flow", 1),
    "ChatsLater": (ChatsLater, "async_batch_flow", 2),
    "ChatsAtOnce": (ChatsAtOnce, "async_parallel_batch_flow", 2),
}


@pytest.mark.parametrize("name", FLOWS)
async def test_an_outermost_flow(name: str) -> None:
    cls, kind, rounds = FLOWS[name]
    recording = await ran(cls(Ask()))
    more: dict[str, Any] = {**ANSWERED, "pocketflow__flow__visits": rounds}
    if "Chats" in name:
        more |= {"pocketflow__action": "default", "pocketflow__batch__size": 2}
    if kind != "flow":
        more |= {"pocketflow__node__kind": kind}
    assert told(recording, f"invoke_workflow {name}") == flow(name, **more)


@pytest.mark.parametrize("name", FLOWS)
async def test_a_nested_flow_is_node_and_flow(name: str) -> None:
    cls, kind, rounds = FLOWS[name]
    outer = pocketflow.AsyncFlow(inner := cls(Ask()))
    after = inner.next(Ask(), "answered")
    inner.next(after, "default")
    recording = await ran(outer)
    more: dict[str, Any] = {
        **ANSWERED,
        "graph__node__id": name,
        "gen_ai__node__name": name,
        "pocketflow__node__kind": kind,
        "pocketflow__node__visit": 1,
        "pocketflow__node__next": "Ask",
        "pocketflow__flow__visits": rounds,
        "pocketflow__store__shape__answer": "str[6]",
    }
    if "Chats" in name:
        more |= {"pocketflow__action": "default", "pocketflow__batch__size": 2}
    more = {key.replace("gen_ai__", "gen_ai."): value for key, value in more.items()}
    assert told(recording, f"invoke_workflow {name}") == flow(name, **more)


@pytest.mark.parametrize("name", ["Chats", "ChatsLater", "ChatsAtOnce"])
async def test_iterations_tell_their_index(name: str) -> None:
    recording = await ran(FLOWS[name][0](Ask()))
    iterations = [dict(span.attributes or {}) for span in recording.named("iteration")]
    whose = {"gen_ai.workflow.name": name, "openinference.span.kind": "CHAIN"}
    assert iterations == [{**whose, "pocketflow.batch.index": index} for index in range(2)]


def test_a_base_node_is_a_plain_node() -> None:
    class Bare(pocketflow.BaseNode):
        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> str:
            return "on"

    bare = Bare()
    bare.next(Ask(), "on")
    with traced() as recording:
        Chat(bare).run({})
    assert told(recording, "invoke_node Bare") == node("Bare", pocketflow__action="on", pocketflow__node__next="Ask")


def test_what_is_at_its_default_is_absent() -> None:
    class Quiet(pocketflow.Node): ...

    with traced(capture_values=True, capture_io=True, capture_output=True) as recording:
        Chat(Quiet()).run({})
    assert told(recording, "invoke_node Quiet") == node("Quiet", pocketflow__action="default")


def test_an_empty_flow() -> None:
    with traced() as recording:
        Chat().run({})
    assert told(recording, "invoke_workflow Chat") == flow("Chat", pocketflow__action="default")
    assert recording.graph("invoke_workflow Chat") == {"nodes": [], "edges": []}


# Names.


def test_an_instance_attribute_name_is_the_name() -> None:
    asked, chat = Ask(), Chat()
    asked.name, chat.name = "the question", "the chat"
    chat.start(asked)
    with traced() as recording:
        chat.run({})
    assert recording.names == [("invoke_workflow the chat", ["invoke_node the question"])]
    assert recording.attributes("invoke_node the question")["gen_ai.node.name"] == "the question"


@pytest.mark.parametrize("name", ["", None, 5, ["a"]])
def test_what_is_no_name_is_none(name: Any) -> None:
    asked = Ask()
    asked.name = name
    with traced() as recording:
        Chat(asked).run({})
    assert recording.names == [("invoke_workflow Chat", ["invoke_node Ask"])]


def test_a_class_attribute_or_property_is_no_name() -> None:
    class Named(pocketflow.Node):
        name = "of the class"

    class Computed(pocketflow.Node):
        @property
        def name(self) -> str:
            raise AssertionError("asked for its name")

    first = Named()
    first >> Computed()
    with traced() as recording:
        Chat(first).run({})
    assert recording.names == [("invoke_workflow Chat", ["invoke_node Named", "invoke_node Computed"])]


def test_equal_names_are_numbered_breadth_first() -> None:
    start, left, right, below = Ask(), Ask(), Ask(), Ask()
    start - "left" >> left
    start - "answered" >> right
    left - "answered" >> below
    right - "answered" >> left
    with traced() as recording:
        Chat(start).run({})
    assert recording.names == [
        ("invoke_workflow Chat", [f"invoke_node Ask{number}" for number in ("", "#3", "#2", "#4")])
    ]


def test_a_node_added_while_the_flow_runs_has_a_name_and_tells_its_class() -> None:
    class Growing(pocketflow.Node):
        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> str:
            self.next(Ask(), "grown")
            return "grown"

    with traced() as recording:
        Chat(Growing()).run({})
    assert recording.names == [("invoke_workflow Chat", ["invoke_node Growing", "invoke_node Ask"])]
    assert recording.attributes("invoke_node Ask")["pocketflow.node.class"] == f"{Ask.__module__}.Ask"


# The way through the graph.


class Counting(pocketflow.Node):
    def __init__(self, *actions: Any, max_retries: int = 1) -> None:
        super().__init__(max_retries)
        self.actions = iter(actions)

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> Any:
        return next(self.actions)


def test_visits_are_numbered_and_tell_what_came_before() -> None:
    loop, end = Counting("again", "again", "stop"), Ask()
    loop - "again" >> loop
    loop - "stop" >> end
    with traced() as recording:
        Chat(loop).run({})
    seen = [
        [(span.attributes or {}).get(key) for key in ("pocketflow.node.visit", "graph.node.parent_id")]
        for span in recording.spans[1:]
    ]
    assert seen == [[1, None], [2, "Counting"], [3, "Counting"], [1, "Counting"]]
    assert recording.attributes("invoke_workflow Chat")["pocketflow.flow.visits"] == 4


def test_visits_are_counted_anew_in_each_run() -> None:
    chat = Chat(Ask())
    with traced() as recording:
        chat.run({})
        chat.run({})
    assert [(span.attributes or {})["pocketflow.node.visit"] for span in recording.named("invoke_node Ask")] == [1, 1]


def routing(action: Any, *routed: str, to_none: bool = False) -> dict[str, Any]:
    start = Counting(action)
    for each in routed:
        start.next(None if to_none else Ask(), each)
    with traced() as recording:
        if to_none or (routed and (action or "default") not in routed):
            with pytest.warns(UserWarning, match="Flow ends"):
                Chat(start).run({})
        else:
            Chat(start).run({})
    attributes = recording.attributes("invoke_node Counting")
    keys = ("pocketflow.action", "pocketflow.node.next", "pocketflow.action.unrouted")
    return {key.removeprefix("pocketflow."): attributes[key] for key in keys if key in attributes}


@pytest.mark.parametrize("action", [None, "", False, 0])
def test_an_action_that_is_nothing_is_the_default(action: Any) -> None:
    assert routing(action, "default") == {"action": "default", "node.next": "Ask"}


def test_an_action_leads_to_the_node_routed_for_it() -> None:
    assert routing("left", "right", "left") == {"action": "left", "node.next": "Ask#2"}


def test_an_action_nobody_routes_is_told() -> None:
    assert routing("typo", "right") == {"action": "typo", "action.unrouted": True}
    assert routing(None, "right") == {"action": "default", "action.unrouted": True}


def test_the_end_of_a_flow_is_no_action_unrouted() -> None:
    assert routing("anything") == {"action": "anything"}


def test_an_action_that_is_routed_to_the_end_is_routed() -> None:
    assert routing("stop", "stop", to_none=True) == {"action": "stop"}


def test_an_inner_action_that_the_outer_flow_does_not_route_is_told() -> None:
    inner = pocketflow.Flow(Counting("done"))
    inner.name = "inner"
    inner >> Ask()
    with traced() as recording, pytest.warns(UserWarning, match="Flow ends: 'done'"):
        Chat(inner).run({})
    attributes = recording.attributes("invoke_workflow inner")
    assert attributes["pocketflow.action"] == "done"
    assert attributes["pocketflow.action.unrouted"] is True


# Batches whose size is not known.


def test_the_size_of_a_batch_is_never_found_by_consuming_it() -> None:
    taken: list[int] = []

    class Streaming(pocketflow.BatchNode):
        def prep(self, shared: Any) -> Iterator[int]:
            return (taken.append(number) or number for number in range(3))

        def exec(self, item: int) -> int:
            assert taken == list(range(item + 1))
            return item

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["result"] = exec_res

    store: dict[str, Any] = {}
    with traced() as recording:
        Streaming().run(store)
    assert store == {"result": [0, 1, 2]}
    assert recording.attributes("invoke_node Streaming")["pocketflow.batch.size"] == 3


# Ways to run.


def test_a_flow_whose_nodes_are_run_without_it() -> None:
    class Untouched(pocketflow.Flow):
        def prep(self, shared: Any) -> None:
            raise AssertionError("not called")

    with traced() as recording:
        assert Untouched(Ask())._orch({}) == "answered"
    assert recording.names == [("invoke_workflow Untouched", ["invoke_node Ask"])]
    assert recording.attributes("invoke_workflow Untouched")["pocketflow.flow.visits"] == 1


def test_a_node_that_runs_itself() -> None:
    class Again(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            if not self.params:
                self.set_params({"depth": 1})
                self.run({})

    with traced() as recording:
        Again().run({})
        Again(max_retries=2).run({})
    assert recording.names == [
        ("invoke_node Again", ["invoke_node Again"]),
        ("invoke_node Again", [("attempt", [("invoke_node Again", ["attempt"])])]),
    ]


def test_store_and_prepared_value_may_be_given_by_name() -> None:
    with traced() as recording:
        Chat(Ask()).run(shared={})
        Ask()._run(shared={})
    names = [span.name for span in recording.spans]
    assert names == ["invoke_workflow Chat", "invoke_node Ask", "invoke_node Ask"]
    assert [(span.attributes or {})["pocketflow.store.added"] for span in recording.spans] == [("answer",)] * 3
