"""The chart of what ran; that Mermaid draws it is tested with the backends."""

import json
import re
from typing import Any

import pytest

from pocketflow_otel import semconv
from pocketflow_otel.traces.formats import mermaid
from pocketflow_otel.traces.formats.flowchart import Arrow, Box, chart
from pocketflow_otel.traces.model import Span, Status, StatusCode, Trace
from traces.formats.trees import span, trace

MS = 1_000_000
ERROR = Status(StatusCode.ERROR, "no")


def flow(number: int, start: int, end: int | None, name: str, parent: int | None = None, **told: Any) -> Span:
    attributes = {semconv.OPERATION_NAME: semconv.SPAN_FLOW, semconv.WORKFLOW_NAME: name, **told}
    return span(number, start, end, parent, attributes=attributes)


def node(
    number: int, start: int, end: int | None, parent: int, name: str, before: str | None = None, **told: Any
) -> Span:
    status = told.pop("status", Status())
    attributes = {semconv.OPERATION_NAME: semconv.SPAN_NODE, semconv.GRAPH_NODE_ID: name, **told}
    if before is not None:
        attributes[semconv.GRAPH_NODE_PARENT_ID] = before
    return span(number, start, end, parent, attributes=attributes, status=status)


def did(action: str, **told: Any) -> dict[str, Any]:
    return {semconv.ACTION: action, **told}


def only_flow(one: Trace) -> Box:
    (box,) = chart(one).outermost.inside.values()
    return box


def names(box: Box) -> dict[str, int]:
    """The boxes inside, and how often each was visited."""
    return {inner.name: inner.visits for inner in box.inside.values()}


def test_visits_and_the_actions_between_them_are_counted():
    box = only_flow(
        trace(
            flow(1, 0, 90, "Agent"),
            node(2, 0, 9, 1, "Decide", **did("search")),
            node(3, 10, 19, 1, "Search", "Decide", **did("default")),
            node(4, 20, 29, 1, "Decide", "Search", **did("search")),
            node(5, 30, 39, 1, "Search", "Decide", **did("default")),
            node(6, 40, 49, 1, "Decide", "Search", **did("answer")),
        )
    )
    assert names(box) == {"Decide": 3, "Search": 2}
    assert box.taken == {
        Arrow(None, "", "Decide"): 1,
        Arrow("Decide", "search", "Search"): 2,
        Arrow("Search", "default", "Decide"): 2,
        Arrow("Decide", "answer", None): 1,
    }


def test_action_that_leads_nowhere_is_told():
    box = only_flow(trace(flow(1, 0, 9, "F"), node(2, 0, 5, 1, "A", **did("odd", **{semconv.ACTION_UNROUTED: True}))))
    assert box.unrouted == {Arrow("A", "odd", None)}
    assert '|"odd<br/>leads nowhere"|' in mermaid.render(
        trace(flow(1, 0, 9, "F"), node(2, 0, 5, 1, "A", **did("odd", **{semconv.ACTION_UNROUTED: True})))
    )


def test_node_that_raised_or_has_not_ended_leads_nowhere_further():
    for ending in ({"status": ERROR, "end": 5}, {"end": None}):
        last = node(2, 0, ending.pop("end"), 1, "A", **ending)
        assert only_flow(trace(flow(1, 0, 9, "F"), last)).taken == {Arrow(None, "", "A"): 1}


def test_rounds_of_a_batch_flow_are_runs_of_it():
    rounds = [
        span(10 + index, index * 10, index * 10 + 9, 1, "iteration", attributes={semconv.BATCH_INDEX: index})
        for index in range(2)
    ]
    visits = [node(20 + index, index * 10, index * 10 + 5, 10 + index, "A", **did("default")) for index in range(2)]
    box = only_flow(trace(flow(1, 0, 90, "Each"), *rounds, *visits))
    assert names(box) == {"A": 2}
    assert box.taken == {Arrow(None, "", "A"): 2, Arrow("A", "default", None): 2}


def test_nested_flow_is_a_box_with_boxes_inside_and_a_node_of_its_flow():
    inner = node(2, 0, 50, 1, "Inner", **did("done", **{semconv.OPERATION_NAME: semconv.SPAN_FLOW}))
    box = only_flow(
        trace(flow(1, 0, 90, "Outer"), inner, node(3, 0, 9, 2, "A", **did("done")), node(4, 60, 80, 1, "B", "Inner"))
    )
    assert names(box) == {"Inner": 1, "B": 1}
    assert names(box.inside["Inner"]) == {"A": 1}
    assert Arrow("Inner", "done", "B") in box.taken


def test_figures_of_all_visits_are_added_up():
    spent = {
        semconv.USAGE_CALLS: 1,
        semconv.USAGE_TOTAL_TOKENS: 700,
        semconv.USAGE_COST: 0.01,
        semconv.USAGE_UNPRICED_CALLS: 1,
    }
    one = trace(
        flow(1, 0, 900 * MS, "F"),
        node(2, 0, 100 * MS, 1, "A", **spent, **{semconv.ATTEMPTS: 3}),
        node(3, 200 * MS, 450 * MS, 1, "A", "A", **spent, status=ERROR),
        span(4, 200 * MS, 300 * MS, 3, "item", attributes={semconv.BATCH_INDEX: 0, semconv.ATTEMPTS: 2}),
    )
    box = only_flow(one).inside["A"]
    assert (box.visits, box.errors, box.retries, box.duration_ns) == (2, 1, 3, 350 * MS)
    assert (box.tokens, box.cost_usd, box.unpriced_calls) == (1400, 0.02, 2)
    assert '["A<br/>2 times · 350ms<br/>1,400 tok · $0.02 + ? cost<br/>3 retries · 1 error"]' in mermaid.render(one)


GRAPH = {
    "nodes": [{"id": "A"}, {"id": "B"}, {"id": "Sub", "flow": {"nodes": [{"id": "Deep"}], "edges": []}}],
    "edges": [
        {"from": "A", "action": "b", "to": "B"},
        {"from": "A", "action": "sub", "to": "Sub"},
        {"from": "B", "action": "end", "to": None},
    ],
}


def test_what_the_graph_has_and_nothing_took_is_dotted():
    text = mermaid.render(
        trace(
            flow(1, 0, 9, "F", **{semconv.FLOW_GRAPH: json.dumps(GRAPH)}),
            node(2, 0, 2, 1, "A", **did("b")),
            node(3, 3, 4, 1, "B", "A", **did("end")),
        )
    )
    assert re.findall(r"^  (n\w+) (-->|-\.->)(?:\|\"(.*)\"\|)? (n\w+)$", text, re.MULTILINE) == [
        ("n1_begin", "-->", "", "n2"),
        ("n2", "-->", "b", "n3"),
        ("n3", "-->", "end", "n1_end"),
        ("n2", "-.->", "sub", "n4"),
    ]
    assert 'n4[["Sub<br/>not visited"]]' in text
    assert "Deep" not in text


@pytest.mark.parametrize("told", ["{", "[]", '{"nodes": [{}]}', '{"nodes": 7}', 7, '{"edges": [{"from": "A"}]}'])
def test_graph_that_cannot_be_read_costs_no_chart(told):
    one = trace(flow(1, 0, 9, "F", **{semconv.FLOW_GRAPH: told}), node(2, 0, 2, 1, "A"))
    assert names(only_flow(one)) == {"A": 1}


def test_spans_of_other_tools_are_boxes_by_name_with_arrows_to_what_they_called():
    one = trace(
        span(1, 0, 90, name="POST /jobs"),
        *(span(2 + index, index, index + 1, 1, "SELECT") for index in range(3)),
        flow(8, 50, 60, "Job", 1),
        node(9, 50, 60, 8, "Work"),
    )
    drawn = chart(one)
    assert names(drawn.outermost) == {"POST /jobs": 1, "SELECT": 3, "Job": 1}
    assert [(caller.name, called.name, times) for (caller, called), times in drawn.calls.items()] == [
        ("POST /jobs", "SELECT", 3),
        ("POST /jobs", "Job", 1),
    ]


def test_what_a_node_does_inside_is_not_drawn_but_flows_that_it_runs_are():
    one = trace(
        flow(1, 0, 90, "F"),
        node(2, 0, 50, 1, "A"),
        span(3, 0, 9, 2, "chat"),
        flow(4, 1, 8, "Inside", 3),
        node(5, 1, 7, 4, "B"),
    )
    assert names(only_flow(one)) == {"A": 1, "Inside": 1}
    assert re.search(r'n2 -->\|"runs"\| n3', mermaid.render(one))


def test_spans_in_a_circle_are_drawn():
    assert names(chart(trace(span(1, 0, 9, 2, "a"), span(2, 0, 9, 1, "b"), span(3, 0, 9, 3, "c"))).outermost) == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


def test_unfinished_boxes_are_marked():
    text = mermaid.render(trace(flow(1, 0, None, "F"), node(2, 0, 8 * MS, 1, "A")))
    assert 'subgraph n1["F<br/>8.0ms<br/>1 unfinished"]' in text
    assert "class n1 unfinished" in text


def test_long_charts_are_told_of():
    assert list(mermaid.limits_passed("flowchart TD\n  n1 --> n2\n")) == []
    arrows = "".join(f"  n{index} --> n{index}\n" for index in range(mermaid.MOST_EDGES + 1))
    assert [message.rpartition(" ")[2] for message in mermaid.limits_passed(arrows)] == ["maxEdges"]
    assert [message.rpartition(" ")[2] for message in mermaid.limits_passed("x" * 60_000)] == ["maxTextSize"]


def test_half_of_a_surrogate_pair_is_replaced():
    assert "\ufffd" in mermaid.render(trace(span(1, 0, 9, name="\ud800"))).encode().decode()
