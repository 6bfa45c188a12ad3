"""Servers that are busy, refuse, take a part, talk nonsense or are not there: what is tried again, what is counted."""

import email.utils
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from pocketflow_otel.sending.answers import TryAgain
from pocketflow_otel.sending.batches import MOST_BYTES, MOST_SPANS, batches
from pocketflow_otel.sending.destination import resolve
from pocketflow_otel.sending.retries import Retries
from pocketflow_otel.sending.seen import SeenSpans
from pocketflow_otel.sending.sender import Sender
from pocketflow_otel.sending.sources import Source
from pocketflow_otel.sending.tally import Tally
from sending.otlp_documents import as_file
from sending.scripted import GRPC, HTTP, JSON, Failure, Reply, Server, over_grpc, over_http

OK = ExportTraceServiceResponse()
SIX = 6
QUICK = Retries(30, first_wait_seconds=0.01)


def document(*sizes: int) -> dict:
    """A request of spans, each with an attribute of so many bytes."""
    spans = [
        {
            "traceId": "1" * 32,
            "spanId": f"{number:016x}",
            "attributes": [{"key": "k", "value": {"stringValue": "x" * size}}],
        }
        for number, size in enumerate(sizes, 1)
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def send(endpoint, protocol, documents=(document(*[1] * SIX),), retries=QUICK, waits=lambda *_: None, **options):
    """Sends documents, and returns the counts."""
    tally = Tally()
    transport = resolve(endpoint, protocol, environ=options.pop("environ", {}), **options).connect()
    try:
        with SeenSpans() as seen:
            spans = Source([io.BytesIO(as_file(list(documents)))], seen, tally).spans()
            Sender(transport, retries, tally, waits).send_all(spans, lambda: None)
    finally:
        transport.close()
    assert tally.read == tally.accepted + tally.refused + tally.not_sent
    assert tally.not_sent_for.total() == tally.not_sent
    return tally


def outcome(tally):
    return tally.accepted, dict(tally.refused_for), dict(tally.not_sent_for)


# Busy.


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_http_server_is_asked_again(status):
    with over_http(lambda number: Reply(status if number < 3 else 200)) as server:
        tally = send(server.endpoint, HTTP)
    assert outcome(tally) == (SIX, {}, {})
    assert tally.requests == 4
    assert server.sizes == [SIX] * 4


BUSY_CODES = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]


@pytest.mark.parametrize("code", BUSY_CODES)
def test_a_busy_grpc_server_is_asked_again(code):
    with over_grpc(lambda number: Failure(grpc.StatusCode[code], "busy") if number < 2 else OK) as server:
        tally = send(server.endpoint, GRPC)
    assert outcome(tally) == (SIX, {}, {})
    assert tally.requests == 3


def retry_info(milliseconds: int) -> Status:
    info = RetryInfo()
    info.retry_delay.FromMilliseconds(milliseconds)
    detail = Any()
    detail.Pack(info)
    return Status(code=8, message="slow down", details=[detail])


def test_an_exhausted_grpc_server_is_asked_again_only_when_it_says_when():
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED
    with over_grpc(lambda number: Failure(exhausted, "slow down", retry_info(300)) if not number else OK) as server:
        waits = []
        assert outcome(send(server.endpoint, GRPC, waits=lambda *wait: waits.append(wait))) == (SIX, {}, {})
    assert waits == [("RESOURCE_EXHAUSTED: slow down", 0.3)]
    with over_grpc(lambda _: Failure(exhausted, "quota is used up")) as server:
        tally = send(server.endpoint, GRPC)
    assert outcome(tally) == (0, {"RESOURCE_EXHAUSTED: quota is used up": SIX}, {})
    assert tally.requests == 1


def date_in(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("in_words", [str, date_in], ids=["seconds", "date"])
def test_http_servers_say_when_to_ask_again(in_words):
    with over_http(lambda n: Reply(200) if n else Reply(503, headers={"Retry-After": in_words(2)})) as server:
        waits = []
        began = time.monotonic()
        assert send(server.endpoint, HTTP, waits=lambda *wait: waits.append(wait)).accepted == SIX
    ((reason, seconds),) = waits
    assert reason == "HTTP 503 Service Unavailable"
    # A date has no fractions of a second.
    assert 0.9 <= seconds <= 2
    assert time.monotonic() - began >= seconds


def test_a_server_that_stays_busy_is_given_up_and_what_follows_is_not_tried():
    documents = [
        document(*[1] * MOST_SPANS),
    ]
    documents.append({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "2" * 32, "spanId": "2" * 16}]}]}]})
    with over_http(lambda _: Reply(503, b"no room")) as server:
        tally = send(server.endpoint, HTTP, documents, Retries(0.1, first_wait_seconds=0.02))
    assert outcome(tally) == (0, {}, {"HTTP 503 Service Unavailable: no room": MOST_SPANS + 1})
    assert set(server.sizes) == {MOST_SPANS}
    assert 2 <= tally.requests <= 20


def test_a_server_that_wants_more_time_than_there_is_is_not_waited_for():
    with over_http(lambda _: Reply(429, headers={"Retry-After": "3600"})) as server:
        tally = send(server.endpoint, HTTP)
    assert outcome(tally) == (0, {}, {"HTTP 429 Too Many Requests": SIX})
    assert tally.requests == 1


def test_waits_grow_differ_and_end_when_the_time_is_up():
    waits = []
    assert isinstance(
        Retries(0.5, first_wait_seconds=0.02, longest_wait_seconds=0.1).answer(
            lambda: TryAgain("busy"), lambda _, seconds: waits.append(seconds)
        ),
        TryAgain,
    )
    longest = [min(0.02 * 2**number, 0.1) for number in range(len(waits))]
    assert all(wait <= most for wait, most in zip(waits, longest, strict=True))
    assert all(wait >= most / 2 for wait, most in zip(waits[:-1], longest, strict=False))
    assert len(set(waits)) == len(waits)


# Not there.


@pytest.fixture
def nobody():
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("protocol", [HTTP, JSON])
def test_nobody_listens_http(nobody, protocol):
    tally = send(f"http://127.0.0.1:{nobody}", protocol, retries=Retries(0.05, first_wait_seconds=0.02))
    assert outcome(tally) == (0, {}, {"Connection refused": SIX})
    assert tally.requests >= 2


def test_nobody_listens_grpc(nobody):
    tally = send(f"http://127.0.0.1:{nobody}", GRPC, retries=Retries(0.05, first_wait_seconds=0.02))
    ((reason, spans),) = tally.not_sent_for.items()
    assert (tally.accepted, spans) == (0, SIX)
    assert reason.startswith("UNAVAILABLE: ")


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_a_server_that_does_not_answer_is_left_after_the_timeout(protocol):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tally = send(f"127.0.0.1:{silent.getsockname()[1]}", protocol, retries=Retries(0), timeout_seconds=0.3)
    assert outcome(tally) == (0, {}, {"no answer within 0.3 s": SIX})


def test_an_answer_that_drips_is_left_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def drip():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                try:
                    while not done.wait(0.05):
                        connection.sendall(b" ")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        tally = send(f"127.0.0.1:{listening.getsockname()[1]}", HTTP, retries=Retries(0), timeout_seconds=0.3)
        done.set()
        thread.join()
    assert outcome(tally) == (0, {}, {"no answer within 0.3 s": SIX})


# Refusing.


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (Status(code=3, message="spans are blue").SerializeToString(), "application/x-protobuf", "spans are blue"),
        (b'{"code": 3, "message": "spans are blue"}', "application/json", "spans are blue"),
        (b"spans\x1b[31m are\nblue", "text/plain", "spans [31m are blue"),
        (b"<html>a page</html>", "text/html", ""),
        (b"", "text/plain", ""),
    ],
    ids=["protobuf", "json", "text", "page", "nothing"],
)
def test_what_a_server_says_of_a_refusal_is_told(body, kind, told):
    with over_http(lambda _: Reply(400, body, {"Content-Type": kind})) as server:
        tally = send(server.endpoint, HTTP)
    assert outcome(tally) == (0, {f"HTTP 400 Bad Request: {told}" if told else "HTTP 400 Bad Request": SIX}, {})
    assert tally.requests == 1


def test_a_grpc_refusal_is_told():
    with over_grpc(lambda _: Failure(grpc.StatusCode.PERMISSION_DENIED, "who are you?")) as server:
        tally = send(server.endpoint, GRPC)
    assert outcome(tally) == (0, {"PERMISSION_DENIED: who are you?": SIX}, {})
    assert tally.requests == 1


def test_a_redirection_is_no_success_and_takes_no_headers_elsewhere():
    with over_http() as elsewhere:
        place = f"{elsewhere.endpoint}/v1/traces"
        with over_http(lambda _: Reply(302, headers={"Location": f"{place}?state=secret"})) as server:
            tally = send(server.endpoint, HTTP, headers=["key=secret"])
    assert outcome(tally) == (0, {f"HTTP 302 Found: it is at {place}": SIX}, {})
    assert elsewhere.requests == []


@pytest.mark.parametrize("protocol", [HTTP, JSON])
@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/html", b"<html>Welcome</html>"), ("application/x-protobuf", b"ok"), ("application/json", b"{nonsense")],
    ids=["page", "protobuf", "json"],
)
def test_a_page_and_what_only_claims_to_be_otlp_is_not_believed(protocol, kind, body):
    with over_http(lambda _: Reply(200, body, {"Content-Type": kind})) as server:
        tally = send(server.endpoint, protocol)
    told = f"HTTP 200 OK, but an answer of type {kind} that is not OTLP; is the URL right?"
    assert outcome(tally) == (0, {told: SIX}, {})


@pytest.mark.parametrize("protocol", [HTTP, JSON])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"OK"),
        ("text/html", b"OK"),
        ("text/html", b""),
        ("application/json", b'{"status": "ok"}'),
        ("application/json", b"[]"),
        ("image/gif", b"GIF89a"),
        ("text/plain", b"x" * 1_000_000),
    ],
    ids=["text", "text as page", "nothing as page", "other json", "list", "image", "long text"],
)
def test_a_server_that_confirms_in_its_own_way_has_accepted(protocol, kind, body):
    with over_http(lambda _: Reply(202, body, {"Content-Type": kind})) as server:
        tally = send(server.endpoint, protocol)
    assert outcome(tally) == (SIX, {}, {})
    assert not tally.warnings


# Taking a part.


def partial(rejected: int, message: str) -> ExportTraceServiceResponse:
    return ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    )


def in_protobuf(answer):
    return over_http(lambda _: Reply(200, answer.SerializeToString()))


def in_json(answer):
    told = answer.partial_success
    body = f'{{"partialSuccess": {{"rejectedSpans": "{told.rejected_spans}", "errorMessage": "{told.error_message}"}}}}'
    return over_http(lambda _: Reply(200, body.encode(), {"Content-Type": "application/json"}))


def in_grpc(answer):
    return over_grpc(lambda _: answer)


@pytest.mark.parametrize(
    ("protocol", "serving"),
    [(HTTP, in_protobuf), (JSON, in_json), (HTTP, in_json), (GRPC, in_grpc)],
    ids=["protobuf", "json", "json for protobuf", "grpc"],
)
@pytest.mark.parametrize(
    ("rejected", "message", "accepted", "refused", "warnings"),
    [
        (2, "too old", 4, {"too old": 2}, {}),
        (2, "", 4, {"the server did not say why": 2}, {}),
        (99, "all bad", 0, {"all bad": SIX}, {}),
        (0, "be careful", SIX, {}, {"be careful": 1}),
    ],
)
def test_spans_that_a_server_rejects_are_refused(protocol, serving, rejected, message, accepted, refused, warnings):
    with serving(partial(rejected, message)) as server:
        tally = send(server.endpoint, protocol)
    assert outcome(tally) == (accepted, refused, {})
    assert dict(tally.warnings) == warnings


# Sizes.


@contextmanager
def with_limits(status: int, body: bytes) -> Iterator[Server]:
    """Runs a server that takes two spans at a time, and no large one."""

    def reply(number: int) -> Reply:
        is_too_large = server.sizes[number] > 2 or server.requests[number].ByteSize() > 10_000
        return Reply(status, body) if is_too_large else Reply()

    with over_http(reply) as server:
        yield server


@pytest.mark.parametrize(("status", "body"), [(413, b""), (400, b"http: request body too large")], ids=["413", "400"])
def test_what_is_too_large_for_an_http_server_goes_in_parts_and_a_span_that_is_is_refused(status, body):
    with with_limits(status, body) as server:
        tally = send(server.endpoint, HTTP, [document(1, 1, 1, 20_000, 1, 1)])
    assert tally.accepted == 5
    ((reason, spans),) = tally.refused_for.items()
    assert (reason.startswith(f"HTTP {status}"), spans) == (True, 1)
    assert tally.not_sent == 0


def test_what_is_too_large_for_a_grpc_server_goes_in_parts_and_a_span_that_is_is_refused():
    with over_grpc(lambda _: OK, ("grpc.max_receive_message_length", 10_000)) as server:
        tally = send(server.endpoint, GRPC, [document(4_000, 4_000, 4_000, 20_000, 4_000)])
    assert tally.accepted == 4
    ((reason, spans),) = tally.refused_for.items()
    assert spans == 1
    assert "larger than max" in reason


def sizes_of(spans, **limits):
    tally = Tally()
    with SeenSpans() as seen:
        source = Source([io.BytesIO(as_file(spans))], seen, tally)
        return [len(batch) for batch in batches(source.spans(), **limits)]


def test_batches_are_bounded_by_count_and_by_bytes():
    assert sizes_of([document(*[1] * 7)], most_spans=3) == [3, 3, 1]
    assert sizes_of([document(100, 100, 100, 5_000, 100)], most_bytes=1_000) == [3, 1, 1]
    assert sizes_of([]) == []


def test_no_request_of_more_than_one_span_is_longer_than_the_bound():
    with over_http() as server:
        send(
            server.endpoint,
            HTTP,
            [
                document(*[100_000] * 70),
            ],
        )
    assert len(server.requests) == 3
    assert max(request.ByteSize() for request in server.requests) <= MOST_BYTES


# What is sent beside the spans.


@pytest.mark.parametrize("protocol", [HTTP, JSON, GRPC])
@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_headers_and_compression_are_those_of_the_variables_and_the_command_line(protocol, compression):
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b,x-key=old",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": compression,
    }
    with over_grpc() if protocol == GRPC else over_http() as server:
        assert send(server.endpoint, protocol, environ=environ, headers=["X-Key=new=1"]).accepted == SIX
    (headers,) = server.headers
    assert (headers["x-team"], headers["x-key"]) == ("a b", "new=1")
    assert headers["user-agent"].startswith("pocketflow-otel/")
    if protocol != GRPC:
        assert headers.get("content-encoding", "none") == compression
        assert server.paths == ["/v1/traces"]


@pytest.mark.parametrize("name", ["x-key", "x-key-bin"])
def test_any_header_goes_over_grpc(name):
    with over_grpc() as server:
        assert send(server.endpoint, GRPC, headers=[f"{name}=value"]).accepted == SIX
    assert server.headers[0][name] in ("value", b"value")
