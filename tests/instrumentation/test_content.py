"""Content: what was in the store, in params, in and out of nodes and flows, and printed. Off unless it is asked for."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pocketflow
import pytest

from instrumentation.recording import Recording, traced
from pocketflow_otel.options import CONTENT_ENV

CONTENT_NAMES = ("pocketflow.store.value.", "pocketflow.params", "input.", "output.", "pocketflow.std")
ALL = {"capture_values": True, "capture_io": True, "capture_output": True}


class Ask(pocketflow.Node):
    def prep(self, shared: Any) -> dict[str, Any]:
        return {"question": shared["question"]}

    def exec(self, prep_res: Any) -> list[str]:
        print("thinking\nhard")
        return ["an", "answer"]

    def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
        print("done", file=sys.stderr)
        shared["answer"] = exec_res


def asked(**options: Any) -> Recording:
    flow = pocketflow.Flow(Ask())
    flow.set_params({"user": 1})
    with traced(**options) as recording:
        flow.run({"question": "why?", "_private": 1})
    return recording


def content(recording: Recording, name: str = "invoke_node Ask") -> dict[str, Any]:
    attributes = recording.attributes(name)
    return {key: attributes[key] for key in sorted(attributes) if key.startswith(CONTENT_NAMES)}


COUNTS = {
    "pocketflow.stdout.bytes": 14,
    "pocketflow.stdout.lines": 2,
    "pocketflow.stderr.bytes": 5,
    "pocketflow.stderr.lines": 1,
}
VALUES = {"pocketflow.store.value.answer": '["an","answer"]', "pocketflow.params": '{"user":1}'}
IO = {
    "input.value": '{"question":"why?"}',
    "input.mime_type": "application/json",
    "output.value": '["an","answer"]',
    "output.mime_type": "application/json",
}
OUTPUT = {"pocketflow.stdout": "thinking\nhard\n", "pocketflow.stderr": "done\n"}
FLOW_IO = {
    "input.value": '{"question":"why?"}',
    "input.mime_type": "application/json",
    "output.value": '{"question":"why?","answer":["an","answer"]}',
    "output.mime_type": "application/json",
}


def test_there_is_none_unless_it_is_asked_for() -> None:
    recording = asked()
    assert content(recording) == COUNTS
    assert content(recording, "invoke_workflow Flow") == {}
    assert recording.logs == []


@pytest.mark.parametrize(
    ("option", "expected"), [("capture_values", VALUES), ("capture_io", IO), ("capture_output", OUTPUT)]
)
def test_each_kind_has_its_option(option: str, expected: dict[str, Any]) -> None:
    recording = asked(**{option: True})
    assert content(recording) == {**COUNTS, **expected}
    assert recording.logs == []


def test_the_public_keys_of_the_store_are_a_flows_input_and_output() -> None:
    told = content(asked(capture_io=True), "invoke_workflow Flow")
    assert told == FLOW_IO


MODES: dict[str, tuple[bool, bool]] = {
    "": (False, False),
    "NO_CONTENT": (False, False),
    "false": (False, False),
    "SPAN_ONLY": (True, False),
    "span_only": (True, False),
    "true": (True, False),
    "True": (True, False),
    "EVENT_ONLY": (False, True),
    "SPAN_AND_EVENT": (True, True),
}


@pytest.mark.parametrize("mode", MODES)
def test_the_standard_variable_says_where_content_goes(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv(CONTENT_ENV, mode)
    on_spans, on_events = MODES[mode]
    recording = asked()
    assert content(recording) == ({**COUNTS, **VALUES, **IO, **OUTPUT} if on_spans else COUNTS)
    assert {record.event_name for record in recording.logs} == (
        {"pocketflow.store.change", "pocketflow.node.io", "pocketflow.node.output"} if on_events else set()
    )


def test_records_belong_to_their_spans_and_hold_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTENT_ENV, "EVENT_ONLY")
    recording = asked()
    names = {span.context.span_id: span.name for span in recording.spans}
    told = [
        (names[record.span_id], record.event_name, dict(record.attributes))
        for record in recording.logs
        if record.trace_id == recording.spans[0].context.trace_id
    ]
    node_io = {key: value for key, value in IO.items() if key.endswith(".value")}
    flow_io = {key: value for key, value in FLOW_IO.items() if key.endswith(".value")}
    assert told == [
        ("invoke_node Ask", "pocketflow.store.change", {"pocketflow.store.value.answer": '["an","answer"]'}),
        ("invoke_node Ask", "pocketflow.node.output", {"pocketflow.stdout": "thinking\nhard\n"}),
        ("invoke_node Ask", "pocketflow.node.output", {"pocketflow.stderr": "done\n"}),
        ("invoke_node Ask", "pocketflow.node.io", node_io),
        ("invoke_workflow Flow", "pocketflow.node.io", flow_io),
    ]


def test_an_option_that_says_no_goes_before_the_standard_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTENT_ENV, "SPAN_AND_EVENT")
    recording = asked(capture_values=False, capture_output=False)
    assert content(recording) == {**COUNTS, **IO}
    assert {record.event_name for record in recording.logs} == {"pocketflow.node.io"}


def test_an_option_that_says_yes_follows_the_standard_variable_to_where_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CONTENT_ENV, "EVENT_ONLY")
    recording = asked(capture_values=True, capture_output=False, capture_io=False)
    assert content(recording) == COUNTS
    assert [record.event_name for record in recording.logs] == ["pocketflow.store.change"]


def test_none_is_no_input_and_no_output() -> None:
    class Quiet(pocketflow.Node): ...

    with traced(**ALL) as recording:
        Quiet().run({})
    assert content(recording, "invoke_node Quiet") == {}


def test_params_of_each_round_of_a_batch_flow() -> None:
    class Each(pocketflow.BatchFlow):
        def prep(self, shared: Any) -> list[dict[str, Any]]:
            return [{"file": "a"}, {"file": "b"}]

    class Read(pocketflow.Node): ...

    each = Each(Read())
    each.set_params({"user": 1})
    with traced(capture_values=True) as recording:
        each.run({})
    expected = ['{"user":1,"file":"a"}', '{"user":1,"file":"b"}']
    for name in ("iteration", "invoke_node Read"):
        assert [(span.attributes or {})["pocketflow.params"] for span in recording.named(name)] == expected


def test_a_value_is_told_as_it_was_then() -> None:
    class Append(pocketflow.Node):
        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared.setdefault("list", []).append(len(shared["list"]) if "list" in shared else 0)

    first = Append()
    first >> Append()
    with traced(capture_values=True) as recording:
        pocketflow.Flow(first).run({})
    told = [recording.attributes(f"invoke_node {name}") for name in ("Append", "Append#2")]
    assert [attributes["pocketflow.store.value.list"] for attributes in told] == ["[0]", "[0,1]"]


def test_an_input_that_exec_changes_is_told_as_it_was_before() -> None:
    class Consume(pocketflow.Node):
        def prep(self, shared: Any) -> list[int]:
            return [1, 2]

        def exec(self, prep_res: Any) -> None:
            prep_res.clear()

    with traced(capture_io=True) as recording:
        Consume().run({})
    assert recording.attributes("invoke_node Consume")["input.value"] == "[1,2]"


# Printed text.


def printed_by(node: pocketflow.Node, **options: Any) -> Recording:
    with traced(capture_output=True, **options) as recording:
        pocketflow.Flow(node).run({})
    return recording


@pytest.mark.parametrize("where", ["prep", "post"])
def test_a_text_that_goes_in_is_masked_by_what_the_node_stores(where: str) -> None:
    class Connect(pocketflow.Node):
        def prep(self, shared: Any) -> str:
            if where == "prep":
                shared["password"] = "tr0ub4dor-and-3"
            return "log in with tr0ub4dor-and-3"

        def exec(self, prep_res: Any) -> int:
            return 1

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["password"] = "tr0ub4dor-and-3"

    with traced(**ALL) as recording:
        Connect().run({})
    assert recording.attributes("invoke_node Connect")["input.value"] == '"log in with [redacted]"'


def test_a_text_that_goes_in_is_told_where_exec_fails() -> None:
    class Fails(pocketflow.Node):
        def prep(self, shared: Any) -> str:
            return "seven"

        def exec(self, prep_res: Any) -> int:
            return int(prep_res)

    with traced(**ALL) as recording, pytest.raises(ValueError, match="seven"):
        Fails().run({})
    assert recording.attributes("invoke_node Fails")["input.value"] == '"seven"'


def test_what_is_printed_still_arrives(capsys: pytest.CaptureFixture[str]) -> None:
    asked(capture_output=True)
    asked()
    assert capsys.readouterr() == ("thinking\nhard\n" * 2, "done\n" * 2)


def test_text_belongs_to_the_innermost_node_or_flow() -> None:
    class Inner(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            print("inner", end="")

    class Outer(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            print("before", end="")
            Inner().run({})
            print("after", end="")

    class Around(pocketflow.Flow):
        def prep(self, shared: Any) -> None:
            print("flow", end="")

    with traced(capture_output=True) as recording:
        print("nobody", end="")
        Around(Outer()).run({})
    told = {span.name: (span.attributes or {}).get("pocketflow.stdout") for span in recording.spans}
    assert told == {"invoke_workflow Around": "flow", "invoke_node Outer": "beforeafter", "invoke_node Inner": "inner"}


@pytest.mark.parametrize(
    ("write", "size", "lines"),
    [
        (lambda: print("a\nb"), 4, 2),
        (lambda: print("no end", end=""), 6, 1),
        (lambda: print("é"), 3, 1),
        (lambda: print(end=""), None, None),
        (lambda: sys.stdout.writelines(["a\n", "b\n", "c"]), 5, 3),
        (lambda: [print(word, end=" ") for word in ("one", "line")], 9, 1),
    ],
)
def test_bytes_and_lines_are_counted(write: Callable[[], Any], size: int | None, lines: int | None) -> None:
    class Print(pocketflow.Node):
        def exec(self, prep_res: Any) -> None:
            write()

    attributes = printed_by(Print()).attributes("invoke_node Print")
    assert attributes.get("pocketflow.stdout.bytes") == size
    assert attributes.get("pocketflow.stdout.lines") == lines


# What is too long.


def test_shortened_content_is_valid_json_and_listed() -> None:
    class Long(pocketflow.Node):
        def prep(self, shared: Any) -> str:
            return "p" * 500

        def exec(self, prep_res: Any) -> list[int]:
            print("o" * 500)
            return list(range(500))

        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["long"], shared["short"] = {"key": "v" * 500}, 1

    long = Long()
    long.set_params({"params": "x" * 500})
    with traced(**ALL, max_value_bytes=64) as recording:
        long.run({})
    attributes = recording.attributes("invoke_node Long")
    shortened = {"pocketflow.store.value.long", "input.value", "output.value", "pocketflow.stdout", "pocketflow.params"}
    assert set(attributes["pocketflow.truncated"]) == shortened
    for name in shortened:
        assert len(attributes[name].encode()) <= 64
        if name != "pocketflow.stdout":
            json.loads(attributes[name])
    assert attributes["pocketflow.stdout.bytes"] == 501
    assert attributes["pocketflow.store.value.short"] == "1"


def test_shortened_content_is_listed_when_the_error_message_is_shortened_too() -> None:
    class Long(pocketflow.Node):
        def post(self, shared: Any, prep_res: Any, exec_res: Any) -> None:
            shared["long"] = "v" * 500
            raise ValueError("m" * 5000)

    with traced(capture_values=True, max_value_bytes=64) as recording, pytest.raises(ValueError):
        Long().run({})
    assert set(recording.attributes("invoke_node Long")["pocketflow.truncated"]) == {
        "pocketflow.store.value.long",
        "exception.message",
    }


def test_what_fits_is_not_listed() -> None:
    assert "pocketflow.truncated" not in asked(**ALL).attributes("invoke_node Ask")
