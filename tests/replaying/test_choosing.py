"""A replay of only some flows and nodes."""

import re

import pocketflow
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from export.console.conftest import Program as Spans
from instrumentation.programs import Node, everything_in, programs
from instrumentation.recording import traced
from instrumentation.running import Run
from pocketflow_otel import semconv as s
from pocketflow_otel.export.console.lines import GUTTER
from pocketflow_otel.options import Verbosity
from pocketflow_otel.replaying.choosing import NoSuchNameError
from replaying.recorded import watched
from replaying.test_as_live import often


@pytest.fixture
def agent():
    """A flow with a flow, a batch and retries in it, all of it watched."""
    with watched(Verbosity.VERBOSE) as one:
        p = Spans(*one.processors)
        flow = p.flow("Agent")
        research = p.flow("Research", flow, {s.NODE_VISIT: 1})
        search = p.node("Search", research)
        p.end(p.other("GET", search), 5)
        p.end(search)
        ask = p.node("Ask#2", research, attributes={s.MAX_RETRIES: 2})
        p.fail(p.attempt(ask, 1), TimeoutError("late"), 10)
        p.end(p.attempt(ask, 2), 10)
        p.end(ask, 0, {s.ATTEMPTS: 2})
        p.end(research)
        each = p.node("Each", flow)
        for number in range(2):
            item = p.item(each, number)
            p.end(p.flow("Inner", item), 10)
            p.end(item)
        p.end(each, 0, {s.BATCH_SIZE: 2})
        p.end(flow)
        yield one


def shown(agent, *patterns):
    """What is shown of some flows and nodes, without totals, framed by line ends."""
    return "\n" + agent.replayed(*patterns).partition("\n\n")[0] + "\n"


def test_other_flows_and_nodes_go_with_their_attempts_and_items(agent):
    assert (
        shown(agent, "Search")
        == """
        ▶ Agent
          ▶ Search
  5.0ms     · GET
  5.0ms   ✔ Search
   45ms ✔ Agent
"""
    )
    assert (
        shown(agent, "Research", "Inner")
        == """
        ▶ Agent
          ▶ Research
  5.0ms     · GET
   25ms   ✔ Research
          ▶ Inner
   10ms   ✔ Inner
          ▶ Inner
   10ms   ✔ Inner
   45ms ✔ Agent
"""
    )


def test_patterns_are_for_whole_names_with_or_without_their_number(agent):
    asks = shown(agent, "Ask")
    assert (
        asks
        == """
        ▶ Agent
  5.0ms   · GET
          ▶ Ask#2
   10ms     ↻ Ask#2                   attempt 1 of 2  TimeoutError: late
   10ms     ✔ Ask#2                   attempt 2 of 2
   20ms   ✔ Ask#2                     2 attempts
   45ms ✔ Agent
"""
    )
    assert shown(agent, "Ask#2") == shown(agent, "As[jk]*") == asks


def test_totals_are_those_of_what_is_shown(agent):
    assert agent.replayed("Ask").partition("\n\n")[2].splitlines()[0] == (
        "  total ✔ 1 flow, 1 node visit in 45ms  no errors  1 retry"
    )


def test_spans_of_others_stay_where_their_nodes_would_be(agent):
    assert (
        shown(agent, "Agent")
        == """
        ▶ Agent
  5.0ms   · GET
   45ms ✔ Agent
"""
    )


def test_a_trace_that_nothing_is_left_of_is_left_out():
    with watched(Verbosity.NORMAL) as one:
        p = Spans(*one.processors)
        for name in ("Ask", "Answer"):
            p.end(p.node(name), 10)
        assert one.replayed("Ans*").splitlines()[:4] == [
            "        ▶ Answer",
            "   10ms ✔ Answer",
            "",
            "  total ✔ 1 node visit in 10ms  no errors",
        ]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("Reserch", "no flow or node is called 'Reserch'; near it is 'Research'"),
        ("Sear", "no flow or node is called 'Sear'; near it is 'Search'"),
        ("x*", "no flow or node is called 'x*'"),
    ],
)
def test_a_pattern_that_is_for_nothing_is_told_with_what_is_near(agent, pattern, told):
    with pytest.raises(NoSuchNameError) as caught:
        agent.replayed("Ask", pattern)
    assert str(caught.value) == told


def outline(shown: str) -> list[str]:
    """The lines without totals, times and details."""
    return [re.split(r"(?<=\S)  ", line[GUTTER:])[0] for line in shown.partition("\n\n")[0].splitlines()]


def run_watched(program, one, **options):
    run = Run(program, pocketflow)
    with run.surroundings(), traced(**options) as recording:
        for processor in one.processors:
            recording.tracer_provider.add_span_processor(processor)
        run.run()


@given(program=programs(), pattern=st.sampled_from(["look*"]))
@often
def test_it_is_as_if_no_others_had_been_traced(program, pattern):
    # A flow that a node runs by itself, inside another, is traced whatever it is called.
    assume(
        isinstance(program.root, Node) or not any(getattr(part, "inner", None) for part in everything_in(program.root))
    )
    with watched(Verbosity.NORMAL) as chosen, watched(Verbosity.NORMAL) as whole:
        run_watched(program, chosen, include=(pattern,))
        run_watched(program, whole)
        try:
            assert outline(whole.replayed(pattern)) == outline(chosen.live())
        except NoSuchNameError:
            pass
