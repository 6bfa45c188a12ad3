"""The spans of trace files, one after the other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from pocketflow_otel.sending.messages import GroupedSpan, GroupReader, UnencodableError, encode
from pocketflow_otel.traces.reader import TraceFormatError, malformed_at, open_spans, read_lines, source_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from pocketflow_otel.sending.seen import SeenSpans
    from pocketflow_otel.sending.tally import Tally

_OTHER_SIGNALS: Final = {"resourceLogs": "logs", "resourceMetrics": "metrics", "resourceProfiles": "profiles"}


class Source:
    """Reads spans of files or streams that are to be sent, and counts what is not.

    Args:
        files: What `naming.find` gives.
        seen: The spans that were met before; those are left out.
        tally: Where spans are counted.
    """

    def __init__(self, files: Sequence[Path | BinaryIO], seen: SeenSpans, tally: Tally) -> None:
        self._files = files
        self._seen = seen
        self._tally = tally
        self._done_bytes = 0
        self._stream: BinaryIO | None = None

    @property
    def total_bytes(self) -> int | None:
        """The size of all that is to be read, None where that is not known."""
        if not all(isinstance(file, Path) for file in self._files):
            return None
        return sum(file.stat().st_size for file in self._files if isinstance(file, Path) and file.exists())

    @property
    def read_bytes(self) -> int:
        """How much was read."""
        return self._done_bytes + (self._stream.tell() if self._stream and self._stream.seekable() else 0)

    def spans(self) -> Iterator[GroupedSpan]:
        """Reads the spans that have ended, each once, in the order of the files.

        A file that cannot be read, or is not OTLP JSON, is read up to that place, and counted.
        """
        for file in self._files:
            try:
                yield from (
                    self._of_file(file) if isinstance(file, Path) else self._of_stream(file, source_name(file), set())
                )
            except (TraceFormatError, OSError) as error:
                self._tally.unreadable.append(str(error))

    def _of_file(self, path: Path) -> Iterator[GroupedSpan]:
        # The journals first: a span that ends between the two readings is then in the file.
        unfinished = {(span.trace_id, span.span_id) for span in open_spans(path)}
        try:
            stream: BinaryIO = path.open("rb")
        except FileNotFoundError:
            if not unfinished:
                raise
            stream = io.BytesIO()
        with stream:
            yield from self._of_stream(stream, str(path), unfinished)
            self._done_bytes += stream.tell()
            self._stream = None
        self._tally.unfinished += len(unfinished)

    def _of_stream(self, stream: BinaryIO, name: str, unfinished: set[tuple[str, str]]) -> Iterator[GroupedSpan]:
        self._stream = stream
        reader = GroupReader()
        for line in read_lines(stream, name):
            if line.request is None:
                self._tally.torn_lines += 1
                continue
            self._tally.left_out |= {signal for key, signal in _OTHER_SIGNALS.items() if line.request.get(key)}
            with malformed_at(line.place):
                found = list(reader.spans_in(line.request))
            for group, raw in found:
                span = self._encoded(raw, line.place)
                if span is None:
                    continue
                unfinished.discard((span.trace_id.hex(), span.span_id.hex()))
                if self._is_new(span):
                    yield GroupedSpan(group, span)

    def _encoded(self, raw: dict[str, Any], place: str) -> Span | None:
        try:
            return encode(raw)
        except UnencodableError as error:
            self._tally.read += 1
            self._tally.leave(1, f"{place}: {error}")
            return None

    def _is_new(self, span: Span) -> bool:
        is_new = self._seen.add(span.trace_id, span.span_id)
        self._tally.read += is_new
        self._tally.duplicates += not is_new
        return is_new
