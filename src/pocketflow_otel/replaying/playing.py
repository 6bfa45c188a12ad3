"""Saved traces on the live console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.replaying.moments import moments
from pocketflow_otel.replaying.pacing import PacedStream
from pocketflow_otel.replaying.sdk_spans import sdk_span
from pocketflow_otel.traces.formats.unfinished import last_moment
from pocketflow_otel.traces.model import TraceState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from pocketflow_otel.options import Verbosity
    from pocketflow_otel.traces.model import Trace

_NOTES: Final = {
    TraceState.RUNNING: "the program is running: what it does from now on is not shown",
    TraceState.CRASHED: "the program ended before its spans did: it was killed, or crashed",
}


def play(traces: Sequence[Trace], stream: TextIO, *, verbosity: Verbosity, speed: float) -> None:
    """Shows traces as the live console showed them, all on one time line.

    Args:
        traces: The traces, at least one.
        stream: Where to write.
        verbosity: How much to tell.
        speed: How many times as fast as they were made; 0 for at once.

    Raises:
        OSError: If it can't be written.
    """
    states = {trace.state for trace in traces}
    # Live too, the file that was written to last is the last.
    in_order = sorted(traces, key=last_moment)
    last_ns = last_moment(in_order[-1])
    paced = PacedStream(stream, speed)
    console = LiveConsole(
        cast("TextIO", paced),
        verbosity,
        trace_files=lambda: [trace.path.absolute() for trace in in_order if trace.path is not None],
        notes=lambda: [note for state, note in _NOTES.items() if state in states],
        clock=None if TraceState.RUNNING in states else lambda: last_ns,
    )
    for moment in moments(traces):
        paced.moment_ns = moment.time_ns
        tell = console.on_end if moment.is_end else console.on_start
        tell(sdk_span(moment.span))
    console.shutdown()
    # The console itself falls silent when it can't write.
    if paced.failure is not None:
        raise paced.failure
