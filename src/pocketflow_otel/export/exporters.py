"""The SDK's OTLP exporters, made to tell what receivers answer, and to work in forked children."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import weakref
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.export import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

_VERBOSITY: Final = "GRPC_VERBOSITY"


class _HidesHeaders(logging.Filter):
    """Leaves out the header that the SDK quotes where it is not what was expected: it may be a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.args = ("…",) * len(record.args or ())
        return True


logging.getLogger("opentelemetry.util.re").addFilter(_HidesHeaders())


def spans_over_http(endpoint: str | None = None) -> SpanExporter:
    """An exporter of spans, set up by the standard variables; an endpoint given here goes before theirs."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint, session=_session("TRACES"))


def metrics_over_http() -> MetricExporter:
    """An exporter of metrics, set up by the standard variables."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(session=_session("METRICS"))


def logs_over_http() -> LogRecordExporter:
    """An exporter of log records, set up by the standard variables."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter(session=_session("LOGS"))


def spans_over_grpc(endpoint: str | None = None) -> SpanExporter:
    """An exporter of spans, set up by the standard variables; an endpoint given here goes before theirs."""
    with _at_its_usual_verbosity():
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    class SpansOverGrpc(_Listening, OTLPSpanExporter):
        pass

    return SpansOverGrpc(endpoint)


def metrics_over_grpc() -> MetricExporter:
    """An exporter of metrics, set up by the standard variables."""
    with _at_its_usual_verbosity():
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    class MetricsOverGrpc(_Listening, OTLPMetricExporter):
        pass

    return MetricsOverGrpc()


def logs_over_grpc() -> LogRecordExporter:
    """An exporter of log records, set up by the standard variables."""
    with _at_its_usual_verbosity():
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    class LogsOverGrpc(_Listening, OTLPLogExporter):
        pass

    return LogsOverGrpc()


def _session(signal: str) -> requests.Session:
    """The session that requests of a signal go through: a credential provider's, where the variables name one."""
    import requests

    prefix = "OTEL_PYTHON_EXPORTER_OTLP_HTTP"
    provider = os.environ.get(f"{prefix}_CREDENTIAL_PROVIDER") or os.environ.get(
        f"{prefix}_{signal}_CREDENTIAL_PROVIDER"
    )
    session = _provided(provider) if provider else requests.Session()
    session.hooks["response"].append(answers.take_http)
    if hasattr(os, "register_at_fork"):
        known = weakref.ref(session)

        def after_fork() -> None:
            inherited = known()
            if inherited is not None:
                _connect_anew(inherited)

        os.register_at_fork(after_in_child=after_fork)
    return session


def _provided(name: str) -> requests.Session:
    for point in entry_points(group="opentelemetry_otlp_credential_provider", name=name):
        session: requests.Session = point.load()()
        return session
    raise ValueError(f"there is no credential provider {name!r}")


def _connect_anew(session: requests.Session) -> None:
    """Leaves the connections to the parent: two processes that speak on one would get each other's answers."""
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, copy.copy(adapter))


@contextlib.contextmanager
def _at_its_usual_verbosity() -> Iterator[None]:
    """Lets gRPC's core be loaded with the verbosity that it documents as its default.

    Left alone it writes more to stderr: of handshakes that failed, of forks. The program sees nothing of the variable.
    """
    if _VERBOSITY in os.environ:
        yield
        return
    os.environ[_VERBOSITY] = "ERROR"
    try:
        yield
    finally:
        del os.environ[_VERBOSITY]


class _Listening:
    """Goes before an exporter over gRPC, which leaves answers unread."""

    _client: Any

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()  # type: ignore[misc] # the exporter's
        self._client = _Stub(self._client)


class _Stub:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def Export(self, request: Any, **options: Any) -> Any:  # noqa: N802 - OTLP's name
        answers.check_size(request.ByteSize())
        response = self._inner.Export(request=request, **options)
        answers.take_grpc(response.partial_success)
        return response
