"""The instrumentor: switches the hooks on and off."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from pocketflow_otel import log, semconv
from pocketflow_otel.capture.output import OutputListener
from pocketflow_otel.guard import guard
from pocketflow_otel.instrumentation.discovery import CopyFinder, base_node_of, loaded_copies
from pocketflow_otel.instrumentation.hooks import Hooks
from pocketflow_otel.instrumentation.metrics import Metrics
from pocketflow_otel.instrumentation.tracing import SCOPE, Tracing
from pocketflow_otel.instrumentation.visits import current_scope
from pocketflow_otel.llm.opened import open_accounts
from pocketflow_otel.options import DeclarativeOptions, Options, resolve
from pocketflow_otel.version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection

_logger: Final = logging.getLogger("pocketflow_otel")

_PROVIDERS: Final = ("tracer_provider", "meter_provider", "logger_provider")


class PocketFlowInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Traces every flow and node of PocketFlow, in the package and in copies of it, now loaded or later.

    ``instrument()`` takes ``tracer_provider``, ``meter_provider`` and ``logger_provider``, which default to the
    program's own, and the options of `pocketflow_otel.options.Options`. It never raises: what makes no sense is logged
    and left out. ``uninstrument()`` puts back everything as it was.
    """

    configuration = DeclarativeOptions
    """What a declarative configuration file may hold under ``pocketflow:``."""

    _hooks: Hooks | None = None
    _finder: CopyFinder | None = None
    _output: OutputListener | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: a program may hold a copy of PocketFlow, and not have it installed."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        try:
            self._switch_on(**kwargs)
        except Exception:  # an error here would stop the instrumentors after this one
            _logger.exception("PocketFlow could not be instrumented; your program runs untraced")
            self._switch_off()
            if guard.reraise:
                raise

    def _uninstrument(self, **_: Any) -> None:
        self._switch_off()

    def _switch_on(self, **kwargs: Any) -> None:
        providers = {name: kwargs.pop(name, None) for name in _PROVIDERS}
        options, problems = resolve(kwargs)
        for problem in problems:
            log.warn("%s", problem)
        tracing = Tracing(
            options,
            trace.get_tracer(semconv.INSTRUMENTATION_NAME, __version__, providers["tracer_provider"]),
            Metrics(metrics.get_meter(semconv.INSTRUMENTATION_NAME, __version__, providers["meter_provider"])),
            _logs.get_logger(semconv.INSTRUMENTATION_NAME, __version__, providers["logger_provider"]),
            provider_given=providers["tracer_provider"] is not None or providers["meter_provider"] is not None,
        )
        open_accounts(tracing.accounts, SCOPE)
        self._hooks = hooks = Hooks(tracing)
        for base in loaded_copies():
            hooks.adopt(base)
        self._adopt_named(hooks, options.modules)
        self._finder = CopyFinder(options.modules, hooks.adopt)
        self._finder.install()
        self._output = OutputListener(_note_output)
        self._output.install()
        _attach_requested_processors(providers["tracer_provider"], options)

    def _adopt_named(self, hooks: Hooks, modules: Collection[str]) -> None:
        for name in modules:
            module = sys.modules.get(name)
            if module is None:
                continue  # the finder waits for it
            base = base_node_of(module)
            if base is None:
                log.warn("module %s holds no PocketFlow: expected classes BaseNode and Flow", name)
            else:
                hooks.adopt(base)

    def _switch_off(self) -> None:
        if self._output is not None:
            self._output.remove()
        if self._finder is not None:
            self._finder.remove()
        if self._hooks is not None:
            self._hooks.remove()
        open_accounts(None)
        self._hooks = self._finder = self._output = None


def _note_output(stream: str, text: str) -> None:
    scope = None if log.is_writing() else current_scope()
    if scope is not None:
        visit = scope.listener
        if visit is not None:
            visit.printed(stream, text)


def _attach_requested_processors(provider: Any, options: Options) -> None:
    """Adds what exporters that were named asked for: they see only spans that ended, and some must see them start."""
    requested = sys.modules.get("pocketflow_otel.export.requested")
    if requested is None:
        return
    provider = provider or trace.get_tracer_provider()
    add_span_processor = getattr(provider, "add_span_processor", None)
    if add_span_processor is None:
        return
    for processor in requested.drain(options):
        add_span_processor(processor)
