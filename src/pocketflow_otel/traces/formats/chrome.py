"""Trace Event Format, for Perfetto, speedscope and chrome://tracing.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

Times count from the start of the first span, in microseconds with a fraction. Since the epoch they would be too large
for a double to tell nanoseconds apart, which is what these viewers keep them in. See `_Clock` for the fraction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.traces.formats.tracks import lay_out
from pocketflow_otel.traces.formats.unfinished import last_moment
from pocketflow_otel.traces.json_text import json_text, plain
from pocketflow_otel.traces.model import StatusCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketflow_otel.traces.formats.tracks import Placed, Process, Track
    from pocketflow_otel.traces.model import Span, Trace

    TraceEvent = dict[str, Any]

_BITS_OF_DOUBLE: Final = 52
"""Whole numbers of so many bits, and their sums, are exact in a double."""
_MOST_BITS: Final = 24
"""Of the fraction: 16,777 steps in a nanosecond."""


def render(traces: Sequence[Trace], *, with_args: bool) -> str:
    """Writes traces as trace events: an ``X`` for each span, on the track of its branch, and an ``i`` for each event.

    A span that has not ended is a ``B`` without an ``E``. The category of a span with an error is ``error``.

    Args:
        traces: The traces, which share one time line.
        with_args: Whether events get the attributes of spans. Perfetto shows them; speedscope puts them into the name
            of every frame, where they tell apart what is the same.
    """
    writer = _Writer(traces, with_args=with_args)
    for process in lay_out(traces):
        writer.add(process)
    about = {"startTimeUnixNano": str(writer.start_ns), "traceIds": [trace.trace_id for trace in traces]}
    return json_text({"traceEvents": writer.events, "displayTimeUnit": "ns", "otherData": about}) + "\n"


class _Clock:
    """Makes nanoseconds the microseconds of a track.

    Viewers add start and duration in doubles, and speedscope sorts what begins and what ends by the results. A rounding
    error, or two names that begin and end at one moment, would take spans out of those around them. So times are whole
    multiples of a power of two, which doubles add without an error, and on a track each is later than the one before,
    by far less than a nanosecond. They are rounded up, for Perfetto cuts off what is less than a nanosecond.
    """

    def __init__(self, first_ns: int, last_ns: int) -> None:
        microseconds = (last_ns - first_ns) // 1000 + 1
        self._first_ns = first_ns
        self._ticks = 1 << max(min(_MOST_BITS, _BITS_OF_DOUBLE - microseconds.bit_length()), 0)
        self._last = -1

    def start_track(self) -> None:
        self._last = -1

    def begin(self, time_ns: int) -> float:
        """The time of a span that begins on the track."""
        return self._next(self._tick(time_ns))

    def end(self, time_ns: int) -> float:
        """The time of a span that ends on the track."""
        # One more, so that a duration is not less than what its beginning was rounded up by.
        return self._next(self._tick(time_ns) + 1)

    def near(self, time_ns: int) -> float:
        """The time of something that need not nest."""
        return self._tick(time_ns) / self._ticks

    def _next(self, tick: int) -> float:
        self._last = max(tick, self._last + 1)
        return self._last / self._ticks

    def _tick(self, time_ns: int) -> int:
        return -(-(time_ns - self._first_ns) * self._ticks // 1000)


class _Writer:
    def __init__(self, traces: Sequence[Trace], *, with_args: bool) -> None:
        self.start_ns = min(trace.spans[0].start_ns for trace in traces)
        self.events: list[TraceEvent] = []
        self._clock = _Clock(self.start_ns, max(map(last_moment, traces)))
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
            self._spans(track)

    def _spans(self, track: Track) -> None:
        self._clock.start_track()
        around: list[tuple[Placed, TraceEvent]] = []
        for placed, depth in track.spans:
            while len(around) > depth:
                self._end(*around.pop())
            around.append((placed, self._begin(placed)))
        while around:
            self._end(*around.pop())

    def _begin(self, placed: Placed) -> TraceEvent:
        span = placed.span
        category = "error" if span.status.code is StatusCode.ERROR else "span"
        begun = self._event(span.name, "B" if placed.unfinished else "X", self._clock.begin(placed.start_ns), category)
        begun |= self._args(span.attributes | _identity(span))
        for event in span.events:
            said = self._event(event.name, "i", self._clock.near(event.time_ns), "event")
            said |= {"s": "t", **self._args(event.attributes)}
        return begun

    def _end(self, placed: Placed, begun: TraceEvent) -> None:
        end = self._clock.end(placed.end_ns)
        if not placed.unfinished:
            begun["dur"] = end - begun["ts"]

    def _event(self, name: str, phase: str, time: float, category: str) -> TraceEvent:
        place = {"pid": self._process_id, "tid": self._track_id}
        event = {"name": name, "cat": category, "ph": phase, "ts": time, **place}
        self.events.append(event)
        return event

    def _args(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"args": plain(args)} if self._with_args else {}

    def _metadata(self, kind: str, **args: str | int) -> None:
        self.events.append({"name": kind, "ph": "M", "pid": self._process_id, "tid": self._track_id, "args": args})


def _identity(span: Span) -> dict[str, Any]:
    told = {
        "otel.trace_id": span.trace_id,
        "otel.span_id": span.span_id,
        "otel.parent_span_id": span.parent_span_id,
        "otel.scope.name": span.scope,
        "otel.status_description": span.status.message,
    }
    return {name: value for name, value in told.items() if value}
