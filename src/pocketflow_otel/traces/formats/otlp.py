"""One OTLP JSON object, for readers that take no lines: all requests merged, grouped by resource and scope.

Nothing is lost on the way: what stands in a request goes through, also what `Span` has no field for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.canonical import canonical_holder, canonical_span
from pocketflow_otel.traces.json_text import json_text
from pocketflow_otel.traces.otlp import groups_in, scope_of
from pocketflow_otel.traces.reader import malformed_at

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pocketflow_otel.traces.formats.saved import Saved

    Message = dict[str, Any]

_APART: Final = frozenset(
    {"resource", "scopeSpans", "instrumentationLibrarySpans", "scope", "instrumentationLibrary", "spans"}
)
"""What is not among the further fields of a group: its head, by any name, and its content."""


def render(saved: Sequence[Saved]) -> str:
    """Merges the requests that traces were read from.

    Returns:
        The JSON of one request. A span that stands twice is in it once. Spans that have not ended and stand only in a
        journal are left out.

    Raises:
        TraceFormatError: If a file is not OTLP JSON.
        OSError: If a file cannot be read.
    """
    merged = _Merged()
    for one in saved:
        wanted = {trace.trace_id for trace in one.traces}
        for place, request in one.requests():
            with malformed_at(place):
                merged.add(request, wanted)
    return json_text(merged.request()) + "\n"


@dataclass(slots=True)
class _Group:
    """The spans that have a resource or a scope in common, and what else stands beside it."""

    head: Message
    spans: list[Message] = field(default_factory=list)
    scopes: dict[str, _Group] = field(default_factory=dict)


class _Merged:
    def __init__(self) -> None:
        self._resources: dict[str, _Group] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, request: Message, wanted: Container[str]) -> None:
        for resource_spans, scope_spans in groups_in(request):
            spans = [canonical_span(span) for span in scope_spans.get("spans") or ()]
            new = [span for span in spans if span["traceId"] in wanted and self._is_new(span)]
            if new:
                resource = _group(self._resources, resource_spans, "resource", resource_spans.get("resource") or {})
                _group(resource.scopes, scope_spans, "scope", scope_of(scope_spans)).spans.extend(new)

    def request(self) -> Message:
        return {
            "resourceSpans": [
                {
                    **resource.head,
                    "scopeSpans": [{**scope.head, "spans": scope.spans} for scope in resource.scopes.values()],
                }
                for resource in self._resources.values()
            ]
        }

    def _is_new(self, span: Message) -> bool:
        key = (span["traceId"], span["spanId"])
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new


def _group(groups: dict[str, _Group], message: Message, name: str, holder: Message) -> _Group:
    further = {key: value for key, value in message.items() if value is not None and key not in _APART}
    head = {name: canonical_holder(holder), **further}
    return groups.setdefault(json.dumps(head, sort_keys=True), _Group(head))
