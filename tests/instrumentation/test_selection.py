"""``include``, ``exclude`` and ``detailed``: which flows and nodes are traced, and how closely."""

from typing import Any

import pocketflow
import pytest

from instrumentation.recording import Recording, traced


class Search(pocketflow.Node):
    def exec(self, prep_res: Any) -> str:
        print("searching")
        return "found"

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        shared["result"] = exec_res
        shared["deep"]["er"].append(1)


class Answer(pocketflow.Node):
    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        shared["answer"] = 42


class Research(pocketflow.Flow): ...


class Chat(pocketflow.Flow): ...


def chat() -> pocketflow.Flow:
    """Chat: Research (Search, then Search#2 named "verify"), then Answer."""
    search, verify = Search(), Search()
    verify.name = "verify"
    search >> verify
    research = Research(search)
    research >> Answer()
    return Chat(research)


RESEARCH = ("invoke_workflow Research", ["invoke_node Search", "invoke_node verify"])
EVERYTHING = [("invoke_workflow Chat", [RESEARCH, "invoke_node Answer"])]


def chatted(**options: Any) -> Recording:
    store: dict[str, Any] = {"deep": {"er": []}}
    with traced(**options) as recording:
        chat().run(store)
    assert store == {"deep": {"er": [1, 1]}, "result": "found", "answer": 42}
    return recording


CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "nothing said": ({}, EVERYTHING),
    "exclude a node": (
        {"exclude": ["Answer"]},
        [("invoke_workflow Chat", [RESEARCH])],
    ),
    "exclude by class name": (
        {"exclude": ["Search"]},
        [("invoke_workflow Chat", ["invoke_workflow Research", "invoke_node Answer"])],
    ),
    "exclude by instance name": (
        {"exclude": ["ver*"]},
        [("invoke_workflow Chat", [("invoke_workflow Research", ["invoke_node Search"]), "invoke_node Answer"])],
    ),
    "exclude a flow with all inside": ({"exclude": ["Res?arch"]}, [("invoke_workflow Chat", ["invoke_node Answer"])]),
    "exclude the outermost flow": ({"exclude": ["Chat"]}, []),
    "exclude everything": ({"exclude": ["*"]}, []),
    "exclude matches whole names": ({"exclude": ["Sear", "nswer", "answer"]}, EVERYTHING),
    "include a node": ({"include": ["Answer"]}, [("invoke_workflow Chat", ["invoke_node Answer"])]),
    "include a node in a flow": ({"include": ["verify"]}, [("invoke_workflow Chat", ["invoke_node verify"])]),
    "include a flow": ({"include": ["Research"]}, [("invoke_workflow Chat", ["invoke_workflow Research"])]),
    "include several": (
        {"include": ["Research", "[SA]*"]},
        EVERYTHING,
    ),
    "include nothing there is": ({"include": ["Nothing"]}, ["invoke_workflow Chat"]),
    "exclude goes before include": (
        {"include": ["Research", "Search"], "exclude": ["verify"]},
        [("invoke_workflow Chat", [("invoke_workflow Research", ["invoke_node Search"])])],
    ),
    "detailed is traced though not included": (
        {"include": ["Answer"], "detailed": ["verify"]},
        [("invoke_workflow Chat", ["invoke_node verify", "invoke_node Answer"])],
    ),
    "exclude goes before detailed": (
        {"exclude": ["Answer"], "detailed": ["Answer"]},
        [("invoke_workflow Chat", [RESEARCH])],
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_traced(choice: str) -> None:
    options, expected = CHOICES[choice]
    assert chatted(**options).names == expected


def test_a_node_by_itself_is_traced_if_it_is_asked_for() -> None:
    for options, expected in (
        ({"include": ["Other"]}, []),
        ({"include": ["Quiet"]}, ["invoke_node Quiet"]),
        ({"exclude": ["Quiet"]}, []),
    ):

        class Quiet(pocketflow.Node): ...

        with traced(**options) as recording:
            Quiet().run({})
        assert recording.names == expected


def test_items_and_tries_go_with_their_node() -> None:
    class Batch(pocketflow.BatchNode):
        def prep(self, shared: Any) -> list[int]:
            return [1, 2]

    with traced(exclude=["Batch"]) as recording:
        pocketflow.Flow(Batch(max_retries=2)).run({})
    assert recording.names == ["invoke_workflow Flow"]
    with traced(include=["Batch"]) as recording:
        pocketflow.Flow(Batch(max_retries=2)).run({})
    item = ("item", ["attempt"])
    assert recording.names == [("invoke_workflow Flow", [("invoke_node Batch", [item, item])])]


async def test_rounds_go_with_their_flow() -> None:
    class Each(pocketflow.AsyncParallelBatchFlow):
        async def prep_async(self, shared: Any) -> list[dict[str, Any]]:
            return [{"n": 1}, {"n": 2}]

    store: dict[str, Any] = {}
    with traced(include=["Answer"]) as recording:
        await pocketflow.AsyncFlow(Each(Answer())).run_async(store)
    assert recording.names == [("invoke_workflow AsyncFlow", ["invoke_node Answer", "invoke_node Answer"])]


class Raising(pocketflow.Node):
    def exec(self, prep_res: Any) -> None:
        raise ValueError("no")


@pytest.mark.parametrize("options", [{"exclude": ["Raising"]}, {"include": ["Nothing"]}])
def test_an_error_of_what_is_left_out_is_told_by_the_flow(options: dict[str, Any]) -> None:
    with traced(**options) as recording, pytest.raises(ValueError):
        Chat(Research(Raising())).run({})
    flow = recording.spans[-1]
    assert (flow.attributes or {})["error.type"] == "ValueError"
    assert [event.name for event in flow.events] == ["exception"]


def test_what_is_left_out_prints_to_nobody() -> None:
    with traced(exclude=["Search"], capture_output=True) as recording:
        pocketflow.Flow(Search()).run({"deep": {"er": []}})
    assert [key for key in recording.attributes("invoke_workflow Flow") if "stdout" in key] == []


def test_no_metrics_of_what_is_left_out() -> None:
    recording = chatted(exclude=["Answer"])
    points = recording.metrics["pocketflow.node.duration"].data.data_points
    assert sorted({point.attributes["gen_ai.node.name"] for point in points}) == ["Search", "verify"]


def test_detailed_records_content_and_deep_changes_of_what_it_names() -> None:
    recording = chatted(detailed=["verify"])
    search, verify = recording.attributes("invoke_node Search"), recording.attributes("invoke_node verify")
    assert "pocketflow.store.modified" not in search
    assert [key for key in search if key.startswith(("input", "output", "pocketflow.store.value"))] == []
    assert "pocketflow.stdout" not in search
    assert verify["pocketflow.store.modified"] == ("deep",)
    assert verify["pocketflow.store.value.deep"] == '{"er":[1,1]}'
    assert verify["pocketflow.stdout"] == "searching\n"
    assert verify["output.value"] == '"found"'


def test_detailed_goes_where_the_standard_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "EVENT_ONLY")
    recording = chatted(detailed=["verify"], capture_values=False, capture_io=False, capture_output=False)
    assert "output.value" in recording.attributes("invoke_node verify")
    assert "output.value" not in recording.attributes("invoke_node Search")
    recording = chatted(detailed=["verify"])
    assert "output.value" not in recording.attributes("invoke_node verify")
    assert len(recording.logs) > 0
