"""``run`` and ``demo``: a program with its flows shown live and traced to a file."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from pocketflow_otel.cli.choices import flag
from pocketflow_otel.cli.launch import launch
from pocketflow_otel.cli.tracing import launch_traced
from pocketflow_otel.cli.tracing_options import ShowOptions, TracingOptions, takes

DEMO: Final = "pocketflow_otel.demo.agent"

_EXIT_CODES: Final = "Exit code: the program's own, as under plain python; 2 for a command line that makes no sense."
_OF_RUN: Final = (
    f"{_EXIT_CODES} A workflow document, FLOW.yaml, is run too; it has more options, and exit codes of its own: "
    "pocketflow-otel run FLOW.yaml --help tells them."
)


class _ProgramOrDocument(TyperCommand):
    """Hands arguments that name a workflow document on to the command for these."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        from pocketflow_otel.cli.documents import names_document

        if names_document(args):
            from pocketflow_otel.cli.run_workflow import command

            return command().make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    # Options of ours end where the program begins: all that follows is the program's.
    settings = {"allow_interspersed_args": False}
    app.command(epilog=_OF_RUN, context_settings=settings, cls=_ProgramOrDocument)(run)
    app.command(epilog=_EXIT_CODES)(demo)


@takes(TracingOptions)
def run(
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCRIPT [ARGS]...", help="As after python: a script, a directory, a zip file, -."),
    ] = None,
    *,
    module: Annotated[bool, flag("-m", help="Run a module instead: -m MODULE [ARGS]...")] = False,
    tracing: TracingOptions,
) -> None:
    """Run a program and trace its flows, without a change to it."""
    if not program:
        raise typer.BadParameter("which module?" if module else "which script?", param_hint="SCRIPT or -m MODULE")
    tracing.check()
    command = ["-m", *program] if module else program
    # What is no file, Python itself complains about, and nobody needs to hear where its trace goes.
    if not tracing.trace or not (module or program[0] == "-" or Path(program[0]).exists()):
        launch(command, None)
    launch_traced(command, tracing.tracing())


@takes(ShowOptions)
def demo(*, tracing: ShowOptions) -> None:
    """Run a small research agent, offline, and trace it."""
    launch_traced(["-m", DEMO], replace(tracing.tracing(), content=True))
