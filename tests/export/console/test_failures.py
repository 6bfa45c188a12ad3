"""Errors are told once, where they happened, and the flows around say so shortly."""
# ruff: noqa: RUF001 - the signs are the console's

import asyncio

import pytest
from opentelemetry.trace import StatusCode

from pocketflow_otel import semconv as s
from pocketflow_otel.options import Verbosity


class RateLimitError(Exception):
    pass


def failing_flow(p):
    flow = p.flow("Agent")
    inner = p.flow("Research", flow, {s.NODE_VISIT: 1})
    error = RateLimitError("slow\ndown")
    p.fail(p.node("Search", inner), error, 20, {s.STDOUT + s.BYTES_SUFFIX: 4, s.STDOUT + s.LINES_SUFFIX: 1})
    p.fail(inner, error, raised_here=False)
    p.fail(flow, error, 0, {s.FLOW_VISITS: 1}, raised_here=False)


def test_an_error_has_its_message_once(show):
    shown = show()
    failing_flow(shown.program)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ Agent
          ▶ Research
            ▶ Search
   20ms     ✘ Search                  RateLimitError: slow down  stdout 1 line, 4 B
   20ms   ✘ Research                  RateLimitError
   20ms ✘ Agent                       RateLimitError  1 visit

  total ✘ 1 flow, 2 node visits in 20ms  1 error
"""
    )


def test_minimal_shows_where_the_error_was(show):
    shown = show(Verbosity.MINIMAL)
    failing_flow(shown.program)
    assert (
        shown.lines
        == """
        ▶ Agent
   20ms   ✘ Research › Search         RateLimitError: slow down  stdout 1 line, 4 B
   20ms ✘ Agent                       RateLimitError  1 visit
"""
    )


def test_an_error_that_no_inner_span_has_raised_is_told_with_its_message(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    p.fail(flow, RuntimeError("no start node"), 1, raised_here=False)
    assert shown.text.splitlines()[1] == "  1.0ms ✘ Agent                       RuntimeError: no start node"


def test_an_error_without_message_or_type(show):
    shown = show()
    p = shown.program
    node = p.node("Ask")
    p.fail(node, KeyError(), 1)
    other = p.node("Ask2")
    other.set_status(StatusCode.ERROR)
    p.end(other, 1)
    lines = shown.text.splitlines()
    assert lines[1] == "  1.0ms ✘ Ask                         KeyError"
    assert lines[3] == "  1.0ms ✘ Ask2                        error"


def all_attempts_fail(p, end):
    flow = p.flow("Agent")
    node = p.node("Ask", flow, attributes={s.MAX_RETRIES: 2})
    for number in (1, 2):
        p.fail(p.attempt(node, number), TimeoutError(f"late {number}"), 100)
    end(p, node)
    p.end(flow)


def gives_up(p, node):
    p.fail(node, TimeoutError("late 2"), 0, {s.ATTEMPTS: 2}, raised_here=False)


def falls_back(p, node):
    p.end(node, 0, {s.ATTEMPTS: 2, s.FALLBACK: True})


@pytest.mark.parametrize(
    ("end", "last_line"),
    [
        (gives_up, "  200ms   ✘ Ask                       TimeoutError: late 2  2 attempts"),
        (falls_back, "  200ms   ✔ Ask                       fallback after 2 attempts: TimeoutError: late 2"),
    ],
)
def test_the_last_attempts_failure_stands_on_the_nodes_line(show, end, last_line):
    shown = show()
    all_attempts_fail(shown.program, end)
    assert shown.text.splitlines()[:4] == [
        "        ▶ Agent",
        "          ▶ Ask",
        "  100ms     ↻ Ask                     attempt 1 of 2  TimeoutError: late 1",
        last_line,
    ]


def test_verbose_shows_the_last_attempt_too(show):
    shown = show(Verbosity.VERBOSE)
    all_attempts_fail(shown.program, gives_up)
    assert shown.text.splitlines()[2:5] == [
        "  100ms     ↻ Ask                     attempt 1 of 2  TimeoutError: late 1",
        "  100ms     ✘ Ask                     attempt 2 of 2  TimeoutError: late 2",
        "  200ms   ✘ Ask                       TimeoutError: late 2  2 attempts",
    ]


def test_an_only_attempt_that_succeeds_is_not_worth_a_line(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    node = p.node("Ask", attributes={s.MAX_RETRIES: 2})
    p.end(p.attempt(node, 1), 10)
    p.end(node)
    assert shown.text.splitlines() == ["        ▶ Ask", "   10ms ✔ Ask"]


def test_minimal_shows_no_attempts(show):
    shown = show(Verbosity.MINIMAL)
    all_attempts_fail(shown.program, falls_back)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ Agent
  200ms ✔ Agent

  total ✔ 1 flow, 1 node visit in 200ms  no errors  1 retry
"""
    )


def test_an_attempt_of_an_unknown_number_of_attempts(show):
    shown = show()
    p = shown.program
    p.fail(p.attempt(p.node("Ask"), 1), TimeoutError("late"), 100)
    assert shown.text.splitlines()[1] == "  100ms   ↻ Ask                       attempt 1  TimeoutError: late"


def test_attempts_of_items_name_the_item(show):
    shown = show()
    p = shown.program
    node = p.node("Ask", attributes={s.MAX_RETRIES: 2})
    item = p.item(node, 4)
    p.fail(p.attempt(item, 1), TimeoutError("late"), 100)
    p.end(p.attempt(item, 2), 100)
    p.end(item, 0, {s.ATTEMPTS: 2})
    p.end(node)
    assert shown.text.splitlines()[1:] == [
        "  100ms   ↻ Ask [4]                   attempt 1 of 2  TimeoutError: late",
        "  200ms ✔ Ask                         1 item",
    ]


def test_a_failed_item_fails_its_node_and_counts_as_one_error(show):
    for verbosity, expected in (
        (
            Verbosity.NORMAL,
            """
        ▶ Read
   20ms ✘ Read                        ValueError: bad page  2 items, 1 failed

  total ✘ 1 node visit in 20ms  1 error
""",
        ),
        (
            Verbosity.VERBOSE,
            """
        ▶ Read
   10ms   ✔ Read [0]
   10ms   ✘ Read [1]                  ValueError: bad page
   20ms ✘ Read                        ValueError: bad page  2 items, 1 failed

  total ✘ 1 node visit in 20ms  1 error
""",
        ),
    ):
        shown = show(verbosity)
        p = shown.program
        node = p.node("Read")
        p.end(p.item(node, 0), 10)
        p.fail(p.item(node, 1), ValueError("bad page"), 10)
        p.fail(node, ValueError("bad page"), 0, {s.BATCH_SIZE: 2, s.BATCH_FAILED: 1}, raised_here=False)
        shown.console.shutdown()
        assert shown.lines == expected


def test_two_branches_that_fail_are_two_errors_and_the_flow_is_none(show):
    shown = show()
    p = shown.program
    flow = p.flow("Fetch")
    iterations = [p.iteration(flow, index) for index in range(2)]
    for index, iteration in enumerate(iterations):
        error = ValueError(f"bad page {index}")
        p.fail(p.node("Get", iteration), error, 10)
        p.fail(iteration, error, raised_here=False)
    p.fail(flow, ValueError("bad page 0"), raised_here=False)
    shown.console.shutdown()
    assert shown.text.splitlines()[-3:] == [
        "   20ms ✘ Fetch                       ValueError  2 iterations",
        "",
        "  total ✘ 1 flow, 2 node visits in 20ms  2 errors",
    ]


def test_an_iteration_that_fails_itself_is_shown(show):
    shown = show()
    p = shown.program
    flow = p.flow("Fetch")
    iteration = p.iteration(flow, 0)
    p.fail(iteration, RuntimeError("Use run_async."), 1)
    p.fail(flow, RuntimeError("Use run_async."), raised_here=False)
    assert shown.text.splitlines()[2:] == [
        "  1.0ms   ✘ Fetch [0]                 RuntimeError: Use run_async.",
        "  1.0ms ✘ Fetch                       RuntimeError  1 iteration",
    ]


def test_an_error_that_passes_through_an_attempt_is_told_and_counted_once(show):
    shown = show()
    p = shown.program
    node = p.node("Delegate", attributes={s.MAX_RETRIES: 1})
    attempt = p.attempt(node, 1)
    inner = p.flow("Inner", attempt)
    error = ValueError("inside")
    p.fail(inner, error, 10)
    p.fail(attempt, error, raised_here=False)
    p.fail(node, error, raised_here=False)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ Delegate
          ▶ Inner
   10ms   ✘ Inner                     ValueError: inside
   10ms ✘ Delegate                    ValueError

  total ✘ 2 node visits in 10ms  1 error
"""
    )


def test_an_error_after_another_that_was_handled_is_told_with_its_message(show):
    shown = show()
    p = shown.program
    node = p.node("Delegate")
    p.fail(p.flow("Inner", node), ValueError("handled"), 10)
    p.fail(node, ValueError("not handled"))
    assert [line for line in shown.text.splitlines() if "✘" in line] == [
        "   10ms   ✘ Inner                     ValueError: handled",
        "   10ms ✘ Delegate                    ValueError: not handled",
    ]


def test_an_item_that_fails_after_a_handled_error_is_told_by_its_node(show):
    shown = show()
    p = shown.program
    node = p.node("Batch")
    item = p.item(node, 0)
    p.fail(p.flow("Inner", item), ValueError("handled"), 10)
    p.fail(item, ValueError("not handled"))
    p.fail(node, ValueError("not handled"), raised_here=False)
    assert shown.text.splitlines()[-1] == "   10ms ✘ Batch                       ValueError: not handled  1 item"


def test_a_fallback_of_the_only_attempt(show):
    shown = show()
    p = shown.program
    p.end(p.node("Ask"), 10, {s.FALLBACK: True})
    assert shown.text.splitlines()[1] == "   10ms ✔ Ask                         fallback"


def test_the_wait_before_an_attempt_is_told_in_verbose_only(show):
    for verbosity, wait in ((Verbosity.NORMAL, ""), (Verbosity.VERBOSE, ", after a wait of 2.00s")):
        shown = show(verbosity)
        p = shown.program
        attempt = p.attempt(p.node("Ask"), 2, {s.MAX_RETRIES: 3, s.ATTEMPT_WAIT_SECONDS: 2.0})
        p.fail(attempt, TimeoutError("late"), 10)
        assert shown.text.splitlines()[1] == (
            f"   10ms   ↻ Ask                       attempt 2 of 3{wait}  TimeoutError: late"
        )


def test_an_error_type_alone_is_a_failure(show):
    shown = show()
    p = shown.program
    p.end(p.node("Wait"), 10, {s.ERROR_TYPE: "asyncio.exceptions.CancelledError"})
    assert shown.text.splitlines()[1] == "   10ms ■ Wait                        CancelledError"


def test_what_is_cancelled_has_stopped_and_is_no_error(show):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    node = p.node("Wait", flow, attributes={s.MAX_RETRIES: 3})
    attempt = p.attempt(node, 1)
    p.fail(attempt, asyncio.CancelledError(), 10)
    p.fail(node, asyncio.CancelledError(), raised_here=False)
    p.fail(flow, asyncio.CancelledError(), raised_here=False)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ Agent
          ▶ Wait
   10ms   ■ Wait                      CancelledError
   10ms ■ Agent                       CancelledError

  total ✔ 1 flow, 1 node visit in 10ms  no errors
"""
    )
    verbose = show(Verbosity.VERBOSE)
    p = verbose.program
    p.fail(p.attempt(p.node("Wait", attributes={s.MAX_RETRIES: 3}), 1), asyncio.CancelledError(), 10)
    assert verbose.text.splitlines()[1] == "   10ms   ■ Wait                      attempt 1 of 3  CancelledError"
    minimal = show(Verbosity.MINIMAL)
    p = minimal.program
    flow = p.flow("Agent")
    p.fail(p.node("Wait", flow), KeyboardInterrupt(), 10)
    p.fail(flow, KeyboardInterrupt(), raised_here=False)
    assert minimal.text.splitlines() == [
        "        ▶ Agent",
        "   10ms ■ Agent                       KeyboardInterrupt",
    ]
