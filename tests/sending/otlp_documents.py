"""Requests as hypothesis draws them, and the many ways in which tools write one in JSON."""

import base64
import json
import math

from google.protobuf import json_format
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

_U32 = st.integers(0, 2**32 - 1)
_TIME = st.integers(0, 2**64 - 1)
_text = st.text(max_size=8)
_scalar = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=_text),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False) | st.just(math.nan)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=8)),
)


def _pairs(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[list[KeyValue]]:
    return st.lists(st.builds(KeyValue, key=_text, value=values), max_size=3)


_value = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: AnyValue(array_value=ArrayValue(values=values))),
        _pairs(inner).map(lambda pairs: AnyValue(kvlist_value=KeyValueList(values=pairs))),
    ),
    max_leaves=6,
)
_attributes = _pairs(_value)
_trace_id, _span_id = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)
_event = st.builds(Span.Event, time_unix_nano=_TIME, name=_text, attributes=_attributes, dropped_attributes_count=_U32)
_link = st.builds(
    Span.Link,
    trace_id=_trace_id,
    span_id=_span_id,
    trace_state=_text,
    attributes=_attributes,
    dropped_attributes_count=_U32,
    flags=_U32,
)
_span = st.builds(
    Span,
    trace_id=_trace_id,
    span_id=_span_id,
    parent_span_id=st.just(b"") | _span_id.filter(any),
    trace_state=_text,
    flags=_U32,
    name=_text,
    kind=st.integers(0, 5),
    start_time_unix_nano=_TIME,
    end_time_unix_nano=_TIME,
    attributes=_attributes,
    dropped_attributes_count=_U32,
    events=st.lists(_event, max_size=2),
    dropped_events_count=_U32,
    links=st.lists(_link, max_size=2),
    dropped_links_count=_U32,
    status=st.none() | st.builds(Status, code=st.integers(0, 2), message=_text),
)
_scope_spans = st.builds(
    ScopeSpans,
    scope=st.builds(
        InstrumentationScope, name=_text, version=_text, attributes=_attributes, dropped_attributes_count=_U32
    ),
    spans=st.lists(_span, max_size=3),
    schema_url=_text,
)
_resource_spans = st.builds(
    ResourceSpans,
    resource=st.builds(Resource, attributes=_attributes, dropped_attributes_count=_U32),
    scope_spans=st.lists(_scope_spans, max_size=2),
    schema_url=_text,
)
requests = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(_resource_spans, max_size=2))

ID_FORMS = {
    "hex": bytes.hex,
    "upper case": lambda id_: id_.hex().upper(),
    "base64": lambda id_: base64.b64encode(id_).decode(),
}


def as_document(request: ExportTraceServiceRequest, id_form: str, *, named_enumerations: bool) -> dict:
    """A request in JSON."""
    document = json_format.MessageToDict(request, use_integers_for_enums=not named_enumerations)
    for resource_spans in document.get("resourceSpans", []):
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                for holder in (span, *span.get("links", [])):
                    for name in {"traceId", "spanId", "parentSpanId"} & holder.keys():
                        holder[name] = ID_FORMS[id_form](base64.b64decode(holder[name]))
    return document


def as_file(documents: list[dict], *, indent: int | None = None) -> bytes:
    """Documents as a file: one a line, or a single one over many lines."""
    return "".join(json.dumps(document, indent=indent) + "\n" for document in documents).encode()
