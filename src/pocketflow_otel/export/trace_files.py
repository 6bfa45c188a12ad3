"""The trace files that this process writes: one of OTLP JSON lines for each trace, and a journal of its open spans."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_trace_id

from pocketflow_otel.export import problems
from pocketflow_otel.export.appending import AppendFile
from pocketflow_otel.export.encoding import EncodedSpan, SpanEncoder, join
from pocketflow_otel.export.journal import Journal, journal_line, journal_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

PROBLEM_SOURCE: Final = "trace files"
TRACE_SUFFIX: Final = ".jsonl"
# Two descriptors each; macOS gives a process 256.
_MOST_OPEN: Final = 32
_MOST_PATHS: Final = 100


class _Trace:
    """The two files of a trace."""

    __slots__ = ("file", "journal")

    def __init__(self, directory: Path, trace_id: int) -> None:
        self.file = AppendFile(directory / (format_trace_id(trace_id) + TRACE_SUFFIX))
        self.journal = Journal(journal_path(directory, trace_id))

    def close(self) -> None:
        self.file.close()
        self.journal.file.close()


class TraceFiles:
    """Writes spans to the files of their traces. No method raises: what fails is reported and counted as a problem.

    Args:
        directory: Where the files are; created, with mode 0700, when there is something to write.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._encoder = SpanEncoder()
        self._foreign: set[int] = set()
        self._reset()
        _instances.add(self)

    def _reset(self) -> None:
        # Re-entrant: a span may end while the garbage collector runs inside one of our own calls.
        self._lock = threading.RLock()
        self._busy = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._traces: dict[int, _Trace] = {}
        self._recent: OrderedDict[int, _Trace] = OrderedDict()
        self._written: OrderedDict[int, Path] = OrderedDict()
        self._count = 0

    @property
    def paths(self) -> list[Path]:
        """The files that this process wrote, the last 100, the latest last."""
        with self._lock:
            return list(self._written.values())

    @property
    def path_count(self) -> int:
        """How many files this process wrote."""
        return self._count

    def start(self, span: ReadableSpan) -> None:
        """Enters a span that has started in the journal of its trace.

        Creates the trace file too, so that a trace is found where only its journal holds something yet.
        """
        context = span.context
        if context is None:
            return
        try:
            line = journal_line(span, context)
        except Exception as error:  # noqa: BLE001 - any value may stand in an attribute, and raise anything
            problems.report(PROBLEM_SOURCE, f"cannot enter {span.name} in the journal: {error!r}")
            line = b""
        self._in_turn(lambda: self._start(context, line))

    def write(self, spans: Sequence[ReadableSpan]) -> bool:
        """Writes spans that have ended, one line for each trace, and takes them out of the journals.

        Returns:
            Whether all of them were written.
        """
        by_trace: defaultdict[int, list[ReadableSpan]] = defaultdict(list)
        for span in spans:
            # A process that forked writes the spans it had open by itself.
            if span.context and span.context.span_id not in self._foreign:
                by_trace[span.context.trace_id].append(span)
        written = [self._write(trace_id, group) for trace_id, group in by_trace.items()]
        return all(written)

    def forget(self, trace_id: int, span_id: int) -> None:
        """Takes a span that will never be written out of the journal of its trace."""
        self._in_turn(lambda: self._end(trace_id, [span_id]))

    def close(self) -> None:
        """Closes the files. They are opened again if there is more to write."""
        self._in_turn(self._close)

    def _in_turn(self, action: Callable[[], None]) -> None:
        """Does something with the files, after all that is under way: at once, unless this thread is at it already."""
        with self._lock:
            self._waiting.append(action)
            if self._busy:
                return
            self._busy = True
            try:
                while self._waiting:
                    self._waiting.popleft()()
            finally:
                self._busy = False

    def _start(self, context: SpanContext, line: bytes) -> None:
        trace = self._open(context.trace_id)
        try:
            trace.journal.start(context.span_id, line)
            trace.file.open()
        except OSError as error:
            self._report(error)

    def _write(self, trace_id: int, spans: list[ReadableSpan]) -> bool:
        encoded = self._encode(spans)
        line = join(encoded)
        span_ids = [span.context.span_id for span in spans if span.context]
        failures: list[OSError] = []

        def write() -> None:
            if encoded:
                try:
                    self._append(trace_id, line)
                except OSError as error:
                    self._report(error, dropped=len(encoded))
                    failures.append(error)
            self._end(trace_id, span_ids)

        self._in_turn(write)
        return not failures and len(encoded) == len(spans)

    def _append(self, trace_id: int, line: bytes) -> None:
        trace = self._open(trace_id)
        trace.file.append(line)
        self._note(trace_id, trace.file.path)

    def _end(self, trace_id: int, span_ids: list[int]) -> None:
        trace = self._traces.get(trace_id)
        if trace is None:
            return
        for span_id in span_ids:
            try:
                trace.journal.end(span_id)
            except OSError as error:
                self._report(error)
        if not trace.journal.open_spans:
            trace.close()
            del self._traces[trace_id]
            self._recent.pop(trace_id, None)

    def _close(self) -> None:
        for trace in self._recent.values():
            trace.close()
        self._recent.clear()

    def _encode(self, spans: list[ReadableSpan]) -> list[EncodedSpan]:
        encoded = []
        for span in spans:
            try:
                encoded.append(self._encoder.encode(span))
            except Exception as error:  # noqa: BLE001 - the encoder raises anything; the other spans are worth writing
                problems.report(PROBLEM_SOURCE, f"cannot encode {span.name}: {error!r}", dropped=1)
        return encoded

    def _open(self, trace_id: int) -> _Trace:
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace(self.directory, trace_id)
        self._recent[trace_id] = trace
        self._recent.move_to_end(trace_id)
        if len(self._recent) > _MOST_OPEN:
            _, oldest = self._recent.popitem(last=False)
            oldest.close()
        return trace

    def _note(self, trace_id: int, path: Path) -> None:
        if trace_id not in self._written:
            self._count += 1
        self._written[trace_id] = path
        self._written.move_to_end(trace_id)
        if len(self._written) > _MOST_PATHS:
            self._written.popitem(last=False)

    def _report(self, error: OSError, dropped: int = 0) -> None:
        problems.report(PROBLEM_SOURCE, f"cannot write to {self.directory}: {error.strerror or error}", dropped)

    def _after_fork_in_child(self) -> None:
        for trace in self._traces.values():
            self._foreign |= trace.journal.open_spans
        self._close()
        self._reset()


_instances: weakref.WeakSet[TraceFiles] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for files in _instances:
        files._after_fork_in_child()  # noqa: SLF001 - fork handlers cannot be taken back, so there is one for all


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
