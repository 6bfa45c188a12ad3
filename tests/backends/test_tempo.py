"""Traces go through the Collector to a real Tempo, and are there as they were made, long attributes and all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import tempo
from backends.collector import collecting
from backends.comparing import Plain, spans_in, written
from backends.needed import program
from backends.tempo import Tempo
from e2e.processes import SCRIPTS, Programs

LONG = """
from pocketflow import Flow, Node

class Write(Node):
    def exec(self, prepared):
        return "é" * 100_000

    def post(self, shared, prepared, result):
        shared["text"] = result

Flow(Write()).run({})
"""


@pytest.fixture(scope="module")
def the_tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tempo]:
    with tempo.storing(program("tempo"), tmp_path_factory.mktemp("tempo")) as one:
        yield one


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    programs = Programs(tmp_path)
    programs.environ["OTEL_TRACES_EXPORTER"] = "file,otlp"
    return programs


def kept(path: Path) -> dict[str, Plain]:
    """The spans of a file as this version of Tempo keeps them: OTLP's flags are younger than it is."""
    return {
        span_id: {name: value for name, value in span.items() if name != "flags"}
        for span_id, span in written(path).items()
    }


def assert_arrived(the_tempo: Tempo, programs: Programs) -> None:
    (file,) = programs.traces.glob("*.jsonl")
    spans = kept(file)
    assert spans_in([the_tempo.document(file.stem, len(spans))]) == spans


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_demo(programs, tmp_path, collector_program, the_tempo, protocol):
    with collecting(collector_program, "tempo.yaml", tmp_path, TEMPO_ENDPOINT=the_tempo.grpc) as collector:
        endpoint = collector.grpc if protocol == "grpc" else collector.http
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        outcome = programs.finish(str(SCRIPTS / "pocketflow-otel"), "demo", **variables)
        assert outcome.status == 0, outcome
        assert_arrived(the_tempo, programs)


def test_an_attribute_of_200_kilobytes(programs, the_tempo):
    programs.write("long.py", LONG)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{the_tempo.grpc}",
        "OTEL_PYTHON_POCKETFLOW_MAX_VALUE_BYTES": "300000",
        "OTEL_PYTHON_POCKETFLOW_CAPTURE_VALUES": "true",
    }
    assert programs.python("-m", "pocketflow_otel.cli", "run", "long.py", **variables).status == 0
    (file,) = programs.traces.glob("*.jsonl")
    assert file.stat().st_size > 200_000
    assert_arrived(the_tempo, programs)
