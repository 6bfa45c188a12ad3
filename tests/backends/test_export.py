"""Exported files and a real Jaeger: the same trace as it answers itself, and uploads as its pages make them."""

import json
import secrets
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from backends.jaeger import Jaeger
from backends.servers import wait_until
from e2e.processes import SCRIPTS, Programs
from pocketflow_otel.traces.formats import Format, render
from pocketflow_otel.traces.reader import read_trace
from traces.formats.documents import documents, saved

NAMES = ("agent_with_tools", "map_reduce", "nested_flows", "async_parallel")
EACH = pytest.mark.parametrize("name", NAMES)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
JSON = "application/json"


def post(url: str, body: bytes) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": JSON})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read()


def said(kind: str, value: Any) -> Any:
    """What the value of a tag says: Go writes numbers, and JSON inside of text, otherwise than Python."""
    if kind == "float64":
        return float(value) + 0.0  # Jaeger's zeros have no sign
    try:
        return json.loads(value, parse_int=float) if kind == "string" and value[:1] in ("[", "{") else value
    except ValueError:
        return value


def tags(listed: list[dict[str, Any]]) -> list[str]:
    return sorted(
        json.dumps([tag["key"], tag["type"], said(tag["type"], tag["value"])], sort_keys=True) for tag in listed
    )


def warnings(given: list[str] | None) -> list[str]:
    """Warnings, but for those of clocks that differ, which Jaeger looks for when it is asked for a trace."""
    return [warning for warning in given or [] if "clock skew" not in warning]


def comparable(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace as Jaeger's pages get it, with nothing left to the order in which things come."""
    processes = {
        name: {"serviceName": process["serviceName"], "tags": tags(process["tags"])}
        for name, process in trace["processes"].items()
    }
    spans = {
        span["spanID"]: {
            **span,
            "tags": tags(span["tags"]),
            "logs": sorted([log["timestamp"], tags(log["fields"])] for log in span["logs"]),
            "references": sorted(map(sorted, map(dict.items, span["references"]))),
            "processID": processes[span["processID"]],
            "warnings": warnings(span["warnings"]),
        }
        for span in trace["spans"]
    }
    return {**trace, "spans": spans, "processes": sorted(processes.values(), key=str)}


def of_jaeger(the_jaeger: Jaeger, trace_id: str, count: int) -> dict[str, Any]:
    """What Jaeger's pages get of a trace, once it has all its spans."""
    found: dict[str, Any] = {}

    def arrived() -> bool:
        try:
            found.update(the_jaeger.page_data(trace_id))
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False
        return len(found["spans"]) == count

    wait_until(arrived)
    return comparable(found)


def exported(text: str) -> dict[str, Any]:
    (trace,) = json.loads(text)["data"]
    return comparable(trace)


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a trace id of the same length that Jaeger does not have yet."""
    (trace_id,) = {
        span["traceId"]
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    new = secrets.token_hex(len(trace_id.removeprefix("0" * 16)) // 2).rjust(32, "0")
    return json.loads(json.dumps(document).replace(trace_id, new))


# Jaeger says of spans without a length that their duration is negative, and no file of ours repeats that.
def lengthened(document: dict[str, Any]) -> dict[str, Any]:
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                span["startTimeUnixNano"] = str(int(span["startTimeUnixNano"]) - 1)
    return document


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(document=documents().map(lengthened))
def test_jaeger_export_is_what_jaeger_answers(the_jaeger, document):
    one = saved(renamed(document))
    post(f"http://{the_jaeger.http}/v1/traces", one.source)
    (trace,) = one.traces
    assert exported(render(Format.JAEGER, [one])) == of_jaeger(the_jaeger, trace.trace_id, len(trace.spans))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trace files of examples, by their names."""
    found = {}
    for name in NAMES:
        programs = Programs(tmp_path_factory.mktemp(name))
        assert programs.run("--quiet", str(EXAMPLES / f"{name}.py")).status == 0
        (found[name],) = programs.traces.glob("*.jsonl")
    return found


def exported_by_command(file: Path, form: str) -> str:
    command = [SCRIPTS / "pocketflow-otel", "export", file, "--format", form]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    assert outcome.stderr == ""
    return outcome.stdout


@EACH
def test_jaeger_export_of_an_example_is_what_jaeger_answers(the_jaeger, files, name):
    trace = read_trace(files[name])
    for line in files[name].read_bytes().splitlines():
        post(f"http://{the_jaeger.http}/v1/traces", line)
    found = of_jaeger(the_jaeger, trace.trace_id, len(trace.spans))
    assert exported(exported_by_command(files[name], "jaeger")) == found


def uploaded(the_jaeger: Jaeger, content: str) -> dict[str, Any]:
    """What Jaeger's pages show of an uploaded file.

    They do what `readJsonFile` does, in packages/jaeger-ui/src/utils/readJsonFile.tsx of jaegertracing/jaeger-ui: what
    is one JSON document is taken as it is, lines are merged, and OTLP is translated by Jaeger.
    """
    try:
        document = json.loads(content)
    except ValueError:
        lines = [json.loads(line) for line in content.split("\n") if line.strip()]
        document = {"resourceSpans": [spans for line in lines for spans in line["resourceSpans"]]}
    if "resourceSpans" in document:
        document = json.loads(post(f"{the_jaeger.query}/api/transform", json.dumps(document).encode()))
    (trace,) = document["data"]
    return comparable(trace)


@EACH
def test_uploads_show_the_same_whether_unchanged_or_exported(the_jaeger, files, name):
    unchanged = uploaded(the_jaeger, files[name].read_text(encoding="utf-8"))
    assert len(unchanged["spans"]) == len(read_trace(files[name]).spans)
    assert uploaded(the_jaeger, exported_by_command(files[name], "otlp")) == unchanged
    assert uploaded(the_jaeger, exported_by_command(files[name], "jaeger")) == unchanged


@EACH
def test_otlp_export_is_stored_whole_in_one_request(the_jaeger, files, name):
    trace = read_trace(files[name])
    new = secrets.token_hex(16)
    post(
        f"http://{the_jaeger.http}/v1/traces",
        exported_by_command(files[name], "otlp").replace(trace.trace_id, new).encode(),
    )
    stored = the_jaeger.spans(new, len(trace.spans))
    assert {span.span_id: span.attributes for span in stored} == {span.span_id: span.attributes for span in trace.spans}
