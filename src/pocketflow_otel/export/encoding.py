"""Spans as lines of OTLP JSON, by OpenTelemetry's own encoder.

Checked against opentelemetry-exporter-otlp-json-common 0.66b1: ids are hex, 64-bit integers are strings, bytes are
base64, NaN and the infinities are strings, and None is an empty value, all as OTLP wants it. Corrected here: integers
that do not fit 64 bits, enumerations that are integers, lone surrogates, and the trace state of links.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue, Attributes

_INT64_LEAST: Final = -(2**63)
_INT64_MOST: Final = 2**63 - 1
_EXACT: Final = frozenset({str, bool, float, bytes, type(None)})
# Line ends to some readers, though not to JSON; they only ever stand inside strings.
_OTHER_LINE_ENDS: Final = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_NO_RESOURCE: Final = Resource.get_empty()
_MOST_ENVELOPES: Final = 64
_ENVELOPE_END: Final = "]}]}"

dumps: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Renders a value as compact JSON, for `encode_line`."""


def corrected(attributes: Attributes) -> Mapping[str, AnyValue]:
    """Makes every integer in attributes an int of 64 bits, or text where it does not fit.

    Returns:
        The same attributes where nothing is wrong.
    """
    if attributes is None:
        return {}
    if not any(map(_is_wrong, attributes.values())):
        return attributes
    result = BoundedAttributes(attributes={key: _corrected_value(value) for key, value in attributes.items()})
    result.dropped = getattr(attributes, "dropped", 0)
    return result


def encode_line(text: str) -> bytes:
    """Encodes JSON as one line.

    Args:
        text: JSON without line ends.

    Returns:
        UTF-8 with a line end. What UTF-8 cannot say (half of a surrogate pair) becomes U+FFFD.
    """
    if not text.isascii():
        text = text.translate(_OTHER_LINE_ENDS)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode() + b"\n"


@dataclass(frozen=True, slots=True)
class EncodedSpan:
    """A span as JSON, and the JSON that opens its resource and scope."""

    envelope: str
    text: str


def join(spans: Sequence[EncodedSpan]) -> bytes:
    """Makes one line of OTLP JSON of spans."""
    groups: dict[str, list[str]] = {}
    for span in spans:
        groups.setdefault(span.envelope, []).append(span.text)
    resource_spans = (envelope + ",".join(texts) + _ENVELOPE_END for envelope, texts in groups.items())
    return encode_line('{"resourceSpans":[' + ",".join(resource_spans) + "]}")


class SpanEncoder:
    """Encodes spans, and each resource and scope once.

    The encoder also hashes a resource for every span, by rendering it as JSON: a span of 16 attributes under a resource
    of 30 takes 50 µs here, and 95 µs without this.
    """

    def __init__(self) -> None:
        self._envelopes: dict[tuple[int, InstrumentationScope | None], tuple[Resource, str]] = {}

    def encode(self, span: ReadableSpan) -> EncodedSpan:
        """Encodes a span.

        Raises:
            Exception: Whatever the encoder raises on a span that it cannot take.
        """
        encoded = _resource_spans(_encodable(span))["scopeSpans"][0]["spans"][0]
        _add_missing(span, encoded)
        return EncodedSpan(self._envelope(span), dumps(encoded))

    def _envelope(self, span: ReadableSpan) -> str:
        # The entry holds the resource, so that no other can get its id.
        key = (id(span.resource), span.instrumentation_scope)
        known = self._envelopes.get(key)
        if known is None:
            if len(self._envelopes) >= _MOST_ENVELOPES:
                self._envelopes.clear()
            known = self._envelopes[key] = (span.resource, _encode_envelope(span))
        return known[1]


def _encode_envelope(span: ReadableSpan) -> str:
    resource = Resource(corrected(span.resource.attributes), span.resource.schema_url)
    scope = span.instrumentation_scope
    if scope:
        scope = InstrumentationScope(scope.name, scope.version, scope.schema_url, corrected(scope.attributes))
    outer = _resource_spans(ReadableSpan("", resource=resource, instrumentation_scope=scope))
    inner = outer.pop("scopeSpans")[0]
    del inner["spans"]
    # Neither is empty: the encoder always puts in a resource and a scope.
    return dumps(outer)[:-1] + ',"scopeSpans":[' + dumps(inner)[:-1] + ',"spans":['


def _resource_spans(span: ReadableSpan) -> dict[str, Any]:
    resource_spans: dict[str, Any] = encode_spans((span,)).to_dict()["resourceSpans"][0]
    return resource_spans


def _encodable(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=_NO_RESOURCE,
        attributes=corrected(span.attributes),
        events=[_corrected_event(event) for event in span.events],
        links=[_corrected_link(link) for link in span.links],
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _add_missing(span: ReadableSpan, encoded: dict[str, Any]) -> None:
    # The copy that was encoded does not know what the span's limits dropped.
    counts = {
        "droppedAttributesCount": span.dropped_attributes,
        "droppedEventsCount": span.dropped_events,
        "droppedLinksCount": span.dropped_links,
    }
    encoded.update({key: dropped for key, dropped in counts.items() if dropped})
    for link, encoded_link in zip(span.links, encoded.get("links", ()), strict=True):
        if link.context.trace_state:
            encoded_link["traceState"] = link.context.trace_state.to_header()


def _corrected_event(event: Event) -> Event:
    attributes = corrected(event.attributes)
    return event if attributes is event.attributes else Event(event.name, attributes, event.timestamp)


def _corrected_link(link: Link) -> Link:
    attributes = corrected(link.attributes)
    return link if attributes is link.attributes else Link(link.context, attributes)


def _is_wrong(value: Any) -> bool:
    kind = type(value)
    if kind in _EXACT:
        return False
    if kind is int:
        return not _INT64_LEAST <= value <= _INT64_MOST
    if isinstance(value, Mapping):
        return any(map(_is_wrong, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return any(map(_is_wrong, value))
    # A subclass of int: the encoder writes str() of it, which for an enumeration is no number.
    return isinstance(value, int)


def _corrected_value(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        number = int.__int__(value)
        return number if _INT64_LEAST <= number <= _INT64_MOST else _digits(number)
    if isinstance(value, Mapping):
        return {key: _corrected_value(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_corrected_value(inner) for inner in value]
    return value


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:
        # Python refuses to write very long numbers in decimal.
        return hex(number)
