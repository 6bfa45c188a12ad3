"""How a program that a command runs is traced."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

from pocketflow_otel.cli.launch import launch, untraceable
from pocketflow_otel.cli.output import say
from pocketflow_otel.export import chosen, places
from pocketflow_otel.options import CONTENT_ENV, environment_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pocketflow_otel.options import Verbosity

STORE_DEPTH: Final = 4
"""Deep enough for a list of messages of parts; the look is bounded by a budget in any case."""

_CONTENT: Final = ("capture_values", "capture_output", "capture_io")
_STAYS_HERE: Final = frozenset({chosen.CONSOLE, chosen.FILE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """How a program is to be traced.

    Attributes:
        exporters: Where spans go, by name.
        content: Whether to record content; None where the command line does not say.
        quiet: Whether the console says nothing but problems.
        verbosity: How much it tells otherwise.
        trace_dir: Where trace files go.
        budget: What the whole program may use, by the names of `Limits`; None for what is not limited.
        price_file: Prices of models.
        only: Patterns of the names of flows and nodes that are traced; without any, all are.
        service_name: What the program is called, unless the environment says.
    """

    exporters: Sequence[str]
    content: bool | None = None
    quiet: bool = False
    verbosity: Verbosity | None = None
    trace_dir: Path | None = None
    budget: Mapping[str, float | None] = field(default_factory=dict)
    price_file: Path | None = None
    only: Sequence[str] = ()
    service_name: str | None = None

    @property
    def on_console(self) -> bool:
        """Whether the live console tells of flows and nodes."""
        return chosen.CONSOLE in self.exporters

    def arguments(self) -> dict[str, Any]:
        """The arguments for `configure`, as JSON, and ``budget``."""
        told: dict[str, Any] = {"exporters": list(self.exporters), **self._recorded()}
        if limits := {name: limit for name, limit in self.budget.items() if limit is not None}:
            told["budget"] = limits
        if self.verbosity is not None:
            told["verbosity"] = self.verbosity.value
        if self.trace_dir is not None:
            told["trace_dir"] = os.fspath(self.trace_dir.absolute())
        if self.price_file is not None:
            told["price_file"] = os.fspath(self.price_file.absolute())
        if self.only:
            told["include"] = list(self.only)
        if self.service_name is not None and not _names_service():
            told["service_name"] = self.service_name
        if not os.environ.get(environment_variable("store_depth")):
            told["store_depth"] = STORE_DEPTH
        return told

    def sentence(self) -> str:
        """Where spans go, and with what content."""
        from pocketflow_otel.options import resolve

        options, _ = resolve({"trace_dir": self.trace_dir} | self._recorded())
        directory = places.trace_dir(options.trace_dir)
        told = [f"files in {directory}" if name == chosen.FILE else name for name in self.exporters]
        kept = [name for name in _CONTENT if options.content(getattr(options, name)).on_spans]
        if len(kept) == len(_CONTENT):
            what = "with content, which --no-content leaves out"
        elif kept:
            what = "with some content: " + ", ".join(name.removeprefix("capture_") for name in kept)
        else:
            what = "without content, which --content adds"
        return f"tracing to {', '.join(told) or 'nowhere'}; {what}"

    def _recorded(self) -> dict[str, bool]:
        """Which content to record: as asked, or as the environment says; by default where it stays on this machine."""
        if self.content is not None:
            return dict.fromkeys(_CONTENT, self.content)
        if os.environ.get(CONTENT_ENV) or not _STAYS_HERE.issuperset(self.exporters):
            return {}
        return {name: True for name in _CONTENT if not os.environ.get(environment_variable(name))}


def exporter_names(asked: Sequence[str] | None, *, quiet: bool) -> list[str]:
    """The exporters to use; a wrong name on the command line is an error, one in the environment costs no run."""
    try:
        names, unknown = (chosen.validate(asked), []) if asked else chosen.wanted()
    except chosen.UnknownExporterError as error:
        raise typer.BadParameter(str(error), param_hint="--exporter") from None
    for sentence in unknown:
        say(f"pocketflow-otel: {chosen.TRACES_EXPORTER}: {sentence}")
    return [name for name in names if name != chosen.CONSOLE] if quiet else names


def launch_traced(command: Sequence[str], tracing: Tracing) -> NoReturn:
    """Becomes the program, and says where its trace goes."""
    obstacle = untraceable()
    if obstacle:
        say(f"pocketflow-otel: not traced: {obstacle}")
        launch(command, None)
    if not tracing.quiet:
        say(f"pocketflow-otel: {tracing.sentence()}")
    launch(command, tracing.arguments())


def _names_service() -> bool:
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
    named = any(attribute.partition("=")[0].strip() == "service.name" for attribute in attributes)
    return named or bool(os.environ.get("OTEL_SERVICE_NAME"))
