"""Reads trace files: ours with their journals of open spans, and OTLP JSON of other tools."""

from __future__ import annotations

import glob
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pocketflow_otel.figures import first_few
from pocketflow_otel.traces.documents import Line, TraceFormatError, malformed_at, read_lines
from pocketflow_otel.traces.liveness import is_alive
from pocketflow_otel.traces.model import Event, Link, Span, SpanKind, Status, StatusCode, Trace, TraceState
from pocketflow_otel.traces.otlp import SpanDecoder, parent_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Event",
    "Line",
    "Link",
    "Span",
    "SpanKind",
    "Status",
    "StatusCode",
    "Trace",
    "TraceFormatError",
    "TraceState",
    "malformed_at",
    "open_spans",
    "read_lines",
    "read_trace",
    "read_traces",
    "source_name",
]


def read_trace(source: Path | BinaryIO, trace_id: str = "") -> Trace:
    """Reads the one trace of a file.

    Args:
        source: The file, or a binary stream.
        trace_id: The start of the trace's id, for files of several traces.

    Raises:
        TraceFormatError: If the file is not OTLP JSON, or does not hold exactly one such trace.
        OSError: If it cannot be read.
    """
    traces = [trace for trace in read_traces(source) if trace.trace_id.startswith(trace_id.lower())]
    if len(traces) == 1:
        return traces[0]
    wanted = f" whose id starts with {trace_id}" if trace_id else ""
    if not traces:
        raise TraceFormatError(f"{source_name(source)}: no trace{wanted} is in it")
    ids = first_few([trace.trace_id for trace in traces])
    raise TraceFormatError(f"{source_name(source)}: {len(traces)} traces{wanted} are in it, expected one: {ids}")


def read_traces(source: Path | BinaryIO) -> list[Trace]:
    """Reads all traces of a file, in the order they started.

    A span that is in a journal beside the file and not in the file itself is unfinished. A span that stands twice in
    the file counts once. Where there is only a journal, because no span has ended, the file may be missing.

    Raises:
        TraceFormatError: If the file is not OTLP JSON.
        OSError: If it cannot be read.
    """
    if not isinstance(source, Path):
        return _traces(_read(source, source_name(source)), None, [])
    # The journals first: a span that ends between the two readings is then in the file.
    journals = list(_journals(source))
    try:
        with source.open("rb") as stream:
            content = _read(stream, str(source))
    except FileNotFoundError:
        if not journals:
            raise
        content = _Content()
    for journal in journals:
        content.add(journal.spans)
    return _traces(content, source, journals)


def open_spans(path: Path) -> list[Span]:
    """Reads the spans that the journals beside a file list as open; those that have ended since are in the file."""
    return [span for journal in _journals(path) for span in journal.spans]


@dataclass(slots=True)
class _Content:
    """What was read: spans by trace id and span id."""

    spans: defaultdict[str, dict[str, Span]] = field(default_factory=lambda: defaultdict(dict))
    torn_lines: int = 0

    def add(self, spans: Iterable[Span]) -> None:
        for span in spans:
            self.spans[span.trace_id].setdefault(span.span_id, span)


@dataclass(frozen=True, slots=True)
class _Journal:
    """The spans that one process listed as open; some of them may have ended since."""

    spans: list[Span]
    alive: bool


def _traces(content: _Content, path: Path | None, journals: list[_Journal]) -> list[Trace]:
    state = TraceState.FINISHED
    if journals:
        state = TraceState.RUNNING if any(journal.alive for journal in journals) else TraceState.CRASHED
    traces = [
        Trace(trace_id, sorted(spans.values(), key=_start_ns), state, path, content.torn_lines)
        for trace_id, spans in content.spans.items()
    ]
    return sorted(traces, key=lambda trace: _start_ns(trace.spans[0]))


def _start_ns(span: Span) -> int:
    return span.start_ns


def source_name(source: Path | BinaryIO) -> str:
    """What a file or stream is called in errors."""
    return str(source) if isinstance(source, Path) else str(getattr(source, "name", "stream"))


def _read(stream: BinaryIO, name: str) -> _Content:
    content = _Content()
    decoder = SpanDecoder()
    for line in read_lines(stream, name):
        if line.request is None:
            content.torn_lines += 1
        else:
            with malformed_at(line.place):
                content.add(decoder.spans_in(line.request))
    return content


def _journals(path: Path) -> Iterator[_Journal]:
    for journal in sorted(path.parent.glob(glob.escape(path.stem) + ".*.open")):
        pid = journal.suffixes[-2][1:]
        if not pid.isdecimal():
            continue
        try:
            written = journal.stat().st_mtime
            lines = journal.read_bytes().splitlines()
        except FileNotFoundError:
            # Its last span has just ended.
            continue
        yield _Journal(list(_open_spans(lines)), is_alive(int(pid), written))


def _open_spans(lines: list[bytes]) -> Iterator[Span]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            # Torn by a full disk, or read while it was written.
            continue
        yield Span(
            trace_id=entry["traceId"],
            span_id=entry["spanId"],
            parent_span_id=parent_id(entry["parentSpanId"]),
            name=entry["name"],
            start_ns=int(entry["startTimeUnixNano"]),
            end_ns=None,
            attributes=entry["attributes"],
            scope=entry.get("scope") or "",
        )
