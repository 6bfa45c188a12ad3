"""``replay``: saved traces, once more on the console."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pocketflow_otel.cli.choices import one_of
from pocketflow_otel.cli.output import say
from pocketflow_otel.cli.trace_names import OptionalTraceNames, TraceDirectory, find_all
from pocketflow_otel.figures import count
from pocketflow_otel.options import Verbosity, resolve
from pocketflow_otel.replaying.pacing import LONGEST_PAUSE_SECONDS
from pocketflow_otel.traces.naming import LAST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

    from pocketflow_otel.traces.model import Trace

_NOT_WRITTEN: Final = 1
_NOT_READ: Final = 2
_EXIT_CODES: Final = (
    "What the console shows is the result here, and goes to standard output; remarks go to standard error. "
    "Exit codes: 0 when all was shown; 1 when it could not be written; 2 for a command line that makes no sense, and "
    "for a trace that cannot be found or read; 130 when it was interrupted."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(replay)


def replay(
    trace: OptionalTraceNames = None,
    *,
    speed: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="N",
            help="How many times as fast as the run was; 0 is at once. "
            f"No pause is longer than {LONGEST_PAUSE_SECONDS:g} seconds.",
        ),
    ] = 1.0,
    verbosity: Annotated[
        Verbosity | None,
        typer.Option(
            parser=one_of(Verbosity),
            metavar="LEVEL",
            help="How much the console tells: minimal, normal or verbose.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Show only flows and nodes of such names. Repeatable."),
    ] = None,
    trace_dir: TraceDirectory = None,
) -> None:
    """Show saved traces again, as the console showed them live."""
    options, _ = resolve({"verbosity": verbosity})
    shown = _chosen(_read(find_all(trace or [LAST], trace_dir)), only or ())
    _play(shown, options.verbosity, speed)


def _read(sources: Sequence[Path | BinaryIO]) -> list[Trace]:
    from pocketflow_otel.traces.formats.saved import read_saved, traces_of
    from pocketflow_otel.traces.reader import TraceFormatError

    try:
        saved = [read_saved(source) for source in sources]
    except (TraceFormatError, OSError) as error:
        raise _failed(str(error), _NOT_READ) from None
    for one in saved:
        if torn := max(trace.torn_lines for trace in one.traces):
            say(f"pocketflow-otel: {one.name}: {count(torn, 'line is', 'lines are')} torn and left out")
    return traces_of(saved)


def _chosen(traces: list[Trace], patterns: Sequence[str]) -> list[Trace]:
    from pocketflow_otel.replaying import choosing

    if not choosing.names_in(traces):
        say("pocketflow-otel: no flow or node of PocketFlow is in it")
    if not patterns:
        return traces
    try:
        return choosing.only(traces, patterns)
    except choosing.NoSuchNameError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from None


def _play(traces: Sequence[Trace], verbosity: Verbosity, speed: float) -> None:
    from pocketflow_otel.replaying.playing import play

    if sys.stdout is None:
        raise _failed("standard output is closed", _NOT_WRITTEN)
    try:
        play(traces, sys.stdout, verbosity=verbosity, speed=speed)
    except BrokenPipeError:
        # Whoever read it, as `head`, has seen enough.
        raise typer.Exit(_NOT_WRITTEN) from None
    except OSError as error:
        raise _failed(f"cannot write -: {error.strerror}", _NOT_WRITTEN) from None


def _failed(message: str, status: int) -> typer.Exit:
    say(f"pocketflow-otel: {message}")
    return typer.Exit(status)
