"""All commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from pocketflow_otel.cli import doctor, export, nodes, replay, run, schema, send, validate

app = typer.Typer(
    help="See inside PocketFlow programs.",
    epilog="Exit codes: those of the program for run and demo; 2 for a command line that makes no sense.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda asked: _show_version(asked=asked), is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """See inside PocketFlow programs."""


def _show_version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"pocketflow-otel {version('pocketflow-otel')}")
        raise typer.Exit


run.register(app)
doctor.register(app)
replay.register(app)
send.register(app)
export.register(app)
validate.register(app)
schema.register(app)
nodes.register(app)
