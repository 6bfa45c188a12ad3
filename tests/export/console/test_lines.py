"""What the lines say, as whole outputs, at each verbosity."""

import pytest

from pocketflow_otel import semconv as s
from pocketflow_otel.options import Verbosity


def research_agent(p):
    flow = p.flow("Agent")
    node = p.node("GetQuestion", flow)
    p.end(node, 0.3, {s.STORE_ADDED: ["question"], s.PARAMS: '{"user": "ada"}', s.POST_SECONDS: 0.0002})
    node = p.node("Decide", flow)
    call = p.chat(node, "gpt-4o")
    p.end(call, 820)
    changes = {
        s.STORE_ADDED: ["query"],
        s.STORE_MODIFIED: ["context"],
        s.STORE_SHAPE_PREFIX + "query": "str[7]",
        s.STORE_VALUE_PREFIX + "query": '"Big Ben"',
    }
    p.end(node, 12, {s.ACTION: "search", s.NODE_NEXT: "Research", s.EXEC_SECONDS: 0.83, **changes})
    research = p.flow("Research", flow, {s.NODE_VISIT: 1, s.NODE_KIND: "flow"})
    node = p.node("Search", research, attributes={s.MAX_RETRIES: 3})
    attempt = p.attempt(node, 1)
    p.fail(p.other("GET", attempt), TimeoutError("read"), 1000)
    p.fail(attempt, TimeoutError("no answer within 1 s"))
    p.after(500)
    attempt = p.attempt(node, 2, {s.ATTEMPT_WAIT_SECONDS: 0.5})
    p.end(p.other("GET", attempt), 700)
    p.end(attempt)
    printed = {s.STDOUT: "searching\n12 results\n", s.STDOUT + s.BYTES_SUFFIX: 21, s.STDOUT + s.LINES_SUFFIX: 2}
    p.end(node, 0, {s.ATTEMPTS: 2, s.STORE_ADDED: ["results"], s.STORE_REMOVED: ["query"], **printed})
    node = p.node("Read", research, attributes={s.NODE_KIND: "batch"})
    for index in range(3):
        p.end(p.item(node, index), 300)
    p.end(node, 0, {s.BATCH_SIZE: 3, s.STORE_MODIFIED: ["context"]})
    p.end(research, 0, {s.FLOW_VISITS: 2, s.ACTION: "decide", s.STORE_ADDED: ["results"]})
    node = p.node("Decide", flow, visit=2)
    p.end(node, 640, {s.ACTION: "answer"})
    p.end(p.node("Answer", flow), 61_000, {s.ACTION: "default", s.ACTION_UNROUTED: True})
    p.end(flow, 0, {s.FLOW_VISITS: 5, s.ACTION: "default", s.STORE_ADDED: ["question", "results"]})


MINIMAL = """
        ▶ Agent
  1m06s ✔ Agent                       5 visits  +question +results

  total ✔ 1 flow, 7 node visits in 1m06s  no errors  1 retry
slowest   Answer 1m01s, Search 2.20s, Decide 1.47s (2 visits)
"""

NORMAL = """
        ▶ Agent
          ▶ GetQuestion
 0.30ms   ✔ GetQuestion               +question
          ▶ Decide
  832ms   ✔ Decide → search           +query ~context
          ▶ Research
            ▶ Search
  1.00s       ↻ Search                attempt 1 of 3  TimeoutError: no answer within 1 s
  2.20s     ✔ Search                  2 attempts  +results -query  stdout 2 lines, 21 B
            ▶ Read
  900ms     ✔ Read                    3 items  ~context
  3.10s   ✔ Research → decide         2 visits  +results
          ▶ Decide #2
  640ms   ✔ Decide #2 → answer
          ▶ Answer
  1m01s   ✔ Answer
  1m06s ✔ Agent                       5 visits  +question +results

  total ✔ 1 flow, 7 node visits in 1m06s  no errors  1 retry
slowest   Answer 1m01s, Search 2.20s, Decide 1.47s (2 visits)
"""

VERBOSE = """
        ▶ Agent
          ▶ GetQuestion
 0.30ms   ✔ GetQuestion               post 0.20ms
 params     {"user": "ada"}
            + question
          ▶ Decide
  820ms     · chat gpt-4o
  832ms   ✔ Decide → search           exec 830ms
            + query  str[7]  "Big Ben"
            ~ context
          ▶ Research
            ▶ Search
  1.00s       · GET  TimeoutError
  1.00s       ↻ Search                attempt 1 of 3  TimeoutError: no answer within 1 s
  700ms       · GET
  700ms       ✔ Search                attempt 2 of 3, after a wait of 500ms
  2.20s     ✔ Search                  2 attempts  stdout 2 lines, 21 B
              + results
              - query
 stdout       │ searching
              │ 12 results
            ▶ Read
  300ms       ✔ Read [0]
  300ms       ✔ Read [1]
  300ms       ✔ Read [2]
  900ms     ✔ Read                    3 items
              ~ context
  3.10s   ✔ Research → decide         2 visits  +results
          ▶ Decide #2
  640ms   ✔ Decide #2 → answer
          ▶ Answer
  1m01s   ✔ Answer
  1m06s ✔ Agent                       5 visits  +question +results

  total ✔ 1 flow, 7 node visits in 1m06s  no errors  1 retry
slowest   Answer 1m01s, Search 2.20s, Decide 1.47s (2 visits)
"""


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(Verbosity.MINIMAL, MINIMAL), (Verbosity.NORMAL, NORMAL), (Verbosity.VERBOSE, VERBOSE)],
)
def test_a_whole_program(show, verbosity, expected):
    shown = show(verbosity)
    research_agent(shown.program)
    shown.console.shutdown()
    assert shown.lines == expected


def test_an_action_that_leads_nowhere_is_pointed_out(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    p.end(p.node("Answer", flow), 10, {s.ACTION: "done", s.ACTION_UNROUTED: True, s.STORE_ADDED: ["answer"]})
    p.end(p.flow("Inner", flow, {s.NODE_VISIT: 1}), 5, {s.ACTION: "done", s.ACTION_UNROUTED: True})
    p.end(flow, 0, {s.ACTION: "done"})
    assert (
        shown.lines
        == """
        ▶ Agent
          ▶ Answer
   10ms   ! Answer → done, but no node follows: the flow ended here  +answer
          ▶ Inner
  5.0ms   ! Inner → done, but no node follows: the flow ended here
   15ms ✔ Agent → done
"""
    )


def test_only_the_first_changed_keys_are_named(show):
    shown = show()
    p = shown.program
    node = p.node("Load")
    p.end(node, 1, {s.STORE_ADDED: list("abcdefgh"), s.STORE_MODIFIED: ["z"], s.STORE_OMITTED: 1200})
    assert shown.text.splitlines()[1] == "  1.0ms ✔ Load                        +a +b +c +d +e +f and 1,203 more"


def test_verbose_gives_each_key_a_line_up_to_a_bound(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    p.end(p.node("Load"), 1, {s.STORE_ADDED: [f"k{n:02}" for n in range(34)], s.STORE_ATTRIBUTION: "shared"})
    lines = shown.text.splitlines()
    assert lines[1:3] == ["  1.0ms ✔ Load", "          + k00"]
    assert lines[33:] == [
        "          + k31",
        "          and 2 more",
        "          perhaps by another node that ran at the same time",
    ]


def test_printed_text_is_bounded_and_shows_what_a_progress_bar_came_to(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    text = "10%\r50%\r100%\n\tdone\n\n" + "\n".join(f"line {n}" for n in range(20))
    p.end(p.node("Work"), 1, {s.STDOUT: text, s.STDERR: "\x1b[31mwarned\x1b[0m\n"})
    lines = shown.text.splitlines()
    assert lines[2:5] == [" stdout   │ 100%", "          │     done", "          │"]
    assert lines[21:] == ["          │ line 16", "          … 3 more lines", " stderr   │ warned"]


def test_batch_flow_iterations_show_where_they_begin_and_their_params_once(show):
    def program(p):
        flow = p.flow("Grades", attributes={s.NODE_KIND: "batch_flow"})
        for index in range(2):
            iteration = p.iteration(flow, index)
            iteration.set_attribute(s.PARAMS, f'{{"row": {index}}}')
            p.end(p.node("Grade", iteration), 10, {s.PARAMS: f'{{"row": {index}}}'})
            p.end(iteration)
        p.end(flow)

    normal = show()
    program(normal.program)
    assert (
        normal.lines
        == """
        ▶ Grades
          ▶ Grades [0]
            ▶ Grade [0]
   10ms     ✔ Grade [0]
          ▶ Grades [1]
            ▶ Grade [1]
   10ms     ✔ Grade [1]
   20ms ✔ Grades                      2 iterations
"""
    )
    verbose = show(Verbosity.VERBOSE)
    program(verbose.program)
    assert (
        verbose.lines
        == """
        ▶ Grades
          ▶ Grades [0]
 params     {"row": 0}
            ▶ Grade [0]
   10ms     ✔ Grade [0]
   10ms   ✔ Grades [0]
          ▶ Grades [1]
 params     {"row": 1}
            ▶ Grade [1]
   10ms     ✔ Grade [1]
   10ms   ✔ Grades [1]
   20ms ✔ Grades                      2 iterations
"""
    )


def test_an_index_that_is_only_known_later_is_counted(show):
    shown = show()
    p = shown.program
    flow = p.flow("Grades")
    for _ in range(2):
        p.start(s.SPAN_ITERATION, flow, {}, p._tracer)
    assert shown.text.splitlines()[1:] == ["          ▶ Grades [0]", "          ▶ Grades [1]"]


def test_params_of_an_iteration_in_which_nothing_starts(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    p.end(p.iteration(p.flow("Grades"), 0, {s.PARAMS: "{}"}), 10)
    assert shown.text.splitlines()[1:] == [
        "          ▶ Grades [0]",
        "   10ms   ✔ Grades [0]",
        " params     {}",
    ]


def test_visits_in_an_iteration_are_counted_in_that_one(show):
    shown = show()
    p = shown.program
    flow = p.flow("Grades")
    visits = iter(range(1, 9))
    for index in range(2):
        iteration = p.iteration(flow, index)
        for _ in range(2):
            p.end(p.node("Grade", iteration, next(visits)), 10)
        p.end(p.flow("Send", iteration, {s.NODE_VISIT: index + 1}), 1, {s.NODE_VISIT: index + 1})
    assert [line for line in shown.text.splitlines() if "✔" in line] == [
        "   10ms     ✔ Grade [0]",
        "   10ms     ✔ Grade [0] #2",
        "  1.0ms     ✔ Send [0]",
        "   10ms     ✔ Grade [1]",
        "   10ms     ✔ Grade [1] #2",
        "  1.0ms     ✔ Send [1]",
    ]


def test_items_of_unknown_number_are_counted(show):
    shown = show()
    p = shown.program
    node = p.node("Read")
    p.end(p.item(node, 0), 5)
    p.end(node)
    assert shown.text.splitlines()[1] == "  5.0ms ✔ Read                        1 item"


def test_a_flow_run_inside_a_node_stands_below_the_node(show):
    shown = show()
    p = shown.program
    outer = p.flow("Outer")
    node = p.node("Delegate", outer)
    request = p.other("POST", node)
    inner = p.flow("Inner", request)
    p.end(p.node("Work", inner), 10)
    for span in (inner, request, node, outer):
        p.end(span)
    assert (
        shown.lines
        == """
        ▶ Outer
          ▶ Delegate
            ▶ Inner
              ▶ Work
   10ms       ✔ Work
   10ms     ✔ Inner
   10ms   ✔ Delegate
   10ms ✔ Outer
"""
    )


def test_a_node_without_a_flow(show):
    shown = show()
    p = shown.program
    p.end(p.node("Alone"), 10)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ Alone
   10ms ✔ Alone

  total ✔ 1 node visit in 10ms  no errors
"""
    )


def test_spans_of_others_outside_of_flows(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    server = p.other("GET /ask")
    flow = p.flow("Agent", server)
    p.end(flow, 10)
    p.end(server)
    shown.console.shutdown()
    assert shown.text.splitlines()[:3] == ["        ▶ Agent", "   10ms ✔ Agent", "   10ms · GET /ask"]


def test_a_console_added_while_a_flow_runs_shows_what_ends(show):
    shown = show()
    p = shown.program
    late = show()
    flow = p.flow("Agent")
    node = p.node("Ask", flow, visit=3)
    p.provider.add_span_processor(late.console)
    p.end(node, 10)
    p.end(flow)
    late.console.shutdown()
    assert (
        late.lines
        == """
   10ms ✔ Ask #3
   10ms ✔ Agent

  total ✔ 1 flow, 1 node visit in 10ms  no errors
"""
    )


def test_deep_nesting_stops_indenting(show):
    shown = show()
    p = shown.program
    flow = None
    for depth in range(40):
        flow = p.flow(f"F{depth}", flow)
    assert shown.text.splitlines()[-1] == " " * 48 + "▶ F39"


def test_a_visit_that_is_only_known_at_the_end(show):
    shown = show()
    p = shown.program
    node = p.start(f"{s.SPAN_NODE} Ask", None, {s.NODE_NAME: "Ask"}, p._tracer)
    p.end(node, 10, {s.NODE_VISIT: 4})
    assert shown.text.splitlines() == ["        ▶ Ask", "   10ms ✔ Ask #4"]


def test_spans_of_others_that_look_like_ours_are_others(show):
    shown = show()
    p = shown.program
    p.end(p.other("invoke_workflow Crew"), 10)
    p.end(p.other("item", p.node("Ask")), 10)
    assert shown.text.splitlines() == ["        ▶ Ask"]
