"""OTLP servers on this machine that answer as a test has it, over HTTP and over gRPC, and keep what they were sent."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from fixtures import loopback
from fixtures.loopback import Posted, Reply

__all__ = ["Reply"]

HTTP, JSON, GRPC = "http/protobuf", "http/json", "grpc"
PROTOCOLS = (HTTP, JSON, GRPC)


@dataclass(frozen=True)
class Failure:
    """An answer over gRPC that is an error."""

    code: grpc.StatusCode
    message: str = ""
    details: Status | None = None


@dataclass
class Server:
    """A server that runs.

    Attributes:
        endpoint: Its URL.
        protocol: What it speaks: `HTTP` stands for JSON too.
        requests: What it was sent, in the order it came.
        headers: The headers or metadata of each request, by names in lower case.
        paths: The paths of requests over HTTP.
    """

    endpoint: str
    protocol: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def clear(self) -> None:
        """Forgets what it was sent."""
        self.requests.clear()
        self.headers.clear()
        self.paths.clear()

    @property
    def sizes(self) -> list[int]:
        """How many spans each request brought."""
        return [len(spans_in(request)) for request in self.requests]


def spans_in(request: ExportTraceServiceRequest) -> list[tuple[bytes, bytes, bytes]]:
    """The spans of a request, each with its resource and its scope, as protobuf writes them."""
    found = []
    for resource_spans in request.resource_spans:
        resource = type(resource_spans)(resource=resource_spans.resource, schema_url=resource_spans.schema_url)
        for scope_spans in resource_spans.scope_spans:
            scope = type(scope_spans)(scope=scope_spans.scope, schema_url=scope_spans.schema_url)
            found += [
                (resource.SerializeToString(), scope.SerializeToString(), span.SerializeToString())
                for span in scope_spans.spans
            ]
    return found


def parse_json(body: bytes) -> ExportTraceServiceRequest:
    """Reads a request as the specification has it in JSON: ids in hex, where protobuf itself has base64."""

    def with_base64(value: object) -> object:
        if isinstance(value, list):
            return [with_base64(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64encode(bytes.fromhex(content)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else with_base64(content)
            for key, content in value.items()
        }

    return json_format.ParseDict(with_base64(json.loads(body)), ExportTraceServiceRequest())


@contextmanager
def over_http(reply: Callable[[int], Reply] = lambda _: Reply(), tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Runs a server over HTTP.

    Args:
        reply: Gives the answer to the request of a number, from 0.
        tls: For HTTPS.
    """

    def answer(posted: Posted) -> Reply:
        is_json = posted.headers["Content-Type"] == "application/json"
        number = len(server.requests)
        server.requests.append(
            parse_json(posted.body) if is_json else ExportTraceServiceRequest.FromString(posted.body)
        )
        server.headers.append({name.lower(): value for name, value in posted.headers.items()})
        server.paths.append(posted.path)
        return reply(number)

    with loopback.over_http(answer, tls) as address:
        server = Server(f"http{'s' if tls else ''}://{address}", HTTP)
        yield server


@contextmanager
def over_grpc(
    reply: Callable[[int], Failure | ExportTraceServiceResponse] = lambda _: ExportTraceServiceResponse(),
    *options: tuple[str, int],
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[Server]:
    """Runs a server over gRPC.

    Args:
        reply: Gives the answer to the request of a number, from 0.
        options: Options of gRPC's server.
        credentials: For TLS.
    """

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: grpc.ServicerContext) -> object:
            number = len(server.requests)
            server.requests.append(request)
            server.headers.append(dict(context.invocation_metadata()))
            answer = reply(number)
            if not isinstance(answer, Failure):
                return answer
            if answer.details is not None:
                context.set_trailing_metadata([("grpc-status-details-bin", answer.details.SerializeToString())])
            context.abort(answer.code, answer.message)

    with loopback.over_grpc(Service(), *options, credentials=credentials) as address:
        server = Server(f"http{'s' if credentials else ''}://{address}", GRPC)
        yield server


def serving(protocol: str) -> object:
    """Runs a server that accepts everything, for a protocol."""
    return over_grpc() if protocol == GRPC else over_http()
