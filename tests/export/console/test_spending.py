"""What calls of language models used and cost: on lines and in the totals."""

import io

import pytest

from pocketflow_otel import semconv as s
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.console.spending import MAX_KNOWN_MODELS, NOTHING, Spending
from pocketflow_otel.options import Verbosity

FAILED = {
    s.USAGE_CALLS: 1,
    s.USAGE_INPUT_TOKENS: 250,
    s.USAGE_OUTPUT_TOKENS: 50,
    s.USAGE_TOTAL_TOKENS: 300,
    s.USAGE_COST: 0.0011,
    s.USAGE_MODELS: ["gpt-4o"],
}
SUCCEEDED = {
    s.USAGE_CALLS: 1,
    s.USAGE_INPUT_TOKENS: 850,
    s.USAGE_CACHED_INPUT_TOKENS: 400,
    s.USAGE_OUTPUT_TOKENS: 54,
    s.USAGE_REASONING_TOKENS: 60,
    s.USAGE_TOTAL_TOKENS: 904,
    s.USAGE_COST: 0.0031,
    s.USAGE_MODELS: ["gpt-4o"],
}
DECIDE = {
    s.USAGE_CALLS: 2,
    s.USAGE_INPUT_TOKENS: 1100,
    s.USAGE_CACHED_INPUT_TOKENS: 400,
    s.USAGE_OUTPUT_TOKENS: 104,
    s.USAGE_REASONING_TOKENS: 60,
    s.USAGE_TOTAL_TOKENS: 1204,
    s.USAGE_COST: 0.0042,
    s.USAGE_MODELS: ["gpt-4o"],
    s.USAGE_RETRY_TOTAL_TOKENS: 300,
    s.USAGE_RETRY_COST: 0.0011,
}
LOCAL = {
    s.USAGE_CALLS: 1,
    s.USAGE_INPUT_TOKENS: 900,
    s.USAGE_OUTPUT_TOKENS: 100,
    s.USAGE_TOTAL_TOKENS: 1000,
    s.USAGE_MODELS: ["llama3.2"],
    s.USAGE_UNPRICED_CALLS: 1,
    s.USAGE_UNPRICED_MODELS: ["llama3.2"],
}
LARGE = {
    s.USAGE_CALLS: 1,
    s.USAGE_INPUT_TOKENS: 11_000,
    s.USAGE_OUTPUT_TOKENS: 1345,
    s.USAGE_TOTAL_TOKENS: 12_345,
    s.USAGE_COST: 0.012,
    s.USAGE_MODELS: ["claude-sonnet-4-5"],
}
TRANSLATE = {
    s.USAGE_CALLS: 2,
    s.USAGE_INPUT_TOKENS: 11_900,
    s.USAGE_OUTPUT_TOKENS: 1445,
    s.USAGE_TOTAL_TOKENS: 13_345,
    s.USAGE_COST: 0.012,
    s.USAGE_MODELS: ["claude-sonnet-4-5", "llama3.2"],
    s.USAGE_UNPRICED_CALLS: 1,
    s.USAGE_UNPRICED_MODELS: ["llama3.2"],
}
AGENT = {
    s.USAGE_CALLS: 4,
    s.USAGE_INPUT_TOKENS: 13_000,
    s.USAGE_CACHED_INPUT_TOKENS: 400,
    s.USAGE_OUTPUT_TOKENS: 1549,
    s.USAGE_REASONING_TOKENS: 60,
    s.USAGE_TOTAL_TOKENS: 14_549,
    s.USAGE_COST: 0.0162,
    s.USAGE_MODELS: ["gpt-4o", "claude-sonnet-4-5", "llama3.2", "phi4"],
    s.USAGE_UNPRICED_CALLS: 1,
    s.USAGE_UNPRICED_MODELS: ["llama3.2"],
    s.USAGE_RETRY_TOTAL_TOKENS: 300,
    s.USAGE_RETRY_COST: 0.0011,
}


def translating_agent(p):
    flow = p.flow("Agent")
    node = p.node("Decide", flow, attributes={s.MAX_RETRIES: 3})
    attempt = p.attempt(node, 1)
    p.end(p.chat(attempt, "gpt-4o"), 400)
    p.fail(attempt, ValueError("not JSON"), 0, FAILED)
    attempt = p.attempt(node, 2)
    p.end(p.chat(attempt, "gpt-4o"), 400)
    p.end(attempt, 0, SUCCEEDED)
    p.end(node, 0, {s.ACTION: "go", s.ATTEMPTS: 2, s.STORE_ADDED: ["query"], s.EXEC_SECONDS: 0.8, **DECIDE})
    batch = p.flow("Translate", flow, {s.NODE_VISIT: 1})
    iterations = [p.iteration(batch, index) for index in range(2)]
    nodes = [p.node("Ask", iteration) for iteration in iterations]
    items = [p.item(node, 0) for node in nodes]
    for index, used in ((1, LARGE), (0, LOCAL)):
        p.end(items[index], 100, used)
        p.end(nodes[index], 0, {s.BATCH_SIZE: 1, s.STORE_ADDED: ["text"], **used})
        p.end(iterations[index], 0, used)
    p.end(batch, 0, {s.FLOW_VISITS: 2, **TRANSLATE})
    p.end(p.node("Log", flow), 1)
    p.end(flow, 0, {s.FLOW_VISITS: 3, **AGENT})
    p.end(p.node("Alone"), 5, LARGE)


TOTALS = """
  total ✔ 1 flow, 6 node visits in 1.01s  no errors  1 retry
slowest   Decide 800ms, Ask 300ms (2 visits), Alone 5.0ms
   cost   $0.028 + ? cost (llama3.2)  26.9k tok  5 calls  retries $0.0011
 costly   Ask $0.012 + ? cost (2 visits), Alone $0.012, Decide $0.0042
"""

MINIMAL = """
        ▶ Agent
  1.00s ✔ Agent                       3 visits  14.5k tok  $0.016 + ? cost  4 calls
"""

NORMAL = """
        ▶ Agent
          ▶ Decide
  400ms     ↻ Decide                  attempt 1 of 3  ValueError: not JSON
  800ms   ✔ Decide → go               2 attempts  1,204 tok  $0.0042  2 calls  +query
          ▶ Translate
            ▶ Translate [0]
            ▶ Translate [1]
              ▶ Ask [0]
              ▶ Ask [1]
  100ms       ✔ Ask [1]               1 item  12.3k tok  $0.012  +text
  200ms       ✔ Ask [0]               1 item  1,000 tok  ? cost  +text
  200ms   ✔ Translate                 2 iterations  2 visits  13.3k tok  $0.012 + ? cost  2 calls
          ▶ Log
  1.0ms   ✔ Log
  1.00s ✔ Agent                       3 visits  14.5k tok  $0.016 + ? cost  4 calls
        ▶ Alone
  5.0ms ✔ Alone                       12.3k tok  $0.012
"""

VERBOSE = """
        ▶ Agent
          ▶ Decide
  400ms     · chat gpt-4o
  400ms     ↻ Decide                  attempt 1 of 3  ValueError: not JSON  300 tok  $0.0011
  400ms     · chat gpt-4o
  400ms     ✔ Decide                  attempt 2 of 3  904 tok  $0.0031
  800ms   ✔ Decide → go               2 attempts  1,204 tok  $0.0042  2 calls  exec 800ms
  usage     in 1,100 (cached 400) out 104 (reasoning 60)  gpt-4o  retries $0.0011
            + query
          ▶ Translate
            ▶ Translate [0]
            ▶ Translate [1]
              ▶ Ask [0]
              ▶ Ask [1]
  100ms         ✔ Ask [1.0]           12.3k tok  $0.012
  100ms       ✔ Ask [1]               1 item  12.3k tok  $0.012
  usage         in 11,000 out 1,345  claude-sonnet-4-5
                + text
  100ms     ✔ Translate [1]           12.3k tok  $0.012
  200ms         ✔ Ask [0.0]           1,000 tok  ? cost
  200ms       ✔ Ask [0]               1 item  1,000 tok  ? cost
  usage         in 900 out 100  llama3.2
                + text
  200ms     ✔ Translate [0]           1,000 tok  ? cost
  200ms   ✔ Translate                 2 iterations  2 visits  13.3k tok  $0.012 + ? cost  2 calls
  usage     in 11,900 out 1,445  claude-sonnet-4-5, llama3.2
          ▶ Log
  1.0ms   ✔ Log
  1.00s ✔ Agent                       3 visits  14.5k tok  $0.016 + ? cost  4 calls
  usage   in 13,000 (cached 400) out 1,549 (reasoning 60)  gpt-4o, claude-sonnet-4-5, llama3.2 and 1 more  \
retries $0.0011
        ▶ Alone
  5.0ms ✔ Alone                       12.3k tok  $0.012
  usage   in 11,000 out 1,345  claude-sonnet-4-5
"""


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [(Verbosity.MINIMAL, MINIMAL), (Verbosity.NORMAL, NORMAL), (Verbosity.VERBOSE, VERBOSE)],
)
def test_a_whole_program(show, verbosity, expected):
    shown = show(verbosity)
    translating_agent(shown.program)
    shown.console.shutdown()
    assert shown.lines == expected + TOTALS


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({s.USAGE_CALLS: 1, s.USAGE_TOTAL_TOKENS: 12}, "  12 tok"),
        ({s.USAGE_CALLS: 2, s.USAGE_COST: 0.5}, "  $0.50  2 calls"),
        ({s.USAGE_CALLS: 3, s.USAGE_UNPRICED_CALLS: 3}, "  ? cost  3 calls"),
        ({s.USAGE_CALLS: 1}, ""),
        ({s.USAGE_TOTAL_TOKENS: 12, s.USAGE_COST: 0.5}, ""),
        ({s.USAGE_CALLS: 1, s.USAGE_TOTAL_TOKENS: "many", s.USAGE_COST: 0.5}, "  $0.50"),
    ],
)
def test_a_line_says_what_is_known(show, used, expected):
    shown = show()
    shown.program.end(shown.program.node("AskTheModel" * 3), 1, used)
    assert shown.text.splitlines()[1] == "  1.0ms ✔ " + "AskTheModel" * 3 + expected


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({s.USAGE_INPUT_TOKENS: 5}, ["  usage   in 5"]),
        ({s.USAGE_OUTPUT_TOKENS: 5000}, ["  usage   out 5,000"]),
        ({s.USAGE_MODELS: ["a\x1b[2Jb", "m" * 70]}, ["  usage   ab, " + "m" * 60 + "…"]),
        ({s.USAGE_RETRY_TOTAL_TOKENS: 300}, ["  usage   retries 300 tok"]),
        ({s.USAGE_MODELS: 7}, []),
        ({}, []),
    ],
)
def test_the_usage_line_says_what_is_known(show, used, expected):
    shown = show(Verbosity.VERBOSE)
    shown.program.end(shown.program.node("Ask"), 1, {s.USAGE_CALLS: 1, **used})
    assert shown.text.splitlines()[2:] == expected


def test_a_failed_iteration_shows_no_spending_unless_verbose(show):
    shown = show()
    p = shown.program
    iteration = p.iteration(p.flow("Translate"), 0)
    p.fail(iteration, ValueError("no"), 1, LARGE)
    assert shown.text.splitlines()[-1] == "  1.0ms   ✘ Translate [0]             ValueError: no"


def test_minimal_shows_no_spending_of_what_failed_inside(show):
    shown = show(Verbosity.MINIMAL)
    p = shown.program
    flow = p.flow("Agent")
    p.fail(p.node("Ask", flow), ValueError("no"), 1, LARGE)
    p.fail(flow, ValueError("no"), 0, LARGE, raised_here=False)
    assert shown.text.splitlines()[1:] == [
        "  1.0ms   ✘ Ask                       ValueError: no",
        "  1.0ms ✘ Agent                       ValueError  12.3k tok  $0.012",
    ]


def cost_lines(shown):
    return [line for line in shown.console.summary().splitlines() if line.startswith(("   cost ", " costly "))]


def test_totals_of_calls_that_cost_nothing(show):
    shown = show()
    p = shown.program
    p.end(p.node("Ask"), 1, {s.USAGE_CALLS: 1, s.USAGE_TOTAL_TOKENS: 12})
    assert cost_lines(shown) == ["   cost   $0  12 tok  1 call"]


def test_totals_where_nothing_but_calls_is_known(show):
    shown = show()
    p = shown.program
    p.end(p.node("Ask"), 1, {s.USAGE_CALLS: 2, s.USAGE_UNPRICED_CALLS: 2})
    assert cost_lines(shown) == ["   cost   ? cost  2 calls"]


def test_totals_where_no_model_was_called(show):
    shown = show()
    p = shown.program
    p.end(p.node("Ask"), 1)
    assert cost_lines(shown) == []


def test_totals_name_three_models_without_a_price(show):
    shown = show()
    p = shown.program
    for models in (["a", "b"], ["b", "c\x07"], ["d", "a", "e"]):
        unpriced = {s.USAGE_CALLS: 3, s.USAGE_UNPRICED_CALLS: 2, s.USAGE_UNPRICED_MODELS: models}
        p.end(p.node("Ask"), 1, {s.USAGE_COST: 0.1, s.USAGE_RETRY_TOTAL_TOKENS: 5_500, **unpriced})
    assert cost_lines(shown) == [r"   cost   $0.30 + ? cost (a, b, c\x07 and 2 more)  9 calls  retries 16.5k tok"]


def test_the_costliest_nodes_are_ranked_over_all_visits(show):
    shown = show()
    p = shown.program
    for name, cost in (("A", 0.1), ("B", 0.3), ("A", 0.3), ("C", 0.2), ("D", 0.01), ("A", 0)):
        used = {s.USAGE_CALLS: 1, s.USAGE_COST: cost} if cost else {}
        p.end(p.node(name), 1, used)
    assert shown.console.summary().splitlines()[-1] == " costly   A $0.40 (3 visits), B $0.30, C $0.20"


def test_of_one_node_that_cost_something_none_is_costliest(show):
    shown = show()
    p = shown.program
    p.end(p.node("A"), 1, LARGE)
    p.end(p.node("B"), 1, LOCAL)
    assert shown.console.summary().splitlines()[1:] == [
        "slowest   A 1.0ms, B 1.0ms",
        "   cost   $0.012 + ? cost (llama3.2)  13.3k tok  2 calls",
    ]


def test_a_flow_run_inside_a_node_counts_once(show):
    shown = show()
    p = shown.program
    node = p.node("Delegate")
    inner = p.flow("Inner", p.other("POST", node))
    p.end(p.node("Ask", inner), 1, LARGE)
    p.end(inner, 0, LARGE)
    p.end(node, 0, LARGE)
    assert cost_lines(shown) == ["   cost   $0.012  12.3k tok  1 call"]


def test_a_nodes_own_calls_are_not_those_of_what_it_runs(show):
    shown = show()
    p = shown.program
    node = p.node("Delegate", p.flow("Agent"))
    attempt = p.attempt(p.item(node, 0), 1)
    for cost in (0.1, 0.2):
        p.end(p.node("Ask", attempt), 1, {s.USAGE_CALLS: 1, s.USAGE_COST: cost})
    p.end(p.flow("Inner", node), 1, {s.USAGE_CALLS: 1, s.USAGE_COST: 0.3, s.USAGE_UNPRICED_CALLS: 1})
    p.end(node, 0, {s.USAGE_CALLS: 4, s.USAGE_COST: 0.65, s.USAGE_UNPRICED_CALLS: 1})
    assert cost_lines(shown) == [
        "   cost   $0.65 + ? cost  4 calls",
        " costly   Ask $0.30 (2 visits), Delegate $0.05",
    ]


def test_a_node_that_only_runs_others_costs_nothing_itself():
    total = Spending(calls=3, cost_usd=0.1 + 0.2, models=("a",))
    part = Spending(calls=2, cost_usd=0.3, unpriced_calls=1, models=("a",))
    assert total - part == Spending(calls=1, models=("a",))
    assert total - NOTHING is total


def test_what_has_ended_in_flows_that_have_not_counts_once(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    p.end(p.node("Decide", flow), 1, DECIDE)
    batch = p.flow("Translate", flow)
    iterations = [p.iteration(batch, index) for index in range(2)]
    p.end(p.node("Ask", iterations[0]), 1, LOCAL)
    p.end(iterations[0], 0, LOCAL)
    p.end(p.item(p.node("Ask", iterations[1]), 0), 1, LARGE)
    assert cost_lines(shown) == ["   cost   $0.0042 + ? cost (llama3.2)  2,204 tok  3 calls  retries $0.0011"]
    p.end(iterations[1], 0, LARGE)
    p.end(batch, 0, TRANSLATE)
    p.end(flow, 0, AGENT)
    assert cost_lines(shown) == ["   cost   $0.016 + ? cost (llama3.2)  14.5k tok  4 calls  retries $0.0011"]


def test_flows_inside_of_others_spans_count(show):
    shown = show()
    p = shown.program
    server = p.other("POST /ask")
    p.end(p.flow("Agent", server), 1, LARGE)
    p.end(p.flow("Agent", server), 1, LARGE)
    assert cost_lines(shown) == ["   cost   $0.024  24.7k tok  2 calls"]


def test_a_console_added_while_a_flow_runs_counts_what_began_since_once(show):
    p, late = show().program, show()
    flow = p.flow("Agent")
    before = p.node("Ask", flow)
    p.provider.add_span_processor(late.console)
    since = p.node("Answer", flow)
    p.end(before, 1, LARGE)
    p.end(since, 1, FAILED)
    p.end(flow, 0, TRANSLATE)
    assert late.text.splitlines()[1:] == [
        "  1.0ms ✔ Ask                         12.3k tok  $0.012",
        "  2.0ms ✔ Answer                      300 tok  $0.0011",
        "  2.0ms ✔ Agent                       13.3k tok  $0.012 + ? cost  2 calls",
    ]
    assert cost_lines(late) == ["   cost   $0.0011  300 tok  1 call", " costly   Ask $0.012, Answer $0.0011"]


def test_a_forked_child_counts_its_own_calls(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    p.end(p.node("Ask", flow), 1, LARGE)
    shown.console.after_fork()
    p.end(p.node("InChild", flow), 1, FAILED)
    expected = ["   cost   $0.0011  300 tok  1 call"]
    assert cost_lines(shown) == expected
    p.end(flow, 0, LARGE)
    assert cost_lines(shown) == expected


def test_a_cost_stands_out_and_an_unknown_one_in_the_totals_warns(show):
    shown = show(color=True)
    p = shown.program
    p.end(p.node("Ask"), 1, LARGE)
    assert shown.text.splitlines()[1].endswith("\x1b[2m12.3k tok\x1b[0m  $0.012")
    summed = show(color=True)
    p = summed.program
    p.end(p.node("Ask"), 1, LARGE)
    summed.console.shutdown()
    assert summed.text.splitlines()[-1] == (
        "\x1b[2m   cost   \x1b[0m\x1b[1m$0.012\x1b[0m\x1b[2m  12.3k tok\x1b[0m\x1b[2m  1 call\x1b[0m"
    )
    unknown = show(color=True)
    p = unknown.program
    p.end(p.node("Ask"), 1, LOCAL | {s.USAGE_RETRY_TOTAL_TOKENS: 300})
    unknown.console.shutdown()
    assert unknown.text.splitlines()[-1] == (
        "\x1b[2m   cost   \x1b[0m\x1b[33m? cost (llama3.2)\x1b[0m\x1b[2m  1,000 tok\x1b[0m\x1b[2m  1 call\x1b[0m"
        "\x1b[33m  retries 300 tok\x1b[0m"
    )


def test_lines_are_cut_at_the_terminals_width(show):
    shown = show(columns=60, color=False)
    shown.program.end(shown.program.node("Ask"), 1, AGENT)
    assert shown.text.splitlines()[1] == "  1.0ms ✔ Ask                         14.5k tok  $0.016 + ?…"


def test_a_stream_in_ascii(make_program):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    console = LiveConsole(stream, Verbosity.VERBOSE)
    p = make_program(console)
    names = {s.USAGE_MODELS: ["é"], s.USAGE_UNPRICED_MODELS: ["é"]}
    p.end(p.node("Ask"), 1, {s.USAGE_CALLS: 1, s.USAGE_UNPRICED_CALLS: 1, **names})
    console.shutdown()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert (lines[2], lines[-1]) == (r"  usage   \xe9", r"   cost   ? cost (\xe9)  1 call")


def test_sums_keep_a_bounded_number_of_models():
    total = NOTHING
    for number in range(MAX_KNOWN_MODELS + 5):
        total += Spending(calls=1, models=(f"m{number}", "m0"))
    assert total == Spending(calls=MAX_KNOWN_MODELS + 5, models=tuple(f"m{n}" for n in range(MAX_KNOWN_MODELS)))
