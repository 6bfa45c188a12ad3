"""Trace Event Format, for Perfetto, speedscope and chrome://tracing.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

Times count from the start of the first span, in microseconds with a fraction. Since the epoch they would be too large
for a double to tell nanoseconds apart, which is what these viewers keep them in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pocketflow_otel.traces.formats.json_text import json_text, plain
from pocketflow_otel.traces.formats.tracks import lay_out
from pocketflow_otel.traces.model import StatusCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketflow_otel.traces.formats.tracks import Placed, Process
    from pocketflow_otel.traces.model import Span, Trace

    TraceEvent = dict[str, Any]


def render(traces: Sequence[Trace], *, with_args: bool) -> str:
    """Writes traces as trace events: an ``X`` for each span, on the track of its branch, and an ``i`` for each event.

    A span that has not ended is a ``B`` without an ``E``. The category of a span with an error is ``error``.

    Args:
        traces: The traces, which share one time line.
        with_args: Whether events get the attributes of spans. Perfetto shows them; speedscope puts them into the name
            of every frame, where they tell apart what is the same.
    """
    writer = _Writer(min(trace.spans[0].start_ns for trace in traces), with_args=with_args)
    for process in lay_out(traces):
        writer.add(process)
    about = {"startTimeUnixNano": str(writer.start_ns), "traceIds": [trace.trace_id for trace in traces]}
    return json_text({"traceEvents": writer.events, "displayTimeUnit": "ns", "otherData": about}) + "\n"


class _Writer:
    def __init__(self, start_ns: int, *, with_args: bool) -> None:
        self.start_ns = start_ns
        self.events: list[TraceEvent] = []
        self._with_args = with_args
        self._process_id = 0
        self._track_id = 0

    def add(self, process: Process) -> None:
        self._process_id += 1
        for track in process.tracks:
            self._track_id += 1
            self._metadata("process_name", name=process.name)
            self._metadata("thread_name", name=track.name)
            self._metadata("thread_sort_index", sort_index=self._track_id)
            for placed in track.spans:
                self._span(placed)

    def _span(self, placed: Placed) -> None:
        span = placed.span
        about = self._args(span.attributes | _identity(span))
        category = "error" if span.status.code is StatusCode.ERROR else "span"
        start = self._microseconds(placed.start_ns)
        if placed.unfinished:
            self._event(span.name, "B", start, cat=category, **about)
        else:
            end = self._microseconds(placed.end_ns)
            self._event(span.name, "X", start, dur=_duration(start, end), cat=category, **about)
        for event in span.events:
            args = self._args(event.attributes)
            self._event(event.name, "i", self._microseconds(event.time_ns), s="t", cat="event", **args)

    def _microseconds(self, time_ns: int) -> float:
        return (time_ns - self.start_ns) / 1000

    def _args(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"args": plain(args)} if self._with_args else {}

    def _metadata(self, kind: str, **args: str | int) -> None:
        self.events.append({"name": kind, "ph": "M", "pid": self._process_id, "tid": self._track_id, "args": args})

    def _event(self, name: str, phase: str, start: float, **fields: Any) -> None:
        place = {"pid": self._process_id, "tid": self._track_id}
        self.events.append({"name": name, "ph": phase, "ts": start, **place, **fields})


def _duration(start: float, end: float) -> float:
    """What a reader adds to the start to get exactly this end.

    Of two spans that end in the same nanosecond the inner one would else end after the outer one, by a rounding error,
    and would not be inside it.
    """
    rounded = round(end - start, 3)
    return rounded if start + rounded == end else end - start


def _identity(span: Span) -> dict[str, Any]:
    told = {
        "otel.trace_id": span.trace_id,
        "otel.span_id": span.span_id,
        "otel.parent_span_id": span.parent_span_id,
        "otel.scope.name": span.scope,
        "otel.status_description": span.status.message,
    }
    return {name: value for name, value in told.items() if value}
