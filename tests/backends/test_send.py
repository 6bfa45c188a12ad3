"""Saved traces sent to real backends are there as they were saved."""

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends import rotel
from backends.collector import collecting
from backends.comparing import Plain, spans_in, written
from backends.jaeger import Jaeger
from backends.needed import program
from e2e.processes import SCRIPTS, Programs

PROTOCOLS = ("grpc", "http/protobuf", "http/json")
BACKENDS = ("jaeger", "collector", "rotel")
DEMO, ALL = "the demo", "all a span can have"
# What rotel makes of a double in JSON differs from it in the last digit, now and then.
CASES = [
    (backend, content, protocol)
    for backend in BACKENDS
    for content in (DEMO, ALL)
    for protocol in PROTOCOLS
    if (backend, content, protocol) != ("rotel", DEMO, "http/json")
]

Addresses = Callable[[str], str]

_LINKED = {"traceId": "ab" * 16, "spanId": "cd" * 8, "traceState": "k=v"}
_VALUES = {
    "text": {"stringValue": "Grüße, 世界 🎉\n"},
    "empty": {"stringValue": ""},
    "true": {"boolValue": True},
    "integer": {"intValue": str(-(2**63))},
    "double": {"doubleValue": 0.1},
    "bytes": {"bytesValue": "AAH/"},
    "list": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}},
}
_ATTRIBUTES = [{"key": key, "value": value} for key, value in _VALUES.items()]


def everything(trace_id: str) -> Plain:
    """A request in which a span has all that a span can have."""
    span = {
        "traceId": trace_id,
        "spanId": "00f067aa0ba902b7",
        "traceState": "vendor=1",
        "name": "all of it",
        "kind": 3,
        "startTimeUnixNano": "1767225600123456789",
        "endTimeUnixNano": "1767225601987654321",
        "attributes": _ATTRIBUTES,
        "events": [{"timeUnixNano": "1767225600500000001", "name": "event", "attributes": _ATTRIBUTES}],
        "links": [{**_LINKED, "attributes": _ATTRIBUTES}],
        "status": {"code": 2, "message": "no way"},
    }
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [*_ATTRIBUTES, {"key": "service.name", "value": {"stringValue": "all"}}]},
                "scopeSpans": [
                    {"scope": {"name": "lib", "version": "1.2", "attributes": _ATTRIBUTES}, "spans": [span]}
                ],
            }
        ]
    }


def large(trace_id: str, *sizes: int) -> str:
    """A line for each of some spans, with an attribute of so many bytes."""
    return "".join(
        json.dumps(
            {
                "resourceSpans": [
                    {
                        "scopeSpans": [
                            {
                                "spans": [
                                    {
                                        "traceId": trace_id,
                                        "spanId": f"{number:016x}",
                                        "name": str(size),
                                        "startTimeUnixNano": "1767225600000000000",
                                        "endTimeUnixNano": "1767225601000000000",
                                        "attributes": [{"key": "k", "value": {"stringValue": "x" * size}}],
                                    }
                                ]
                            }
                        ]
                    }
                ]
            }
        )
        + "\n"
        for number, size in enumerate(sizes, 1)
    )


@pytest.fixture(scope="module")
def backend(request, the_jaeger: Jaeger, tmp_path_factory) -> Iterator[Addresses]:
    """Where a backend takes a protocol; what it gets goes on to the Jaeger."""
    name, directory = request.param, tmp_path_factory.mktemp(request.param)

    def addresses(grpc: str, http: str) -> Addresses:
        return lambda protocol: grpc if protocol == "grpc" else http

    if name == "jaeger":
        yield addresses(the_jaeger.grpc, the_jaeger.http)
    elif name == "rotel":
        with rotel.passing_on(program("rotel"), the_jaeger.grpc, directory) as one:
            yield addresses(one.grpc, one.http)
    else:
        with collecting(program("collector"), "jaeger.yaml", directory, JAEGER_ENDPOINT=the_jaeger.grpc) as one:
            yield addresses(one.grpc, one.http)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> str:
    """The demo's trace, as its file has it."""
    programs = Programs(tmp_path_factory.mktemp("demo"))
    outcome = programs.finish(str(SCRIPTS / "pocketflow-otel"), "demo", "--quiet", OTEL_TRACES_EXPORTER="")
    assert outcome.status == 0, outcome
    (file,) = programs.traces.glob("*.jsonl")
    return file.read_text(encoding="utf-8").replace(file.stem, "{id}")


def send(file: Path, endpoint: str, protocol: str) -> Plain:
    """Sends a file, and returns the counts."""
    command = [SCRIPTS / "pocketflow-otel", "send", file, "--endpoint", endpoint, "--protocol", protocol, "--json"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    counts = json.loads(done.stdout)
    assert done.returncode == counts["exit_code"]
    return counts


@pytest.mark.parametrize(("backend", "content", "protocol"), CASES, indirect=["backend"], scope="module")
def test_what_was_saved_arrives(backend, the_jaeger: Jaeger, demo: str, tmp_path: Path, protocol: str, content: str):
    trace_id = uuid.uuid4().hex
    file = tmp_path / "trace.jsonl"
    text = demo.replace("{id}", trace_id) if content == DEMO else json.dumps(everything(trace_id))
    file.write_text(text, encoding="utf-8")
    wanted = written(file)

    counts = send(file, backend(protocol), protocol)

    assert (counts["accepted"], counts["refused"], counts["not_sent"]) == (len(wanted), 0, 0)
    assert spans_in([the_jaeger.document(trace_id, len(wanted))]) == wanted


@pytest.mark.parametrize("backend", ["rotel"], indirect=True)
def test_a_span_beyond_what_a_server_takes_is_refused_and_the_others_arrive(
    backend, the_jaeger: Jaeger, tmp_path: Path
):
    trace_id = uuid.uuid4().hex
    file = tmp_path / "trace.jsonl"
    file.write_text(large(trace_id, 1_000_000, 5_000_000, 2_000_000, 1), encoding="utf-8")

    counts = send(file, backend("grpc"), "grpc")

    assert (counts["accepted"], counts["refused"], counts["not_sent"]) == (3, 1, 0)
    (reason,) = counts["refused_for"]
    assert "message length too large" in reason
    assert {span.name for span in the_jaeger.spans(trace_id, 3)} == {"1000000", "2000000", "1"}
