"""What was seen while traces were made, in order: spans that began, and spans that ended."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.traces.model import Span, Trace


@dataclass(frozen=True, slots=True)
class Moment:
    """The beginning or the end of a span.

    Attributes:
        time_ns: When it was, in nanoseconds since the epoch.
        span: The span.
        is_end: Whether it is the end.
    """

    time_ns: int
    span: Span
    is_end: bool


def moments(traces: Sequence[Trace]) -> list[Moment]:
    """All moments of some traces, in the order of their times.

    Of moments with the same time, the beginning of a span comes before what is in it, and its end after. That is so too
    where clocks do not agree: no span begins before its parent, or ends before it begins.
    """
    # Sorting leaves those of one time as they are.
    return sorted((moment for trace in traces for moment in _nested(trace)), key=attrgetter("time_ns"))


def _nested(trace: Trace) -> Iterator[Moment]:
    """The moments of a trace as its spans stand in each other."""
    began: dict[str | None, int] = {}
    # The roots lead to all, but where parents go in circles, as in what other tools write.
    for top in (*trace.roots(), *trace.spans):
        ahead = [(top, False)]
        while ahead:
            span, is_end = ahead.pop()
            if is_end:
                if span.end_ns is not None:
                    yield Moment(max(span.end_ns, began[span.span_id]), span, is_end=True)
            elif span.span_id not in began:
                began[span.span_id] = start = max(span.start_ns, began.get(span.parent_span_id, 0))
                yield Moment(start, span, is_end=False)
                ahead.append((span, True))
                ahead += [(child, False) for child in reversed(trace.children(span))]
