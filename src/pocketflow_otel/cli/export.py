"""``export``: saved traces as files that other tools open."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pocketflow_otel.cli.choices import one_of
from pocketflow_otel.cli.output import STANDARD_OUTPUT, say, write
from pocketflow_otel.cli.trace_names import TraceDirectory, TraceNames, find_all
from pocketflow_otel.figures import count, first_few
from pocketflow_otel.traces.formats import HOLDS_ONE, Format, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pocketflow_otel.traces.formats.saved import Saved

_NOT_WRITTEN: Final = 1
_NOT_READ: Final = 2
_EXIT_CODES: Final = (
    "Exit codes: 0 when all was written; 1 when it could not be; 2 for a command line that makes no sense, and for a "
    "trace that cannot be found or read."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(export)


def export(
    trace: TraceNames,
    *,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            parser=one_of(Format),
            metavar="FORMAT",
            help="otlp: one OTLP JSON object. jaeger: for the upload of Jaeger's pages. grafana: for the import of "
            "Grafana's Explore. chrome: trace events, for Perfetto and speedscope. mermaid: a flowchart.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write to; - is standard output.")
    ] = STANDARD_OUTPUT,
    trace_id: Annotated[
        str, typer.Option(metavar="ID", help="The trace to take from a file of several: the start of its id.")
    ] = "",
    args: Annotated[
        bool,
        typer.Option(
            "--args", help="Put attributes into trace events, for Perfetto; speedscope would make them part of names."
        ),
    ] = False,
    trace_dir: TraceDirectory = None,
) -> None:
    """Write saved traces as a file that another tool opens."""
    from pocketflow_otel.traces.formats.saved import read_saved
    from pocketflow_otel.traces.reader import TraceFormatError

    if args and form is not Format.CHROME:
        raise typer.BadParameter(f"only --format chrome has events with arguments, not {form}", param_hint="--args")
    sources = find_all(trace, trace_dir)
    try:
        saved = [read_saved(source, trace_id) for source in sources]
        _check_number(saved, form)
        content = render(form, saved, with_args=args)
    except (TraceFormatError, OSError) as error:
        raise _failed(str(error), _NOT_READ) from None
    for note in _notes(saved, form, content):
        say(f"pocketflow-otel: {note}")
    try:
        write(content, output)
    except OSError as error:
        raise _failed(f"cannot write {output}: {error.strerror}", _NOT_WRITTEN) from None


def _failed(message: str, status: int) -> typer.Exit:
    say(f"pocketflow-otel: {message}")
    return typer.Exit(status)


def _check_number(saved: Sequence[Saved], form: Format) -> None:
    from pocketflow_otel.traces.formats.saved import traces_of

    ids = [trace.trace_id for trace in traces_of(saved)]
    if form in HOLDS_ONE and len(ids) > 1:
        these = f"{form} shows one trace, and these are {len(ids)}: {first_few(ids)}"
        raise typer.BadParameter(f"{these}. Name one, or choose one by --trace-id", param_hint="TRACE")


def _notes(saved: Sequence[Saved], form: Format, content: str) -> Iterator[str]:
    from pocketflow_otel.traces.formats.saved import traces_of

    unfinished = sum(not span.finished for trace in traces_of(saved) for span in trace.spans)
    not_ended = f"{count(unfinished, 'span has', 'spans have')} not ended"
    if unfinished and form is Format.OTLP:
        yield f"{not_ended}, and OTLP cannot say so: those that only a journal tells of are left out"
    elif unfinished:
        yield f"{not_ended}: shown as unfinished, up to the last time that is known of the trace"
    for one in saved:
        if torn := max(trace.torn_lines for trace in one.traces):
            yield f"{one.name}: {count(torn, 'line is', 'lines are')} torn and left out"
    if form is Format.MERMAID:
        from pocketflow_otel.traces.formats.mermaid import limits_passed

        yield from limits_passed(content)
