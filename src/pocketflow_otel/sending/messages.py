"""OTLP JSON as OTLP's protobuf messages, and back."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from pocketflow_otel.traces.canonical import canonical_holder, canonical_span
from pocketflow_otel.traces.json_text import encodable
from pocketflow_otel.traces.otlp import MALFORMED, groups_in, in_words, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from google.protobuf.message import Message

_M = TypeVar("_M", bound="Message")

_IDS: Final = ("traceId", "spanId")


@dataclass(frozen=True, slots=True)
class Group:
    """What spans have in common, as protobuf writes it."""

    resource_spans: bytes
    """A `ResourceSpans` without scopes: the resource and its schema."""
    scope_spans: bytes
    """A `ScopeSpans` without spans: the scope and its schema."""


@dataclass(frozen=True, slots=True)
class GroupedSpan:
    """A span, and the group it belongs to."""

    group: Group
    span: Span


class UnencodableError(ValueError):
    """Something holds what OTLP cannot carry. The message says what."""


class GroupReader:
    """Finds spans and their groups in OTLP JSON requests that follow each other, as the lines of a file do."""

    def __init__(self) -> None:
        self._resource_spans = _Header(ResourceSpans, "resource")
        self._scope_spans = _Header(ScopeSpans, "scope")

    def spans_in(self, request: dict[str, Any]) -> Iterator[tuple[Group, dict[str, Any]]]:
        """Reads the groups of a request, and gives its spans as they stand there.

        Raises:
            ValueError, TypeError, AttributeError, LookupError: If it is no OTLP JSON.
        """
        for resource_spans, scope_spans in groups_in(request):
            group = Group(
                self._resource_spans.encode(resource_spans.get("resource") or {}, resource_spans.get("schemaUrl")),
                self._scope_spans.encode(scope_of(scope_spans), scope_spans.get("schemaUrl")),
            )
            for span in scope_spans.get("spans") or ():
                yield group, span


class _Header:
    """Encodes what comes before spans, which is nearly always the same as in the line before."""

    def __init__(self, kind: type[Message], field: str) -> None:
        self._kind = kind
        self._field = field
        self._last: tuple[dict[str, Any], str | None] | None = None
        self._encoded = b""

    def encode(self, holder: dict[str, Any], schema_url: str | None) -> bytes:
        if self._last != (holder, schema_url):
            document = {self._field: canonical_holder(holder), "schemaUrl": schema_url}
            self._encoded = _parse(document, self._kind()).SerializeToString()
            self._last = holder, schema_url
        return self._encoded


def encode(span: dict[str, Any]) -> Span:
    """Makes a span of OTLP JSON a message. Fields that OTLP does not have are left out.

    Raises:
        UnencodableError: If it holds what OTLP cannot carry: an integer of more than 64 bits, a field of a wrong type,
            no id.
    """
    try:
        document = _with_ids(canonical_span(span), _base64_of_hex)
    except MALFORMED as error:
        raise UnencodableError(in_words(error)) from error
    return _parse(document, Span())


def request_of(spans: Iterable[GroupedSpan]) -> ExportTraceServiceRequest:
    """Makes a request of spans: each resource and each scope stands there once."""
    request = ExportTraceServiceRequest()
    resources: dict[bytes, ResourceSpans] = {}
    scopes: dict[Group, ScopeSpans] = {}
    for each in spans:
        group = each.group
        if group not in scopes:
            if group.resource_spans not in resources:
                resources[group.resource_spans] = request.resource_spans.add()
                resources[group.resource_spans].MergeFromString(group.resource_spans)
            scopes[group] = resources[group.resource_spans].scope_spans.add()
            scopes[group].MergeFromString(group.scope_spans)
        scopes[group].spans.append(each.span)
    return request


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """Writes a request as OTLP's JSON, which is protobuf's but for ids in hex and enumerations as numbers."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    for _, scope_spans in groups_in(document):
        scope_spans["spans"] = [_with_ids(span, _hex_of_base64) for span in scope_spans["spans"]]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _with_ids(span: dict[str, Any], convert: Callable[[str], str]) -> dict[str, Any]:
    """A span with its ids converted, those of its links too."""
    result = span | {name: convert(span[name]) for name in _IDS}
    if "parentSpanId" in span:
        result["parentSpanId"] = convert(span["parentSpanId"])
    if "links" in span:
        result["links"] = [link | {name: convert(link[name]) for name in _IDS} for link in span["links"]]
    return result


def _base64_of_hex(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def _hex_of_base64(text: str) -> str:
    return base64.b64decode(text).hex()


def _parse(document: dict[str, Any], message: _M) -> _M:
    try:
        return json_format.ParseDict(document, message, ignore_unknown_fields=True)
    except json_format.ParseError as error:
        whole = _without_lone_surrogates(document)
        if whole == document:
            # It names every message on the way to the one that says all.
            told = str(error)
            raise UnencodableError(told[told.rfind("Failed to parse") :].rstrip(".")) from error
    message.Clear()
    return _parse(whole, message)


def _without_lone_surrogates(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose text UTF-8 can say: half of a surrogate pair becomes U+FFFD, as in our own files."""
    repaired: dict[str, Any] = json.loads(encodable(json.dumps(document, ensure_ascii=False)))
    return repaired
