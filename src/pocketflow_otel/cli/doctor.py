"""``doctor``: what is installed, what is in force, where traces go, and what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pocketflow_otel.cli.choices import flag
from pocketflow_otel.figures import count, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pocketflow_otel.cli.diagnosis import Destination, Diagnosis


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog="Exit codes: 0 when all is well, 1 when something is wrong.")(doctor)


def doctor(*, as_json: Annotated[bool, flag("--json", help="Write one JSON object instead of text.")] = False) -> None:
    """Check what is installed, which options are in force, and whether traces get where they should."""
    from pocketflow_otel.cli import diagnosis

    found = diagnosis.diagnose()
    text = json.dumps(diagnosis.as_json(found), indent=2) if as_json else "\n".join(_lines(found))
    typer.echo(text)
    raise typer.Exit(0 if found.is_well else 1)


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from _section("Installed", [("python", found.python), *found.packages.items()])
    yield from _section("PocketFlow", [("", path) for path in found.pocketflow_copies])
    yield from _section("Instrumentations", found.instrumentations.items())
    yield from _section("Options", [(option.name, f"{option.value}  ({option.source})") for option in found.options])
    yield from _section("Spans go to", [_destination(destination) for destination in found.destinations])
    directory = found.trace_directory
    kept = f"{count(directory.traces, 'trace')}, {size(directory.size_bytes)}, {directory.unfinished:,} unfinished"
    state = f"{kept}, mode {directory.mode}" if directory.exists else "not there yet"
    yield from _section("Trace directory", [("", directory.path), ("", state)])
    if found.is_well:
        yield "All is well."
        return
    yield "What is wrong"
    for complaint in found.complaints:
        yield f"  {complaint.what}"
        yield f"    what to do: {complaint.remedy}"


def _destination(destination: Destination) -> tuple[str, str]:
    answer = {None: "", True: " (answers)", False: " (does not answer)"}[destination.answers]
    return destination.exporter, f"{destination.target}{answer}"


def _section(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    yield title
    yield from (
        f"  {name:{width}}  {value}".rstrip() if width else f"  {value}" for name, value in rows or [("", "nothing")]
    )
    yield ""
