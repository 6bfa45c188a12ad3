"""Every line tells where it belongs, also where several things run at once."""
# ruff: noqa: RUF001 - the signs are the console's

from pocketflow_otel import semconv as s
from pocketflow_otel.options import Verbosity


def test_branches_of_a_parallel_batch_flow_show_their_index(show):
    shown = show()
    p = shown.program
    flow = p.flow("Translate")
    iterations = [p.iteration(flow, index) for index in range(3)]
    loads = [p.node("Load", iteration) for iteration in iterations]
    p.end(loads[1], 12, {s.STORE_ADDED: ["text"]})
    ask = p.node("Ask", iterations[1])
    p.end(loads[0], 3)
    nested = p.flow("Refine", iterations[0], {s.NODE_VISIT: 1})
    rounds = [p.iteration(nested, index) for index in range(2)]
    drafts = [p.node("Draft", round_) for round_ in rounds]
    p.end(loads[2], 1)
    p.end(drafts[1], 4)
    p.end(ask, 5, {s.ACTION: "done"})
    p.end(drafts[0], 1)
    for span in (*rounds, nested, *iterations, flow):
        p.end(span)
    assert (
        shown.lines
        == """
        ▶ Translate
          ▶ Translate [0]
          ▶ Translate [1]
          ▶ Translate [2]
            ▶ Load [0]
            ▶ Load [1]
            ▶ Load [2]
   12ms     ✔ Load [1]                +text
            ▶ Ask [1]
   15ms     ✔ Load [0]
            ▶ Refine [0]
              ▶ Refine [0.0]
              ▶ Refine [0.1]
                ▶ Draft [0.0]
                ▶ Draft [0.1]
   16ms     ✔ Translate › Load [2]
  5.0ms         ✔ Refine › Draft [0.1]
   13ms     ✔ Translate › Ask [1] → done
   11ms         ✔ Refine › Draft [0.0]
   11ms     ✔ Refine [0]              2 iterations
   26ms ✔ Translate                   3 iterations
"""
    )


def test_the_same_nested_flow_in_two_branches_is_told_apart_by_the_index_alone(show):
    shown = show()
    p = shown.program
    flow = p.flow("Translate")
    nested = [p.flow("Refine", p.iteration(flow, index), {s.NODE_VISIT: 1}) for index in range(2)]
    nodes = [p.node("Draft", span) for span in nested]
    p.end(nodes[0], 1)
    p.end(nodes[1], 1)
    p.end(nested[0], 1)
    assert shown.text.splitlines()[2:] == [
        "            ▶ Refine [0]",
        "          ▶ Translate › Translate [1]",
        "            ▶ Refine [1]",
        "              ▶ Draft [0]",
        "              ▶ Draft [1]",
        "  1.0ms       ✔ Draft [0]",
        "  2.0ms       ✔ Draft [1]",
        "  3.0ms     ✔ Refine [0]",
    ]


def test_flows_in_threads_are_told_apart_by_run_and_by_name(show):
    shown = show()
    p = shown.program
    first = p.flow("Chat")
    one = p.node("Ask", first)
    second = p.flow("Chat")
    two = p.node("Ask", second)
    watch = p.flow("Watch")
    p.end(one, 10)
    p.end(p.node("Answer", first), 10)
    p.end(two, 10)
    p.end(watch, 10)
    p.end(second)
    p.end(first)
    assert (
        shown.lines
        == """
        ▶ Chat
          ▶ Ask
        ▶ Chat #2
          ▶ Ask
        ▶ Watch
   10ms   ✔ Chat › Ask
          ▶ Answer
   10ms   ✔ Answer
   30ms   ✔ Chat #2 › Ask
   40ms ✔ Watch
   40ms ✔ Chat #2
   40ms ✔ Chat
"""
    )


def test_attempts_items_and_others_spans_tell_their_flow(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    flow = p.flow("Agent")
    node = p.node("Ask", flow)
    item = p.item(node, 1)
    attempt = p.attempt(item, 2)
    request = p.other("POST", attempt)
    p.flow("Watch")
    p.end(request, 1)
    p.flow("Watch")
    p.end(attempt, 1)
    p.flow("Watch")
    p.end(item, 1)
    assert (
        shown.lines
        == """
        ▶ Agent
          ▶ Ask
        ▶ Watch
  1.0ms     · Agent › POST [1]
        ▶ Watch #2
  2.0ms     ✔ Agent › Ask [1]         attempt 2
        ▶ Watch #3
  3.0ms     ✔ Agent › Ask [1]
"""
    )


def test_a_second_visit_of_a_nested_flow_is_named_as_such(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    inner = p.flow("Research", flow, {s.NODE_VISIT: 2})
    node = p.node("Search", inner)
    p.end(p.node("Log", flow), 1)
    p.end(node, 1)
    assert shown.text.splitlines()[1:] == [
        "          ▶ Research #2",
        "            ▶ Search",
        "          ▶ Agent › Log",
        "  1.0ms   ✔ Log",
        "  2.0ms     ✔ Research #2 › Search",
    ]


def test_the_same_nested_flow_in_two_runs_is_told_apart_by_the_run(show):
    shown = show()
    p = shown.program
    runs = [p.flow("Chat") for _ in range(2)]
    nested = [p.flow("Refine", run, {s.NODE_VISIT: 1}) for run in runs]
    nodes = [p.node("Draft", flow) for flow in nested]
    p.end(nodes[0], 1)
    p.end(nodes[1], 1)
    assert shown.text.splitlines() == [
        "        ▶ Chat",
        "        ▶ Chat #2",
        "          ▶ Chat › Refine",
        "          ▶ Chat #2 › Refine",
        "            ▶ Chat › Refine › Draft",
        "            ▶ Chat #2 › Refine › Draft",
        "  1.0ms     ✔ Chat › Refine › Draft",
        "  2.0ms     ✔ Chat #2 › Refine › Draft",
    ]
