"""What spans tell of the store: of functions exactly, for nothing but what they give is written there."""

from typing import Any

import pytest

from instrumentation.recording import traced
from pocketflow_otel.runtime.running.steps import Step
from runtime.running.running import call, python, ran
from runtime.running.things import Gate

WHAT = ("added", "modified", "removed", "keys", "attribution")


@pytest.fixture(autouse=True)
def gate():
    Gate.close()


def told(nodes: dict[str, Any], **more: Any) -> dict[str, list[dict[str, Any]]]:
    """What the spans of nodes tell of the store, by the nodes' names, with the shapes of values."""
    with traced() as recording:
        ran(nodes, **more)
        spans: dict[str, list[dict[str, Any]]] = {}
        for span in sorted(recording.spans, key=lambda span: span.start_time):
            store = {
                name.removeprefix("pocketflow.store."): value
                for name, value in span.attributes.items()
                if name.startswith("pocketflow.store.")
            }
            spans.setdefault(span.name.split()[-1], []).append(store)
    return spans


def test_functions_side_by_side_are_each_told_what_they_wrote_and_nothing_else():
    nodes = {f"n{i}": call("write_and_wait", number=i, others=4) for i in range(4)}
    spans = told(nodes, limits={"parallel": 4})
    for i in range(4):
        (store,) = spans[f"n{i}"]
        assert store["added"] == (f"n{i}",)
        assert store[f"shape.n{i}"] == "int"
        assert "attribution" not in store


def test_a_class_that_is_at_work_while_a_function_writes_may_not_have_done_what_it_is_told_to():
    nodes = {
        "slow": {"type": "runtime.running.things:WaitsAtItsEnd"},
        "writes": call("wait_until_reached"),
        "opens": call("open_gate", needs=["writes"]),
    }
    spans = told(nodes, limits={"parallel": 2})
    assert spans["slow"][0]["attribution"] == "shared"
    assert [(spans[name][0]["added"], "attribution" in spans[name][0]) for name in ("writes", "opens")] == [
        (("writes",), False),
        (("opens",), False),
    ]


LOOP = {
    "nodes": {
        "count": {"type": "set", "with": {"compute": {"n": "default(count.n, 0) + 1", "one": "1"}}},
        "list": python("return [1] * n", n="${count.n}"),
        "same": python("return 'same'"),
        "more": {"type": "condition", "with": {"cases": [{"when": "count.n < 4", "action": "again"}]}},
        "fails": python("raise ValueError('no')", on_error="instead"),
        "instead": python("return 5"),
        "class": {"type": "runtime.running.things:Sizes", "reads": {"texts": "${list}"}},
    },
    "edges": [
        {"from": "count", "to": "list"},
        {"from": "list", "to": "same"},
        {"from": "same", "to": "more"},
        {"from": "more", "action": "again", "to": "count"},
        {"from": "more", "to": "fails"},
        {"from": "instead", "to": "class"},
        {"from": "class", "to": "end"},
    ],
    "limits": {"visits": 100},
}
DATA = {
    "nodes": {
        "a": python("return {'x': 1}"),
        "b": python("return 2", needs=["a"]),
        "each": {"type": "map", "with": {"over": [1, 2], "do": {"x": python("return b * i", i="${item}", b="${b}")}}},
        # One after the other, for the number of keys is told as well.
        "bad": python("raise ValueError('no')", on_error="continue", fallback=[1], needs=["each"]),
        "text": {"type": "template", "with": {"text": "${a.x} ${bad}"}},
        "class": {"type": "runtime.running.things:Summarize", "reads": {"text": "text"}, "needs": ["text"]},
    },
    "limits": {"parallel": 1},
}


@pytest.mark.parametrize("document", [LOOP, DATA], ids=["by action", "by data"])
def test_what_is_told_is_what_would_be_found(document, monkeypatch):
    exactly = told(**document)
    begin = Step.__init__

    def finds(step, *arguments, **named):
        begin(step, *arguments, **named)
        step.store_changes = None

    monkeypatch.setattr(Step, "__init__", finds)
    assert told(**document) == exactly
    assert any(store.get("modified") for stores in exactly.values() for store in stores) == (document is LOOP)
