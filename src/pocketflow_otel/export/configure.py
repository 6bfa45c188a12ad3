"""Sets OpenTelemetry up for a program that has not done so itself."""

from __future__ import annotations

# Before any provider is made: in a forked child the SDK's provider uses a pool of threads at once, and waits for ever
# for a lock that this module frees in the child, unless this module was imported first.
import concurrent.futures.thread  # noqa: F401 - see above
import contextlib
import os
import sys
import threading
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry import _logs, metrics, trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from pocketflow_otel import semconv
from pocketflow_otel.budgets import budgets_of
from pocketflow_otel.export import chosen, flush, last_run, otlp, otlp_variables, places, problems
from pocketflow_otel.export.attempt import program_ends
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.export.ids import PrivateIdGenerator
from pocketflow_otel.export.instrumentors import instrument_all
from pocketflow_otel.export.resource import program_name, resource
from pocketflow_otel.export.streams import real_stream, write_now
from pocketflow_otel.llm import clients
from pocketflow_otel.options import Options, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.id_generator import IdGenerator

CONTENT_OPTIONS: Final = ("capture_values", "capture_output", "capture_io")

_lock = threading.Lock()
_set_up: list[_SetUp] = []


def configure(
    *,
    exporters: Sequence[str] | None = None,
    trace_dir: str | os.PathLike[str] | None = None,
    verbosity: str | None = None,
    content: bool | None = None,
    service_name: str | None = None,
    **options: Any,
) -> None:
    """Sets up tracing for a program that has no OpenTelemetry provider yet, and instruments it.

    PocketFlow and everything else with an installed OpenTelemetry instrumentation is traced from here on. Where the
    program has set a tracer provider already, the exporters are added to that one. Only the first call does anything,
    and none does if ``OTEL_SDK_DISABLED`` is true.

    Args:
        exporters: Names: ``console``, ``file``, ``otlp``, ``jaeger``, ``none``, or any installed one. By default what
            ``OTEL_TRACES_EXPORTER`` says; else the console and files, and OTLP where the environment has an endpoint.
        trace_dir: Where trace files go. By default this platform's state directory.
        verbosity: The console: ``minimal``, ``normal`` or ``verbose``.
        content: Whether to record values, printed text, inputs and outputs.
        service_name: What to call the program. By default the standard variables decide, then the script's name.
        **options: Options of the instrumentation, by name.

    Raises:
        UnknownExporterError: If `exporters` holds a name that no exporter has; a ValueError.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    names = _wanted_names() if exporters is None else chosen.validate(exporters)
    given = {"trace_dir": trace_dir, "verbosity": verbosity} | options
    if content is not None:
        given = dict.fromkeys(CONTENT_OPTIONS, content) | given
    given = {name: value for name, value in given.items() if value is not None}
    with _lock:
        if _set_up:
            return
        # The instrumentor reads the options again, and tells of those that make no sense.
        set_up = _SetUp(names, resolve(given)[0], service_name)
        _set_up.append(set_up)
    instrument_all(set_up.providers(), given)
    flush.at_exit(set_up.close, set_up.send_rest)
    if set_up.queues:
        flush.on_sigterm(set_up.send_rest)


def _wanted_names() -> list[str]:
    names, unknown = chosen.wanted()
    for sentence in unknown:
        problems.report(chosen.TRACES_EXPORTER, sentence)
    return names


class _Queue(Protocol):
    def stop(self) -> None: ...
    def join(self) -> None: ...


class _SetUp:
    """What `configure` has made, until the end of the program."""

    def __init__(self, names: Sequence[str], options: Options, service_name: str | None) -> None:
        self.queues: list[_Queue] = []
        self._process = os.getpid()
        self._meter_provider: MeterProvider | None = None
        self._logger_provider: LoggerProvider | None = None
        self._processors = self._make_processors(names, options)
        existing = trace.get_tracer_provider()
        self._owned: TracerProvider | None = None
        if hasattr(existing, "add_span_processor"):
            self._add_to(existing)
        elif not isinstance(existing, trace.ProxyTracerProvider):
            problems.report("configure", f"{type(existing).__qualname__} takes no exporters of ours")
        elif self._processors or any(limit is not None for limit in options.limits) or budgets_of(get_current()):
            # A budget sees calls by their spans, even if nobody else is to see them.
            self._make_providers(resource(service_name), metrics_and_logs=chosen.OTLP in names)

    def providers(self) -> dict[str, object]:
        """The providers made here, by the names that instrumentors give their arguments."""
        made = {
            "tracer_provider": self._owned,
            "meter_provider": self._meter_provider,
            "logger_provider": self._logger_provider,
        }
        return {name: provider for name, provider in made.items() if provider is not None}

    def close(self) -> None:
        """Ends it all: shows the totals, and sends what is queued for as long as the timeout allows."""
        with self._ending() as deadline:
            if self._owned is not None:
                self._owned.shutdown()
            else:
                for processor in self._processors:
                    processor.shutdown()
            if self._logger_provider is not None:
                self._logger_provider.shutdown()
            self._close_metrics(deadline)

    def send_rest(self) -> None:
        """Sends what this process has queued, and no more, for as long as the timeout allows."""
        with self._ending() as deadline:
            for queue in self.queues:
                queue.join()
            if os.getpid() == self._process:
                self._close_metrics(deadline)

    @contextlib.contextmanager
    def _ending(self) -> Iterator[float]:
        """Lets the queues hurry, all at once, and tells afterwards what was lost; gives when they must be done."""
        program_ends()
        problems.end()
        for queue in self.queues:
            queue.stop()
        try:
            yield time.monotonic() + otlp_variables.timeout_seconds()
        finally:
            problems.say_rest()
            last_run.remember(program_name())

    def _close_metrics(self, deadline: float) -> None:
        if self._meter_provider is None:
            return
        remaining = max(0.0, deadline - time.monotonic())
        try:
            self._meter_provider.shutdown(timeout_millis=remaining * 1000)
        except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception when time is up
            problems.report(otlp.source("METRICS"), str(error))

    def _make_processors(self, names: Sequence[str], options: Options) -> list[SpanProcessor]:
        processors: list[SpanProcessor] = []
        files: TraceFileProcessor | None = None
        # The console tells at the end where the files are, and does not wait for what is sent elsewhere.
        if chosen.FILE in names:
            files = TraceFileProcessor(directory=places.trace_dir(options.trace_dir))
            processors.append(files)
        if chosen.CONSOLE in names:
            paths = files
            console = LiveConsole(
                verbosity=options.verbosity,
                trace_files=(lambda: paths.paths) if paths else None,
                notes=clients.notes,
            )
            processors += [console, _FlowWatch()]
        for name in names:
            if name not in (chosen.FILE, chosen.CONSOLE):
                processors += self._make_sender(name)
        return processors

    def _make_sender(self, name: str) -> list[SpanProcessor]:
        try:
            if name == chosen.OTLP:
                sender = otlp.span_processor()
            else:
                make = chosen.installed(name).load()
                where = otlp.receiver(name)
                source = f"{name} at {where}" if where else f"exporter {name}"
                sender = otlp.ExportProcessor(make(), source, otlp_variables.timeout_seconds(), renew=make)
        except Exception as error:  # noqa: BLE001 - an exporter is anybody's code
            problems.report(f"exporter {name}", f"{type(error).__name__}: {error}")
            return []
        self.queues.append(sender.background)
        return [sender]

    def _add_to(self, provider: Any) -> None:
        for processor in self._processors:
            provider.add_span_processor(processor)

    def _make_providers(self, described: Resource, *, metrics_and_logs: bool) -> None:
        self._owned = TracerProvider(resource=described, id_generator=_id_generator(), shutdown_on_exit=False)
        self._add_to(self._owned)
        trace.set_tracer_provider(self._owned)
        for make in (self._make_meter_provider, self._make_logger_provider) if metrics_and_logs else ():
            try:
                make(described)
            except Exception as error:  # noqa: BLE001 - other signals must not cost the traces
                problems.report(chosen.OTLP, f"{type(error).__name__}: {error}")

    def _make_meter_provider(self, described: Resource) -> None:
        from pocketflow_otel.export import otlp_signals

        if otlp_signals.is_wanted("METRICS"):
            self._meter_provider = otlp_signals.meter_provider(described)
            metrics.set_meter_provider(self._meter_provider)

    def _make_logger_provider(self, described: Resource) -> None:
        from pocketflow_otel.export import otlp_signals

        if otlp_signals.is_wanted("LOGS"):
            self._logger_provider, exporter = otlp_signals.logger_provider(described)
            self.queues.append(exporter.background)
            _logs.set_logger_provider(self._logger_provider)


def _id_generator() -> IdGenerator:
    name = os.environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    if name not in ("", "random"):
        for point in entry_points(group="opentelemetry_id_generator", name=name):
            generator: IdGenerator = point.load()()
            return generator
        problems.report("OTEL_PYTHON_ID_GENERATOR", f"there is no generator {name!r}")
    return PrivateIdGenerator()


class _FlowWatch(SpanProcessor):
    """Says at the end that no flow ran: the program may have looked for a trace in vain."""

    def __init__(self) -> None:
        self._ran = False

    def on_start(self, span: ReadableSpan, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        if not self._ran:
            scope = span.instrumentation_scope
            self._ran = scope is not None and scope.name == semconv.INSTRUMENTATION_NAME

    def shutdown(self) -> None:
        stream = None if self._ran else real_stream(sys.stderr)
        self._ran = True
        if stream is not None:
            try:
                write_now(stream, "pocketflow-otel: no PocketFlow flow ran\n")
            except (OSError, ValueError):
                return
