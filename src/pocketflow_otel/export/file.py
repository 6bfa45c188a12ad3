"""Trace files in a program's OpenTelemetry SDK: as a span processor, and as an exporter that is chosen by name."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from pocketflow_otel.export import places, problems, requested
from pocketflow_otel.export.trace_files import PROBLEM_SOURCE, TraceFiles
from pocketflow_otel.options import Options, environment_variable, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

# More than the batch processor's queue and a batch under way: by then a span has been exported, or dropped.
_MOST_AWAITING_EXPORT: Final = 8192


class TraceFileProcessor(SpanProcessor):
    """Writes each sampled span to the file of its trace when it ends, and lists it in a journal while it is open.

    When a span's ``end()`` returns, the span is on disk. A killed process loses only the spans that were open, and
    those are in the journal. Nothing here raises: what goes wrong is told once on stderr.

    Args:
        directory: Where the files go. Default: ``traces`` in this platform's state directory.
    """

    def __init__(self, *, directory: Path | None = None) -> None:
        self._files = TraceFiles(directory or places.trace_dir())

    @property
    def directory(self) -> Path:
        """Where the files go."""
        return self._files.directory

    @property
    def paths(self) -> list[Path]:
        """The files that this process wrote, the last 100, the latest last."""
        return self._files.paths

    @property
    def path_count(self) -> int:
        """How many files this process wrote."""
        return self._files.path_count

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Lists a span as open."""
        _start(self._files, span)

    def on_end(self, span: ReadableSpan) -> None:
        """Writes a span."""
        if _is_sampled(span):
            _write(self._files, (span,))

    def shutdown(self) -> None:
        """Closes the files. Spans that end later are written all the same."""
        self._files.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Does nothing: every span that has ended is on disk."""
        return True


class FileSpanExporter(SpanExporter):
    """Writes trace files where ``OTEL_TRACES_EXPORTER=pocketflow_file`` or a declarative configuration asks for them.

    The SDK puts a batch processor before it, so a killed process loses what that still held too. The journal tells:
    while the instrumentor is active, a span is listed as open until it is exported.

    Args:
        trace_dir: Where the files go. Default: what the option ``trace_dir`` says.
    """

    def __init__(self, trace_dir: str | None = None) -> None:
        options, complaints = resolve({"trace_dir": trace_dir})
        for complaint in complaints:
            # The instrumentor tells of the other options.
            if complaint.startswith(("trace_dir=", environment_variable("trace_dir"))):
                problems.report(PROBLEM_SOURCE, complaint)
        self._files = files = TraceFiles(places.trace_dir(options.trace_dir))

        def journal(options: Options) -> JournalProcessor:
            if trace_dir is None:
                files.directory = places.trace_dir(options.trace_dir)
            return JournalProcessor(files)

        requested.request(journal)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Writes a batch, one line for each trace."""
        return SpanExportResult.SUCCESS if _write(self._files, spans) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Closes the files."""
        self._files.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Does nothing: every span that was exported is on disk."""
        return True


class JournalProcessor(SpanProcessor):
    """Lists spans as open from their start until the exporter of the same files has written them.

    Args:
        files: The exporter's files.
    """

    def __init__(self, files: TraceFiles) -> None:
        self._files = files
        self._awaiting_export: deque[tuple[int, int]] = deque()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Lists a span as open."""
        _start(self._files, span)

    def on_end(self, span: ReadableSpan) -> None:
        """Remembers a span until it must have been exported, because a full queue drops spans without a word."""
        if span.context and _is_sampled(span):
            self._awaiting_export.append((span.context.trace_id, span.context.span_id))
            if len(self._awaiting_export) > _MOST_AWAITING_EXPORT:
                self._files.forget(*self._awaiting_export.popleft())

    def shutdown(self) -> None:
        """Ends the journals of spans that were dropped: the processor before the exporter has shut down by now."""
        while self._awaiting_export:
            self._files.forget(*self._awaiting_export.popleft())
        self._files.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Does nothing: there is nothing to wait for."""
        return True


def _is_sampled(span: ReadableSpan) -> bool:
    return span.context is not None and span.context.trace_flags.sampled


def _start(files: TraceFiles, span: ReadableSpan) -> None:
    try:
        if _is_sampled(span):
            files.start(span)
    except Exception as error:  # noqa: BLE001 - nothing of ours may make the user's program fail
        problems.report(PROBLEM_SOURCE, repr(error))


def _write(files: TraceFiles, spans: Sequence[ReadableSpan]) -> bool:
    try:
        return files.write(spans)
    except Exception as error:  # noqa: BLE001 - nothing of ours may make the user's program fail
        problems.report(PROBLEM_SOURCE, repr(error), dropped=len(spans))
        return False
