"""Traces as a backend for LLM applications has stored them, in one form for all of these backends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pocketflow_otel.traces.reader import Trace

AsStored = Callable[[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class StoredSpan:
    """A span.

    Attributes:
        kind: What the backend shows it as.
        events: Names and attributes.
    """

    span_id: str
    parent_id: str | None
    name: str
    kind: str
    status: str
    message: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class StoredTrace:
    """A trace, and what the backend itself says of it: tokens, cost in USD, whose it is."""

    spans: dict[str, StoredSpan]
    input_tokens: int
    output_tokens: int
    cost: float
    session: str | None
    user: str | None
    input: str | None
    output: str | None


def names_of(trace: StoredTrace | None) -> list[str]:
    """The names of a trace's spans; there are none before it has come."""
    return [span.name for span in trace.spans.values()] if trace else []


def told(trace: Trace, as_stored: AsStored) -> dict[str, tuple[Any, ...]]:
    """What a trace tells but for its times, by span id.

    Args:
        trace: The trace, as it was sent.
        as_stored: What a backend makes of an attribute's name and value.
    """
    return {
        span.span_id: (
            span.parent_span_id,
            span.name,
            (span.status.code.value, span.status.message),
            [(event.name, event.attributes) for event in span.events],
            {key: value for item in span.attributes.items() for key, value in as_stored(*item).items()},
        )
        for span in trace.spans
    }


def stored_told(stored: StoredTrace, trace: Trace, as_stored: AsStored) -> dict[str, tuple[Any, ...]]:
    """The same of what is stored, without the attributes that the backend has added."""
    sent = {span.span_id: {name for key in span.attributes for name in as_stored(key, None)} for span in trace.spans}
    return {
        span.span_id: (
            span.parent_id,
            span.name,
            (span.status, span.message),
            span.events,
            {key: value for key, value in span.attributes.items() if key in sent.get(span.span_id, ())},
        )
        for span in stored.spans.values()
    }


def furthest_ns(trace: Trace, stored: StoredTrace) -> int:
    """How far a time that is stored is from what it was, at most."""
    pairs = [(span, stored.spans[span.span_id]) for span in trace.spans]
    return max(max(abs(a.start_ns - b.start_ns), abs((a.end_ns or 0) - b.end_ns)) for a, b in pairs)


def kinds(stored: dict[str, StoredTrace]) -> dict[str, set[str]]:
    """What spans are shown as, by the first word of their names."""
    shown: dict[str, set[str]] = {}
    for trace in stored.values():
        for span in trace.spans.values():
            shown.setdefault(span.name.partition(" ")[0], set()).add(span.kind)
    return shown


def usage(trace: Trace) -> tuple[int, int, float]:
    """What the outermost flow of a trace tells of tokens read and written, and of their cost in USD."""
    (root,) = trace.roots()
    read, written, cost = (
        root.attributes.get(f"pocketflow.usage.{name}", 0) for name in ("input_tokens", "output_tokens", "cost_usd")
    )
    return read, written, cost
