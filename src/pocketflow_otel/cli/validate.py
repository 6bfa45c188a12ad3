"""``validate``: whether workflow documents can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pocketflow_otel.cli.choices import flag
from pocketflow_otel.cli.output import say
from pocketflow_otel.figures import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pocketflow_otel.runtime.documents.faults import Fault
    from pocketflow_otel.runtime.streams import Stdout

_INVALID: Final = 2
_EXIT_CODES: Final = "Exit codes: 0 when all can be run; 2 when one can't, or the command line makes no sense."


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXIT_CODES)(validate)


def validate(
    flows: Annotated[list[str], typer.Argument(metavar="FLOW...", help="Workflow documents, YAML or JSON.")],
    *,
    json: Annotated[bool, flag("--json", help="Write what is wrong to standard output, as JSON.")] = False,
) -> None:
    """Check workflow documents, without running them. Modules that they name as node types are imported."""
    from pathlib import Path

    from pocketflow_otel.runtime.documents.checks import faults_of
    from pocketflow_otel.runtime.registry.registry import Registry
    from pocketflow_otel.runtime.streams import Stdout

    # Modules that the documents name are imported, and may print.
    stdout = Stdout.divert()
    registry = Registry()
    found = {flow: faults_of(Path(flow), registry) for flow in flows}
    if json:
        _write_json(found, stdout)
    else:
        _tell(found)
    if any(found.values()):
        raise typer.Exit(_INVALID)


def _tell(found: dict[str, list[Fault]]) -> None:
    for flow, faults in found.items():
        for fault in faults:
            say(str(fault))
        say(f"{flow}: {count(len(faults), 'fault', 'faults')}" if faults else f"{flow}: it can be run")


def _write_json(found: dict[str, list[Fault]], stdout: Stdout) -> None:
    from dataclasses import asdict
    from json import dumps

    documents: Sequence[dict[str, Any]] = [
        {"document": flow, "valid": not faults, "faults": [asdict(fault) for fault in faults]}
        for flow, faults in found.items()
    ]
    try:
        stdout.write(dumps(documents, indent=2, ensure_ascii=False) + "\n", "-")
    except OSError as error:
        say(f"pocketflow-otel: cannot write to standard output: {error.strerror}")
        raise typer.Exit(1) from None
