"""Traces go through a real Collector, its configuration as it stands, to a real Jaeger, and are there as made."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from backends.collector import CONFIGS, collecting
from backends.comparing import Plain, spans_in, written
from backends.jaeger import Jaeger
from backends.servers import free_port, wait_until
from e2e.examples import CASES, EXAMPLES
from e2e.processes import Programs
from pocketflow_otel.traces.reader import Trace, read_traces

GRPC, HTTP = "grpc", "http/protobuf"

Through = Callable[[str], object]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@contextmanager
def to_jaeger(program: Path, config: str, directory: Path, jaeger: Jaeger) -> Iterator[dict[str, str]]:
    """Runs the Collectors that a configuration needs on the way to Jaeger; gives the endpoint for each protocol."""
    with ExitStack() as stack:
        if config == "file.yaml":
            written_to = directory / "otlp"
            variables = {"OTLP_FILES": str(written_to)}
            replay = {"TRACE_FILES": str(written_to / "traces.jsonl"), "JAEGER_ENDPOINT": jaeger.grpc}
            (directory / "replay").mkdir()
            stack.enter_context(collecting(program, "replay.yaml", directory / "replay", receives=False, **replay))
        else:
            variables = {f"{config.removesuffix('.yaml').upper()}_ENDPOINT": jaeger.grpc}
        collector = stack.enter_context(collecting(program, config, directory, **variables))
        yield {GRPC: collector.grpc, HTTP: collector.http}


def demo(programs: Programs, protocol: str, endpoint: str) -> Path:
    """Runs the demo, which writes a file too; returns that."""
    command = [str(Path(sys.executable).with_name("pocketflow-otel")), "demo"]
    programs.environ.pop("OTEL_TRACES_EXPORTER")
    outcome = programs.finish(*command, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    assert outcome.status == 0, outcome
    (file,) = programs.traces.glob("*.jsonl")
    return file


def arrived(jaeger: Jaeger, file: Path) -> dict[str, Plain]:
    return spans_in([jaeger.document(file.stem, len(written(file)))])


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize("config", ["jaeger.yaml", "tempo.yaml", "file.yaml"])
def test_the_demo_arrives_as_it_was(programs, tmp_path, collector_program, the_jaeger, config, protocol):
    with to_jaeger(collector_program, config, tmp_path, the_jaeger) as endpoints:
        file = demo(programs, protocol, endpoints[protocol])
        assert arrived(the_jaeger, file) == written(file)


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_the_demo_arrives_by_llm_yaml_with_long_values_cut_and_all_else_as_it_was(
    programs, tmp_path, collector_program, the_jaeger, protocol
):
    longest = 64
    variables = {
        "JAEGER_ENDPOINT": the_jaeger.grpc,
        "PROMETHEUS_ENDPOINT": f"127.0.0.1:{free_port()}",
        "KEEP_PERCENTAGE": "100",
        "AFTER_ROOT": "100ms",
        "MAX_VALUE_BYTES": str(longest),
    }
    programs.environ["OTEL_PYTHON_POCKETFLOW_CAPTURE_VALUES"] = "true"
    with collecting(collector_program, "llm.yaml", tmp_path, **variables) as collector:
        file = demo(programs, protocol, collector.grpc if protocol == GRPC else collector.http)
        stored, made = arrived(the_jaeger, file), written(file)

    cut = {
        (span_id, name): (value, stored[span_id]["attributes"][name])
        for span_id, span in made.items()
        for name, value in span["attributes"].items()
        if stored[span_id]["attributes"][name] != value
    }
    assert len(cut) > 10
    for value, left in cut.values():
        assert len(value.encode()) > longest
        assert left.endswith("…[cut]")
        assert value.startswith(left.removesuffix("…[cut]"))
    for (span_id, name), (value, _) in cut.items():
        stored[span_id]["attributes"][name] = value
    assert stored == made


def test_the_demo_has_all_that_is_to_be_kept(programs):
    """So that the comparison with what arrived means something."""
    file = demo(programs, HTTP, "http://127.0.0.1:1")
    spans = list(written(file).values())
    assert {name for span in spans for name in span} >= {"parentSpanId", "events", "status", "attributes", "flags"}
    assert len(spans) > 10


def test_files_of_ours_are_replayed_as_they_are(programs, tmp_path, collector_program, the_jaeger):
    programs.run(str(EXAMPLES / "threads.py"))
    programs.run(str(EXAMPLES / "nested_flows.py"))
    variables = {"TRACE_FILES": f"{programs.traces}/*.jsonl", "JAEGER_ENDPOINT": the_jaeger.grpc}
    files = list(programs.traces.glob("*.jsonl"))
    assert len(files) == 4
    with collecting(collector_program, "replay.yaml", tmp_path, receives=False, **variables):
        for file in files:
            assert arrived(the_jaeger, file) == written(file)


def test_files_of_the_collector_outlive_it_and_are_read_by_us(programs, tmp_path, collector_program):
    files = tmp_path / "otlp"
    for _ in range(2):
        with collecting(collector_program, "file.yaml", tmp_path, OTLP_FILES=str(files)) as collector:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.grpc, "OTEL_TRACES_EXPORTER": "otlp,file"}
            programs.run(str(EXAMPLES / "map_reduce.py"), OTEL_METRICS_EXPORTER="otlp", **variables)
    ours = {span_id: span for file in programs.traces.glob("*.jsonl") for span_id, span in written(file).items()}
    assert written(files / "traces.jsonl") == ours
    read = read_traces(files / "traces.jsonl")
    assert [len(trace.spans) for trace in read] == [len(trace.spans) for trace in programs.read()]
    assert {path.name for path in files.iterdir()} == {"traces.jsonl", "metrics.jsonl"}
    assert files.stat().st_mode & 0o777 == 0o700


BIG = """
import sys
from pocketflow import Flow, Node

class Write(Node):
    def post(self, shared, prepared, result):
        for number in range(int(sys.argv[1])):
            shared[f"text{shared['visits']}-{number}"] = chr(97 + number) * 300_000
        shared["visits"] += 1
        return "again" if shared["visits"] < int(sys.argv[2]) else "done"

write = Write()
write - "again" >> write
Flow(write).run({"visits": 0})
"""


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize(
    ("texts", "visits", "limit"),
    [pytest.param(3, 15, "", id="many-spans"), pytest.param(20, 1, "60000000", id="one-span")],
)
def test_more_than_a_message_of_grpc_arrives(
    programs, tmp_path, collector_program, the_jaeger, protocol, texts, visits, limit
):
    programs.write("big.py", BIG)
    variables = {
        "OTEL_TRACES_EXPORTER": "otlp,file",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_PYTHON_POCKETFLOW_MAX_VALUE_BYTES": "400000",
        "OTEL_PYTHON_POCKETFLOW_CAPTURE_VALUES": "true",
    }
    message = {"MAX_MESSAGE_BYTES": limit} if limit else {}
    with collecting(
        collector_program, "jaeger.yaml", tmp_path, JAEGER_ENDPOINT=the_jaeger.grpc, **message
    ) as collector:
        endpoint = collector.grpc if protocol == GRPC else collector.http
        programs.run("big.py", str(texts), str(visits), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables)
        (file,) = programs.traces.glob("*.jsonl")
        assert file.stat().st_size > 6_000_000
        assert arrived(the_jaeger, file) == written(file)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_examples_arrive_under_opentelemetry_instrument(programs, tmp_path, collector_program, the_jaeger, case):
    with to_jaeger(collector_program, "jaeger.yaml", tmp_path, the_jaeger) as endpoints:
        for name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"):
            programs.environ.pop(name)
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoints[GRPC],
            "OTEL_PYTHON_POCKETFLOW_STORE_DEPTH": "4",
            "OTEL_SERVICE_NAME": (service := f"example-{tmp_path.name}-{os.getpid()}"),
        }
        outcome = programs.instrument(str(EXAMPLES / f"{case.example}.py"), stdin=case.stdin, **variables)
        plain = programs.python(str(EXAMPLES / f"{case.example}.py"), stdin=case.stdin)
        assert (outcome.seen, outcome.stderr) == (plain.seen, plain.stderr)

        def traces() -> list[Trace]:
            ids = the_jaeger.trace_ids(service)
            return [Trace(trace_id, the_jaeger.spans(trace_id, 1)) for trace_id in ids]

        wait_until(lambda: case.outlines_of(traces()) == case.expected)
        assert case.usage_in(traces()) == case.expected_usage


def test_every_configuration_is_started_by_a_test():
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in CONFIGS.glob("*.yaml") if f'"{path.name}"' not in tests] == []


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_defaults_are_enough(path, collector_program):
    environ = {name: value for name, value in os.environ.items() if not name.endswith(("_ENDPOINT", "_FILES"))}
    checked = subprocess.run(
        [collector_program, "validate", "--config", path], env=environ, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
