"""What Jaeger's pages get; that a real Jaeger answers the same is tested with the backends."""

import dataclasses
import json
from typing import Any

import pytest

from pocketflow_otel.traces.formats import jaeger
from pocketflow_otel.traces.model import Event, Link, Trace
from traces.formats.trees import FIRST_NS, TRACE, span, trace

FIRST = FIRST_NS // 1000


def exported(*traces: Trace) -> list[dict[str, Any]]:
    return json.loads(jaeger.render(traces))["data"]


def only_span(made) -> dict[str, Any]:
    (one,) = exported(trace(made))
    return one["spans"][0]


def tags(listed: list[dict[str, Any]]) -> dict[str, Any]:
    return {tag["key"]: (tag["type"], tag["value"]) for tag in listed}


def test_times_are_whole_microseconds():
    shown = only_span(span(1, 1_999, 5_998, events=(Event("said", FIRST_NS + 2_999),)))
    assert (shown["startTime"], shown["duration"]) == (FIRST + 1, 3)
    assert shown["logs"][0]["timestamp"] == FIRST + 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", ("string", "text")),
        (True, ("bool", True)),
        (2**53 - 1, ("int64", 2**53 - 1)),
        (2**53, ("int64", str(2**53))),
        (-(2**63), ("int64", str(-(2**63)))),
        (1.5, ("float64", 1.5)),
        (float("inf"), ("float64", "Infinity")),
        (b"\x00\xff", ("binary", "AP8=")),
        (None, ("string", "")),
        (["é", 1, None], ("string", '["é",1,null]')),
        ({"b": 1, "a": b"\x00"}, ("string", '{"a":"AA==","b":1}')),
    ],
)
def test_values(value, shown):
    assert tags(only_span(span(1, 0, 9, attributes={"key": value}))["tags"])["key"] == shown


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        ({"service.name": "shop"}, "shop"),
        ({"service.name": ""}, "empty-service-name"),
        ({"service.name": 7}, "service-name-wrong-type"),
        ({}, "missing-service-name"),
    ],
)
def test_process_has_the_services_name(resource, name):
    (one,) = exported(trace(span(1, 0, 9, resource={**resource, "host": "here"})))
    process = one["processes"][one["spans"][0]["processID"]]
    assert (process["serviceName"], tags(process["tags"])) == (name, {"host": ("string", "here")})


def test_spans_of_equal_resources_share_a_process():
    (one,) = exported(trace(*(span(index, 0, 9, resource={"service.name": "shop"}) for index in range(1, 4))))
    assert {each["processID"] for each in one["spans"]} == set(one["processes"]) == {"p1"}


def test_link_to_the_parent_says_what_the_parent_is():
    parent = f"{1:016x}"
    made = span(2, 0, 9, 1, links=(Link(TRACE, parent), Link("1" * 32, "2" * 16, {"opentracing.ref_type": "child_of"})))
    assert only_span(made)["references"] == [
        {"refType": "FOLLOWS_FROM", "traceID": TRACE, "spanID": parent},
        {"refType": "CHILD_OF", "traceID": "1" * 32, "spanID": "2" * 16},
    ]


def test_unfinished_span_is_drawn_to_the_last_known_time_and_says_so():
    ended = span(2, 1_000, 3_000, 1, resource={"service.name": "shop"})
    (one,) = exported(trace(span(1, 0, None), ended))
    first, second = one["spans"]
    assert (first["duration"], first["warnings"]) == (3, [jaeger.UNFINISHED_WARNING])
    assert second["warnings"] is None
    assert first["processID"] == second["processID"]


def test_span_that_ends_before_it_starts_has_no_length_and_says_so():
    shown = only_span(span(1, 9_000, 1_000))
    assert (shown["duration"], shown["warnings"]) == (0, [jaeger.BACKWARD_WARNING])


def test_several_traces_stand_side_by_side():
    other = Trace("1" * 32, trace(span(1, 0, 9)).spans)
    assert [one["traceID"] for one in exported(trace(span(1, 0, 9)), other)] == [TRACE, "1" * 32]


def test_torn_lines_are_told():
    (one,) = exported(dataclasses.replace(trace(span(1, 0, 9)), torn_lines=2))
    assert one["warnings"] == ["2 lines of the file are torn"]
