"""OTLP JSON as its specification has it, out of what tools write.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in lower-case hex, 64-bit integers as text,
enumerations as numbers. Strict readers take nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.json_text import floating
from pocketflow_otel.traces.otlp import SPAN_ID_LENGTH, TRACE_ID_LENGTH, code_of, hex_id, kind_of, number_of, parent_id

if TYPE_CHECKING:
    from collections.abc import Callable

    Message = dict[str, Any]
    Reader = Callable[[Any], Any]


def canonical_span(span: Message) -> Message:
    """A span as OTLP's JSON has it; fields that OTLP does not have stay.

    Raises:
        ValueError, TypeError, AttributeError, LookupError: If it is no span.
    """
    result = _message(span, _SPAN)
    if parent_id(result.get("parentSpanId")) is None:
        result.pop("parentSpanId", None)
    return result


def canonical_holder(holder: Message) -> Message:
    """A resource or an instrumentation scope as OTLP's JSON has it.

    Raises:
        ValueError, TypeError, AttributeError, LookupError: If it is something else.
    """
    return _message(holder, _HOLDER)


def _message(message: Message, fields: dict[str, Reader]) -> Message:
    """Reads the fields that are known, and leaves out those that are null."""
    return {
        name: fields[name](value) if name in fields else value for name, value in message.items() if value is not None
    }


def _integer(value: Any) -> str:
    return str(int(value))


def _list(read: Reader) -> Reader:
    return lambda items: [read(item) for item in items]


def _pair(pair: Message) -> Message:
    return {**pair, "key": pair.get("key") or "", "value": _value(pair.get("value"))}


def _value(value: Message | None) -> Message:
    return _message(value or {}, _VALUE)


_attributes: Final = _list(_pair)

_VALUE: Final[dict[str, Reader]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": _integer,
    "doubleValue": floating,
    "arrayValue": lambda content: {"values": [_value(item) for item in content.get("values") or ()]},
    "kvlistValue": lambda content: {"values": _attributes(content.get("values") or ())},
}
_HOLDER: Final[dict[str, Reader]] = {"attributes": _attributes, "droppedAttributesCount": int}
_EVENT: Final[dict[str, Reader]] = {**_HOLDER, "timeUnixNano": _integer}
_LINK: Final[dict[str, Reader]] = {
    **_HOLDER,
    "traceId": lambda text: hex_id(text, TRACE_ID_LENGTH),
    "spanId": lambda text: hex_id(text, SPAN_ID_LENGTH),
    "flags": int,
}
_STATUS: Final[dict[str, Reader]] = {"code": lambda code: number_of(code_of(code))}
_SPAN: Final[dict[str, Reader]] = {
    **_LINK,
    "parentSpanId": lambda text: parent_id(text) or "",
    "kind": lambda kind: number_of(kind_of(kind)),
    "startTimeUnixNano": _integer,
    "endTimeUnixNano": _integer,
    "events": _list(lambda event: _message(event, _EVENT)),
    "droppedEventsCount": int,
    "links": _list(lambda link: _message(link, _LINK)),
    "droppedLinksCount": int,
    "status": lambda status: _message(status, _STATUS),
}
