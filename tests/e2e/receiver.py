"""An OTLP receiver on this machine's loopback: over HTTP and over gRPC, keeping what is sent to it."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from pocketflow_otel.traces.otlp import SpanDecoder
from pocketflow_otel.traces.reader import Span, Trace

HTTP, GRPC = "http/protobuf", "grpc"
POLL_SECONDS = 0.02
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

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.take(_REQUESTS[self.path].FromString(body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}", HTTP)
        thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


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

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        port = server.add_insecure_port("127.0.0.1:0")
        receiver = Receiver(f"http://127.0.0.1:{port}", GRPC)
        service = Service()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(service, server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(service, server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(service, server)
        server.start()
        try:
            yield receiver
        finally:
            server.stop(None).wait()
