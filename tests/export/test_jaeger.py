import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._configuration import _import_exporters
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from fixtures.loopback import Reply, over_http
from pocketflow_otel.export.jaeger import JaegerSpanExporter

VARIABLES = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def collector():
    received = []

    def take(posted):
        received.append((posted.path, ExportTraceServiceRequest.FromString(posted.body)))
        return Reply()

    with over_http(take) as address:
        yield f"http://{address}", received


def exporter(monkeypatch, environment, **arguments):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    made = JaegerSpanExporter(**arguments)
    made.shutdown()
    return made._otlp


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "http://a:1/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2/x"}, "http://b:2/x"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2/x"},
            "http://b:2/x",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4318/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"},
            "http://a:1/v1/traces",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1",
            },
            "http://a:1/v1/traces",
        ),
    ],
)
def test_over_http(monkeypatch, environment, endpoint):
    otlp = exporter(monkeypatch, environment)
    assert isinstance(otlp, OverHttp)
    assert otlp._endpoint == endpoint


@pytest.mark.parametrize("protocol", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
@pytest.mark.parametrize("endpoint", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_over_grpc(monkeypatch, protocol, endpoint):
    otlp = exporter(monkeypatch, {protocol: " gRPC", endpoint: "http://localhost:4317"})
    assert isinstance(otlp, OverGrpc)
    assert otlp._endpoint == "localhost:4317"


def test_an_endpoint_in_code_comes_first(monkeypatch):
    otlp = exporter(monkeypatch, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2/x"}, endpoint="http://c:3/y")
    assert otlp._endpoint == "http://c:3/y"


def test_spans_arrive(monkeypatch, collector):
    endpoint, received = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = JaegerSpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("test").start_span("invoke_node Ask").end()
    assert exporter.force_flush()
    provider.shutdown()
    ((path, request),) = received
    assert path == "/v1/traces"
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "invoke_node Ask"


def test_the_sdk_finds_it_by_name():
    assert _import_exporters(["jaeger"], [], [])[0] == {"jaeger": JaegerSpanExporter}
