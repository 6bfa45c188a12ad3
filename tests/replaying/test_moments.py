"""The order in which a replay shows what happened."""

from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.replaying.moments import moments
from pocketflow_otel.traces.model import Span, Trace

TRACE = "a" * 32


def span(name: str, parent: str | None, start: int, end: int | None) -> Span:
    return Span(TRACE, name, parent, name, start, end)


def trace(*spans: Span) -> Trace:
    return Trace(TRACE, sorted(spans, key=lambda one: one.start_ns))


def told(*traces: Trace) -> list[str]:
    return [f"{moment.span.name}{'/' if moment.is_end else ''} {moment.time_ns}" for moment in moments(traces)]


def test_spans_begin_and_end_at_their_times():
    side_by_side = trace(span("flow", None, 1, 9), span("a", "flow", 2, 6), span("b", "flow", 4, 5))
    assert told(side_by_side) == ["flow 1", "a 2", "b 4", "b/ 5", "a/ 6", "flow/ 9"]


def test_what_outlives_its_parent_ends_after_it():
    assert told(trace(span("node", None, 1, 3), span("stream", "node", 2, 7))) == [
        "node 1",
        "stream 2",
        "node/ 3",
        "stream/ 7",
    ]


def test_what_has_not_ended_has_no_end():
    assert told(trace(span("flow", None, 1, None), span("node", "flow", 2, 3))) == ["flow 1", "node 2", "node/ 3"]


def test_in_one_nanosecond_what_is_around_comes_first_and_goes_last():
    still = trace(span("flow", None, 5, 5), span("a", "flow", 5, 5), span("in a", "a", 5, 5), span("b", "flow", 5, 5))
    assert told(still) == ["flow 5", "a 5", "in a 5", "in a/ 5", "a/ 5", "b 5", "b/ 5", "flow/ 5"]


def test_a_node_ends_before_the_next_that_begins_in_the_same_nanosecond():
    touching = trace(span("flow", None, 1, 9), span("a", "flow", 2, 5), span("b", "flow", 5, 9))
    assert told(touching) == ["flow 1", "a 2", "a/ 5", "b 5", "b/ 9", "flow/ 9"]


def test_no_span_begins_before_its_parent_whatever_clocks_say():
    behind = trace(span("flow", None, 10, 20), span("far away", "flow", 3, 6), span("in it", "far away", 4, 5))
    assert told(behind) == ["flow 10", "far away 10", "in it 10", "in it/ 10", "far away/ 10", "flow/ 20"]


def test_traces_stand_on_one_time_line():
    other = Trace("b" * 32, [Span("b" * 32, "other", None, "other", 3, 6)])
    assert told(other, trace(span("flow", None, 1, 4))) == ["flow 1", "other 3", "flow/ 4", "other/ 6"]


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 12), st.integers(0, 4), st.none() | st.integers(0, 4)), max_size=12)
)
def test_every_span_begins_once_after_its_parent_and_ends_once_if_it_did(drawn):
    """Also where parents are missing, or go in circles."""
    spans = [
        span(str(number), None if parent is None else str(parent), start, end)
        for number, (parent, start, end) in enumerate(drawn)
    ]
    found = moments([trace(*spans)])
    assert [moment.time_ns for moment in found] == sorted(moment.time_ns for moment in found)
    begun = [moment.span.name for moment in found if not moment.is_end]
    ended = [moment.span.name for moment in found if moment.is_end]
    assert sorted(begun) == sorted(one.name for one in spans)
    assert sorted(ended) == sorted(one.name for one in spans if one.finished)
    for one in spans:
        above = [one]
        while (parent := next((p for p in spans if p.name == above[-1].parent_span_id), None)) not in (None, *above):
            above.append(parent)
        if parent is None and len(above) > 1:
            assert begun.index(above[1].name) < begun.index(one.name)


def test_very_deep_traces():
    deep = trace(*(span(str(n), str(n - 1) if n else None, n, 20_000 - n) for n in range(5_000)))
    assert len(moments([deep])) == 10_000
