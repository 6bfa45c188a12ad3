"""Hostile conditions and references, wherever a document can hold them: none touches what nodes gave, or gets out."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from pocketflow_otel.runtime import InvalidDocument, Plan, Result, collect, execute, load, prepare
from runtime.expressions.test_hostile import CONDITIONS, DATA, SECRET, TEMPLATES, seen_events, touched, watched

HERE = "runtime.hostile.nodes"
PRODUCERS: dict[str, dict[str, Any]] = {
    "thing": {"type": f"{HERE}:thing"},
    "self": {"type": f"{HERE}:sentinel"},
    "type": {"type": f"{HERE}:sentinel_class"},
}
INPUTS: dict[str, Any] = {name: {} for name in DATA["inputs"]}
LONG = 2000

Place = Callable[[str, int], dict[str, Any]]


def _map(**config: Any) -> dict[str, Any]:
    return {"type": "map", "with": {"over": [1], "do": {"inner": {"type": "template", "with": {"text": "x"}}}} | config}


CONDITION_PLACES: dict[str, Place] = {
    "when": lambda text, _: {"type": f"{HERE}:give", "when": text},
    "cases": lambda text, _: {
        "type": "condition",
        "with": {"cases": [{"when": text, "action": "a"}], "otherwise": "b"},
    },
    "compute": lambda text, number: {"type": "set", "with": {"compute": {f"key{number}": text}}},
}
TEMPLATE_PLACES: dict[str, Place] = {
    "with": lambda text, _: {"type": f"{HERE}:give", "with": {"value": text}},
    "text": lambda text, _: {"type": "template", "with": {"text": text}},
    "action": lambda text, _: {"type": f"{HERE}:give", "action": text},
    "over": lambda text, _: _map(over=text),
    "map output": lambda text, _: _map(output=text),
}


def document(texts: list[str], place: Place) -> dict[str, Any]:
    """A document whose nodes hold a text each; where one fails, the others go on."""
    nodes = {f"x{number}": {**place(text, number), "on_error": "continue"} for number, text in enumerate(texts)}
    return {"workflow": "hostile", "inputs": INPUTS, "nodes": PRODUCERS | nodes, "outputs": {"ok": True}}


def prepared(hostile: dict[str, Any]) -> Plan:
    return prepare(load(hostile), DATA["inputs"])


def refused_in(part: str, invalid: InvalidDocument) -> set[str]:
    """The names in a part of a document that faults speak of; all faults do."""
    paths = [fault.path.split(".") for fault in invalid.faults]
    assert {path[0] for path in paths} <= {part, "…"}  # which says how many more there are
    return {path[1] for path in paths if path[0] == part}


def without_refused(hostile: dict[str, Any]) -> dict[str, Any]:
    """The document without the nodes that are refused before anything runs."""
    try:
        prepared(hostile)
    except InvalidDocument as invalid:
        refused = refused_in("nodes", invalid)
        assert refused.isdisjoint(PRODUCERS)
        nodes = {name: node for name, node in hostile["nodes"].items() if name not in refused}
        return without_refused(hostile | {"nodes": nodes})
    return hostile


def run(hostile: dict[str, Any]) -> Result:
    plan = prepared(hostile)
    collect(execute(plan))  # what is imported late is there now
    with watched():
        result = collect(execute(plan))
    assert touched == []
    assert seen_events == []
    return result


def check(result: Result) -> None:
    assert result.status in {"succeeded", "degraded"}
    hostile = [record for record in result.nodes if record.node not in PRODUCERS]
    assert max(record.cpu_seconds for record in hostile) < 1
    messages = [record.error.message for record in hostile if record.error]
    assert max(map(len, messages), default=0) < 5000
    assert not any(SECRET in message for message in messages)


@pytest.mark.parametrize(
    ("place", "texts"),
    [
        *(pytest.param(place, CONDITIONS, id=name) for name, place in CONDITION_PLACES.items()),
        *(pytest.param(place, TEMPLATES, id=name) for name, place in TEMPLATE_PLACES.items()),
    ],
)
def test_none_touches_what_nodes_gave(place, texts):
    hostile = without_refused(document([text for text in texts if len(text) < LONG], place))
    assert len(hostile["nodes"]) > 300
    check(run(hostile))


@pytest.mark.parametrize("text", [text for text in [*CONDITIONS, *TEMPLATES] if len(text) >= LONG], ids=len)
def test_long_ones_are_refused_or_harmless_in_bounded_memory(text):
    place = CONDITION_PLACES["when"] if text in CONDITIONS else TEMPLATE_PLACES["text"]
    told = ""
    tracemalloc.start()
    try:
        try:
            check(collect(execute(prepared(document([text], place)))))
        except InvalidDocument as invalid:
            told = str(invalid)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(told) < 20_000
    assert peak < 10 * len(text) + 50_000_000


def test_outputs_of_a_run_touch_nothing_either():
    texts = [text for text in dict.fromkeys(TEMPLATES) if len(text) < LONG]
    hostile = {"workflow": "hostile", "inputs": INPUTS, "nodes": PRODUCERS}
    results = []
    for start in range(0, len(texts), 10):
        # What has no value ends its run, so those that have one are told by a default.
        outputs = {f"o{number}": text for number, text in enumerate(texts[start : start + 10])}
        results += [run(each) for each in refused_outputs_left_out(hostile | {"outputs": outputs})]
    assert {result.status for result in results} == {"succeeded", "failed"}
    for result in results:
        assert result.error is None or SECRET not in result.error.message


def refused_outputs_left_out(hostile: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        prepared(hostile)
    except InvalidDocument as invalid:
        refused = refused_in("outputs", invalid)
        outputs = {name: text for name, text in hostile["outputs"].items() if name not in refused}
        return refused_outputs_left_out(hostile | {"outputs": outputs}) if outputs else []
    return [hostile]


def test_objects_go_from_node_to_node_and_into_results_untouched(traced):
    nodes = PRODUCERS | {
        "many": {"type": f"{HERE}:sentinels"},
        "again": {"type": f"{HERE}:give", "with": {"value": ["${self}", "${thing.dict}", "${many}"]}},
        "each": _map(over="${many}", do={"one": {"type": f"{HERE}:give", "with": {"value": "${item}"}}}),
        "there": {"type": f"{HERE}:give", "when": "exists(self) and exists(thing.object)"},
    }
    plan = prepare(
        load({"workflow": "hostile", "nodes": nodes, "outputs": {"all": ["${again}", "${each}", "${self}"]}})
    )
    touched.clear()
    with traced():
        result = collect(execute(plan))
        assert result.status == "succeeded"
        assert result.outputs["all"][2] is DATA["self"]
    assert touched == []


@pytest.mark.parametrize("name", ["__class__", "__dict__", "_run_", "__init__", "items", "get", "mro"])
def test_names_that_objects_have_are_names_like_others(name):
    nodes = {
        name: {"type": f"{HERE}:give", "with": {"value": f"${{inputs.of{name}}}"}},
        "last": {"type": "template", "with": {"text": f"${{{name}}} ${{store.{name}}}"}},
    }
    inputs = {f"of{name}": {"type": "text"}}
    result = collect(
        execute(prepare(load({"workflow": "names", "inputs": inputs, "nodes": nodes}), {f"of{name}": "v"}))
    )
    assert (result.status, result.outputs) == ("succeeded", {"last": "v v"})


@pytest.mark.parametrize("names", [("a", "a"), ("_run", "a"), ("a", "_run")], ids=" ".join)
def test_no_node_or_input_takes_the_place_of_another_or_of_what_is_told_of_the_run(names):
    an_input, a_node = names
    nodes = {a_node: {"type": f"{HERE}:give"}}
    with pytest.raises(InvalidDocument, match=r"keys? of the store|tells of the run"):
        prepare(load({"workflow": "x", "inputs": {an_input: {}}, "nodes": nodes}), {an_input: 1})


def test_keys_of_outputs_may_be_anything():
    value = {"__class__": {"__globals__": 1}, "": 2, "a.b[0]": 3, "${x}": 4, "\0": 5}
    nodes = {
        "a": {"type": f"{HERE}:give", "with": {"value": "${inputs.value}"}},
        "b": {"type": f"{HERE}:give", "with": {"value": ["${a.__class__.__globals__}", '${a["a.b[0]"]}']}},
    }
    document = {"workflow": "x", "inputs": {"value": {}}, "nodes": nodes, "outputs": {"a": "${a}", "b": "${b}"}}
    result = collect(execute(prepare(load(document), {"value": value})))
    assert result.outputs == {"a": value, "b": [1, 3]}
