"""The trace of a run holds the same tree as its document, whatever the document is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings

from instrumentation.recording import traced
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.runtime import collect, execute, load, prepare
from pocketflow_otel.traces.reader import Trace, read_trace
from runtime.reference.documents import lone_documents
from runtime.tree_of_document import check_tree


@contextmanager
def traced_to_file() -> Iterator[list[Trace]]:
    """Traces what runs inside the block, and fills the list with what its file holds."""
    traces: list[Trace] = []
    with TemporaryDirectory() as directory:
        with traced() as recording:
            files = TraceFileProcessor(directory=Path(directory))
            recording.tracer_provider.add_span_processor(files)
            yield traces
            recording.tracer_provider.shutdown()
        traces += [read_trace(path) for path in files.paths]


def run_and_check(document: dict[str, Any]) -> None:
    with traced_to_file() as traces:
        result = collect(execute(prepare(load(document)))).as_json()
    (trace,) = traces
    check_tree(document, Path(), result, trace)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lone_documents())
def test_random_documents_have_their_tree_in_their_trace(document: dict[str, Any]):
    run_and_check(document)
