"""What becomes of nodes: tries, time, errors, classes, values between them."""

import threading

import pytest

from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.runtime.telling import sentences
from runtime.running.running import call, document, python, ran, statuses
from runtime.running.things import Gate, Large


def let_through() -> None:
    """Opens the gate, and waits for those that were given up before it."""
    Gate.opened.set()
    for thread in threading.enumerate():
        if thread.name == "pocketflow-try":
            thread.join(10)


@pytest.fixture(autouse=True)
def gate():
    Gate.close()
    yield
    let_through()


def test_an_error_inside_a_map_tells_the_item():
    told = []
    body = {"divide": python("return 1 / n", n="${item}")}

    result = ran(
        {"each": {"type": "map", "with": {"over": [2, 1, 0], "do": body}}},
        on_event=lambda event: told.append(event.as_json()),
    )

    assert (result.error.node, result.error.at) == ("each.divide", (2,))
    assert [sentence.partition(" after ")[2].partition(": ")[2] for sentence in sentences(result, None, "f.yaml")] == [
        "each.divide[2]: ZeroDivisionError: division by zero"
    ]
    failed = next(event for event in told if event.get("status") == "failed")
    assert failed["error"] == {
        "node": "each.divide",
        "type": "ZeroDivisionError",
        "message": "division by zero",
        "at": [2],
    }


def test_where_a_run_of_several_lines_is_kept_stands_on_a_line_of_its_own():
    result = ran({"a": python("raise ValueError('here:\\n  ^')")})

    _, *more = sentences(result, "kept", "f.yaml")

    assert more == ["see kept"]


def test_nodes_that_never_ran_are_named_at_the_end():
    nodes = {"a": python("return 1"), "b": python("return 2", when="a == 2"), "c": python("return 3", needs=["b"])}
    assert "skipped: b, c" in list(sentences(ran(nodes), None, "f.yaml"))
    again = {"a": python("return 1"), "b": python("return 2", when="a == 1")}
    assert len(list(sentences(ran(again), None, "f.yaml"))) == 1


def test_a_node_that_fails_is_tried_again_and_all_it_printed_is_kept():
    result = ran({"a": call("fail", times=2, retry={"tries": 3})})
    (record,) = result.nodes
    assert (result.status, record.attempts, record.stdout) == ("succeeded", 3, "try 1\ntry 2\ntry 3\n")
    assert result.summary.retries == 2


def test_waits_grow_by_the_factor_up_to_the_longest():
    waits = []
    retry = {"tries": 5, "wait": 0.001, "backoff": 10, "max_wait": 0.02}
    ran(
        {"a": call("fail", times=4, retry=retry)},
        on_event=lambda event: waits.append(event.data["wait_seconds"]) if event.kind == "node.tried" else None,
    )
    assert waits == pytest.approx([0.001, 0.01, 0.02, 0.02])


def test_only_errors_that_are_named_are_tried_again():
    assert ran({"a": call("fail", times=1, retry={"tries": 2, "on": ["KeyError"]})}).status == "failed"
    assert ran({"a": call("fail", times=1, retry={"tries": 2, "on": ["Exception"]})}).status == "succeeded"


def test_what_a_failed_node_printed_and_raised_is_in_the_result():
    result = ran({"a": call("fail", text="the disk is on fire"), "b": python("return 1", needs=["a"])})
    (record,) = result.nodes
    assert (result.status, result.exit_code, record.stdout) == ("failed", 1, "try 1\n")
    assert (result.error.node, result.error.type, result.error.message) == ("a", "ValueError", "the disk is on fire")


def test_a_fallback_is_degraded_and_not_success():
    result = ran({"a": call("fail", on_error="continue", fallback={"n": 0}), "b": python("return n", n="${a.n}")})
    assert (result.status, result.exit_code, result.outputs) == ("degraded", 3, {"b": 0})
    assert statuses(result) == {"a": "degraded", "b": "succeeded"}
    assert result.nodes[0].error.message == "no"


def test_a_handler_sees_the_error_and_its_output_stands_for_the_nodes():
    told = "return error['node'] + ': ' + error['message']"
    result = ran(
        {
            "a": call("fail", text="gone", on_error="rescue"),
            "rescue": python(told, error="${error}"),
            "b": {"type": "template", "with": {"text": "${a}!"}},
        }
    )
    assert (result.status, result.outputs["b"]) == ("degraded", "a: gone!")
    assert {record.node: (record.status, record.role) for record in result.nodes}["rescue"] == ("succeeded", "handler")


def test_a_try_that_takes_too_long_fails_and_its_thread_is_told_of():
    result = ran({"a": call("wait_at_gate", timeout=0.05)})
    assert (result.status, result.error.type) == ("failed", "NodeTimeout")
    assert result.error.message == "a took longer than 0.05 s"
    assert result.summary.abandoned_threads == 1


def test_a_coroutine_that_takes_too_long_is_cancelled():
    result = ran({"a": call("sleep_long", timeout=0.05)})
    assert (result.status, Gate.told, result.summary.abandoned_threads) == ("failed", ["cancelled"], 0)


def test_a_class_that_takes_too_long_writes_nothing_any_more():
    result = ran({"a": {"type": "runtime.running.things:Slow", "timeout": 0.05}})
    let_through()
    assert result.status == "failed"
    assert "too" not in result.store


def test_time_holds_for_nodes_that_hold_others():
    each = {"type": "map", "with": {"over": [1, 2], "do": {"a": call("sleep_long")}}, "timeout": 0.05}
    result = ran({"each": each})
    assert (result.status, Gate.told) == ("failed", ["cancelled"])
    assert "each took longer than 0.05 s" in result.error.message


@pytest.mark.parametrize("parallel", [1, 4])
def test_classes_run_unchanged_on_keys_of_the_documents_choice(parallel):
    text = "the quick brown fox jumps"
    result = ran(
        {
            "short": {
                "type": "runtime.running.things:Summarize",
                "with": {"words": 2},
                "reads": {"text": "article"},
                "writes": {"summary": "brief", "lengths": "sizes"},
            },
            "loud": {
                "type": "runtime.running.things:SummarizeAsync",
                "reads": {"text": "${short.summary}"},
                "writes": {"summary": "loud_brief"},
            },
            "told": {"type": "template", "with": {"text": "${loud.summary} ${store.sizes[0]}"}},
        },
        given={"article": text},
        limits={"parallel": parallel},
    )
    assert result.outputs == {"told": f"THE QUICK {len(text)}"}
    kept = {key: value for key, value in result.store.items() if key not in ("_run", "told")}
    assert kept == {"article": text, "brief": "the quick", "sizes": [len(text)], "loud_brief": "THE QUICK"}


def test_a_class_that_deletes_what_it_was_given_leaves_the_store_as_it_is():
    deletes = {"type": "runtime.running.endings:Deletes", "reads": {"lang": "${inputs.lang}"}}
    result = ran({"a": deletes}, given={"lang": "en"})
    assert (result.status, result.store["lang"]) == ("succeeded", "en")


def test_the_action_of_a_class_leads_on():
    result = ran(
        {
            "text": {"type": "set", "with": {"values": {"text": "a b c d e f g h i j k l"}}},
            "sum": {"type": "runtime.running.things:Summarize"},
            "short": python("return 'short'"),
            "long": python("return 'long'"),
        },
        edges=[
            {"from": "text", "to": "sum"},
            {"from": "sum", "action": "short", "to": "short"},
            {"from": "sum", "action": "long", "to": "long"},
        ],
    )
    assert result.outputs["long"] == "long"
    assert "short" not in statuses(result)


def test_a_flow_of_a_program_is_a_node_like_any_other():
    result = ran(
        {"flow": {"type": "runtime.running.things:make_flow"}},
        given={"text": "one two three four five six", "texts": ["a", "bb"]},
    )
    assert result.status == "succeeded"
    assert (result.store["summary"], result.store["sizes"]) == ("one two three", [1, 2])


def test_what_a_node_does_to_a_value_changes_nothing_for_others():
    result = ran(
        {
            "first": python("return [1]"),
            "one": call("append", values="${first}"),
            "two": call("append", values="${first}"),
            "all": python("return [a, b, c]", a="${first}", b="${one}", c="${two}"),
        }
    )
    assert result.outputs["all"] == [[1], [1, 99], [1, 99]]


def test_what_a_node_does_to_what_the_document_gives_it_changes_nothing_for_other_visits():
    plan = prepare(load(document({"a": call("append", values=[1])})))
    assert [collect(execute(plan)).outputs["a"] for _ in range(2)] == [[1, 99], [1, 99]]


def test_an_output_is_dropped_once_nothing_can_use_it():
    result = ran(
        {
            "large": call("make_large"),
            "while": call("count_alive", large="${large}"),
            "after": call("count_alive", needs=["while"]),
        },
        outputs={"counts": ["${while}", "${after}"]},
    )
    assert result.outputs == {"counts": [1, 0]}
    assert "large" not in result.store
    assert not list(Large.alive)


def test_an_output_that_an_undo_node_may_need_stays():
    nodes = {
        "large": call("make_large", undo="forget"),
        "forget": call("count_alive", large="${output}"),
        "while": call("count_alive", large="${large}"),
        "fail": call("fail", needs=["while"]),
    }
    result = ran(nodes)
    assert [record.output for record in result.undone] == [1]
