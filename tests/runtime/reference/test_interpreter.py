"""The reference interpreter itself, on documents whose outcome can be told by reading them."""

from typing import Any

from hypothesis import HealthCheck, given, settings

from runtime.reference.documents import documents
from runtime.reference.drawing_nodes import HERE
from runtime.reference.interpreter import Reference
from runtime.reference.model import Workflow
from runtime.reference.nodes_for_documents import digit


def work(name: str, value: Any = None, **rest: Any) -> dict[str, Any]:
    given = {"name": name, "value": value} | {key: rest.pop(key) for key in ("fails", "seen", "actions") if key in rest}
    return {"type": f"{HERE}:work", "with": given, **rest}


def undo(name: str, **given: Any) -> dict[str, Any]:
    return {
        "type": f"{HERE}:take_back",
        "with": {"name": name, "gave": "${output.value}", "because": "${error.node}", **given},
    }


def ran(nodes: dict[str, Any], stops_at_once: bool = True, **rest: Any) -> Reference:
    return Reference(Workflow({"workflow": "w", "nodes": nodes, **rest}), stops_at_once=stops_at_once)


def order(reference: Reference) -> list[str]:
    return [visit.identity[0] for visit in reference.visits]


def statuses(reference: Reference) -> dict[str, str]:
    return {entry.node: entry.status for entry in reference.entries}


def taken_back(reference: Reference) -> list[tuple[str, str]]:
    return [(each.node, each.because) for each in reference.undone]


def test_a_node_runs_after_what_it_refers_to_wherever_it_stands_in_the_document():
    reference = ran({"b": work("b", "${a.value}"), "a": work("a", 1)}, outputs={"b": "${b.value}"})
    assert order(reference) == ["a", "b"]
    assert reference.outputs == {"b": digit("b", digit("a", 1))}
    assert reference.status == "succeeded"


def test_ready_nodes_run_by_priority_then_as_they_stand():
    assert order(ran({"a": work("a"), "b": work("b", priority=1), "c": work("c")})) == ["b", "a", "c"]


def test_skipping_goes_on_to_what_needs_the_skipped_but_not_to_what_can_do_without():
    nodes = {
        "a": work("a", when="inputs.no == 1"),
        "b": work("b", "${a.value}"),
        "c": work("c", "${a.value ?? 5}"),
        "d": work("d", needs=["a", "c"], join="any"),
        "e": work("e", needs=["a", "b"], join="first"),
    }
    reference = ran(nodes, inputs={"no": {"default": 0}})
    assert statuses(reference) == {
        "a": "skipped",
        "b": "skipped",
        "c": "succeeded",
        "d": "succeeded",
        "e": "skipped",
    }
    assert next(entry.output for entry in reference.entries if entry.node == "c")["value"] == digit("c", 5)


def test_a_failing_run_takes_back_what_was_done_the_latest_first():
    nodes = {
        "a": work("a", 1, undo="ua"),
        "b": work("b", 2, undo="ub", needs=["a"]),
        "c": work("c", needs=["b"], fails=1),
        "ua": undo("ua"),
        "ub": undo("ub", fails=1),
    }
    reference = ran(nodes)
    assert reference.status == "failed"
    assert (reference.stop.node, reference.stop.type) == ("c", "PlannedFailure")
    assert [(each.node, each.gave, each.succeeds) for each in reference.undone] == [
        ("ub", digit("b", 2), False),
        ("ua", digit("a", 1), True),
    ]


def test_a_retry_makes_up_for_failures_and_is_counted():
    reference = ran({"a": work("a", fails=2, retry={"tries": 3})})
    assert reference.visits[0].calls == 3
    assert reference.status == "succeeded"
    assert ran({"a": work("a", fails=2, retry={"tries": 3, "on": ["KeyError"]})}).visits[0].calls == 1


def test_a_handler_stands_for_the_node_that_failed():
    nodes = {"a": work("a", fails=1, on_error="h"), "h": work("h", "${error.type}"), "b": work("b", "${a.value}")}
    reference = ran(nodes, outputs={"a": "${a.value}"})
    assert reference.outputs == {"a": digit("h", "PlannedFailure")}
    assert statuses(reference) == {"a": "degraded", "h": "succeeded", "b": "succeeded"}
    assert reference.status == "degraded"


def test_a_loop_ends_by_its_action_or_by_its_cap():
    edges = [{"from": "a", "action": "again", "to": "a"}, {"from": "a", "action": "done", "to": "end"}]
    again = {"actions": ["again", "again", "done"], "seen": "${a.seen ?? 0}"}
    assert order(ran({"a": work("a", **again, visits=5)}, edges=edges)) == ["a", "a", "a"]
    capped = ran({"a": work("a", **again, visits=2, undo="u"), "u": undo("u")}, edges=edges)
    assert (capped.status, len(capped.visits), len(capped.undone)) == ("limit", 2, 2)


def test_an_action_without_an_edge_fails_its_node():
    reference = ran({"a": work("a", actions=["left"]), "b": work("b")}, edges=[{"from": "a", "to": "b"}])
    assert (reference.status, reference.stop.type) == ("failed", "UnroutedAction")


def test_a_template_chooses_the_action_of_a_node_that_chooses_none():
    nodes = {"a": work("a", 3, action="to_${output.seen}"), "b": work("b"), "c": work("c")}
    edges = [{"from": "a", "action": "to_0", "to": "b"}, {"from": "a", "action": "to_1", "to": "c"}]
    assert order(ran(nodes, edges=edges)) == ["a", "c"]


def test_a_class_reads_and_writes_keys_of_the_store():
    spec = {"type": f"{HERE}:Adds", "with": {"name": "a"}, "reads": {"number": "n"}, "writes": {"total": "sum"}}
    reference = ran({"a": spec}, inputs={"n": {"default": 4}}, outputs={"a": "${a.total}", "sum": "${store.sum}"})
    assert reference.outputs == {"a": digit("a", 4), "sum": digit("a", 4)}
    assert reference.top.store == {"n": 4, "sum": digit("a", 4)}


def test_an_item_that_fails_leaves_null_or_ends_its_map_which_takes_back_the_others():
    inner = work("x", "${item}", fails="${item}", undo="ux")
    inner["with"]["at"] = ["${item}"]
    config = {
        "over": [0, 1],
        "as": "item",
        "parallel": 1,
        "on_error": "stop",
        "do": {"x": inner, "ux": undo("ux")},
        "output": "${x.value}",
    }
    going_on = ran({"m": {"type": "map", "with": {**config, "on_error": "continue"}}})
    assert going_on.outputs == {"m": [digit("x", 0), None]}
    assert (going_on.status, going_on.undone) == ("degraded", [])
    stopping = ran({"m": {"type": "map", "with": config}})
    assert (stopping.status, [each.node for each in stopping.undone]) == ("failed", ["ux"])


def test_what_was_done_in_a_node_is_taken_back_after_it_the_latest_first():
    inside = {"b": work("b", undo="ub"), "c": work("c", needs=["b"], undo="uc"), "ub": undo("ub"), "uc": undo("uc")}
    nodes = {
        "a": work("a", undo="ua"),
        "g": {"type": "parallel", "with": {"do": inside, "output": "${c}"}, "needs": ["a"], "undo": "ug"},
        "last": work("last", needs=["g"], fails=1),
        "ua": undo("ua"),
        "ug": undo("ug"),
    }
    assert taken_back(ran(nodes)) == [("ug", "last"), ("uc", "last"), ("ub", "last"), ("ua", "last")]


def test_what_fails_takes_back_what_was_done_in_it_each_time_that_it_is_tried():
    inside = {"b": work("b", undo="ub"), "c": work("c", needs=["b"], fails=1), "ub": undo("ub")}
    reference = ran({"g": {"type": "workflow", "with": {"do": inside}, "retry": {"tries": 2}, "on_error": "continue"}})
    assert order(reference) == ["b", "c", "b", "c"]
    assert taken_back(reference) == [("ub", "g.c"), ("ub", "g.c")]
    assert reference.status == "degraded"


def test_an_undo_node_that_holds_nodes_goes_on_until_one_fails():
    steps = {"u2": undo("u2", fails=1) | {"needs": ["u1"]}, "u1": undo("u1")}
    nodes = {
        "a": work("a", undo="u"),
        "b": work("b", needs=["a"], fails=1),
        "u": {"type": "parallel", "with": {"do": steps}},
    }
    assert [(each.node, each.succeeds) for each in ran(nodes).undone] == [("u1", True), ("u2", False)]


def test_a_document_sees_its_inputs_alone_and_gives_its_outputs():
    inner = {
        "inputs": {"number": {"type": "integer", "default": 3}, "word": {"type": "any"}},
        "nodes": {"x": work("x", ["${inputs.number}", "${inputs.word}", "${store.other ?? 0}"])},
        "outputs": {"x": "${x.value}"},
    }
    given = {"path": "a/inner.json", "inputs": {"word": "${inputs.other}"}}
    document = {
        "inputs": {"other": {"default": "o"}},
        "nodes": {"d": {"type": "workflow", "with": given}},
        "outputs": {"d": "${d}"},
    }
    reference = Reference(Workflow(document, {"a/inner.json": inner}), stops_at_once=True)
    assert reference.outputs == {"d": {"x": digit("x", [3, "o", 0])}}
    assert reference.visits[0].identity == ("x", ("d",), 1)


def test_a_document_names_others_from_its_own_folder_and_keeps_its_own_limit():
    deepest = {
        "nodes": {"x": work("x", undo="ux"), "y": work("y", needs=["x"]), "ux": undo("ux")},
        "limits": {"visits": 1},
    }
    middle = {"nodes": {"m": {"type": "workflow", "with": {"path": "../b/deepest.json", "inputs": {}}}}}
    document = {
        "nodes": {"d": {"type": "workflow", "with": {"path": "a/middle.json", "inputs": {}}, "on_error": "continue"}}
    }
    workflow = Workflow(document, {"a/middle.json": middle, "b/deepest.json": deepest})
    reference = Reference(workflow, stops_at_once=True)
    assert (reference.status, reference.stop.node) == ("limit", "d.m.y")
    assert taken_back(reference) == [("ux", "d.m.y")]


def test_an_input_of_another_type_fails_the_node_that_names_the_document():
    inner = {"inputs": {"number": {"type": "integer"}}, "nodes": {"x": work("x")}}
    document = {"nodes": {"d": {"type": "workflow", "with": {"path": "i.json", "inputs": {"number": "${run.id}"}}}}}
    reference = Reference(Workflow(document, {"i.json": inner}), stops_at_once=True)
    assert (reference.stop.node, reference.stop.type) == ("d", "InvalidInputs")


def test_what_takes_too_long_is_tried_again_and_fails_at_last():
    hangs = work("a", timeout=1, retry={"tries": 2, "on": ["TimeoutError"]})
    hangs["with"] |= {"hangs": True, "fails": 1}
    assert ran({"a": hangs}).status == "succeeded"
    hangs["with"]["fails"] = 2
    reference = ran({"a": hangs})
    assert (reference.visits[0].calls, reference.stop.type) == (2, "NodeTimeout")


def test_a_node_that_takes_too_long_ends_what_it_holds_whatever_is_said_there_of_failures():
    hangs = work("h", on_error="continue")
    hangs["with"] |= {"hangs": True, "fails": 9}
    inner = {
        "type": "workflow",
        "with": {"do": {"b": work("b", undo="u"), "h": hangs | {"needs": ["b"]}, "u": undo("u")}},
    }
    outer = {"type": "parallel", "timeout": 1, "on_error": "continue", "fallback": 0, "with": {"do": {"i": inner}}}
    reference = ran({"o": outer}, outputs={"o": "${o}"})
    assert (reference.status, reference.outputs) == ("degraded", {"o": 0})
    assert taken_back(reference) == [("u", "o")]


def test_a_node_whose_action_is_missing_fails_and_gives_nothing():
    nodes = {"a": {"type": "set", "with": {"values": {"key": 1}}, "action": "${inputs.none}", "on_error": "h"}}
    nodes["h"] = work("h", "${a ?? 5}")
    reference = ran(nodes, edges=[{"from": "a", "to": "end"}])
    assert statuses(reference) == {"a": "degraded", "h": "succeeded"}
    assert reference.top.store == {"h": reference.top.outputs["h"]}
    assert reference.top.outputs["h"]["value"] == digit("h", 5)


def test_what_another_order_might_leave_out_is_not_certain():
    nodes = {"a": work("a", fails=1), "b": work("b"), "c": work("c", "${a.value}")}
    reference = ran(nodes, stops_at_once=False)
    assert [(entry.node, entry.certain) for entry in reference.entries] == [("a", False), ("b", False)]
    assert order(ran(nodes)) == ["a"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents())
def test_both_ways_to_run_agree_where_nothing_fails_for_good(workflow: Workflow):
    one, other = (Reference(workflow, stops_at_once=stops) for stops in (True, False))
    assert (one.stop is None) == (other.stop is None)
    if one.stop is None:
        assert one.outputs == other.outputs
        assert one.status == other.status
