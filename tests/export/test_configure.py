"""`configure` in programs of their own, as the providers of a process can be set only once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fixtures.loopback import Posted, Reply, over_http

START = "import pocketflow_otel\n"
FLOW = """
from pocketflow import Flow, Node
class Ask(Node):
    def post(self, shared, prep_res, exec_res):
        shared["answer"] = "42 is it"
def flow():
    Flow(Ask()).run({})
flow()
"""
REQUESTS = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self, address: str, received: list[tuple[str, bytes]]) -> None:
        self.endpoint = f"http://{address}"
        self.received = received

    def spans(self):
        return [
            (span, {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes})
            for path, body in self.received
            if path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    received = []

    def take(posted: Posted) -> Reply:
        received.append((posted.path, posted.body))
        return Reply()

    with over_http(take) as address:
        yield Collector(address, received)


class Program:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state" / "pocketflow-otel"
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        self.environ["XDG_STATE_HOME"] = str(directory / "state")

    def __call__(self, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
        script = self.directory / "my_agent.py"
        script.write_text(text)
        return subprocess.run(
            [sys.executable, str(script)],
            env={**self.environ, **environ},
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )

    def traces(self) -> list[dict]:
        files = sorted((self.state / "traces").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def span_names(self) -> list[str]:
        return [
            span["name"]
            for line in self.traces()
            for resource in line["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@pytest.fixture
def program(tmp_path) -> Program:
    return Program(tmp_path)


def test_by_default_flows_go_to_a_file_and_the_console(program):
    done = program(START + "pocketflow_otel.configure()" + FLOW)

    assert (done.returncode, done.stdout) == (0, "")
    assert program.span_names() == ["invoke_node Ask", "invoke_workflow Flow"]
    assert "1 flow, 1 node visit" in done.stderr
    [file] = (program.state / "traces").glob("*.jsonl")
    assert file.name in done.stderr


def test_content_and_places_and_names_are_the_caller_s(program):
    call = "pocketflow_otel.configure(exporters=['file'], trace_dir='mine', content=True, service_name='shop')"

    done = program(START + call + FLOW)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (program.state / "traces").exists()
    [file] = (program.directory / "mine").glob("*.jsonl")
    assert "42 is it" in file.read_text()
    assert '{"key":"service.name","value":{"stringValue":"shop"}}' in file.read_text()


def test_content_is_off_unless_asked_for_and_one_kind_can_be_left_out(program):
    program(START + "pocketflow_otel.configure()" + FLOW)
    program(START + "pocketflow_otel.configure(content=True, capture_values=False, capture_io=False)" + FLOW)

    assert len(program.traces()) >= 4
    assert "42 is it" not in json.dumps(program.traces())


def test_a_disabled_sdk_stays_out_altogether(program):
    check = "import sys\nprint(hasattr(__import__('pocketflow').Flow._orch, '__wrapped__'))\n"

    done = program(START + "pocketflow_otel.configure()" + FLOW + check, OTEL_SDK_DISABLED="true")

    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")
    assert not program.state.exists()


def test_twice_is_once(program):
    program(START + "pocketflow_otel.configure(exporters=['file'])\npocketflow_otel.configure()" + FLOW)

    assert program.span_names() == ["invoke_node Ask", "invoke_workflow Flow"]


def test_an_unknown_exporter_is_an_error_that_helps(program):
    done = program(START + "pocketflow_otel.configure(exporters=['consul'])")

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "pocketflow_otel.export.chosen.UnknownExporterError: unknown exporter 'consul': did you mean 'console'? "
        "There are console, file, jaeger, none, otlp, otlp_proto_grpc, otlp_proto_http"
    )


def test_an_unknown_exporter_in_the_environment_costs_nothing_else(program):
    done = program(START + "pocketflow_otel.configure()" + FLOW, OTEL_TRACES_EXPORTER="fiel,file")

    assert done.returncode == 0
    assert done.stderr.startswith(
        "pocketflow-otel: OTEL_TRACES_EXPORTER: unknown exporter 'fiel': did you mean 'file'? There are "
    )
    assert program.span_names() == ["invoke_node Ask", "invoke_workflow Flow"]


def test_none_sets_nothing_up(program):
    check = "from opentelemetry import trace\nprint(type(trace.get_tracer_provider()).__name__)\n"

    done = program(START + "pocketflow_otel.configure()" + FLOW + check, OTEL_TRACES_EXPORTER="none")

    assert (done.returncode, done.stdout, done.stderr) == (0, "ProxyTracerProvider\n", "")


def test_a_provider_of_the_program_s_gets_the_exporters(program):
    provider = """
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider(resource=Resource({"service.name": "mine"}))
trace.set_tracer_provider(mine)
"""

    done = program(
        provider
        + START
        + "pocketflow_otel.configure(exporters=['file', 'console'])"
        + FLOW
        + "print(trace.get_tracer_provider() is mine)"
    )

    assert done.stdout == "True\n"
    assert '{"key": "service.name", "value": {"stringValue": "mine"}}' in json.dumps(program.traces())
    assert done.stderr.count("1 flow, 1 node visit") == 1


def test_everything_reaches_a_collector_before_the_end(program, collector):
    manual = """
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord
metrics.get_meter("m").create_counter("c").add(1)
_logs.get_logger("l").emit(LogRecord(body="said"))
for number in range(3000):
    trace.get_tracer("t").start_span("manual").end()
"""

    done = program(
        START + "pocketflow_otel.configure()" + FLOW + manual,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )

    assert done.returncode == 0
    names = [span.name for span, _ in collector.spans()]
    assert names == ["invoke_node Ask", "invoke_workflow Flow"] + ["manual"] * 3000
    resource = collector.spans()[0][1]
    assert resource["service.name"] == "my_agent"
    assert resource["os.type"] == sys.platform
    assert {"process.runtime.name", "host.name", "service.instance.id", "telemetry.sdk.version"} <= resource.keys()
    assert {path for path, _ in collector.received} == set(REQUESTS)
    assert not (program.state / "last-run.json").exists()


def test_only_traces_are_sent_where_only_traces_have_an_endpoint(program, collector):
    program(
        START + "pocketflow_otel.configure()" + FLOW,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.endpoint}/v1/traces",
    )

    assert {path for path, _ in collector.received} == {"/v1/traces"}
    assert len(collector.spans()) == 2


def test_jaeger_is_an_exporter_by_name(program, collector):
    program(
        START + "pocketflow_otel.configure(exporters=['jaeger'])" + FLOW,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
    )

    assert [span.name for span, _ in collector.spans()] == ["invoke_node Ask", "invoke_workflow Flow"]
    assert {path for path, _ in collector.received} == {"/v1/traces"}


def test_names_from_the_standard_variables_win_over_the_script_s(program, collector):
    text = START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=attributed,team=blue",
    }
    program(text, **environ)
    program(text, **environ, OTEL_SERVICE_NAME="named")

    resources = [resource for span, resource in collector.spans() if span.name.startswith("invoke_workflow")]
    assert [(resource["service.name"], resource["team"]) for resource in resources] == [
        ("attributed", "blue"),
        ("named", "blue"),
    ]


def test_instrumentations_that_are_switched_off_stay_off(program):
    text = (
        START
        + "pocketflow_otel.configure(exporters=['file'])"
        + FLOW
        + ("import threading\nprint(hasattr(threading.Thread.start, '__wrapped__'))\n")
    )

    assert program(text).stdout == "True\n"
    assert program(text, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="x , threading").stdout == "False\n"
    assert len(program.span_names()) == 4
    assert program(text, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="pocketflow").stdout == "True\n"
    assert program(text, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="*").stdout == "False\n"
    assert len(program.span_names()) == 4


def test_an_instrumentation_that_fails_is_told_of_and_costs_nothing_else(program):
    broken = program.directory / "broken"
    (broken / "broken-1.dist-info").mkdir(parents=True)
    (broken / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (broken / "broken-1.dist-info" / "entry_points.txt").write_text(
        "[opentelemetry_instrumentor]\nbroken = broken_instrumentor:Broken\nabsent = absent_library:Absent\n"
    )
    (broken / "broken_instrumentor.py").write_text("raise ValueError('no luck')")

    done = program(START + "pocketflow_otel.configure(exporters=['file'])" + FLOW, PYTHONPATH=str(broken))

    assert done.returncode == 0
    assert done.stderr == ("pocketflow-otel: instrumentation broken: ValueError: no luck; your program goes on\n")
    assert program.span_names() == ["invoke_node Ask", "invoke_workflow Flow"]


def test_what_went_wrong_is_kept_until_a_run_without_trouble(program):
    text = START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW
    done = program(
        text, OTEL_EXPORTER_OTLP_ENDPOINT="http://user:secret@127.0.0.1:1/v1", OTEL_EXPORTER_OTLP_TIMEOUT="5"
    )
    kept = json.loads((program.state / "last-run.json").read_text())

    assert done.stderr == (
        "pocketflow-otel: OTLP to http://127.0.0.1:1: Connection refused, 2 spans dropped; your program goes on\n"
    )
    assert kept["program"] == "my_agent"
    assert kept["problems"]["OTLP to http://127.0.0.1:1"]["dropped"] == 2

    program(START + "pocketflow_otel.configure(exporters=['file'])" + FLOW)
    assert not (program.state / "last-run.json").exists()


def test_random_numbers_stay_the_program_s(program):
    seeded = "import random\nrandom.seed(7)\n"
    draw = FLOW + "print(random.random())\n"

    traced = program(seeded + START + "pocketflow_otel.configure(exporters=['file'])\n" + draw)

    assert traced.stdout == program(seeded + draw).stdout


def test_forked_children_get_ids_of_their_own(program):
    children = """
import os
from opentelemetry import trace
for _ in range(2):
    if os.fork() == 0:
        flow()
        os._exit(0)
    os.wait()
"""
    program(START + "pocketflow_otel.configure(exporters=['file'])" + FLOW + children)

    assert len(list((program.state / "traces").glob("*.jsonl"))) == 3
    assert len(program.span_names()) == 6


def test_a_forked_child_leaves_the_end_to_its_parent(program, collector):
    child = "\nimport os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()\n"

    done = program(
        START + "pocketflow_otel.configure()" + FLOW + child,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )

    assert done.stderr.count("1 flow, 1 node visit") == 1
    assert len(collector.spans()) == 2


@pytest.mark.parametrize("end", ["sys.exit(0)", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_forked_child_sends_what_it_has_at_its_end(program, collector, end):
    child = f"\nimport os, signal, sys\nif os.fork() == 0:\n    flow()\n    {end}\nos.wait()\n"

    done = program(
        START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW + child,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        # Python 3.12 and later warn of forks beside threads.
        PYTHONWARNINGS="ignore::DeprecationWarning",
    )

    assert (done.returncode, done.stderr) == (0, "")
    spans = [span for span, _ in collector.spans()]
    assert [span.name for span in spans] == ["invoke_node Ask", "invoke_workflow Flow"] * 2
    assert len({span.span_id for span in spans}) == 4


def test_what_a_forked_child_lost_is_kept_with_its_parent_s(program):
    child = "\nimport os, sys\nif os.fork() == 0:\n    flow()\n    sys.exit(0)\nos.wait()\nflow()\n"

    program(
        START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW + child,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1/v1",
        OTEL_EXPORTER_OTLP_TIMEOUT="5",
    )

    kept = json.loads((program.state / "last-run.json").read_text())
    assert kept["problems"]["OTLP to http://127.0.0.1:1"]["dropped"] == 6


def test_a_termination_is_remembered_too(program):
    text = START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW + TERMINATED.format(before="")

    program(text, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="5")

    kept = json.loads((program.state / "last-run.json").read_text())
    assert kept["problems"]["OTLP to http://127.0.0.1:1"]["dropped"] == 2


TERMINATED = """
import os, signal
{before}
os.kill(os.getpid(), signal.SIGTERM)
print("still here")
"""


def test_a_termination_sends_the_rest_and_ends_the_program_as_before(program, collector):
    text = START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW + TERMINATED.format(before="")

    done = program(text, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")

    assert (done.returncode, done.stdout, done.stderr) == (-15, "", "")
    assert len(collector.spans()) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_program_s_decides(program, collector, when):
    handler = "import signal\nsignal.signal(signal.SIGTERM, lambda number, frame: print('mine'))\n"
    configure = START + "pocketflow_otel.configure(exporters=['otlp'])\n"
    text = (handler + configure if when == "before" else configure + handler) + FLOW + TERMINATED.format(before="")

    done = program(text, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")

    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\nstill here\n", "")
    assert len(collector.spans()) == 2


def test_a_termination_with_a_dead_collector_is_one(program):
    text = START + "pocketflow_otel.configure(exporters=['otlp'])" + FLOW + TERMINATED.format(before="")

    done = program(text, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="5")

    assert (done.returncode, done.stdout) == (-15, "")
    assert len(done.stderr.splitlines()) == 1


def test_signals_are_left_alone_where_nothing_waits_to_be_sent(program):
    text = START + "pocketflow_otel.configure(exporters=['file'])\nimport signal\nprint(signal.getsignal(15).name)"

    assert program(text).stdout == "SIG_DFL\n"
