"""Spans laid out on tracks, on each of which they nest: a track for what runs in sequence, one more for each branch.

A viewer of tracks shows one span inside another only where it lies within the other's time on the same track. So a span
goes to the track of its parent, unless it runs at the same time as another child of that parent, or not within the
parent's time, or in another process.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pocketflow_otel import semconv
from pocketflow_otel.traces.formats.resources import SERVICE_NAME, ResourceNumbers
from pocketflow_otel.traces.formats.unfinished import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pocketflow_otel.traces.model import Span, Trace

_SHOWN_OF_ID: Final = 8


@dataclass(frozen=True, slots=True)
class Placed:
    """A span on a track."""

    span: Span
    """With an end: that of the trace, where it has none of its own."""
    unfinished: bool
    process: int
    """The number of its resource."""

    @property
    def start_ns(self) -> int:
        """When it started."""
        return self.span.start_ns

    @property
    def end_ns(self) -> int:
        """When it ended; a span that ended before it started has no length."""
        return max(self.span.end_ns or 0, self.span.start_ns)


@dataclass(frozen=True, slots=True)
class Track:
    """Spans that nest."""

    name: str
    spans: list[tuple[Placed, int]]
    """Those around others first, each with the number of spans around it."""


@dataclass(frozen=True, slots=True)
class Process:
    """The tracks of what one resource has made in one trace."""

    name: str
    tracks: list[Track]


def lay_out(traces: Sequence[Trace]) -> Iterator[Process]:
    """Lays out all spans of some traces, each of them once, process by process."""
    for trace in traces:
        suffix = f" ({trace.trace_id[:_SHOWN_OF_ID]})" if len(traces) > 1 else ""
        yield from _Layout(trace, suffix).processes()


class _Layout:
    def __init__(self, trace: Trace, suffix: str) -> None:
        self._suffix = suffix
        numbers = ResourceNumbers()
        self._spans = [Placed(shown, not read.finished, numbers[shown.resource]) for shown, read in drawn(trace)]
        self._by_id = {placed.span.span_id: placed for placed in self._spans}
        self._inside: defaultdict[str, list[Placed]] = defaultdict(list)
        self._left = set(self._by_id)

    def processes(self) -> Iterator[Process]:
        entries: dict[int, list[Placed]] = {placed.process: [] for placed in self._spans}
        for placed in self._spans:
            parent = self._parent_around(placed)
            inside = entries[placed.process] if parent is None else self._inside[parent.span.span_id]
            inside.append(placed)
        tracks = {process: list(self._tracks(came_in)) for process, came_in in entries.items()}
        for placed in self._spans:
            # Only spans that are each other's parents are left.
            if placed.span.span_id in self._left:
                tracks[placed.process] += self._tracks([placed])
        for laid in tracks.values():
            yield Process(_service(laid[0].spans[0][0].span) + self._suffix, laid)

    def _parent_around(self, placed: Placed) -> Placed | None:
        parent = self._by_id.get(placed.span.parent_span_id or "")
        if parent is None or parent is placed or parent.process != placed.process:
            return None
        return parent if parent.start_ns <= placed.start_ns and placed.end_ns <= parent.end_ns else None

    def _tracks(self, entries: Iterable[Placed]) -> Iterator[Track]:
        """The tracks of spans that nothing is around, and of what is inside them."""
        in_sequence, branches = _apart(entries)
        begun = [(_label(branch, None), [branch]) for branch in reversed(branches)]
        if in_sequence:
            begun.append((_label(in_sequence[0], None), in_sequence))
        while begun:
            name, outermost = begun.pop()
            track = Track(name, [])
            begun += reversed(list(self._fill(track, outermost)))
            yield track

    def _fill(self, track: Track, outermost: Sequence[Placed]) -> Iterator[tuple[str, list[Placed]]]:
        """Puts spans on a track with all that is inside them, but for branches, which it yields."""
        waiting = [(placed, 0) for placed in reversed(outermost)]
        while waiting:
            placed, depth = waiting.pop()
            if placed.span.span_id not in self._left:
                continue
            self._left.remove(placed.span.span_id)
            track.spans.append((placed, depth))
            in_sequence, branches = _apart(self._inside[placed.span.span_id])
            waiting += ((inner, depth + 1) for inner in reversed(in_sequence))
            yield from ((_label(branch, placed), [branch]) for branch in branches if branch.span.span_id in self._left)


def _apart(siblings: Iterable[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Divides spans into those that had their time for themselves, and those that others overlapped."""
    groups: list[list[Placed]] = []
    end_ns = 0
    for placed in sorted(siblings, key=lambda placed: (placed.start_ns, placed.end_ns)):
        if not groups or placed.start_ns >= end_ns:
            groups.append([])
        groups[-1].append(placed)
        end_ns = max(end_ns, placed.end_ns)
    in_sequence = [group[0] for group in groups if len(group) == 1]
    return in_sequence, [placed for group in groups if len(group) > 1 for placed in group]


def _label(branch: Placed, parent: Placed | None) -> str:
    index = branch.span.attributes.get(semconv.BATCH_INDEX)
    if index is None or parent is None:
        return branch.span.name
    return f"{branch.span.name} {index} of {parent.span.name}"


def _service(span: Span) -> str:
    name = span.resource.get(SERVICE_NAME)
    return name if isinstance(name, str) and name else "unknown service"
