"""Metrics and log records over OTLP, under the same rules as spans."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader

from pocketflow_otel.export import exporters, otlp, otlp_variables, problems
from pocketflow_otel.export.attempt import attempt, listen_to
from pocketflow_otel.export.background import Background, Limits
from pocketflow_otel.export.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource


def is_wanted(signal: otlp_variables.Signal) -> bool:
    """Whether a signal besides traces has somewhere to go.

    Args:
        signal: ``METRICS`` or ``LOGS``.

    Returns:
        False where the environment names another exporter or none for it, and where only traces have an endpoint.
    """
    asked = os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp")
    named = [name.strip() for name in asked.split(",")]
    return "otlp" in named and (otlp_variables.has_endpoint(signal) or not otlp_variables.has_endpoint("TRACES"))


def meter_provider(resource: Resource) -> MeterProvider:
    """A provider whose metrics go to the receiver that the environment names.

    Raises:
        ValueError: If the environment makes no sense.
    """
    return MeterProvider([_metric_reader()], resource=resource, shutdown_on_exit=False)


def logger_provider(resource: Resource) -> tuple[LoggerProvider, LogExporter]:
    """A provider whose log records go to the receiver that the environment names, and the queue they wait in.

    Raises:
        ValueError: If the environment makes no sense.
    """
    exporter = _log_exporter()
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(_LogProcessor(exporter))
    return provider, exporter


class LogExporter(LogRecordExporter):
    """Hands log records to an exporter, in the background and within bounds.

    Args:
        exporter: The exporter.
        source: What problems are reported under.
        timeout_seconds: How long the end of the program may wait for it.
        renew: Makes another exporter like it.
    """

    def __init__(
        self,
        exporter: LogRecordExporter,
        source: str,
        timeout_seconds: float,
        *,
        renew: Callable[[], LogRecordExporter] | None = None,
    ) -> None:
        sender = Sender(exporter, timeout_seconds, renew=renew, optional=True)
        self.background: Final[Background[ReadableLogRecord]] = Background(
            "pocketflow-otel-logs",
            sender.send,
            lambda reason, count: problems.report(source, reason, dropped_log_records=count),
            sender.shutdown,
            stop_seconds=timeout_seconds,
            limits=Limits.from_environment(prefix="OTEL_BLRP_"),
        )

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Queues records."""
        for record in batch:
            self.background.put(record)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Sends what is queued, for as long as the timeout allows."""
        self.background.join()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits until what was queued is sent, or lost."""
        return self.background.flush(timeout_millis / 1000)


class _LogProcessor(SimpleLogRecordProcessor):
    """Hands records on as they come; asked to flush, it asks the exporter, as the SDK's own does not."""

    def __init__(self, exporter: LogExporter) -> None:
        super().__init__(exporter)
        self._queue = exporter

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._queue.force_flush(timeout_millis)


class _QuietMetrics:
    """A metric exporter whose troubles are reported once. All else is the exporter's own."""

    def __init__(self, exporter: MetricExporter, source: str, timeout_seconds: float) -> None:
        listen_to(exporter)
        self._inner = exporter
        self._source = source
        self._timeout_seconds = timeout_seconds

    def export(self, *arguments: Any, **options: Any) -> None:
        call = functools.partial(self._inner.export, *arguments, **options)
        failure = attempt(call, self._timeout_seconds, self._inner.shutdown)
        if failure and not failure.unsupported:
            problems.report(self._source, failure.reason)

    def shutdown(self, **options: Any) -> None:
        attempt(lambda: self._inner.shutdown(**options), self._timeout_seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _log_exporter() -> LogExporter:
    over_http = otlp_variables.protocol("LOGS") == otlp_variables.HTTP
    make = exporters.logs_over_http if over_http else exporters.logs_over_grpc
    return LogExporter(make(), otlp.source("LOGS"), otlp_variables.timeout_seconds(), renew=make)


def _metric_reader() -> PeriodicExportingMetricReader:
    over_http = otlp_variables.protocol("METRICS") == otlp_variables.HTTP
    exporter = exporters.metrics_over_http() if over_http else exporters.metrics_over_grpc()
    quiet = _QuietMetrics(exporter, otlp.source("METRICS"), otlp_variables.timeout_seconds())
    return PeriodicExportingMetricReader(cast("MetricExporter", quiet))
