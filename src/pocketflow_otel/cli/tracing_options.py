"""The options about tracing, written once for all commands that run something."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from functools import wraps
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

from pocketflow_otel.cli.choices import flag, one_of
from pocketflow_otel.cli.tracing import Tracing, exporter_names
from pocketflow_otel.options import Verbosity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRACING: Final = "Tracing"
"""What the options stand under in a command's help."""
BUDGETS: Final = "Budgets"
_PARAMETER: Final = "tracing"


@dataclass(frozen=True, kw_only=True)
class _RecordOptions:
    """Whether to trace, and what is recorded."""

    trace: Annotated[
        bool, flag("--trace/--no-trace", help="Whether to trace, or just run.", rich_help_panel=TRACING)
    ] = True
    content: Annotated[
        bool | None,
        flag(
            "--content/--no-content",
            help="Record values, printed text, inputs and outputs. By default where spans stay on this machine.",
            rich_help_panel=TRACING,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """Where spans go, and how much the console tells."""

    quiet: Annotated[
        bool, flag("--quiet", "-q", help="Nothing on the console but problems.", rich_help_panel=TRACING)
    ] = False
    verbosity: Annotated[
        Verbosity | None,
        typer.Option(
            parser=one_of(Verbosity),
            metavar="LEVEL",
            help="How much the console tells: minimal, normal or verbose.",
            rich_help_panel=TRACING,
        ),
    ] = None
    exporter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Where spans go: console, file, otlp, jaeger, or an installed one. Repeatable.",
            rich_help_panel=TRACING,
        ),
    ] = None
    trace_dir: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Where trace files go.", rich_help_panel=TRACING)
    ] = None

    def tracing(self) -> Tracing:
        """What they come to.

        Raises:
            typer.BadParameter: There is no such exporter.
        """
        return Tracing(
            exporters=exporter_names(self.exporter, quiet=self.quiet),
            quiet=self.quiet,
            verbosity=self.verbosity,
            trace_dir=self.trace_dir,
        )


@dataclass(frozen=True, kw_only=True)
class TracingOptions(ShowOptions, _RecordOptions):
    """What is recorded, where it goes, and what may be used."""

    budget_usd: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="AMOUNT",
            help="Stop flows once the program's LLM calls have cost so many US dollars.",
            rich_help_panel=BUDGETS,
        ),
    ] = None
    budget_tokens: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="COUNT",
            help="Stop flows once its LLM calls took so many tokens.",
            rich_help_panel=BUDGETS,
        ),
    ] = None
    budget_visits: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="COUNT", help="Stop flows after so many node visits in all.", rich_help_panel=BUDGETS
        ),
    ] = None
    budget_seconds: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Stop flows so long after the program's start.", rich_help_panel=BUDGETS
        ),
    ] = None
    price_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Prices of models that go before the known ones: JSON or TOML.",
            rich_help_panel=BUDGETS,
        ),
    ] = None

    @property
    def budget(self) -> dict[str, float | None]:
        """What may be used, by the names of `Limits`; None for what is not limited."""
        return {
            "usd": self.budget_usd,
            "tokens": self.budget_tokens,
            "visits": self.budget_visits,
            "seconds": self.budget_seconds,
        }

    def check(self) -> None:
        """Refuses limits that nothing would hold the program to.

        Raises:
            typer.BadParameter: There are limits, but no tracing.
        """
        if not self.trace and any(limit is not None for limit in self.budget.values()):
            raise typer.BadParameter("nothing holds an untraced program to a budget", param_hint="--no-trace")

    def tracing(self, *, only: Sequence[str] = (), service_name: str | None = None) -> Tracing:
        """What they come to.

        Args:
            only: Patterns of the names of flows and nodes that are traced; without any, all are.
            service_name: What the program is called, unless the environment says.

        Raises:
            typer.BadParameter: There is no such exporter.
        """
        return dataclasses.replace(
            ShowOptions.tracing(self),
            content=self.content,
            budget=self.budget,
            price_file=self.price_file,
            only=only,
            service_name=service_name,
        )


def takes(options: type[ShowOptions]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options that a dataclass has as fields; they reach it as one, its parameter ``tracing``.

    Args:
        options: The dataclass.
    """
    hints = get_type_hints(options, include_extras=True)
    shared = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in dataclasses.fields(options)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != _PARAMETER]

        @wraps(command)
        def called(**given: Any) -> None:
            tracing = options(**{each.name: given.pop(each.name) for each in shared})
            command(**given, **{_PARAMETER: tracing})

        parameters = [*own, *shared]
        # What typer makes the command's options of.
        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate
