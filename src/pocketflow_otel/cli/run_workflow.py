"""``run FLOW.yaml``: a workflow document, run and traced as a program is."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperCommand

from pocketflow_otel.cli.choices import flag, one_of, whole_number
from pocketflow_otel.cli.documents import is_document
from pocketflow_otel.cli.launch import launch, untraceable
from pocketflow_otel.cli.output import STANDARD_OUTPUT, say
from pocketflow_otel.cli.tracing_options import TRACING, TracingOptions, takes
from pocketflow_otel.export import places

if TYPE_CHECKING:
    from pocketflow_otel.cli.tracing import Tracing
    from pocketflow_otel.runtime.documents.loaded import Loaded

_INVALID: Final = 2
_INTERRUPTED: Final = 130
_FLOW: Final = f"{__name__}.flow"
_EXIT_CODES: Final = (
    "Exit codes: 0 when the run has succeeded; 1 when it has failed, or its result can't be written; 2 when nothing "
    "was run, for the document, an input or the command line makes no sense; 3 when it has succeeded, but a fallback "
    "or handler stands in for a node; 4 when a limit was reached; 5 when it waits for a decision; 130, 143 and 129 "
    "when it was interrupted by Ctrl-C, SIGTERM and SIGHUP."
)


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


class _DocumentCommand(TyperCommand):
    """Tells in its help what the document itself is given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_FLOW] = next(filter(is_document, args), None)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        from pocketflow_otel.cli.workflow_help import inputs_help

        told = super().get_help(ctx)
        flow = ctx.meta.get(_FLOW)
        return told if flow is None else f"{told}\n{inputs_help(flow)}"


@cache
def command() -> TyperCommand:
    """The command; a part of ``run``, which hands arguments on to it."""
    app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.command(name="run", cls=_DocumentCommand, epilog=_EXIT_CODES)(run_workflow)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperCommand)  # noqa: S101 - for the type checker: it is the only command
    return made


def options_by_arity() -> tuple[frozenset[str], frozenset[str]]:
    """The options that stand alone, and those that take a value."""
    alone: set[str] = {"-h", "--help"}
    with_value: set[str] = set()
    for param in command().params:
        if param.param_type_name == "option":
            (alone if getattr(param, "is_flag", False) else with_value).update(param.opts, param.secondary_opts)
    return frozenset(alone), frozenset(with_value)


@takes(TracingOptions)
def run_workflow(
    flow: Annotated[Path, typer.Argument(metavar="FLOW.yaml", help="A workflow document, YAML or JSON.")],
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="NAME=VALUE", help="An input. Repeatable. Lists and mappings as JSON."),
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Inputs as JSON or YAML, - for standard input; --input goes before."),
    ] = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            parser=one_of(Format),
            metavar="FORMAT",
            help="text: the outputs, for people. json: all that came of the run.",
        ),
    ] = Format.TEXT,
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the result goes; a file is written as a whole or not at all.")
    ] = STANDARD_OUTPUT,
    run_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", help="The run's folder: result, events, artifacts. By default a new one."),
    ] = None,
    no_run_dir: Annotated[bool, flag("--no-run-dir", help="Keep no folder of the run.")] = False,
    approve: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE=CHOICE", help="What was decided for a node of type approve. Repeatable."),
    ] = None,
    no_wait: Annotated[bool, flag("--no-wait", help="Wait for nobody's decision: end with code 5.")] = False,
    allow_shell: Annotated[bool, flag("--allow-shell", help="Let nodes run commands.")] = False,
    parallel: Annotated[
        int | None,
        typer.Option(parser=whole_number(1, 1000), metavar="COUNT", help="Nodes at once, at most; up to 1,000."),
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Show what would be run, and run nothing.")] = False,
    step: Annotated[bool, flag("--step", help="Ask at the terminal before each node; one runs at a time.")] = False,
    step_at: Annotated[
        list[str] | None, typer.Option(metavar="NODE", help="Like --step, from this node on. Repeatable.")
    ] = None,
    trace_only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Trace only flows and nodes of such names. Repeatable.",
            rich_help_panel=TRACING,
        ),
    ] = None,
    tracing: TracingOptions,
) -> None:
    """Run a workflow document and trace it. Results go to standard output, all else to standard error."""
    tracing.check()
    if run_dir is not None and no_run_dir:
        raise typer.BadParameter("either a folder or none", param_hint="--run-dir, --no-run-dir")
    _check_output(output)
    _check_folder(run_dir)
    texts, decisions = _pairs(inputs, "--input"), _pairs(approve, "--approve")
    try:
        document = _loaded(flow, allow_shell=allow_shell)
        _check_decisions(decisions, document)
        _check_steps(step_at or [], document, asks=step or bool(step_at))
        values = _inputs(document, texts, input_file)
        if dry_run:
            _show_plan(document, values, format_, output, allow_shell=allow_shell, parallel=parallel)
            return
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    traced = None
    if tracing.trace:
        traced = tracing.tracing(only=trace_only or (), service_name=document.document.workflow)
    from uuid import uuid4

    run_id = uuid4().hex
    folder = None if no_run_dir else run_dir or places.state_dir() / "runs" / run_id
    order = {
        "flow": str(flow),
        "run_id": run_id,
        "inputs": values,
        "format": format_.value,
        "output": str(output),
        "folder": None if folder is None else str(folder.absolute()),
        "decisions": decisions,
        "may_ask": not no_wait,
        "allow_shell": allow_shell,
        "parallel": parallel,
        "quiet": tracing.quiet,
        "steps": step or bool(step_at),
        "step_at": step_at or [],
    }
    _launch(order, traced)


def _launch(order: Mapping[str, Any], tracing: "Tracing | None") -> NoReturn:
    from pocketflow_otel.runtime.interrupts import Interrupts
    from pocketflow_otel.runtime.program import Order

    notice = ""
    if tracing is not None:
        obstacle = untraceable()
        notice = f"not traced: {obstacle}" if obstacle else "" if tracing.quiet else tracing.sentence()
        tracing = None if obstacle else tracing
    told = tracing is not None and tracing.on_console
    try:
        program = Order(**order, told=told, notice=notice).command()
    except OSError as error:
        say(f"pocketflow-otel: the run can't be prepared: {error.strerror or error}")
        raise typer.Exit(_INVALID) from None
    Interrupts.hold_back()
    launch(program, None if tracing is None else tracing.arguments())


def _pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"expected NAME=VALUE, not {text!r}", param_hint=option)
        if name in pairs:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint=option)
        pairs[name] = value
    return pairs


def _check_output(output: Path) -> None:
    if output == STANDARD_OUTPUT:
        return
    if output.is_dir():
        raise typer.BadParameter(f"{output} is a folder", param_hint="--output")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}", param_hint="--output")


def _check_folder(run_dir: Path | None) -> None:
    if run_dir is None:
        return
    from pocketflow_otel.runtime.running.folder import occupied

    try:
        obstacle = occupied(run_dir)
    except OSError as error:
        obstacle = f"{run_dir} can't be looked into: {error.strerror or error}"
    if obstacle is not None:
        raise typer.BadParameter(f"{obstacle}: name an empty folder, or a new one", param_hint="--run-dir")


def _loaded(flow: Path, *, allow_shell: bool) -> "Loaded":
    """The document, as far as it can be judged without its node types; of a broken one all faults are told."""
    from pocketflow_otel.runtime.documents.loading import load_in_part

    loaded, faults = load_in_part(flow)
    if loaded is None or faults:
        from pocketflow_otel.runtime.documents.checks import faults_of
        from pocketflow_otel.runtime.registry.registry import Registry
        from pocketflow_otel.runtime.streams import Stdout

        Stdout.divert()
        _refuse(map(str, faults_of(flow, Registry(), allow_shell=allow_shell)))
    return loaded


def _inputs(document: "Loaded", texts: Mapping[str, str], file: Path | None) -> dict[str, Any]:
    from pocketflow_otel.runtime.errors import InvalidInputs
    from pocketflow_otel.runtime.inputs import read_file, read_inputs, read_mapping, read_standard_input

    try:
        given: Mapping[str, Any] = {}
        if file == STANDARD_OUTPUT:
            stream = None if sys.stdin is None else sys.stdin.buffer
            given = read_mapping(read_standard_input(stream), "standard input")
        elif file is not None:
            given = read_file(file)
        return read_inputs(document.document.inputs, given, texts)
    except InvalidInputs as error:
        _refuse(f"pocketflow-otel: {problem}" for problem in error.problems)


def _check_decisions(decisions: Mapping[str, str], document: "Loaded") -> None:
    from pocketflow_otel.runtime.approvals import misplaced

    problem = misplaced(decisions, document)
    if problem is not None:
        raise typer.BadParameter(problem, param_hint="--approve")


def _check_steps(step_at: Sequence[str], document: "Loaded", *, asks: bool) -> None:
    from pocketflow_otel.runtime.step_prompt import others
    from pocketflow_otel.runtime.terminal import NoTerminalError, opened

    if not asks:
        return
    nodes = [name for name, _ in document.all_nodes()]
    for name in step_at:
        if name not in nodes:
            raise typer.BadParameter(f"{name!r} is no node: {others(name, nodes)}", param_hint="--step-at")
    try:
        with opened():
            pass
    except NoTerminalError as error:
        raise typer.BadParameter(f"nobody can be asked: {error}", param_hint="--step, --step-at") from None


def _show_plan(
    document: "Loaded",
    inputs: Mapping[str, Any],
    format_: Format,
    output: Path,
    *,
    allow_shell: bool,
    parallel: int | None,
) -> None:
    from pocketflow_otel.runtime.documents.faults import InvalidDocument
    from pocketflow_otel.runtime.outline import as_text, outline
    from pocketflow_otel.runtime.planning import prepare
    from pocketflow_otel.runtime.streams import Stdout

    # Modules that the document names are imported, and may print.
    stdout = Stdout.divert()
    try:
        plan = prepare(document, inputs, allow_shell=allow_shell, parallel=parallel)
    except InvalidDocument as error:
        _refuse(map(str, error.faults))
    told = outline(plan)
    if format_ is Format.JSON:
        from json import dumps

        content = dumps(told, indent=2, ensure_ascii=False, default=str) + "\n"
    else:
        content = as_text(told)
    try:
        stdout.write(content, str(output))
    except OSError as error:
        where = "standard output" if output == STANDARD_OUTPUT else output
        say(f"pocketflow-otel: cannot write to {where}: {error.strerror or error}")
        raise typer.Exit(1) from None


def _refuse(sentences: Iterable[str]) -> NoReturn:
    for sentence in sentences:
        say(sentence)
    raise typer.Exit(_INVALID)
