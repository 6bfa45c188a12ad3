"""Receivers that make trouble: each an endpoint on this machine, and the spans that it says it has taken."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from fixtures import loopback
from fixtures.loopback import Posted

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
def accepting(meet: Callable[[socket.socket], object]) -> Iterator[Troublemaker]:
    """Accepts connections, and does something with each."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError):
                    meet(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Troublemaker(f"http://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def silent() -> Iterator[Troublemaker]:
    """Takes connections, and never answers."""
    with ExitStack() as connections, accepting(connections.enter_context) as troublemaker:
        yield troublemaker


def garbage() -> AbstractContextManager[Troublemaker]:
    """Answers with what is neither HTTP nor gRPC."""

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(GARBAGE)

    return accepting(answer)


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

    def answer(posted: Posted) -> loopback.Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        over.wait(reply.seconds)
        if reply.taken:
            troublemaker.take(Request.FromString(posted.body), reply.rejected)
        return loopback.Reply(reply.status, reply.body, dict(reply.headers))

    with loopback.over_http(answer) as address:
        troublemaker = Troublemaker(f"http://{address}")
        try:
            yield troublemaker
        finally:
            over.set()


@contextmanager
def over_grpc(export: Callable[[Troublemaker, Request, grpc.ServicerContext], Answer]) -> Iterator[Troublemaker]:
    """Answers requests over gRPC."""

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Request, context: grpc.ServicerContext) -> Answer:
            return export(troublemaker, request, context)

    with loopback.over_grpc(Service()) as address:
        troublemaker = Troublemaker(f"http://{address}")
        yield troublemaker


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


def tls_only(certificate: Path, key: Path) -> AbstractContextManager[Troublemaker]:
    """Speaks TLS, to programs that don't."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def shake_hands(connection: socket.socket) -> None:
        with connection, context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    return accepting(shake_hands)


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
