"""What Grafana's Explore takes as "Import trace" of a Tempo data source.

The form is what `transformFromOTLP` reads, in public/app/plugins/datasource/tempo/resultTransformer.ts of
grafana/grafana: OTLP in the spelling it had before version 0.15, under ``batches``, with ids in hex. What that function
would drop, fail on or show wrongly is written as it can show it: it knows neither bytes nor maps, takes a double of 0
for an empty text, needs the attributes of every resource and the values of every array, and shows the name of a span's
kind, but the number of its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.formats.resources import ResourceNumbers
from pocketflow_otel.traces.formats.unfinished import UNFINISHED, drawn
from pocketflow_otel.traces.json_text import json_text, plain
from pocketflow_otel.traces.model import SpanKind
from pocketflow_otel.traces.otlp import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pocketflow_otel.traces.model import Event, Link, Span, Trace

_SCOPES: Final = "instrumentationLibrarySpans"
_LARGEST_INTEGER: Final = 2**53 - 1
"""Of JavaScript, which would round larger ones."""


def render(trace: Trace) -> str:
    """Writes a trace as Grafana imports it."""
    numbers = ResourceNumbers()
    batches: dict[int, dict[str, Any]] = {}
    scopes: dict[tuple[int, str, str], list[dict[str, Any]]] = {}
    for shown, read in drawn(trace):
        number = numbers[shown.resource]
        if number not in batches:
            batches[number] = {"resource": {"attributes": _attributes(shown.resource)}, _SCOPES: []}
        scope = (number, shown.scope, shown.scope_version)
        if scope not in scopes:
            scopes[scope] = []
            library = {"name": shown.scope, "version": shown.scope_version}
            batches[number][_SCOPES].append({"instrumentationLibrary": library, "spans": scopes[scope]})
        scopes[scope].append(_span(shown, unfinished=not read.finished))
    return json_text({"batches": list(batches.values())}) + "\n"


def _span(span: Span, *, unfinished: bool) -> dict[str, Any]:
    mark = {UNFINISHED: True} if unfinished else {}
    result = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id or "",
        "traceState": span.trace_state,
        "name": span.name,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns or 0),
        "attributes": _attributes(span.attributes | mark),
        "events": [_event(event) for event in span.events],
        "links": [_link(link) for link in span.links],
        "status": {"code": number_of(span.status.code), "message": span.status.message},
    }
    return result if span.kind is SpanKind.UNSPECIFIED else {**result, "kind": f"SPAN_KIND_{span.kind}"}


def _event(event: Event) -> dict[str, Any]:
    return {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _attributes(event.attributes)}


def _link(link: Link) -> dict[str, Any]:
    return {
        "traceId": link.trace_id,
        "spanId": link.span_id,
        "traceState": link.trace_state,
        "attributes": _attributes(link.attributes),
    }


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int() if abs(value) <= _LARGEST_INTEGER:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": plain(value)} if value else {"intValue": "0"}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": _text(value)}


def _text(value: Any) -> str:
    if value is None:
        return ""
    shown = plain(value)
    return shown if isinstance(shown, str) else json_text(shown)
