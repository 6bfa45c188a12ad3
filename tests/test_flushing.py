"""`flush` sends what is queued, by whichever providers are in force, and says whether that went well."""

import json
import socket

import pytest

from e2e.processes import Programs
from e2e.receiver import HTTP, receiving_http

PROGRAM = """
import json
import os
import time

import pocketflow_otel
from pocketflow import Flow, Node

class Ask(Node):
    def exec(self, prepared):
        return "yes"

{set_up}
Flow(start=Ask()).run({{}})
began = time.monotonic()
sent = pocketflow_otel.flush({timeout})
print(json.dumps([sent, time.monotonic() - began]), flush=True)
os._exit(0)
"""
CONFIGURED = 'pocketflow_otel.configure(exporters=["otlp"])'
OWN = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
pocketflow_otel.PocketFlowInstrumentor().instrument()
"""
LONG_SECONDS = 60


@pytest.fixture
def programs(tmp_path) -> Programs:
    programs = Programs(tmp_path)
    programs.environ.pop("OTEL_TRACES_EXPORTER")
    return programs


def run(programs: Programs, set_up: str, timeout: str = "", **variables: str) -> tuple[bool, float]:
    """Whether everything was sent, and how many seconds that took, in a process without any other end."""
    programs.write("program.py", PROGRAM.format(set_up=set_up, timeout=timeout))
    outcome = programs.python("program.py", **variables)
    assert outcome.status == 0, outcome
    sent, seconds = json.loads(outcome.stdout)
    return sent, seconds


@pytest.mark.parametrize("set_up", [CONFIGURED, OWN], ids=["configured", "own-provider"])
def test_spans_are_sent_before_it_returns(programs, set_up):
    with receiving_http() as receiver:
        sent, _ = run(programs, set_up, **receiver.variables)
        assert [span.name for span in receiver.spans()] == ["invoke_workflow Flow", "invoke_node Ask"]
    assert sent


def test_metrics_and_log_records_are_sent_as_well(programs):
    with receiving_http() as receiver:
        variables = receiver.variables | {
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY",
        }
        sent, _ = run(programs, CONFIGURED, **variables)
        assert "pocketflow.node.duration" in receiver.metrics()
        assert "pocketflow.node.io" in {event for event, _ in receiver.log_records()}
    assert sent


def test_it_waits_no_longer_than_it_may_and_says_so(programs):
    # Connections are taken by the system; nobody ever reads from them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": HTTP,
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(LONG_SECONDS),
        }
        sent, seconds = run(programs, CONFIGURED, "timeout_seconds=0.5", **variables)
    assert not sent
    assert seconds < LONG_SECONDS / 2


@pytest.mark.parametrize(
    ("set_up", "variables"),
    [("", {}), (CONFIGURED, {"OTEL_SDK_DISABLED": "true"})],
    ids=["no-provider", "sdk-disabled"],
)
def test_without_a_provider_there_is_nothing_to_do(programs, set_up, variables):
    sent, seconds = run(programs, set_up, **variables, OTEL_EXPORTER_OTLP_PROTOCOL=HTTP)
    assert sent
    assert seconds < LONG_SECONDS / 2


def test_a_provider_that_raises_is_one_that_has_not_sent(programs):
    raising = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

class Raising(TracerProvider):
    def force_flush(self, timeout_millis=30000):
        raise RuntimeError("no")

trace.set_tracer_provider(Raising())
"""
    sent, _ = run(programs, raising)
    assert not sent
