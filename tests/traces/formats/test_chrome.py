"""Trace events: each span once, to the nanosecond, on tracks where all nests."""

import json
import math
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketflow_otel.traces.formats import chrome
from pocketflow_otel.traces.formats.unfinished import last_moment
from pocketflow_otel.traces.model import Event, Status, StatusCode, Trace
from traces.formats.trees import FIRST_NS, span, times, trace, traces

TraceEvent = dict[str, Any]
OTHER = "1" * 32


def exported(*traces: Trace, with_args: bool = False) -> dict[str, Any]:
    return json.loads(chrome.render(traces, with_args=with_args))


def spans_of(document: dict[str, Any]) -> list[TraceEvent]:
    return [event for event in document["traceEvents"] if event["ph"] in ("X", "B")]


def tracks(document: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the spans on each track, by the track's name."""
    names = {event["tid"]: event["args"]["name"] for event in document["traceEvents"] if event["name"] == "thread_name"}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    for event in spans_of(document):
        found[names[event["tid"]]].append(event["name"])
    return found


def nanoseconds(microseconds: float) -> int:
    return round(microseconds * 1000)


@given(st.lists(traces(), min_size=1, max_size=2))
def test_nothing_is_lost_and_times_are_kept_to_the_nanosecond(some):
    some = [Trace(identity, one.spans) for identity, one in zip([OTHER, "2" * 32], some, strict=False)]
    document = exported(*some)
    start = int(document["otherData"]["startTimeUnixNano"])
    wanted: Counter[tuple[Any, ...]] = Counter()
    for one in some:
        for made in one.spans:
            end = None if made.end_ns is None else made.end_ns - made.start_ns
            wanted[made.name, made.start_ns, end, made.status.code is StatusCode.ERROR] += 1
            wanted.update(("said", event.time_ns) for event in made.events)
    found: Counter[tuple[Any, ...]] = Counter()
    for event in document["traceEvents"]:
        if event["ph"] in ("X", "B"):
            length = nanoseconds(event["dur"]) if "dur" in event else None
            found[event["name"], start + nanoseconds(event["ts"]), length, event["cat"] == "error"] += 1
        elif event["ph"] == "i":
            found[event["name"], start + nanoseconds(event["ts"])] += 1
    assert found == wanted


@settings(max_examples=500)
@given(st.lists(traces(), min_size=1, max_size=2))
def test_on_every_track_spans_nest_and_no_two_begin_or_end_at_once(some):
    some = [Trace(identity, one.spans) for identity, one in zip([OTHER, "2" * 32], some, strict=False)]
    around: defaultdict[int, list[float]] = defaultdict(list)
    last: dict[int, float] = {}
    processes: dict[int, int] = {}
    for event in spans_of(exported(*some)):
        track, start = event["tid"], event["ts"]
        assert processes.setdefault(track, event["pid"]) == event["pid"]
        # As readers add it up.
        end = start + event["dur"] if "dur" in event else math.inf
        while around[track] and around[track][-1] < start:
            last[track] = around[track].pop()
        assert last.get(track, -1) < start < end
        assert not around[track] or end < around[track][-1] or event["ph"] == "B"
        last[track] = start
        around[track].append(end)


@given(times.filter(bool), times)
def test_times_are_exact_also_where_what_is_less_than_a_nanosecond_is_cut_off(start, length):
    _, event = spans_of(exported(trace(span(1, 0, 0), span(2, start, start + length))))
    assert (int(event["ts"] * 1000), int(event["dur"] * 1000)) == (start, length)


def test_times_count_from_the_first_span():
    document = exported(trace(span(1, 1_000, 9_123), span(2, 2_001, 4_251, parent=1)))
    assert [(event["ts"], event["dur"]) for event in spans_of(document)] == [
        (0.0, pytest.approx(8.123)),
        (pytest.approx(1.001), pytest.approx(2.25)),
    ]
    assert document["otherData"]["startTimeUnixNano"] == str(FIRST_NS + 1_000)
    assert document["displayTimeUnit"] == "ns"


def test_what_runs_in_sequence_is_one_track():
    one = trace(span(1, 0, 9, name="flow"), span(2, 0, 4, 1, "a"), span(3, 4, 9, 1, "b"), span(4, 5, 6, 3, "inner"))
    assert tracks(exported(one)) == {"flow": ["flow", "a", "b", "inner"]}


def test_each_branch_of_what_runs_in_parallel_has_a_track_of_its_name():
    items = [span(2 + index, index, 9, 1, "item", attributes={"pocketflow.batch.index": index}) for index in range(3)]
    one = trace(span(1, 0, 20, name="batch"), *items, span(9, 10, 12, 1, "after"), span(10, 3, 4, 3, "inner"))
    assert tracks(exported(one)) == {
        "batch": ["batch", "after"],
        "item 0 of batch": ["item"],
        "item 1 of batch": ["item", "inner"],
        "item 2 of batch": ["item"],
    }


def test_span_that_outlives_its_parent_has_a_track_of_its_own():
    one = trace(span(1, 0, 9, name="flow"), span(2, 4, 12, 1, "background"))
    assert tracks(exported(one)) == {"flow": ["flow"], "background": ["background"]}


def test_each_resource_is_a_process_of_its_services_name():
    one = trace(span(1, 0, 9, resource={"service.name": "front"}), span(2, 1, 8, 1, resource={"service.name": "back"}))
    names = {
        event["pid"]: event["args"]["name"] for event in exported(one)["traceEvents"] if event["name"] == "process_name"
    }
    assert list(names.values()) == ["front", "back"]


def test_traces_side_by_side_are_told_apart_by_their_ids():
    other = Trace(OTHER, trace(span(1, 50, 60)).spans)
    document = exported(trace(span(1, 0, 9, name="flow")), other)
    names = [event["args"]["name"] for event in document["traceEvents"] if event["name"] == "process_name"]
    assert names == ["unknown service (0af76519)", "unknown service (11111111)"]
    assert [event["ts"] for event in spans_of(document)] == [0.0, pytest.approx(0.05)]


def test_unfinished_span_begins_and_does_not_end():
    one = trace(span(1, 0, None, name="flow"), span(2, 1_000, 3_000, 1, "a"))
    first, second = spans_of(exported(one))
    assert (first["ph"], first["ts"], "dur" in first) == ("B", 0.0, False)
    assert (second["ph"], second["tid"]) == ("X", first["tid"])
    assert last_moment(one) == FIRST_NS + 3_000


def test_attributes_are_there_only_when_asked_for():
    one = trace(
        span(
            1,
            0,
            9,
            attributes={"bytes": b"\x00", "nan": float("nan"), "list": [1, None]},
            events=(Event("said", FIRST_NS, {"word": "yes"}),),
            status=Status(StatusCode.ERROR, "no"),
            scope="tests",
        )
    )
    assert not any("args" in event for event in exported(one)["traceEvents"] if event["ph"] != "M")
    made, said = (event for event in exported(one, with_args=True)["traceEvents"] if event["ph"] != "M")
    assert made["args"] == {
        "bytes": "AA==",
        "nan": "NaN",
        "list": [1, None],
        "otel.trace_id": one.trace_id,
        "otel.span_id": "0000000000000001",
        "otel.scope.name": "tests",
        "otel.status_description": "no",
    }
    assert said["args"] == {"word": "yes"}
    assert (said["ph"], said["s"]) == ("i", "t")
