"""What is said at the end."""

from pathlib import Path

import pytest

from pocketflow_otel.export import problems
from pocketflow_otel.export.console.spending import NOTHING
from pocketflow_otel.export.console.totals import MAX_NAMES, NodeTotals, Totals
from pocketflow_otel.options import Verbosity


def test_nothing_is_said_where_nothing_ran(show):
    shown = show(Verbosity.VERBOSE, trace_files=lambda: [Path("/traces/a.jsonl")], notes=lambda: ["note"])
    shown.program.end(shown.program.other("GET"), 1)
    before = shown.text
    assert shown.console.summary() == ""
    shown.console.shutdown()
    assert shown.text == before


def test_traces_and_notes_close_the_totals(show):
    files = [Path.home() / "traces" / f"{n}.jsonl" for n in range(4)] + [Path("/elsewhere/5.jsonl")]
    shown = show(Verbosity.MINIMAL, trace_files=lambda: files, notes=lambda: ["Values were\nrecorded.", "Second."])
    p = shown.program
    for name in ("A", "B", "A", "C", "D"):
        p.end(p.node(name), 10 if name != "B" else 50)
    expected = """\
  total ✔ 5 node visits in 90ms  no errors
slowest   B 50ms, A 20ms (2 visits), C 10ms
  trace   /elsewhere/5.jsonl
          ~/traces/3.jsonl
          ~/traces/2.jsonl
          and 2 more
   note   Values were recorded.
          Second."""
    assert shown.console.summary() == expected
    assert shown.text == ""
    shown.console.shutdown()
    assert shown.text == f"\n{expected}\n"


def test_totals_are_said_once_and_nothing_after(show):
    shown = show()
    p = shown.program
    p.end(p.flow("Agent"), 10)
    p.provider.shutdown()
    shown.console.shutdown()
    p.flow("Late")
    assert (
        shown.lines
        == """
        ▶ Agent
   10ms ✔ Agent

  total ✔ 1 flow, 0 node visits in 10ms  no errors
"""
    )


def test_what_has_not_ended_is_told_with_the_time_that_it_took_so_far(show, monkeypatch):
    shown = show()
    p = shown.program
    flow = p.flow("Agent")
    p.end(p.flow("Agent"), 10)
    p.node("Search", p.iteration(flow, 2), visit=3)
    p.after(5_000)
    monkeypatch.setattr("time.time_ns", lambda: p.now)
    assert (
        shown.console.summary()
        == """\
  total ■ 2 flows, 0 node visits in 5.01s  no errors  1 unfinished
   open   Search [2] for 5.00s"""
    )


def test_time_goes_from_the_first_start_to_the_last_end(show):
    shown = show()
    p = shown.program
    early = p.flow("Early")
    p.after(1000)
    p.end(p.flow("Inside"), 1000)
    p.end(early, 500)
    p.after(60_000)
    p.end(p.flow("Later"), 500)
    assert shown.console.summary() == "  total ✔ 3 flows, 0 node visits in 1m03s  no errors"


def test_time_where_the_longer_ended_first():
    totals = Totals()
    totals.covered(5_000_000_000, 10_000_000_000)
    totals.covered(1_000_000_000, 7_000_000_000)
    assert totals.seconds == 9


def test_a_question_that_fails_costs_only_its_answer(show, monkeypatch):
    reported = []
    monkeypatch.setattr(problems, "report", lambda source, message: reported.append((source, message)))

    def fail():
        raise OSError("gone")

    shown = show(trace_files=fail, notes=lambda: ["Still here."])
    p = shown.program
    p.end(p.node("Ask"), 1)
    assert shown.console.summary().splitlines()[1:] == ["   note   Still here."]
    assert reported == [("live console", "OSError: gone")]


def test_paths_without_a_home(show, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    shown = show(trace_files=lambda: [Path("/traces/a.jsonl")])
    shown.program.end(shown.program.node("Ask"), 1)
    assert shown.console.summary().splitlines()[1:] == ["  trace   /traces/a.jsonl"]


@pytest.mark.parametrize("extra", [1, 500])
def test_names_are_remembered_up_to_a_bound(extra):
    totals = Totals()
    for n in range(MAX_NAMES + extra):
        totals.visited(f"node {n}", 1, NOTHING)
        assert totals.run_of(f"flow {n}", 0) == 1
    totals.visited(f"node {MAX_NAMES}", 1_000_000_000, NOTHING)
    totals.visited("node 7", 2_000_000_000, NOTHING)
    assert totals.slowest[0] == NodeTotals("node 7", 2, 2_000_000_001)
    assert totals.slowest[1].nanoseconds == 1
    assert totals.run_of("flow 7", 0) == 2
    assert totals.run_of(f"flow {MAX_NAMES}", 0) == 1
    assert totals.flows == MAX_NAMES + extra + 2


def test_totals_are_whole_on_a_narrow_terminal(show):
    shown = show(columns=30, color=False)
    p = shown.program
    p.fail(p.node("a node with quite a long name"), ValueError("no"), 10)
    shown.console.shutdown()
    *lines, total = shown.text.splitlines()
    assert max(map(len, lines)) <= 30
    assert total == "  total ✘ 1 node visit in 10ms  1 error"
