"""What the console says of what only the workflow runtime tells: waiting, being stopped, and what was measured."""
# ruff: noqa: RUF001 - the signs are the console's

import pytest

from pocketflow_otel import semconv as s
from pocketflow_otel.export.console.live import MAX_ITERATIONS
from pocketflow_otel.options import Verbosity
from pocketflow_otel.runtime.errors import Cancelled, Interrupted, NodeTimeout

WAITING = {s.WAITING: "Send it?\nSay so"}


def waiting_flow(p):
    flow = p.flow("letter")
    each = p.flow("each", flow, {s.NODE_VISIT: 1, s.NODE_KIND: "batch_flow"})
    iteration = p.iteration(each, 0)
    p.end(p.node("send", iteration), 20, WAITING)
    p.end(iteration, 0, WAITING)
    p.end(each, 0, WAITING)
    p.end(flow, 0, {s.FLOW_VISITS: 1, **WAITING})


def test_a_node_that_waits_is_no_error(show):
    shown = show()
    waiting_flow(shown.program)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ letter
          ▶ each
            ▶ each [0]
              ▶ send [0]
   20ms       ○ send [0]              waits: Send it? Say so
   20ms   ○ each                      waits  1 iteration
   20ms ○ letter                      waits  1 visit

  total ○ 1 flow, 2 node visits in 20ms  no errors  1 waiting
"""
    )


def test_minimal_shows_what_is_waited_for(show):
    shown = show(Verbosity.MINIMAL)
    waiting_flow(shown.program)
    assert (
        shown.lines
        == """
        ▶ letter
   20ms   ○ each › send [0]           waits: Send it? Say so
   20ms   ○ each                      waits  1 iteration
   20ms ○ letter                      waits  1 visit
"""
    )


@pytest.mark.parametrize("error", [Cancelled("the run has ended"), Interrupted("the run was interrupted")])
def test_what_a_run_stopped_is_no_error_of_the_node(show, error):
    shown = show()
    p = shown.program
    p.fail(p.node("slow"), error, 20)
    assert shown.text.splitlines()[1] == f"   20ms ■ slow                        {type(error).__name__}: {error}"
    assert shown.console.summary() == "  total ✔ 1 node visit in 20ms  no errors"


def test_a_timeout_is_an_error(show):
    shown = show()
    p = shown.program
    p.fail(p.node("slow"), NodeTimeout("slow took longer than 1 s"), 20)
    assert shown.console.summary() == "  total ✘ 1 node visit in 20ms  1 error"


def test_errors_of_the_program_with_such_names_are_errors(show):
    class Cancelled(Exception):
        pass

    shown = show()
    p = shown.program
    p.fail(p.node("order"), Cancelled("by the customer"), 20)
    assert shown.console.summary() == "  total ✘ 1 node visit in 20ms  1 error"


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"rows_read": 1}, "1 row read"),
        ({"bytes_read": 132, "rows_read": 1_204}, "1,204 rows read, 132 B read"),
        ({"rows_written": 3, "bytes_written": 1_111}, "3 rows written, 1.1 kB written"),
        ({"pages": 2, "input_tokens": 40}, "2 pages"),
    ],
)
def test_what_a_node_says_to_have_done_is_on_its_line(show, counts, told):
    shown = show()
    p = shown.program
    p.end(p.node("load"), 20, {s.NODE_COUNT_PREFIX + name: number for name, number in counts.items()})
    assert shown.text.splitlines()[1] == f"   20ms ✔ load                        {told}"


def test_verbose_tells_what_a_visit_took(show):
    shown = show(Verbosity.VERBOSE)
    p = shown.program
    taken = {
        s.NODE_CPU_SECONDS: 0.012,
        s.NODE_MEMORY_BYTES: -2_000_000,
        s.NODE_READ_BYTES: 132,
        s.NODE_WRITTEN_BYTES: 1_111,
    }
    p.end(p.node("load"), 20, taken)
    assert shown.text.splitlines()[1] == (
        "   20ms ✔ load                        cpu 12ms, memory -2.0 MB, read 132 B, wrote 1.1 kB"
    )


def tried(p, number, error=None, **more):
    node = p.node("load", attributes={s.NODE_TRIES: 3} | ({s.NODE_TRY: number} if number > 1 else {}))
    if error is None:
        p.end(node, 20)
    else:
        p.fail(node, error, 20, more)


def test_a_node_that_is_run_again_as_a_whole_is_one_visit_and_its_failed_tries_are_no_errors(show):
    shown = show()
    tried(shown.program, 1, OSError("busy"))
    tried(shown.program, 2, OSError("busy"))
    tried(shown.program, 3)
    shown.console.shutdown()
    assert (
        shown.lines
        == """
        ▶ load
   20ms ↻ load                        attempt 1 of 3  OSError: busy
        ▶ load
   20ms ↻ load                        attempt 2 of 3  OSError: busy
        ▶ load
   20ms ✔ load                        3 attempts

  total ✔ 1 node visit in 60ms  no errors  2 retries
"""
    )


@pytest.mark.parametrize(("number", "more"), [(3, {}), (2, {s.ATTEMPT_LAST: True})])
def test_the_try_that_no_other_follows_is_an_error(show, number, more):
    shown = show()
    for earlier in range(1, number):
        tried(shown.program, earlier, OSError("busy"))
    tried(shown.program, number, OSError("busy"), **more)
    assert shown.text.splitlines()[-1] == f"   20ms ✘ load                        {number} attempts  OSError: busy"
    assert "  1 error" in shown.console.summary()


def test_an_attempt_that_no_other_follows_is_not_said_to_be_tried_again(show):
    shown = show()
    p = shown.program
    node = p.node("load", attributes={s.MAX_RETRIES: 3})
    error = KeyError("x")
    p.fail(p.attempt(node, 1), error, 20, {s.ATTEMPT_LAST: True})
    p.fail(node, error, raised_here=False)
    assert shown.text.splitlines()[1:] == ["   20ms ✘ load                        KeyError: 'x'"]


@pytest.mark.parametrize("role", ["undo", "handler"])
def test_what_a_node_runs_for_is_told(show, role):
    shown = show()
    p = shown.program
    p.end(p.node("refund"), 20, {s.NODE_ROLE: role})
    assert shown.text.splitlines()[1] == f"   20ms ✔ refund                      {role}"


def map_over(p, items):
    flow = p.flow("each", attributes={s.NODE_KIND: "batch_flow"})
    for index in range(items):
        iteration = p.iteration(flow, index)
        error = None
        if index in (1, MAX_ITERATIONS + 2):
            error = ValueError(f"not {index}")
            p.fail(p.node("work", iteration), error, 1)
            p.fail(iteration, error, raised_here=False)
        else:
            p.end(p.node("work", iteration), 1)
            p.end(iteration)
    p.end(flow)


def test_of_very_many_iterations_the_later_ones_are_told_only_where_something_goes_wrong(show):
    shown = show()
    map_over(shown.program, MAX_ITERATIONS + 10)
    told = shown.text.splitlines()
    assert told[-6:] == [
        "          ▶ each [49]",
        "            ▶ work [49]",
        "  1.0ms     ✔ work [49]",
        "          … each: of further iterations only what goes wrong",
        "  1.0ms   ✘ work [52]                 ValueError: not 52",
        "   60ms ✔ each                        60 iterations",
    ]
    assert shown.console.summary().splitlines()[0] == "  total ✘ 1 flow, 60 node visits in 60ms  2 errors"


def test_verbose_tells_of_all_iterations(show):
    shown = show(Verbosity.VERBOSE)
    map_over(shown.program, MAX_ITERATIONS + 10)
    assert shown.text.count("▶ work [") == MAX_ITERATIONS + 10
