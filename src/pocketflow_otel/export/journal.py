"""The spans that are open, on disk, so that what a killed process was doing can be read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_span_id, format_trace_id

from pocketflow_otel.export.appending import AppendFile
from pocketflow_otel.export.encoding import corrected, encode_line

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

JOURNAL_SUFFIX: Final = ".open"
_ENDED_KEPT: Final = 1000
_BEFORE_SPAN_ID: Final = len('{"traceId":"') + 32 + len('","spanId":"')
_SPAN_ID: Final = slice(_BEFORE_SPAN_ID, _BEFORE_SPAN_ID + 16)

_dumps: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode


def journal_path(directory: Path, trace_id: int) -> Path:
    """Where this process keeps the journal of a trace."""
    return directory / f"{format_trace_id(trace_id)}.{os.getpid()}{JOURNAL_SUFFIX}"


def journal_line(span: ReadableSpan, context: SpanContext) -> bytes:
    """Encodes what is known of a span at its start.

    Args:
        span: The span.
        context: Its own context.

    Returns:
        A line of JSON. The attributes are plain JSON, not OTLP's.
    """
    entry = {
        # These two come first: compaction finds the span id by its place.
        "traceId": format_trace_id(context.trace_id),
        "spanId": format_span_id(context.span_id),
        "parentSpanId": format_span_id(span.parent.span_id) if span.parent else "",
        "name": span.name,
        "scope": scope.name if (scope := span.instrumentation_scope) else "",
        "startTimeUnixNano": str(span.start_time),
        "attributes": dict(corrected(span.attributes)),
        "pid": os.getpid(),
    }
    return encode_line(_dumps(entry))


class Journal:
    """The open spans that this process started in one trace, in a file that exists while there are any.

    A span that has ended is in the trace file, so nothing is written when one ends: its entry goes when the journal
    does, or when there are too many of its kind.

    Args:
        path: Where the file is.
    """

    __slots__ = ("_ended", "file", "open_spans")

    def __init__(self, path: Path) -> None:
        self.file = AppendFile(path)
        self.open_spans: set[int] = set()
        self._ended = 0

    def start(self, span_id: int, line: bytes) -> None:
        """Enters a span.

        Raises:
            OSError: If the line could not be written. The span counts as open all the same.
        """
        self.open_spans.add(span_id)
        self.file.append(line)

    def end(self, span_id: int) -> None:
        """Notes that a span is open no more; one that is not known to be open is ignored.

        Raises:
            OSError: If the file could not be rewritten or removed.
        """
        if span_id not in self.open_spans:
            return
        self.open_spans.remove(span_id)
        self._ended += 1
        if not self.open_spans:
            self._remove()
        elif self._ended > max(_ENDED_KEPT, len(self.open_spans)):
            # As many as are open, so that compacting costs each span the same however many there are.
            self._ended = 0
            self._compact()

    def _remove(self) -> None:
        self.file.close()
        self._ended = 0
        self.file.path.unlink(missing_ok=True)

    def _compact(self) -> None:
        path = self.file.path
        with path.open("rb") as old:
            kept = b"".join(line for line in old if self._is_open(line))
        temporary = path.with_name(path.name + ".tmp")
        try:
            with open(temporary, "wb", opener=_private) as new:
                new.write(kept)
            self.file.close()
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _is_open(self, line: bytes) -> bool:
        try:
            return int(line[_SPAN_ID], 16) in self.open_spans
        except ValueError:
            # A line that a full disk has torn.
            return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
