"""Spans of a trace file as the SDK hands them to processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode

from pocketflow_otel.traces.model import StatusCode as SavedCode

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes

    from pocketflow_otel.traces.model import Span

# Making one looks at this process, and the span is another's.
_RESOURCE: Final = Resource.get_empty()
_OK: Final = Status(StatusCode.OK)
_UNSET: Final = Status()


def sdk_span(span: Span) -> ReadableSpan:
    """Makes the SDK's span of one that was read: all of it but links, kind and resource."""
    parent = span.parent_span_id
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, parent) if parent is not None else None,
        resource=_RESOURCE,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.time_ns) for event in span.events],
        status=_status(span),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope(span.scope, span.scope_version),
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False)


def _attributes(attributes: dict[str, Any]) -> Attributes:
    """Attributes with lists as the SDK keeps them."""
    kept = {key: tuple(value) if isinstance(value, list) else value for key, value in attributes.items()}
    return cast("Attributes", kept)


def _status(span: Span) -> Status:
    if span.status.code is SavedCode.ERROR:
        return Status(StatusCode.ERROR, span.status.message or None)
    return _OK if span.status.code is SavedCode.OK else _UNSET
