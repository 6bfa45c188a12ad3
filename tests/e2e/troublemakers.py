"""Receivers that make trouble: each an endpoint on this machine, and the spans that it says it has taken."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

Request = trace_service_pb2.ExportTraceServiceRequest
Answer = trace_service_pb2.ExportTraceServiceResponse

GARBAGE = b"\xff what?\r\n\r\n"
SLOW_SECONDS = 10
_POLL_SECONDS = 0.02


@dataclass
class Troublemaker:
    """A receiver that makes trouble.

    Attributes:
        endpoint: For ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        variables: What else a program's environment needs to meet the trouble.
        taken: For each trace how many spans it has said to have taken.
    """

    endpoint: str
    variables: dict[str, str] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def take(self, request: Request, all_but: int = 0) -> None:
        """Counts spans as taken, all but some of each request."""
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace_id = span.trace_id.hex()
                    self.taken[trace_id] = self.taken.get(trace_id, 0) + 1
        if all_but:
            self.taken[trace_id] -= all_but


@contextmanager
def nobody() -> Iterator[Troublemaker]:
    """Nothing listens: the port is taken while the block runs, and closed to all."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Troublemaker(f"http://127.0.0.1:{bound.getsockname()[1]}")


@contextmanager
def unknown_host() -> Iterator[Troublemaker]:
    """A name that no name server knows: https://www.rfc-editor.org/rfc/rfc2606."""
    yield Troublemaker("http://collector.invalid:4000")


@contextmanager
def answering(answer: bytes | None) -> Iterator[Troublemaker]:
    """Answers every connection with some bytes, or with none and keeps it open."""
    open_connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                open_connections.append(connection)
                if answer is not None:
                    with suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Troublemaker(f"http://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in open_connections:
        connection.close()


def silent() -> AbstractContextManager[Troublemaker]:
    """Takes connections, and never answers."""
    return answering(None)


def garbage() -> AbstractContextManager[Troublemaker]:
    """Answers with what is neither HTTP nor gRPC."""
    return answering(GARBAGE)


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP.

    Attributes:
        rejected: How many spans of a request the answer says were not taken.
        seconds: How long it takes, unless the test ends before.
        taken: Whether it means that the spans were taken.
    """

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    rejected: int = 0
    seconds: float = 0
    taken: bool = False


@contextmanager
def replying(*replies: Reply) -> Iterator[Troublemaker]:
    """Answers requests over HTTP with one reply after the other; the last stands for all that follow."""
    left = list(replies)
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = Request.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            reply = left.pop(0) if len(left) > 1 else left[0]
            over.wait(reply.seconds)
            if reply.taken:
                troublemaker.take(request, reply.rejected)
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("Content-Length", str(len(reply.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Says nothing on stderr."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Clients that have gone away are what is tested."""

    with Server(("127.0.0.1", 0), Handler) as server:
        troublemaker = Troublemaker(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        thread.start()
        try:
            yield troublemaker
        finally:
            over.set()
            server.shutdown()
            thread.join()


@contextmanager
def over_grpc(export: Callable[[Troublemaker, Request, grpc.ServicerContext], Answer]) -> Iterator[Troublemaker]:
    """Answers requests over gRPC."""

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Request, context: grpc.ServicerContext) -> Answer:
            return export(troublemaker, request, context)

    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool)
        troublemaker = Troublemaker(f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)
        server.start()
        try:
            yield troublemaker
        finally:
            server.stop(None).wait()


def aborting(code: grpc.StatusCode, details: str, times: int | None = None) -> AbstractContextManager[Troublemaker]:
    """Refuses requests over gRPC: all of them, or the first ones."""
    refused = []

    def export(troublemaker: Troublemaker, request: Request, context: grpc.ServicerContext) -> Answer:
        if times is None or len(refused) < times:
            refused.append(request)
            context.abort(code, details)
        troublemaker.take(request)
        return Answer()

    return over_grpc(export)


def slow_over_grpc() -> AbstractContextManager[Troublemaker]:
    """Answers over gRPC when it is too late; nobody waits for it any more when the caller has gone."""

    def export(_: Troublemaker, __: Request, context: grpc.ServicerContext) -> Answer:
        end = time.monotonic() + SLOW_SECONDS
        while context.is_active() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return Answer()

    return over_grpc(export)


def rejecting_over_grpc(rejected: int, message: str) -> AbstractContextManager[Troublemaker]:
    """Takes all but some spans of each request."""

    def export(troublemaker: Troublemaker, request: Request, _: grpc.ServicerContext) -> Answer:
        troublemaker.take(request, rejected)
        return partly(rejected, message)

    return over_grpc(export)


def partly(rejected: int, message: str) -> Answer:
    """The answer that some spans were not taken."""
    return Answer(partial_success={"rejected_spans": rejected, "error_message": message})


@contextmanager
def tls_only(certificate: Path, key: Path) -> Iterator[Troublemaker]:
    """Speaks TLS, to programs that don't."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Troublemaker(f"http://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def spoken_to_in_tls(receiver: AbstractContextManager[Troublemaker]) -> Iterator[Troublemaker]:
    """A receiver that does not speak TLS, to programs that do."""
    with receiver as troublemaker:
        yield Troublemaker(troublemaker.endpoint.replace("http://", "https://"), taken=troublemaker.taken)


@contextmanager
def behind_a_dead_proxy(receiver: AbstractContextManager[Troublemaker]) -> Iterator[Troublemaker]:
    """A receiver that could be reached, but for a proxy that the variables name and that is not there."""
    with receiver as troublemaker, nobody() as proxy:
        troublemaker.variables |= dict.fromkeys(("http_proxy", "HTTP_PROXY", "grpc_proxy"), proxy.endpoint)
        troublemaker.variables |= dict.fromkeys(("no_proxy", "NO_PROXY", "no_grpc_proxy"), "")
        yield troublemaker
