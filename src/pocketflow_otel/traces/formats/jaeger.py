"""The JSON of Jaeger's own pages, which they also take as an upload, with no backend behind them.

It says what Jaeger's query service answers for the same spans. The rules are those of pkg/translator/jaeger
(traces_to_jaegerproto.go) in opentelemetry-collector-contrib, which turns OTLP into Jaeger's model, and of
internal/uimodel and internal/jptrace/sanitizer in jaegertracing/jaeger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.formats.resources import SERVICE_NAME, ResourceNumbers
from pocketflow_otel.traces.formats.unfinished import drawn
from pocketflow_otel.traces.json_text import json_text, plain
from pocketflow_otel.traces.model import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pocketflow_otel.traces.model import Event, Link, Span, Trace

    Tag = dict[str, Any]

UNFINISHED_WARNING: Final = "unfinished: this span had not ended; it is drawn up to the last known time of its trace"
BACKWARD_WARNING: Final = "this span ended before it started; it is drawn without a length"

_LARGEST_INTEGER: Final = 2**53 - 1
"""Of JavaScript: Jaeger gives larger integers as text."""
_REFERENCE_TYPE: Final = "opentracing.ref_type"
_NO_TRACE_ID: Final = "0" * 32


def render(traces: Sequence[Trace]) -> str:
    """Writes traces as Jaeger's pages get them."""
    return json_text({"data": [_trace(trace) for trace in traces]}) + "\n"


def _trace(trace: Trace) -> dict[str, Any]:
    numbers, processes, spans = ResourceNumbers(), {}, []
    for shown, read in drawn(trace):
        name = f"p{numbers[shown.resource]}"
        if name not in processes:
            processes[name] = _process(shown.resource)
        spans.append(_span(shown, name, list(_warnings(read))))
    return {
        "traceID": _trace_id(trace.trace_id),
        "spans": spans,
        "processes": processes,
        "warnings": [f"{trace.torn_lines} lines of the file are torn"] if trace.torn_lines else None,
    }


def _process(resource: Mapping[str, Any]) -> dict[str, Any]:
    tags = [_tag(key, value) for key, value in resource.items() if key != SERVICE_NAME]
    return {"serviceName": _service_name(resource), "tags": tags}


def _service_name(resource: Mapping[str, Any]) -> str:
    if SERVICE_NAME not in resource:
        return "missing-service-name"
    name = resource[SERVICE_NAME]
    if not isinstance(name, str):
        return "service-name-wrong-type"
    return name or "empty-service-name"


def _span(span: Span, process: str, warnings: list[str]) -> dict[str, Any]:
    end_ns = span.end_ns or 0
    return {
        "traceID": _trace_id(span.trace_id),
        "spanID": span.span_id,
        "operationName": span.name,
        "references": list(_references(span)),
        "startTime": span.start_ns // 1000,
        "duration": max(end_ns - span.start_ns, 0) // 1000,
        "tags": list(_tags(span)),
        "logs": [_log(event) for event in span.events],
        "processID": process,
        "warnings": warnings or None,
    }


def _warnings(read: Span) -> Iterator[str]:
    if read.end_ns is None:
        yield UNFINISHED_WARNING
    elif read.end_ns < read.start_ns:
        yield BACKWARD_WARNING


def _trace_id(trace_id: str) -> str:
    """Jaeger writes ids of 64 bits, which other tools make, without the zeros in front."""
    return trace_id.removeprefix("0" * 16)


def _references(span: Span) -> Iterator[dict[str, str]]:
    links = [link for link in span.links if link.trace_id != _NO_TRACE_ID]
    # A link to the parent says what the parent is, and is no second reference to it.
    to_parent = [link for link in links if (link.trace_id, link.span_id) == (span.trace_id, span.parent_span_id)]
    if span.parent_span_id is not None:
        kind = _reference_type(to_parent[-1]) if to_parent else "CHILD_OF"
        yield {"refType": kind, "traceID": _trace_id(span.trace_id), "spanID": span.parent_span_id}
    for link in links:
        if link not in to_parent:
            yield {"refType": _reference_type(link), "traceID": _trace_id(link.trace_id), "spanID": link.span_id}


def _reference_type(link: Link) -> str:
    return "CHILD_OF" if link.attributes.get(_REFERENCE_TYPE) == "child_of" else "FOLLOWS_FROM"


def _tags(span: Span) -> Iterator[Tag]:
    if span.scope:
        yield _tag("otel.scope.name", span.scope)
    if span.scope_version:
        yield _tag("otel.scope.version", span.scope_version)
    yield from (_tag(key, value) for key, value in span.attributes.items())
    if span.kind is not SpanKind.UNSPECIFIED:
        yield _tag("span.kind", span.kind.lower())
    if span.status.code is not StatusCode.UNSET:
        yield _tag("otel.status_code", str(span.status.code))
    if span.status.code is StatusCode.ERROR:
        yield _tag("error", value=True)
    if span.status.message:
        yield _tag("otel.status_description", span.status.message)
    if span.trace_state:
        yield _tag("w3c.tracestate", span.trace_state)


def _log(event: Event) -> dict[str, Any]:
    named = [_tag("event", event.name)] if event.name and "event" not in event.attributes else []
    fields = named + [_tag(key, value) for key, value in event.attributes.items()]
    return {"timestamp": event.time_ns // 1000, "fields": fields}


def _tag(key: str, value: Any) -> Tag:
    kind, shown = _typed(value)
    return {"key": key, "type": kind, "value": shown}


def _typed(value: Any) -> tuple[str, Any]:
    match value:
        case bool():
            return "bool", value
        case int():
            return "int64", value if abs(value) <= _LARGEST_INTEGER else str(value)
        case float():
            return "float64", plain(value)
        case bytes():
            return "binary", plain(value)
        case list() | dict():
            return "string", json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return "string", value or ""
