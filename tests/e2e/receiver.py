"""An OTLP receiver on this machine's loopback: over HTTP and over gRPC, keeping what is sent to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from fixtures import loopback
from fixtures.loopback import Posted, Reply
from pocketflow_otel.traces.otlp import SpanDecoder
from pocketflow_otel.traces.reader import Span, Trace

HTTP, GRPC = "http/protobuf", "grpc"
_REQUESTS = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}


class Receiver:
    """What has been received.

    Attributes:
        endpoint: For ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        protocol: For ``OTEL_EXPORTER_OTLP_PROTOCOL``.
    """

    def __init__(self, endpoint: str, protocol: str) -> None:
        self.endpoint = endpoint
        self.protocol = protocol
        self._traces: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self._metrics: list[metrics_service_pb2.ExportMetricsServiceRequest] = []
        self._logs: list[logs_service_pb2.ExportLogsServiceRequest] = []

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that sends its traces here."""
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
        }

    def take(self, request: object) -> None:
        """Keeps a request."""
        match request:
            case trace_service_pb2.ExportTraceServiceRequest():
                self._traces.append(request)
            case metrics_service_pb2.ExportMetricsServiceRequest():
                self._metrics.append(request)
            case logs_service_pb2.ExportLogsServiceRequest():
                self._logs.append(request)

    def traces(self) -> list[Trace]:
        """The traces that came in, in the order they started."""
        spans: dict[str, list[Span]] = {}
        for span in self.spans():
            spans.setdefault(span.trace_id, []).append(span)
        return [Trace(trace_id, of_one) for trace_id, of_one in spans.items()]

    def spans(self) -> list[Span]:
        """The spans that came in, in the order they started."""
        decoder = SpanDecoder()
        spans = [span for request in self._traces for span in decoder.spans_in(MessageToDict(request))]
        return sorted(spans, key=lambda span: span.start_ns)

    def metrics(self) -> set[str]:
        """The names of the metrics of ours that came in."""
        return {
            metric.name
            for request in self._metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            if scope.scope.name == "pocketflow_otel"
            for metric in scope.metrics
        }

    def log_records(self) -> list[tuple[str, str]]:
        """The log records of ours that came in: the event and the id of the span it belongs to."""
        return [
            (record.event_name, record.span_id.hex())
            for request in self._logs
            for resource in request.resource_logs
            for scope in resource.scope_logs
            if scope.scope.name == "pocketflow_otel"
            for record in scope.log_records
        ]


@contextmanager
def receiving(protocol: str) -> Iterator[Receiver]:
    """Receives OTLP while the block runs."""
    with (_over_grpc if protocol == GRPC else receiving_http)() as receiver:
        yield receiver


@contextmanager
def receiving_http(status: int = 200, answer: bytes = b"") -> Iterator[Receiver]:
    """Receives OTLP over HTTP while the block runs.

    Args:
        status: The status that every request is answered with.
        answer: The body of every answer.
    """

    def take(posted: Posted) -> Reply:
        receiver.take(_REQUESTS[posted.path].FromString(posted.body))
        return Reply(status, answer)

    with loopback.over_http(take) as address:
        receiver = Receiver(f"http://{address}", HTTP)
        yield receiver


@contextmanager
def _over_grpc() -> Iterator[Receiver]:
    class Service(
        trace_service_pb2_grpc.TraceServiceServicer,
        metrics_service_pb2_grpc.MetricsServiceServicer,
        logs_service_pb2_grpc.LogsServiceServicer,
    ):
        def Export(self, request: object, context: grpc.ServicerContext) -> object:
            receiver.take(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    with loopback.over_grpc(Service()) as address:
        receiver = Receiver(f"http://{address}", GRPC)
        yield receiver
