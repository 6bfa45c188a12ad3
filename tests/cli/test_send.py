"""``pocketflow-otel send`` as a user meets it."""

import json
import re
import shlex
import signal

import pytest

from cli.conftest import COMMAND
from docs import console
from e2e import troublemakers
from pocketflow_otel.cli import progress
from pocketflow_otel.cli.app import app
from sending.scripted import GRPC, HTTP, JSON, Reply, over_grpc, over_http, serving, spans_in

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPANS = 2
"""In the trace of the program `flow`."""


@pytest.fixture
def traced(shell, flow):
    """A shell where one trace is saved."""
    shell.write("flow.py", flow)
    assert shell.run("flow.py").status == 0
    return shell


@pytest.fixture
def nobody():
    """The URL of a port that nothing listens on."""
    with troublemakers.nobody() as one:
        yield one.endpoint


def raw(*span_ids, **fields):
    spans = [{"traceId": TRACE, "spanId": span_id, **fields} for span_id in span_ids]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n"


def names(server):
    return [
        span.name
        for request in server.requests
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


@pytest.mark.parametrize("protocol", [HTTP, JSON, GRPC])
def test_the_last_trace_is_sent(traced, protocol):
    with serving(protocol) as server:
        outcome = traced.pocketflow_otel("send", "last", "--endpoint", server.endpoint, "--protocol", protocol)
    path = "" if protocol == GRPC else "/v1/traces"
    assert outcome.stderr == f"pocketflow-otel: 2 spans accepted: {protocol} to {server.endpoint}{path}\n"
    assert (outcome.stdout, outcome.status) == ("", 0)
    assert names(server) == ["invoke_node Ask", "invoke_workflow Flow"]


def test_counts_as_json(traced):
    with over_http() as server:
        outcome = traced.pocketflow_otel("send", "last", "last", "--endpoint", server.endpoint, "--json")
    assert json.loads(outcome.stdout) == {
        "endpoint": f"{server.endpoint}/v1/traces",
        "protocol": HTTP,
        "exit_code": 0,
        "read": SPANS,
        "accepted": SPANS,
        "refused": 0,
        "not_sent": 0,
        "unfinished": 0,
        "duplicates": SPANS,
        "torn_lines": 0,
        "unreadable": [],
        "left_out": [],
        "requests": 1,
        "refused_for": {},
        "not_sent_for": {},
        "warnings": {},
    }
    assert (outcome.stderr, outcome.status) == ("", 0)


def test_a_trace_comes_from_standard_input(shell):
    with over_http() as server:
        outcome = shell.pocketflow_otel("send", "-", "--endpoint", server.endpoint, stdin=raw("1" * 16, name="piped"))
    assert (names(server), outcome.status) == (["piped"], 0)


def test_the_variables_say_where_to(traced):
    with over_http() as server:
        traced.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = server.endpoint
        traced.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = JSON
        traced.environ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-team=search"
        assert traced.pocketflow_otel("send", "last", "--header", "x-more=yes").status == 0
    (headers,) = server.headers
    assert (headers["content-type"], headers["x-team"], headers["x-more"]) == ("application/json", "search", "yes")


def test_what_is_left_out_is_told(shell):
    file = shell.write(
        f"{TRACE}.jsonl",
        raw("1" * 16)
        + raw("1" * 16)
        + '{"resourceSpans":[{"sco\n'
        + '{"resourceLogs": [{}], "resourceMetrics": [{}]}\n',
    )
    opened = {"traceId": TRACE, "parentSpanId": "", "name": "open", "startTimeUnixNano": "1", "attributes": {}}
    entries = [{**opened, "spanId": span_id} for span_id in ("1" * 16, "2" * 16, "3" * 16)]
    shell.write(f"{TRACE}.1.open", "".join(json.dumps(entry) + "\n" for entry in entries))
    with over_http() as server:
        outcome = shell.pocketflow_otel("send", str(file), "--endpoint", server.endpoint)
    assert outcome.status == 0
    assert outcome.stderr.splitlines() == [
        f"pocketflow-otel: 1 span accepted: http/protobuf to {server.endpoint}/v1/traces",
        "  left out: 2 spans that are still open",
        "  left out: 1 span that stands in the files twice",
        "  left out: 1 torn line",
        "  left out: logs and metrics; only spans are sent",
    ]
    assert len(spans_in(server.requests[0])) == 1


def test_refused_spans_are_told(traced):
    with over_http(lambda _: Reply(400, b"not today")) as server:
        outcome = traced.pocketflow_otel("send", "last", "--endpoint", server.endpoint)
    assert outcome.status == 1
    assert outcome.stderr.splitlines() == [
        f"pocketflow-otel: 0 spans accepted, 2 refused: http/protobuf to {server.endpoint}/v1/traces",
        "  2 refused: HTTP 400 Bad Request: not today",
    ]


def test_a_server_that_is_not_there_is_told(traced, nobody):
    outcome = traced.pocketflow_otel("send", "last", "--endpoint", nobody, "--retry-seconds", "0")
    assert outcome.status == 1
    assert outcome.stderr.splitlines() == [
        f"pocketflow-otel: 0 spans accepted, 2 not sent: http/protobuf to {nobody}/v1/traces",
        "  2 not sent: Connection refused",
    ]


def test_an_interrupted_send_tells_what_it_came_to(traced, nobody):
    process = traced.start(*COMMAND, "send", "last", "--endpoint", nobody)
    try:
        first = process.stderr.readline()
        assert first.startswith("pocketflow-otel: Connection refused; trying again in ")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (stdout, process.returncode) == ("", 130)
    assert stderr.splitlines() == [
        f"pocketflow-otel: 0 spans accepted, 2 not sent: http/protobuf to {nobody}/v1/traces",
        "  2 not sent: interrupted",
    ]


def test_what_stands_around_a_place_that_is_no_otlp_is_sent(shell):
    file = shell.write("spans.jsonl", raw("1" * 16) + '{"level": "info"}\n')
    other = shell.write("other.jsonl", raw("2" * 16))
    with over_http() as server:
        outcome = shell.pocketflow_otel("send", str(file), str(other), "--endpoint", server.endpoint)
    assert outcome.status == 2
    assert outcome.stderr.splitlines() == [
        f"pocketflow-otel: {file}:2: expected OTLP JSON: an object with resourceSpans",
        f"pocketflow-otel: 2 spans accepted: http/protobuf to {server.endpoint}/v1/traces",
    ]


def test_a_trace_of_which_no_span_has_ended_is_told(shell):
    entry = {"traceId": TRACE, "spanId": "1" * 16, "parentSpanId": "", "name": "open"}
    entry |= {"startTimeUnixNano": "1", "attributes": {}}
    shell.write(f"traces/{TRACE}.1.open", json.dumps(entry) + "\n")
    with over_http() as server:
        outcome = shell.pocketflow_otel("send", "last", "--trace-dir", "traces", "--endpoint", server.endpoint)
    assert (outcome.status, server.requests) == (0, [])
    assert outcome.stderr.splitlines()[1:] == [
        "  no span that has ended was found",
        "  left out: 1 span that is still open",
    ]


def test_a_file_without_spans_is_told(shell):
    file = shell.write("empty.jsonl", "{}\n")
    with over_http() as server:
        outcome = shell.pocketflow_otel("send", str(file), "--endpoint", server.endpoint)
    assert (outcome.status, server.requests) == (0, [])
    assert outcome.stderr.splitlines()[1:] == ["  no span that has ended was found"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Missing argument 'TRACE"),
        (("no-such-trace",), "no such file, and no trace in"),
        (("last", "--endpoint", "ftp://host"), "endpoint 'ftp://host': expected http://HOST:PORT"),
        (("last", "--header", "nonsense"), "header 'nonsense': expected NAME=VALUE"),
        (("last", "--protocol", "pigeon"), "'pigeon' is not one of 'grpc', 'http/protobuf', 'http/json'"),
    ],
)
def test_a_command_line_that_makes_no_sense_sends_nothing(traced, arguments, told):
    traced.environ["COLUMNS"] = "300"
    outcome = traced.pocketflow_otel("send", *arguments)
    assert (outcome.stdout, outcome.status) == ("", 2)
    assert told in outcome.stderr


def test_sending_loads_no_instrumentation_and_no_sdk(traced):
    with over_grpc() as server:
        outcome = traced.python(
            "-c",
            "import atexit, sys\n"
            "from pocketflow_otel.cli.app import app\n"
            "names = ('opentelemetry.sdk', 'opentelemetry.trace', 'wrapt', 'pocketflow')\n"
            "atexit.register(lambda: print([name for name in names if name in sys.modules]))\n"
            f"app(['send', 'last', '--endpoint', '{server.endpoint}', '--protocol', 'grpc'])\n",
        )
    assert (outcome.stdout, outcome.status) == ("[]\n", 0)


def test_help_loads_nothing_that_sends(shell):
    # Measuring coverage loads some of it.
    shell.environ = {name: value for name, value in shell.environ.items() if not name.startswith("COVERAGE_")}
    outcome = shell.python(
        "-c",
        "import atexit, sys\n"
        "from pocketflow_otel.cli.app import app\n"
        "names = ('grpc', 'requests', 'google.protobuf', 'sqlite3')\n"
        "atexit.register(lambda: print([name for name in names if name in sys.modules]))\n"
        "app(['send', '--help'])\n",
    )
    assert outcome.stdout.splitlines()[-1] == "[]"


MANY = 3_000


def many_spans():
    return raw(*(f"{number:016x}" for number in range(1, MANY + 1)), name="many")


def test_a_terminal_shows_a_bar_and_leaves_the_outcome(shell):
    shell.write("many.jsonl", many_spans())
    with over_http() as server:
        command = shlex.join([*COMMAND, "send", "many.jsonl", "--endpoint", server.endpoint])
        shown = console.on_terminal(command, shell.directory, shell.environ)
    drawn = [line for line in re.split(r"[\r\n]+", shown) if "━" in line]
    assert "3,000 spans accepted" in drawn[-1]
    assert shown.splitlines()[-1].endswith(
        f"pocketflow-otel: 3,000 spans accepted: {HTTP} to {server.endpoint}/v1/traces"
    )


def test_elsewhere_a_line_tells_from_time_to_time_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0)
    file = tmp_path / "many.jsonl"
    file.write_text(many_spans(), encoding="utf-8")
    with over_http() as server, pytest.raises(SystemExit) as ended:
        app(["send", str(file), "--endpoint", server.endpoint])
    *lines, outcome = capsys.readouterr().err.splitlines()
    assert ended.value.code == 0
    assert lines == [
        f"pocketflow-otel: {spans} spans accepted, 100% of the files read" for spans in ("1,000", "2,000", "3,000")
    ]
    assert outcome.startswith("pocketflow-otel: 3,000 spans accepted: ")
