"""``run`` and ``demo``: a program with its flows shown live and traced to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from pocketflow_otel.cli.choices import one_of
from pocketflow_otel.cli.launch import launch, untraceable
from pocketflow_otel.cli.output import say
from pocketflow_otel.export import chosen, places
from pocketflow_otel.options import CONTENT_ENV, Verbosity, environment_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEMO: Final = "pocketflow_otel.demo.agent"
STORE_DEPTH: Final = 4
"""Deep enough for a list of messages of parts; the look is bounded by a budget in any case."""

_CONTENT: Final = ("capture_values", "capture_output", "capture_io")
_STAYS_HERE: Final = frozenset({chosen.CONSOLE, chosen.FILE})
_EXIT_CODES: Final = "Exit code: the program's own, as under plain python; 2 for a command line that makes no sense."

Exporters = Annotated[
    list[str] | None,
    typer.Option(
        "--exporter",
        metavar="NAME",
        help="Where spans go: console, file, otlp, jaeger, or an installed one. Repeatable.",
    ),
]
VerbosityOption = Annotated[
    Verbosity | None,
    typer.Option(
        parser=one_of(Verbosity), metavar="LEVEL", help="How much the console tells: minimal, normal or verbose."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on the console but problems.")]
BudgetUsd = Annotated[
    float | None,
    typer.Option(min=0, metavar="AMOUNT", help="Stop flows once the program's LLM calls have cost so many US dollars."),
]
BudgetTokens = Annotated[
    int | None, typer.Option(min=0, metavar="COUNT", help="Stop flows once its LLM calls took so many tokens.")
]
BudgetVisits = Annotated[
    int | None, typer.Option(min=0, metavar="COUNT", help="Stop flows after so many node visits in all.")
]
BudgetSeconds = Annotated[
    float | None, typer.Option(min=0, metavar="SECONDS", help="Stop flows so long after the program's start.")
]
PriceFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Prices of models that go before the known ones: JSON or TOML.")
]
TraceDir = Annotated[Path | None, typer.Option(metavar="DIRECTORY", help="Where trace files go.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    # Options of ours end where the program begins: all that follows is the program's.
    app.command(epilog=_EXIT_CODES, context_settings={"allow_interspersed_args": False})(run)
    app.command(epilog=_EXIT_CODES)(demo)


def run(
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCRIPT [ARGS]...", help="As after python: a script, a directory, a zip file, -."),
    ] = None,
    *,
    module: Annotated[bool, typer.Option("-m", help="Run a module instead: -m MODULE [ARGS]...")] = False,
    trace: Annotated[bool, typer.Option(help="Whether to trace, or just run the program.")] = True,
    content: Annotated[
        bool | None,
        typer.Option(
            "--content/--no-content",
            help="Record values, printed text, inputs and outputs. By default where spans stay on this machine.",
        ),
    ] = None,
    quiet: Quiet = False,
    verbosity: VerbosityOption = None,
    exporter: Exporters = None,
    trace_dir: TraceDir = None,
    budget_usd: BudgetUsd = None,
    budget_tokens: BudgetTokens = None,
    budget_visits: BudgetVisits = None,
    budget_seconds: BudgetSeconds = None,
    price_file: PriceFile = None,
) -> None:
    """Run a program and trace its flows, without a change to it."""
    if not program:
        raise typer.BadParameter("which module?" if module else "which script?", param_hint="SCRIPT or -m MODULE")
    budget = {"usd": budget_usd, "tokens": budget_tokens, "visits": budget_visits, "seconds": budget_seconds}
    if not trace and any(limit is not None for limit in budget.values()):
        raise typer.BadParameter("nothing holds an untraced program to a budget", param_hint="--no-trace")
    command = ["-m", *program] if module else program
    # What is no file, Python itself complains about, and nobody needs to hear where its trace goes.
    if not trace or not (module or program[0] == "-" or Path(program[0]).exists()):
        launch(command, None)
    _launch_traced(
        command,
        content=content,
        quiet=quiet,
        verbosity=verbosity,
        exporters=_names(exporter, quiet=quiet),
        trace_dir=trace_dir,
        budget=budget,
        price_file=price_file,
    )


def demo(
    *,
    quiet: Quiet = False,
    verbosity: VerbosityOption = None,
    exporter: Exporters = None,
    trace_dir: TraceDir = None,
) -> None:
    """Run a small research agent, offline, and trace it."""
    _launch_traced(
        ["-m", DEMO],
        content=True,
        quiet=quiet,
        verbosity=verbosity,
        exporters=_names(exporter, quiet=quiet),
        trace_dir=trace_dir,
    )


def _names(asked: Sequence[str] | None, *, quiet: bool) -> list[str]:
    """The exporters to use; a wrong name on the command line is an error, one in the environment costs no run."""
    try:
        names, unknown = (chosen.validate(asked), []) if asked else chosen.wanted()
    except chosen.UnknownExporterError as error:
        raise typer.BadParameter(str(error), param_hint="--exporter") from None
    for sentence in unknown:
        say(f"pocketflow-otel: {chosen.TRACES_EXPORTER}: {sentence}")
    return [name for name in names if name != chosen.CONSOLE] if quiet else names


def _launch_traced(
    command: Sequence[str],
    *,
    content: bool | None,
    quiet: bool,
    verbosity: Verbosity | None,
    exporters: Sequence[str],
    trace_dir: Path | None,
    budget: Mapping[str, float | None] | None = None,
    price_file: Path | None = None,
) -> NoReturn:
    obstacle = untraceable()
    if obstacle:
        say(f"pocketflow-otel: not traced: {obstacle}")
        launch(command, None)
    recorded = _content(content, exporters)
    arguments: dict[str, Any] = {"exporters": list(exporters), **recorded}
    if limits := {name: limit for name, limit in (budget or {}).items() if limit is not None}:
        arguments["budget"] = limits
    if verbosity is not None:
        arguments["verbosity"] = verbosity.value
    if trace_dir is not None:
        arguments["trace_dir"] = os.fspath(trace_dir.absolute())
    if price_file is not None:
        arguments["price_file"] = os.fspath(price_file.absolute())
    if not os.environ.get(environment_variable("store_depth")):
        arguments["store_depth"] = STORE_DEPTH
    if not quiet:
        _say(exporters, recorded, trace_dir)
    launch(command, arguments)


def _content(asked: bool | None, exporters: Sequence[str]) -> dict[str, bool]:
    """Which content to record: as asked, or as the environment has it; by default where it stays on this machine."""
    if asked is not None:
        return dict.fromkeys(_CONTENT, asked)
    if os.environ.get(CONTENT_ENV) or not _STAYS_HERE.issuperset(exporters):
        return {}
    return {name: True for name in _CONTENT if not os.environ.get(environment_variable(name))}


def _say(exporters: Sequence[str], recorded: dict[str, bool], trace_dir: Path | None) -> None:
    from pocketflow_otel.options import resolve

    options, _ = resolve({"trace_dir": trace_dir} | recorded)
    directory = places.trace_dir(options.trace_dir)
    where = ", ".join(f"files in {directory}" if name == chosen.FILE else name for name in exporters) or "nowhere"
    kept = [name for name in _CONTENT if options.content(getattr(options, name)).on_spans]
    if len(kept) == len(_CONTENT):
        what = "with content, which --no-content leaves out"
    elif kept:
        what = "with some content: " + ", ".join(name.removeprefix("capture_") for name in kept)
    else:
        what = "without content, which --content adds"
    say(f"pocketflow-otel: tracing to {where}; {what}")
