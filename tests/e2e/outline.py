"""A trace as a tree of short lines, to be compared as text."""

from collections.abc import Collection, Iterator

from pocketflow_otel.traces.reader import Span, Trace

OURS = "pocketflow_otel"
TOLD = {
    "pocketflow.node.kind": "{}",
    "pocketflow.node.visit": "#{}",
    "pocketflow.batch.index": "{}",
    "pocketflow.attempt.number": "{}",
    "pocketflow.action": "-> {}",
    "pocketflow.action.unrouted": "(unrouted)",
    "pocketflow.node.next": "-> {}",
    "pocketflow.batch.size": "items={}",
    "pocketflow.batch.failed": "failed={}",
    "pocketflow.attempts": "attempts={}",
    "pocketflow.fallback": "fallback",
    "error.type": "{}",
    "pocketflow.store.added": "+{}",
    "pocketflow.store.modified": "~{}",
    "pocketflow.store.removed": "-{}",
    "pocketflow.store.attribution": "({})",
}
"""The attributes that tell what happened, and how they are written."""


def outline(trace: Trace, *, visits: bool = True, without: Collection[str] = ()) -> str:
    """Writes a trace as a tree: a span a line, its children indented below, in the order they started.

    Spans of other instrumentations are shown where spans of ours are below them.

    Args:
        trace: The trace.
        visits: Whether to tell the numbers of visits, which depend on the timing where nodes run side by side.
        without: Keys of the store to leave out.
    """
    hidden = frozenset(without) if visits else frozenset({*without, "pocketflow.node.visit"})
    return "\n".join(line for root in trace.roots() for line in _lines(trace, root, hidden))


def _lines(trace: Trace, span: Span, hidden: Collection[str]) -> Iterator[str]:
    below = [line for child in trace.children(span) for line in _lines(trace, child, hidden)]
    if below or span.scope in (OURS, ""):
        yield " ".join([span.name, *_facts(span, hidden)])
        yield from ("  " + line for line in below)


def _facts(span: Span, hidden: Collection[str]) -> Iterator[str]:
    for attribute, form in TOLD.items():
        value = None if attribute in hidden else span.attributes.get(attribute)
        if isinstance(value, list):
            value = ",".join(key for key in value if key not in hidden)
        if value not in (None, ""):
            yield form.format(value)
    if not span.finished:
        yield "(unfinished)"
