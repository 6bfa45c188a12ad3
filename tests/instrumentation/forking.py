"""Runs programs that fork, each in a process of its own, and reads what all their processes exported."""

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PRELUDE = '''
import json, multiprocessing, os, signal, sys, threading, warnings
from pathlib import Path

# Programs that fork are told by newer Pythons that they had better not.
warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from pocketflow import AsyncFlow, AsyncNode, BatchNode, Flow, Node

from pocketflow_otel import PocketFlowInstrumentor
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.guard import guard


class Exporter(SpanExporter):
    """Writes spans to a file of the process that exports them."""

    def export(self, spans):
        with open(f"{os.getpid()}.exported", "a") as file:
            for span in spans:
                told = {
                    "id": f"{span.context.span_id:016x}",
                    "trace": f"{span.context.trace_id:032x}",
                    "parent": f"{span.parent.span_id:016x}" if span.parent else None,
                    "name": span.name,
                    "attributes": {key: value for key, value in span.attributes.items()},
                }
                file.write(json.dumps(told) + "\\n")
        return SpanExportResult.SUCCESS


def start():
    guard.reraise = True
    provider = TracerProvider()
    if os.environ["PROCESSOR"] == "batch":
        # Nothing is exported but by those who ask for it, or end.
        provider.add_span_processor(BatchSpanProcessor(Exporter(), schedule_delay_millis=60_000))
    else:
        provider.add_span_processor(SimpleSpanProcessor(Exporter()))
    provider.add_span_processor(TraceFileProcessor(directory=Path("traces").absolute()))
    PocketFlowInstrumentor().instrument(tracer_provider=provider, capture_output=True)
    return provider


def leave():
    """Ends a child as multiprocessing does."""
    provider.force_flush()
    sys.stdout.flush()
    os._exit(0)


def wait_for(*children):
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0, status


signal.alarm(50)  # a child that hangs ends; its parent waits for it, and tells
provider = start()
'''


@dataclass(frozen=True)
class Exported:
    """One span as a process exported it."""

    pid: int
    id: str
    trace: str
    parent: str | None
    name: str
    attributes: dict[str, Any]


class Forked:
    """What the processes of a program exported.

    Attributes:
        spans: All of it.
        parent: The first process.
        printed: What they printed.
    """

    def __init__(self, spans: list[Exported], parent: int, printed: str) -> None:
        self.spans = spans
        self.parent = parent
        self.printed = printed

    def one(self, name: str) -> Exported:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def named(self, name: str) -> list[Exported]:
        return [span for span in self.spans if span.name == name]

    def path(self, span: Exported) -> list[str]:
        """The names of the spans around one, the outermost first, and its own."""
        around = {other.id: other for other in self.spans}
        path = [span.name]
        while span.parent is not None:
            span = around[span.parent]
            path.insert(0, span.name)
        return path

    def paths(self, *, of_parent: bool) -> Counter[tuple[str, ...]]:
        """How often each path was exported, by the first process or by the others."""
        return Counter(tuple(self.path(span)) for span in self.spans if (span.pid == self.parent) is of_parent)


def run_forking(directory: Path, processor: str, program: str) -> Forked:
    """Runs a program, and checks that no span was exported twice, in trace files neither.

    Args:
        directory: Where it runs.
        processor: What its provider exports with: ``simple`` or ``batch``.
        program: Its source, after ``provider`` has been set up and PocketFlow instrumented.
    """
    script = directory / "program.py"
    script.write_text(_PRELUDE + textwrap.dedent(program) + "\nprovider.shutdown()\n")
    # Measuring coverage takes a lock of its own, which a thread that is not there after a fork may hold.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "COVERAGE_"))}
    with subprocess.Popen(
        [sys.executable, "-W", "error", script],
        cwd=directory,
        env={**environment, "PROCESSOR": processor},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            printed, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (told, process.returncode) == ("", 0)
    spans = _read_exported(directory)
    assert [span_id for span_id, count in Counter(span.id for span in spans).items() if count > 1] == []
    assert sorted(_in_trace_files(directory)) == sorted(span.id for span in spans)
    return Forked(spans, process.pid, printed)


def _read_exported(directory: Path) -> list[Exported]:
    return [
        Exported(pid=int(path.stem), **json.loads(line))
        for path in sorted(directory.glob("*.exported"))
        for line in path.read_text().splitlines()
    ]


def _in_trace_files(directory: Path) -> list[str]:
    return [
        span["spanId"]
        for path in directory.glob("traces/*.jsonl")
        for line in path.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
