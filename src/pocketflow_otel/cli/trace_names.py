"""Traces as they are named on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pocketflow_otel.traces import naming

if TYPE_CHECKING:
    from typing import BinaryIO

_NAMES: Final = "last, last~2, the start of an id, a file, or - for standard input."
TraceNames = Annotated[list[str], typer.Argument(metavar="TRACE", help=_NAMES)]
OptionalTraceNames = Annotated[list[str] | None, typer.Argument(metavar="TRACE", help=_NAMES, show_default=naming.LAST)]
TraceDirectory = Annotated[
    Path | None, typer.Option("--trace-dir", metavar="DIRECTORY", help="Where last and ids are looked up.")
]


def find_all(names: list[str], trace_dir: Path | None) -> list[Path | BinaryIO]:
    """Finds what names stand for.

    Args:
        names: As the user typed them.
        trace_dir: Where ids are looked up; by default where the options say.

    Raises:
        typer.BadParameter: If there is no such trace.
    """
    from pocketflow_otel.export import places
    from pocketflow_otel.options import resolve

    options, _ = resolve({"trace_dir": trace_dir})
    directory = places.trace_dir(options.trace_dir)
    try:
        return [naming.find(name, directory) for name in names]
    except naming.NoSuchTraceError as error:
        raise typer.BadParameter(str(error), param_hint="TRACE") from None
