"""The traces that are to be written in another format, and the files they come from."""

from __future__ import annotations

import dataclasses
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pocketflow_otel.traces.reader import TraceFormatError, read_lines, read_trace, read_traces, source_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.traces.model import Span, Trace


@dataclass(frozen=True, slots=True)
class Saved:
    """Traces of one file."""

    name: str
    """What the file is called in messages."""
    source: Path | bytes
    """The file, or what came as a stream."""
    traces: Sequence[Trace]
    """Those that were chosen."""

    def requests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The OTLP requests of the file, also those of other traces, each with the place where it stands.

        Raises:
            TraceFormatError: If the file is not OTLP JSON.
            OSError: If it cannot be read.
        """
        with self._open() as stream:
            for line in read_lines(stream, self.name):
                if line.request is not None:
                    yield line.place, line.request

    def _open(self) -> BinaryIO:
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        try:
            return self.source.open("rb")
        except FileNotFoundError:
            # Where no span has ended yet there is only a journal.
            return io.BytesIO()


def read_saved(source: Path | BinaryIO, trace_id: str = "") -> Saved:
    """Reads the traces of a file.

    Args:
        source: The file, or a binary stream.
        trace_id: The start of a trace's id, for that one alone; all, if it is empty.

    Raises:
        TraceFormatError: If the file is not OTLP JSON, holds no trace, or does not hold exactly one with that id.
        OSError: If it cannot be read.
    """
    if isinstance(source, Path):
        return Saved(str(source), source, _traces(source, trace_id))
    name, content = source_name(source), source.read()
    stream = io.BytesIO(content)
    stream.name = name
    return Saved(name, content, _traces(stream, trace_id))


def traces_of(saved: Sequence[Saved]) -> list[Trace]:
    """The traces of some files, in the order they started; one that is in several of them is one trace."""
    parts: defaultdict[str, list[Trace]] = defaultdict(list)
    for one in saved:
        for trace in one.traces:
            parts[trace.trace_id].append(trace)
    return sorted(map(_joined, parts.values()), key=lambda trace: trace.spans[0].start_ns)


def _joined(parts: Sequence[Trace]) -> Trace:
    if len(parts) == 1:
        return parts[0]
    spans: dict[str, Span] = {}
    for span in (span for part in parts for span in part.spans):
        known = spans.get(span.span_id)
        if known is None or not known.finished:
            spans[span.span_id] = span
    in_order = sorted(spans.values(), key=lambda span: span.start_ns)
    return dataclasses.replace(parts[0], spans=in_order, torn_lines=sum(part.torn_lines for part in parts))


def _traces(source: Path | BinaryIO, trace_id: str) -> list[Trace]:
    if trace_id:
        return [read_trace(source, trace_id)]
    traces = read_traces(source)
    if not traces:
        raise TraceFormatError(f"{source_name(source)}: no trace is in it")
    return traces
