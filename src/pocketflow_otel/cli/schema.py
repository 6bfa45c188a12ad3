"""``schema``: the JSON Schema of workflow documents."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Final

import typer

from pocketflow_otel.cli.output import STANDARD_OUTPUT, say

_NOT_WRITTEN: Final = 1
_EXIT_CODES: Final = (
    "Exit codes: 0 when the schema was written; 1 when it could not be; 2 for a command line that makes no sense."
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(schema)


def schema(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write to; - is standard output.")
    ] = STANDARD_OUTPUT,
) -> None:
    """Write the JSON Schema of workflow documents, for editors: with the node types that are installed here."""
    from json import dumps

    from pocketflow_otel.runtime.documents.schema import document_schema
    from pocketflow_otel.runtime.registry.registry import Registry
    from pocketflow_otel.runtime.streams import Stdout

    # Packages that bring node types are imported, and may print.
    stdout = Stdout.divert()
    content = dumps(document_schema(Registry()), indent=2, ensure_ascii=False) + "\n"
    try:
        # Whoever shares documents shares it with them.
        stdout.write(content, str(output), private=False)
    except OSError as error:
        say(f"pocketflow-otel: cannot write {output}: {error.strerror}")
        raise typer.Exit(_NOT_WRITTEN) from None
