"""What Grafana reads out of an export is the trace."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from pocketflow_otel.traces.formats import grafana
from pocketflow_otel.traces.formats.unfinished import UNFINISHED
from pocketflow_otel.traces.json_text import json_text, plain
from pocketflow_otel.traces.model import Event, Span, SpanKind, Trace
from traces.formats.documents import documents, only_trace
from traces.formats.grafana_reader import Row, rows
from traces.formats.trees import FIRST_NS, TRACE, span, trace


def read_by_grafana(one: Trace) -> dict[str, Row]:
    return {row["spanID"]: row for row in rows(json.loads(grafana.render(one)))}


def shown(value: Any) -> Any:
    """A value as Grafana can show it."""
    match value:
        case None:
            return ""
        case bool() | str():
            return value
        case int():
            return float(value) if abs(value) < 2**53 else str(value)
        case list():
            return [shown(item) for item in value]
        case dict():
            return json_text(plain(value))
    return plain(value)


def all_shown(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: shown(value) for key, value in attributes.items()}


def wanted(made: Span) -> Row:
    return {
        "traceID": made.trace_id[16:],
        "spanID": made.span_id,
        "parentSpanID": made.parent_span_id or "",
        "operationName": made.name,
        "serviceName": made.resource["service.name"],
        "serviceTags": all_shown(made.resource),
        "kind": None if made.kind is SpanKind.UNSPECIFIED else made.kind.lower(),
        "statusCode": ["UNSET", "OK", "ERROR"].index(made.status.code),
        "statusMessage": made.status.message,
        "library": (made.scope, made.scope_version),
        "traceState": made.trace_state,
        "startTime": float(made.start_ns) / 1_000_000,
        "duration": (float(made.end_ns) - float(made.start_ns)) / 1_000_000,
        "tags": all_shown(made.attributes),
        "logs": [(float(event.time_ns) / 1_000_000, event.name, all_shown(event.attributes)) for event in made.events],
        "references": [(link.trace_id, link.span_id, all_shown(link.attributes)) for link in made.links],
    }


@given(documents())
def test_grafana_reads_every_span_with_all_it_can_show(document):
    one = only_trace(document)
    assert read_by_grafana(one) == {made.span_id: wanted(made) for made in one.spans}


@pytest.mark.parametrize(
    ("value", "seen"), [(0.0, 0.0), ("", ""), ([], []), ([[]], [[]]), ({}, "{}"), (b"", ""), (None, ""), (False, False)]
)
def test_values_that_javascript_takes_for_nothing(value, seen):
    read = read_by_grafana(trace(span(1, 0, 9, attributes={"key": value})))
    assert read["0000000000000001"]["tags"] == {"key": seen}


def test_resource_without_attributes_is_no_error():
    assert read_by_grafana(trace(span(1, 0, 9)))["0000000000000001"]["serviceName"] == "OTLPResourceNoServiceName"


def test_spans_stand_in_one_group_for_each_resource_and_scope():
    spans = [span(index, index, 9, resource={"service.name": "shop"}, scope="one") for index in range(1, 4)]
    document = json.loads(grafana.render(trace(*spans, span(4, 0, 9, scope="one"))))
    assert [
        [len(scope["spans"]) for scope in batch["instrumentationLibrarySpans"]] for batch in document["batches"]
    ] == [
        [1],
        [3],
    ]


def test_unfinished_span_is_marked_and_drawn_to_the_last_known_time():
    one = trace(span(1, 0, None), span(2, 0, 2_000_000, 1, events=(Event("late", FIRST_NS + 3_000_000),)))
    read = read_by_grafana(one)
    assert read["0000000000000001"]["tags"] == {UNFINISHED: True}
    assert read["0000000000000001"]["duration"] == pytest.approx(3, abs=0.001)
    assert read["0000000000000002"]["tags"] == {}
    assert (
        json.loads(grafana.render(one))["batches"][0]["instrumentationLibrarySpans"][0]["spans"][0]["traceId"] == TRACE
    )
