"""Programs that are watched live while their trace files are written, and then replayed."""

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor

from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.options import Verbosity
from pocketflow_otel.replaying.choosing import only
from pocketflow_otel.replaying.playing import play
from pocketflow_otel.traces.formats.unfinished import last_moment
from pocketflow_otel.traces.model import Trace
from pocketflow_otel.traces.reader import read_traces

NO_PROCESS = 999_999_999


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Watched:
    """A program that is watched live while its trace files are written.

    Args:
        directory: Where the files go.
        verbosity: Of both consoles.
        on_terminal: Whether both write to a terminal.
        **told: What else the live console is given.

    Attributes:
        processors: What the program's spans have to go to.
    """

    def __init__(self, directory: Path, verbosity: Verbosity, *, on_terminal: bool, **told: Any) -> None:
        self._directory = directory
        self._verbosity = verbosity
        self._make_stream = FakeTerminal if on_terminal else io.StringIO
        self._live = self._make_stream()
        self._console = LiveConsole(self._live, verbosity, trace_files=lambda: _paths(self.traces()), **told)
        self._files = TraceFileProcessor(directory=directory)
        self.processors: list[SpanProcessor] = [self._files, self._console]

    def traces(self) -> list[Trace]:
        """All traces, in the order they began."""
        traces = [trace for file in self._directory.glob("*.jsonl") for trace in read_traces(file)]
        return sorted(traces, key=lambda trace: trace.spans[0].start_ns)

    def kill(self) -> None:
        """Leaves the journals as those of a process that is gone."""
        for journal in self._directory.glob("*.open"):
            journal.rename(journal.with_name(f"{journal.name.partition('.')[0]}.{NO_PROCESS}.open"))

    def live(self) -> str:
        """What was shown live, once the program is over."""
        self._console.shutdown()
        self._files.shutdown()
        return self._live.getvalue()

    def replayed(self, *patterns: str) -> str:
        """What a replay at once shows, of flows and nodes of some names or of all."""
        traces, stream = self.traces(), self._make_stream()
        if traces:
            play(only(traces, patterns) if patterns else traces, stream, verbosity=self._verbosity, speed=0)
        return stream.getvalue()


def _paths(traces: Sequence[Trace]) -> list[Path]:
    """The files of traces, the one that was written to last as the last."""
    return [trace.path for trace in sorted(traces, key=last_moment) if trace.path is not None]


@contextmanager
def watched(verbosity: Verbosity, *, on_terminal: bool = False, **told: Any) -> Iterator[Watched]:
    """Watches a program that is run in the block, and keeps its files for so long."""
    with tempfile.TemporaryDirectory() as directory:
        yield Watched(Path(directory), verbosity, on_terminal=on_terminal, **told)
