"""A trace as it is read back."""

from __future__ import annotations

import enum
import functools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SpanKind(enum.StrEnum):
    """What a span has to do with other processes."""

    UNSPECIFIED = "UNSPECIFIED"
    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class StatusCode(enum.StrEnum):
    """How what a span stands for ended."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


class TraceState(enum.StrEnum):
    """Whether more spans are to be expected in a trace file."""

    FINISHED = "finished"
    RUNNING = "running"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Status:
    """How a span ended, and why."""

    code: StatusCode = StatusCode.UNSET
    message: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened while a span was open, at a time in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """Another span that a span has to do with, not as its parent."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    trace_state: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A span. Ids are lower-case hex, times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    """None for a span without a parent; the parent may be in another process, and in no file here."""
    name: str
    start_ns: int
    end_ns: int | None
    """None for a span that was still open when the file was read, or when its process died."""
    kind: SpanKind = SpanKind.INTERNAL
    attributes: dict[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    status: Status = field(default_factory=Status)
    resource: dict[str, Any] = field(default_factory=dict)
    """The attributes of what made the span, shared between spans. Empty for an unfinished span."""
    scope: str = ""
    """The name of the instrumentation that made the span."""
    scope_version: str = ""
    """Its version. Empty for an unfinished span."""
    trace_state: str = ""
    """What vendors passed along with the trace, as in the header ``tracestate``."""

    @property
    def finished(self) -> bool:
        """Whether the span has ended."""
        return self.end_ns is not None


# No slots: the tree is built when it is first asked for, and kept.
@dataclass(frozen=True)
class Trace:
    """The spans of one trace in one file."""

    trace_id: str
    spans: Sequence[Span]
    """In the order they started."""
    state: TraceState = TraceState.FINISHED
    path: Path | None = None
    """The file it was read from, None for a stream."""
    torn_lines: int = 0
    """Lines of the file that a killed process or a full disk left unreadable."""

    def roots(self) -> Sequence[Span]:
        """The spans whose parent is not in the trace."""
        known = self._by_id
        return [span for span in self.spans if span.parent_span_id not in known]

    def children(self, span: Span) -> Sequence[Span]:
        """The spans directly below one, in the order they started."""
        return self._children.get(span.span_id, ())

    @functools.cached_property
    def _by_id(self) -> dict[str, Span]:
        return {span.span_id: span for span in self.spans}

    @functools.cached_property
    def _children(self) -> dict[str, list[Span]]:
        children: defaultdict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            if span.parent_span_id is not None:
                children[span.parent_span_id].append(span)
        return children
