"""Spans out of OTLP JSON, as strict or as loose as the tools that write it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pocketflow_otel.traces.model import Event, Link, Span, SpanKind, Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Member = TypeVar("_Member", SpanKind, StatusCode)

_KINDS: Final = tuple(SpanKind)
_CODES: Final = tuple(StatusCode)
TRACE_ID_LENGTH: Final = 32
SPAN_ID_LENGTH: Final = 16
_NO_ID: Final = frozenset("0")
_SIGNALS: Final = frozenset({"resourceSpans", "resourceLogs", "resourceMetrics", "resourceProfiles"})
_SCOPES: Final = frozenset({"scopeSpans", "instrumentationLibrarySpans"})
"""What holds the spans of a resource; before version 0.15 OTLP named scopes otherwise."""


MALFORMED: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What reading something that is no OTLP JSON raises."""


def in_words(error: BaseException) -> str:
    """Says what is wrong with something that is no OTLP JSON."""
    if isinstance(error, KeyError):
        return f"no {error.args[0]}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    told = str(error)
    return f"a field is of a wrong type: {told}" if isinstance(error, (TypeError, AttributeError)) else told


def requests_in(document: object) -> Iterator[dict[str, Any] | None]:
    """Finds the requests, of any signal, in a JSON document: it is one, a list of them, or the content of one.

    Yields:
        A request as it stands there, None for what is none. The empty object is a request without content.
    """
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, dict) or (each and _SIGNALS.isdisjoint(each) and _SCOPES.isdisjoint(each)):
            yield None
        else:
            # Java's logging exporter leaves out what is around the spans of a resource.
            yield {"resourceSpans": [each]} if not _SCOPES.isdisjoint(each) else each


def groups_in(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Finds the groups of spans in a request, as they stand there: those of a resource, and in it those of a scope."""
    for resource_spans in request.get("resourceSpans") or ():
        # Before version 0.15 OTLP named scopes otherwise.
        for scope_spans in resource_spans.get("scopeSpans") or resource_spans.get("instrumentationLibrarySpans") or ():
            yield resource_spans, scope_spans


def scope_of(scope_spans: dict[str, Any]) -> dict[str, Any]:
    """Finds the scope of a group of spans."""
    return scope_spans.get("scope") or scope_spans.get("instrumentationLibrary") or {}


class SpanDecoder:
    """Reads spans out of OTLP trace requests that follow each other, as the lines of a file do."""

    def __init__(self) -> None:
        self._encoded_resource: dict[str, Any] | None = None
        self._resource: dict[str, Any] = {}

    def spans_in(self, request: dict[str, Any]) -> Iterator[Span]:
        """Reads the spans of a request.

        Accepted beside what OTLP says: ids in upper case or in base64 (which is how protobuf's own JSON writes them),
        64-bit integers as numbers, enumerations by name, and fields that are missing or null.

        Raises:
            ValueError, TypeError, AttributeError, LookupError: If it is something else.
        """
        for resource_spans, scope_spans in groups_in(request):
            resource = self._resource_of(resource_spans)
            scope = scope_of(scope_spans)
            name, version = scope.get("name") or "", scope.get("version") or ""
            for span in scope_spans.get("spans") or ():
                yield _span(span, resource, name, version)

    def _resource_of(self, resource_spans: dict[str, Any]) -> dict[str, Any]:
        # Nearly always the same as in the line before: 3 KB less for every span of a file.
        encoded = resource_spans.get("resource") or {}
        if encoded != self._encoded_resource:
            self._encoded_resource = encoded
            self._resource = attributes_in(encoded)
        return self._resource


def attributes_in(holder: dict[str, Any]) -> dict[str, Any]:
    """Reads the attributes of a resource, span, event or link."""
    return {pair.get("key") or "": value_of(pair.get("value")) for pair in holder.get("attributes") or ()}


def value_of(value: dict[str, Any] | None) -> Any:
    """Reads one of OTLP's values: text, a number, a truth value, bytes, a list, a dict, or None where it is empty."""
    for kind, content in (value or {}).items():
        # OTLP has readers ignore what they do not know.
        if kind in _VALUES and content is not None:
            return _VALUES[kind](content)
    return None


_VALUES: Final[dict[str, Callable[[Any], Any]]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": base64.b64decode,
    "arrayValue": lambda content: [value_of(item) for item in content.get("values") or ()],
    "kvlistValue": lambda content: {
        pair.get("key") or "": value_of(pair.get("value")) for pair in content.get("values") or ()
    },
}


def _span(span: dict[str, Any], resource: dict[str, Any], scope: str, scope_version: str) -> Span:
    return Span(
        trace_id=hex_id(span["traceId"], TRACE_ID_LENGTH),
        span_id=hex_id(span["spanId"], SPAN_ID_LENGTH),
        parent_span_id=parent_id(span.get("parentSpanId")),
        name=span.get("name") or "",
        start_ns=int(span.get("startTimeUnixNano") or 0),
        end_ns=int(span.get("endTimeUnixNano") or 0) or None,
        kind=kind_of(span.get("kind")),
        attributes=attributes_in(span),
        events=tuple(_event(event) for event in span.get("events") or ()),
        links=tuple(_link(link) for link in span.get("links") or ()),
        status=_status(span.get("status")),
        resource=resource,
        scope=scope,
        scope_version=scope_version,
        trace_state=span.get("traceState") or "",
    )


def parent_id(text: str | None) -> str | None:
    """Reads the id of a parent span: absent, empty and all zeros mean that there is none."""
    if not text or _NO_ID.issuperset(text):
        return None
    read = hex_id(text, SPAN_ID_LENGTH)
    return None if _NO_ID.issuperset(read) else read


def _event(event: dict[str, Any]) -> Event:
    return Event(event.get("name") or "", int(event.get("timeUnixNano") or 0), attributes_in(event))


def _link(link: dict[str, Any]) -> Link:
    return Link(
        hex_id(link["traceId"], TRACE_ID_LENGTH),
        hex_id(link["spanId"], SPAN_ID_LENGTH),
        attributes_in(link),
        link.get("traceState") or "",
    )


_UNSET: Final = Status()


def _status(status: dict[str, Any] | None) -> Status:
    if not status:
        return _UNSET
    return Status(code_of(status.get("code")), status.get("message") or "")


def kind_of(value: int | str | None) -> SpanKind:
    """Reads a span's kind by number or by name."""
    return _enumerated(_KINDS, "SPAN_KIND_", value)


def code_of(value: int | str | None) -> StatusCode:
    """Reads a status code by number or by name."""
    return _enumerated(_CODES, "STATUS_CODE_", value)


def number_of(member: SpanKind | StatusCode) -> int:
    """The number that OTLP has for a kind or a status code."""
    return _KINDS.index(member) if isinstance(member, SpanKind) else _CODES.index(member)


def _enumerated(members: tuple[_Member, ...], prefix: str, value: int | str | None) -> _Member:
    """Reads an enumeration by number or by name; what it does not have is its first member, as in protobuf."""
    if isinstance(value, str) and not value.isdecimal():
        name = value.removeprefix(prefix)
        return next((member for member in members if member == name), members[0])
    number = int(value or 0)
    return members[number] if 0 <= number < len(members) else members[0]


def hex_id(text: str, length: int) -> str:
    """Reads an id that is in hex, of either case, or in base64.

    Returns:
        It in lower-case hex.

    Raises:
        ValueError: If it has not so many hex digits.
    """
    try:
        read = bytes.fromhex(text) if len(text) == length else base64.b64decode(text, validate=True)
    except ValueError:
        read = b""
    if len(read) * 2 != length:
        raise ValueError(f"{text!r} is no id of {length} hex digits")
    return read.hex()
