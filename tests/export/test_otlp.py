import logging
import threading

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from backends.servers import wait_until
from pocketflow_otel.export import attempt, otlp, otlp_variables, problems
from pocketflow_otel.export.background import QUEUE_ITEMS, Background, Limits

NOWHERE = "http://127.0.0.1:1"
ONE_BY_ONE = Limits(queue_items=3, batch_items=1, delay_seconds=60)


@pytest.fixture(autouse=True)
def no_problems(monkeypatch):
    monkeypatch.setattr(problems, "_problems", {})


class Recorder(SpanExporter):
    """Keeps the names of what it gets, and answers as it is told, when it is allowed to."""

    def __init__(self, answer=lambda: SpanExportResult.SUCCESS):
        self.answer = answer
        self.names = []
        self.allowed = threading.Event()
        self.allowed.set()
        self.called = threading.Event()
        self.closed = 0

    def export(self, spans):
        self.called.set()
        self.allowed.wait()
        self.names += [span.name for span in spans]
        return self.answer()

    def shutdown(self):
        self.closed += 1


def tracing(exporter, timeout_seconds=60.0, limits=None, **options):
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(otlp.ExportProcessor(exporter, "Receiver", timeout_seconds, limits))
    return provider, provider.get_tracer("test")


def reported():
    return {source: (problem.message, problem.dropped) for source, problem in problems.snapshot().items()}


def fail(error):
    raise error


def test_all_that_has_ended_is_sent_at_the_end_in_order():
    exporter = Recorder()
    provider, tracer = tracing(exporter)
    names = [f"span {number}" for number in range(2000)]
    for name in names:
        tracer.start_span(name).end()

    provider.shutdown()

    assert exporter.names == names
    assert (exporter.closed, reported()) == (1, {})


def test_a_flush_waits_for_what_has_ended():
    exporter = Recorder()
    provider, tracer = tracing(exporter)
    tracer.start_span("one").end()

    assert provider.force_flush() is True
    assert exporter.names == ["one"]
    assert exporter.closed == 0


def test_a_flush_gives_up_when_its_time_is_over():
    exporter = Recorder()
    exporter.allowed.clear()
    provider, tracer = tracing(exporter)
    tracer.start_span("one").end()

    assert provider.force_flush(1) is False
    exporter.allowed.set()
    assert provider.force_flush() is True


def test_spans_that_are_not_sampled_stay_here():
    exporter = Recorder()
    provider, tracer = tracing(exporter, sampler=ALWAYS_OFF)
    tracer.start_span("one").end()

    provider.shutdown()

    assert exporter.names == []


def test_no_thread_runs_before_the_first_span():
    before = threading.active_count()
    provider, _ = tracing(Recorder())

    assert threading.active_count() == before
    provider.shutdown()
    assert threading.active_count() == before


def test_a_full_queue_drops_and_counts(capsys):
    exporter = Recorder()
    exporter.allowed.clear()
    provider, tracer = tracing(exporter, limits=ONE_BY_ONE)
    tracer.start_span("under way").end()
    exporter.called.wait()
    for number in range(5):
        tracer.start_span(f"span {number}").end()
    exporter.allowed.set()

    provider.shutdown()

    assert exporter.names == ["under way", "span 0", "span 1", "span 2"]
    assert reported() == {"Receiver": ("the queue of 3 is full", 2)}
    assert capsys.readouterr().err == (
        "pocketflow-otel: Receiver: the queue of 3 is full, 1 span dropped; your program goes on\n"
    )


def test_a_receiver_that_never_answers_holds_nothing_up(capsys):
    exporter = Recorder()
    exporter.allowed.clear()
    provider, tracer = tracing(exporter, timeout_seconds=0.01)
    for number in range(3):
        tracer.start_span(f"span {number}").end()

    provider.shutdown()
    provider.shutdown()

    assert reported() == {"Receiver": ("no answer within 0.01 s", 3)}
    assert capsys.readouterr().err == (
        "pocketflow-otel: Receiver: no answer within 0.01 s, 3 spans dropped; your program goes on\n"
    )
    exporter.allowed.set()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: SpanExportResult.FAILURE, "the exporter failed without a word"),
        (lambda: fail(ValueError("no\nway")), "ValueError: no way"),
        (lambda: fail(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (lambda: fail(ValueError("x" * 500)), "ValueError: " + "x" * 147 + "…"),
        (lambda: fail(TimeoutError("slow")), "no answer within 60 s"),
    ],
)
def test_a_failing_exporter_is_reported_with_what_it_cost(answer, reason, caplog, capsys):
    provider, tracer = tracing(Recorder(answer), limits=Limits(batch_items=1))
    for number in range(3):
        tracer.start_span(f"span {number}").end()

    provider.shutdown()

    assert reported() == {"Receiver": (reason, 3)}
    assert capsys.readouterr().err == (f"pocketflow-otel: Receiver: {reason}, 1 span dropped; your program goes on\n")
    assert caplog.records == []


@pytest.mark.parametrize("make", [GrpcExporter, HttpExporter])
def test_the_exporters_of_opentelemetry_fail_in_one_line(make, caplog, capsys):
    exporter = make(endpoint=NOWHERE, timeout=0.2)
    provider, tracer = tracing(exporter, timeout_seconds=0.2, limits=Limits(batch_items=1))
    for number in range(3):
        tracer.start_span(f"span {number}").end()

    provider.shutdown()

    [(_, dropped)] = reported().values()
    assert dropped == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert caplog.records == []


@pytest.mark.parametrize("make", [GrpcExporter, HttpExporter])
def test_a_receiver_out_of_reach_is_given_up_when_the_program_ends(make, monkeypatch):
    monkeypatch.setattr(attempt, "_ending", threading.Event())
    attempt.program_ends()
    exporter = make(endpoint=NOWHERE, timeout=5)
    attempt.listen_to(exporter)
    given_up = []

    failure = attempt.attempt(lambda: exporter.export([]), 5, lambda: given_up.append(exporter.shutdown()))

    assert given_up == [None]
    assert failure.reason.endswith("Connection refused")


@pytest.mark.parametrize("make", [GrpcExporter, HttpExporter])
def test_an_exporter_that_waits_to_try_again_is_stopped_when_the_program_ends(make, monkeypatch):
    monkeypatch.setattr(attempt, "_ending", threading.Event())
    exporter = make(endpoint=NOWHERE, timeout=60)
    attempt.listen_to(exporter)
    failures = []
    sending = threading.Thread(
        target=lambda: failures.append(attempt.attempt(lambda: exporter.export([]), 60, exporter.shutdown))
    )
    sending.start()
    wait_until(lambda: [call for call in attempt._under_way if call.records])
    (call,) = attempt._under_way

    attempt.program_ends()

    sending.join(30)
    assert [record.getMessage().split()[0] for record in call.records] == ["Transient", "Shutdown"]
    assert [failure.reason.rpartition(": ")[2] for failure in failures] == ["Connection refused"]


def test_exporters_of_the_program_s_own_are_heard_as_before(caplog):
    otlp.ExportProcessor(HttpExporter(endpoint=NOWHERE), "Receiver", 1.0).shutdown()

    HttpExporter(endpoint=NOWHERE, timeout=0.2).export([])

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_comes_after_the_end_is_ignored():
    exporter = Recorder()
    provider, tracer = tracing(exporter)
    span = tracer.start_span("late")
    provider.shutdown()

    span.end()

    assert (exporter.names, reported()) == ([], {})


def test_a_thread_that_cannot_start_leaves_the_work_to_the_end(monkeypatch):
    exporter = Recorder()
    provider, tracer = tracing(exporter)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: fail(RuntimeError("can't start new thread")))
    tracer.start_span("one").end()
    assert exporter.names == []

    provider.shutdown()

    assert (exporter.names, exporter.closed) == (["one"], 1)


def test_the_time_for_the_end_runs_once_for_all_queues():
    allowed = threading.Event()
    lost = []
    queues = [
        Background(
            f"queue {number}",
            lambda batch: allowed.wait() and None,
            lambda reason, count: lost.append((reason, count)),
            lambda: None,
            stop_seconds=0.05,
            limits=Limits(),
        )
        for number in range(20)
    ]
    for queue in queues:
        queue.put("item")
        queue.stop()
    for queue in queues:
        queue.join()

    assert lost == [("no answer within 0.05 s", 1)] * 20
    allowed.set()


@pytest.mark.parametrize(
    ("environ", "limits"),
    [
        ({}, Limits(QUEUE_ITEMS, 512, 5.0)),
        (
            {
                "OTEL_BSP_MAX_QUEUE_SIZE": "100",
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
                "OTEL_BSP_SCHEDULE_DELAY": "250",
            },
            Limits(100, 10, 0.25),
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, Limits(100, 100, 5.0)),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "many", "OTEL_BSP_SCHEDULE_DELAY": "0"}, Limits(QUEUE_ITEMS, 512, 5.0)),
        ({"OTEL_BLRP_MAX_QUEUE_SIZE": "100"}, Limits(QUEUE_ITEMS, 512, 5.0)),
    ],
)
def test_the_standard_variables_set_the_limits(environ, limits):
    assert Limits.from_environment(environ) == limits


ENDPOINT, PROTOCOL, TIMEOUT = (f"OTEL_EXPORTER_OTLP_{name}" for name in ("ENDPOINT", "PROTOCOL", "TIMEOUT"))


@pytest.mark.parametrize(
    ("environ", "protocol", "endpoint"),
    [
        ({}, otlp_variables.GRPC, "http://localhost:4317"),
        ({PROTOCOL: "http/protobuf"}, otlp_variables.HTTP, "http://localhost:4318"),
        ({ENDPOINT: "http://collector:4317"}, otlp_variables.GRPC, "http://collector:4317"),
        ({ENDPOINT: "http://collector:4318"}, otlp_variables.HTTP, "http://collector:4318"),
        ({ENDPOINT: "http://collector:4318", PROTOCOL: "grpc"}, otlp_variables.GRPC, "http://collector:4318"),
        (
            {ENDPOINT: "https://user:secret@host.example/api/otel?key=secret"},
            otlp_variables.HTTP,
            "https://host.example",
        ),
        ({ENDPOINT: "http://[::1]:4318/"}, otlp_variables.HTTP, "http://[::1]:4318"),
        ({ENDPOINT: "collector:4317"}, otlp_variables.GRPC, "http://collector:4317"),
        (
            {ENDPOINT: "http://one:4317", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://two:4318/v1/traces"},
            otlp_variables.HTTP,
            "http://two:4318",
        ),
        ({ENDPOINT: "http://host:port"}, otlp_variables.GRPC, "http://host:4317"),
    ],
)
def test_the_standard_variables_say_where_and_how(environ, protocol, endpoint):
    assert (otlp_variables.protocol("TRACES", environ), otlp_variables.endpoint("TRACES", environ)) == (
        protocol,
        endpoint,
    )


def test_a_protocol_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="'carrier pigeon' is not supported: expected grpc or http/protobuf"):
        otlp_variables.protocol("TRACES", {PROTOCOL: "carrier pigeon"})


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [({}, 10.0), ({TIMEOUT: "2.5"}, 2.5), ({TIMEOUT: "2", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3"}, 3.0)]
    + [({TIMEOUT: nonsense}, 10.0) for nonsense in ("", "soon", "0", "-1", "nan")],
)
def test_the_timeout_is_the_standard_one_in_seconds(environ, seconds):
    assert otlp_variables.timeout_seconds(environ) == seconds
