"""Spans that have not ended, in formats whose spans all have an end."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocketflow_otel.traces.model import Span, Trace

UNFINISHED: Final = "pocketflow.unfinished"
"""An attribute, true, where a format has no other place to tell that a span had not ended."""


def last_moment(trace: Trace) -> int:
    """The last time that is told in a trace, in nanoseconds since the epoch."""
    return max(max(_times(span)) for span in trace.spans)


def drawn(trace: Trace) -> Iterator[tuple[Span, Span]]:
    """The spans of a trace as they can be drawn.

    Yields:
        A span as it can be drawn, and as it was read. One without an end is drawn to the last moment that is known of
        its trace, and as made by the process of the spans below it.
    """
    last = last_moment(trace)
    for span in trace.spans:
        shown = span
        if span.end_ns is None:
            shown = dataclasses.replace(span, end_ns=last, resource=span.resource or _resource(trace, span))
        yield shown, span


def _times(span: Span) -> Iterator[int]:
    yield span.start_ns
    if span.end_ns is not None:
        yield span.end_ns
    for event in span.events:
        yield event.time_ns


def _resource(trace: Trace, span: Span) -> dict[str, Any]:
    below, seen = list(trace.children(span)), {span.span_id}
    for child in below:
        if child.resource:
            return child.resource
        # What other tools write may go in circles.
        if child.span_id not in seen:
            seen.add(child.span_id)
            below.extend(trace.children(child))
    # Nothing below it has ended, so that another process of the trace is no worse a guess than none.
    return next((other.resource for other in trace.spans if other.resource), {})
