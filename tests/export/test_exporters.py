"""What receivers answer, as our exporters understand it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http import HTTPStatus
from http.client import parse_headers
from socketserver import StreamRequestHandler, ThreadingTCPServer

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider

from backends.servers import wait_until
from fixtures import loopback
from pocketflow_otel.export import attempt, exporters
from pocketflow_otel.export.background import Losses
from pocketflow_otel.export.confirmations import LONGEST_ANSWER_BYTES
from pocketflow_otel.export.sender import Sender

PROTOBUF, JSON, HTML = "application/x-protobuf", "application/json", "text/html; charset=utf-8"
TEXT = "text/plain"
MANY_BYTES = b"x" * (LONGEST_ANSWER_BYTES + 1)


def partial(rejected: int, message: str) -> bytes:
    said = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    return trace_service_pb2.ExportTraceServiceResponse(partial_success=said).SerializeToString()


def spans(count: int, size_bytes: int = 0) -> list:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    made = [tracer.start_span(f"span {number}", attributes={"value": "x" * size_bytes}) for number in range(count)]
    for span in made:
        span.end()
    return made


@contextmanager
def answering(status: int, content_type: str | None, body: bytes, **headers: str) -> Iterator[str]:
    """A server that gives one answer to everything, and keeps its connections."""

    typed = {"Content-Type": content_type} if content_type else {}
    reply = loopback.Reply(status, body, {**typed, **headers})
    with loopback.over_http(lambda _: reply) as address:
        yield f"http://{address}/v1/traces"


def losses_over_http(endpoint: str, count: int = 5, seconds: float = 10) -> Losses:
    sender = Sender(exporters.spans_over_http(endpoint), seconds)
    try:
        return sender.send(spans(count))
    finally:
        sender.shutdown()


@pytest.mark.parametrize(
    ("content_type", "body", "losses"),
    [
        (PROTOBUF, b"", []),
        (None, b"", []),
        (PROTOBUF, partial(0, ""), []),
        (PROTOBUF, partial(2, "too old"), [("the receiver rejects: too old", 2)]),
        (None, partial(2, ""), [("the receiver rejects", 2)]),
        (PROTOBUF, partial(0, "send less"), [("the receiver says: send less", 0)]),
        (JSON, b"", []),
        (JSON, b"{}", []),
        (JSON, b"null", []),
        (JSON, b'{"partialSuccess": null}', []),
        (
            JSON,
            b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "why"}}',
            [("the receiver rejects: why", 3)],
        ),
        (PROTOBUF, partial(-2, "odd"), [("the receiver says: odd", 0)]),
        (PROTOBUF, partial(99, "all bad"), [("the receiver rejects: all bad", 5)]),
        (JSON, b'{"partialSuccess": {"rejectedSpans": -3}}', []),
        (TEXT, b'{"partialSuccess": {"rejectedSpans": 1}}', [("the receiver rejects", 1)]),
        (JSON, b'{"status": "ok", "partialSuccess": true}', []),
        (JSON, b'"OK"', []),
        (JSON, b"[1]", []),
        (TEXT, b"OK", []),
        (None, b"\xff\xff what?", []),
        (TEXT, MANY_BYTES, []),
        ("image/gif", b"GIF89a", []),
        (HTML, b"\n", []),
        (HTML, b"OK", []),
        (JSON, b"{", [("HTTP 200 OK, but an answer of type application/json that is not OTLP", 5)]),
        (PROTOBUF, b"OK", [("HTTP 200 OK, but an answer of type application/x-protobuf that is not OTLP", 5)]),
        (
            JSON,
            b'{"partialSuccess": {"rejectedSpans": "many"}}',
            [("HTTP 200 OK, but an answer of type application/json that is not OTLP", 5)],
        ),
        (HTML, b"<html>Welcome!</html>", [("HTTP 200 OK, but an answer of type text/html that is not OTLP", 5)]),
        (None, b"\n<!DOCTYPE html>", [("HTTP 200 OK, but an answer of type text/html that is not OTLP", 5)]),
        (HTML, b"<p>" + MANY_BYTES, [("HTTP 200 OK, but an answer of type text/html that is not OTLP", 5)]),
        (PROTOBUF, MANY_BYTES, [("HTTP 200 OK, but an answer of more than 64 KB", 5)]),
    ],
)
def test_what_a_receiver_confirms_in_its_own_way_counts_as_sent_and_what_is_no_receiver_confirms_nothing(
    content_type, body, losses
):
    with answering(200, content_type, body) as endpoint:
        assert losses_over_http(endpoint) == losses


@pytest.mark.parametrize("body", [b"<html>no</html>", MANY_BYTES * 10])
@pytest.mark.parametrize(
    ("status", "reason"),
    [(301, "HTTP 301 Moved Permanently"), (401, "HTTP 401 Unauthorized"), (404, "HTTP 404 Not Found")],
)
def test_any_other_status_is_the_reason(status, reason, body):
    with answering(status, HTML, body, Location="https://elsewhere.example/") as endpoint:
        assert losses_over_http(endpoint) == [(reason, 5)]


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_wants_more_time_than_there_is_gets_none(status):
    with answering(status, None, b"", **{"Retry-After": "3600"}) as endpoint:
        [(reason, dropped)] = losses_over_http(endpoint)

    assert reason.startswith(f"HTTP {status} ")
    assert dropped == 5


def test_a_batch_that_a_receiver_calls_too_large_is_sent_in_parts():
    with answering(413, None, b"") as endpoint:
        assert losses_over_http(endpoint, 3) == [(f"HTTP 413 {HTTPStatus(413).phrase}", 1)] * 3


class Service(trace_service_pb2_grpc.TraceServiceServicer):
    """Answers with what it is given, and keeps how many spans each request held."""

    def __init__(self, rejected: int, message: str) -> None:
        self.answer = trace_service_pb2.ExportTraceServiceResponse.FromString(partial(rejected, message))
        self.counts: list[int] = []

    def Export(self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext) -> object:
        scopes = (scope for resource in request.resource_spans for scope in resource.scope_spans)
        self.counts.append(sum(len(scope.spans) for scope in scopes))
        return self.answer


@contextmanager
def serving(service: Service, *options: tuple[str, int]) -> Iterator[str]:
    with loopback.over_grpc(service, *options) as address:
        yield f"http://{address}"


def losses_over_grpc(endpoint: str, batch: list) -> Losses:
    sender = Sender(exporters.spans_over_grpc(endpoint), 10)
    try:
        return sender.send(batch)
    finally:
        sender.shutdown()


@pytest.mark.parametrize(
    ("rejected", "message", "losses"),
    [
        (0, "", []),
        (2, "too old", [("the receiver rejects: too old", 2)]),
        (0, "send less", [("the receiver says: send less", 0)]),
    ],
)
def test_rejected_spans_count_over_grpc_too(rejected, message, losses):
    with serving(Service(rejected, message)) as endpoint:
        assert losses_over_grpc(endpoint, spans(5)) == losses


def test_a_batch_larger_than_grpc_s_usual_limit_arrives_in_parts():
    service = Service(0, "")
    with serving(service) as endpoint:
        losses = losses_over_grpc(endpoint, spans(10, size_bytes=1_000_000))

    assert losses == []
    assert sum(service.counts) == 10
    assert max(service.counts) <= 4


def test_a_span_larger_than_that_is_for_the_receiver_to_judge():
    service = Service(0, "")
    with serving(service, ("grpc.max_receive_message_length", -1)) as endpoint:
        losses = losses_over_grpc(endpoint, spans(1, size_bytes=5_000_000))

    assert (losses, service.counts) == ([], [1])


@pytest.mark.parametrize("make", [exporters.spans_over_grpc, exporters.spans_over_http])
def test_a_receiver_that_is_back_when_the_program_ends_gets_what_waited_for_it(make, monkeypatch):
    monkeypatch.setattr(attempt, "_ending", threading.Event())
    there = Service(0, "")
    with serving(there) as over_grpc, answering(200, None, b"") as over_http, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        back = over_grpc if make is exporters.spans_over_grpc else over_http
        sender = Sender(make(nowhere), 60, renew=lambda: make(back))
        losses = []
        sending = threading.Thread(target=lambda: losses.append(sender.send(spans(5))))
        sending.start()
        wait_until(lambda: [call for call in attempt._under_way if call.records])

        attempt.program_ends()

        sending.join(30)
        sender.shutdown()
    assert losses == [[]]


@contextmanager
def speaking(*answers: bytes) -> Iterator[tuple[str, list[int]]]:
    """A server that gives some bytes for each request, one by one; tells the connections on which it was asked."""
    connections: list[int] = []
    over = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            while (headers := self._headers()) is not None:
                self.rfile.read(int(headers["Content-Length"]))
                connections.append(self.client_address[1])
                answer = answers[min(len(connections), len(answers)) - 1]
                for position in range(len(answer)):
                    self.wfile.write(answer[position : position + 1])
                    if position > MANY_QUICK_BYTES and over.wait(0.05):
                        return
                if b"Connection: close" in answer:
                    return

        def _headers(self) -> Message | None:
            return parse_headers(self.rfile) if self.rfile.readline() else None

    class Server(ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that have gone away are what is tested."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", connections
        finally:
            over.set()
            server.shutdown()
            thread.join()


MANY_QUICK_BYTES = 200
OK_IN_TEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nOK"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno!"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nO\r\n1\r\nK\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "losses"),
    [
        (OK_IN_TEXT, []),
        (IN_CHUNKS, []),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK_IN_TEXT, []),
        (REFUSED, [("HTTP 400 Bad Request", 1)]),
    ],
    ids=["length", "chunks", "continue", "refusal"],
)
def test_a_connection_is_used_again_after_an_answer(answer, losses):
    with speaking(answer) as (endpoint, connections):
        sender = Sender(exporters.spans_over_http(endpoint), 10)
        assert [sender.send(spans(1)) for _ in range(3)] == [losses] * 3
        sender.shutdown()
    assert len(set(connections)) == 1
    assert len(connections) == 3


def test_an_answer_that_never_ends_is_left_after_the_timeout(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b" " * 9999
    with speaking(endless) as (endpoint, _):
        assert losses_over_http(endpoint, seconds=0.5) == [("no answer within 0.5 s", 5)]


def test_an_answer_that_breaks_off_is_asked_for_again():
    broken = OK_IN_TEXT.replace(b"Length: 2", b"Length: 3").replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
    with speaking(broken, OK_IN_TEXT) as (endpoint, connections):
        assert losses_over_http(endpoint, seconds=0.5) == []
    assert len(connections) == 2


@pytest.mark.parametrize(
    "headers", ["authorization=Bearer%20s3cret-key%0Amore-s3cret", "authorization=Bearer s3cret-k%C3%BCy%E2%82%AC"]
)
@pytest.mark.parametrize("make", [exporters.spans_over_grpc, exporters.spans_over_http])
def test_a_key_that_no_header_may_have_is_not_shown(make, headers, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
    sender = Sender(make("http://127.0.0.1:1"), 1)
    [(reason, dropped)] = sender.send(spans(2))
    sender.shutdown()
    assert dropped == 2
    assert "s3cret" not in reason + caplog.text


def test_a_key_that_a_receiver_repeats_is_not_shown(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret-key")
    with serving(Service(2, "who is s3cret-key?")) as endpoint:
        assert losses_over_grpc(endpoint, spans(5)) == [("the receiver rejects: who is …?", 2)]


@pytest.mark.parametrize("make", [exporters.spans_over_grpc, exporters.spans_over_http])
def test_a_header_without_a_name_is_told_but_not_shown(make, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "s3cret-key")
    make("http://127.0.0.1:1").shutdown()
    assert "Header format invalid!" in caplog.text
    assert "s3cret" not in caplog.text


def test_credentials_in_an_endpoint_are_not_shown(monkeypatch):
    endpoint = "http://user:s3cret@127.0.0.1:1?key=s3cret"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    [(reason, dropped)] = losses_over_grpc(endpoint, spans(2))
    assert dropped == 2
    assert "s3cret" not in reason
