"""``send``: saved traces, once more over OTLP."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pocketflow_otel.cli.choices import flag, one_of
from pocketflow_otel.cli.output import STANDARD_OUTPUT, say, write
from pocketflow_otel.cli.trace_names import TraceDirectory, TraceNames, find_all
from pocketflow_otel.export import otlp_variables
from pocketflow_otel.figures import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from pocketflow_otel.sending.destination import Destination
    from pocketflow_otel.sending.tally import Tally

DEFAULT_RETRY_SECONDS: Final = 60.0
_INTERRUPTED: Final = 130
_EXIT_CODES: Final = (
    "Exit codes: 0 when all spans were accepted; 1 when some were refused or not sent; 2 for a command line that makes "
    "no sense, and for a trace that cannot be found or read; 130 when it was interrupted."
)


class Protocol(StrEnum):
    """How OTLP is spoken."""

    GRPC = otlp_variables.GRPC
    HTTP = otlp_variables.HTTP
    HTTP_JSON = otlp_variables.HTTP_JSON


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(send)


def send(
    trace: TraceNames,
    *,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where to send to. By default the OTEL_EXPORTER_OTLP_ variables decide, then it is http://localhost:4318.",
        ),
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            parser=one_of(Protocol),
            metavar="PROTOCOL",
            help="grpc, http/protobuf or http/json. By default the variables decide, then the endpoint: "
            "port 4317 means grpc.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Sent with every request, beside the variables'. Repeatable."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1_000_000,
            metavar="SECONDS",
            help="How long a request may take. By default 10, or the variables'.",
        ),
    ] = None,
    retry_seconds: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long to ask a server again that cannot take spans now.")
    ] = DEFAULT_RETRY_SECONDS,
    trace_dir: TraceDirectory = None,
    as_json: Annotated[bool, flag("--json", help="Write the counts as one JSON object.")] = False,
) -> None:
    """Send saved traces to a backend, over OTLP."""
    from pocketflow_otel.sending import destination

    files = find_all(trace, trace_dir)
    try:
        where = destination.resolve(endpoint, protocol, header or (), timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(_send(files, where, retry_seconds, as_json=as_json))


def _send(files: Sequence[Path | BinaryIO], where: Destination, retry_seconds: float, *, as_json: bool) -> int:
    from pocketflow_otel.cli.progress import progress
    from pocketflow_otel.sending.retries import Retries
    from pocketflow_otel.sending.seen import SeenSpans
    from pocketflow_otel.sending.sender import Sender
    from pocketflow_otel.sending.sources import Source
    from pocketflow_otel.sending.tally import Tally

    tally = Tally()
    status = 0
    transport = where.connect()
    try:
        with SeenSpans() as seen, progress(source := Source(files, seen, tally), tally) as shown:
            Sender(transport, Retries(retry_seconds), tally, shown.wait).send_all(source.spans(), shown.advance)
    except KeyboardInterrupt:
        tally.leave_the_rest("interrupted")
        status = _INTERRUPTED
    finally:
        transport.close()
    for error in tally.unreadable:
        say(f"pocketflow-otel: {error}")
        status = status or 2
    status = status or (1 if tally.refused or tally.not_sent else 0)
    if as_json:
        outcome = {"endpoint": where.shown, "protocol": where.protocol, "exit_code": status, **tally.as_json()}
        try:
            write(json.dumps(outcome, indent=2) + "\n", STANDARD_OUTPUT)
        except OSError as error:
            say(f"pocketflow-otel: cannot write the counts: {error.strerror}")
            status = status or 1
    else:
        _summarise(tally, where)
    return status


def _summarise(tally: Tally, where: Destination) -> None:
    from pocketflow_otel.cli.progress import counts

    say(f"pocketflow-otel: {counts(tally)}: {where.protocol} to {where.shown}")
    for text in _details(tally):
        say(f"  {text}")


def _details(tally: Tally) -> Iterator[str]:
    if not tally.read and not tally.unreadable:
        yield "no span that has ended was found"
    yield from (f"{spans:,} refused: {reason}" for reason, spans in tally.refused_for.most_common())
    yield from (f"{spans:,} not sent: {reason}" for reason, spans in tally.not_sent_for.most_common())
    yield from (f"the server says: {message}" for message in tally.warnings)
    if tally.unfinished:
        yield f"left out: {count(tally.unfinished, 'span that is', 'spans that are')} still open"
    if tally.duplicates:
        yield f"left out: {count(tally.duplicates, 'span that stands', 'spans that stand')} in the files twice"
    if tally.torn_lines:
        yield f"left out: {count(tally.torn_lines, 'torn line', 'torn lines')}"
    if tally.left_out:
        yield f"left out: {' and '.join(sorted(tally.left_out))}; only spans are sent"
