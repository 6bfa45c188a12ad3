"""Where commands read and write: pipes, and streams that are closed or full."""

import json
import os
import shlex
import threading

import pytest

from cli.conftest import COMMAND
from sending.scripted import over_http

SPAN = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "span", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
SPANS = {"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}
EXPORT = ("export", "spans.jsonl", "--format", "otlp")


@pytest.fixture
def saved(shell):
    """A shell where the file ``spans.jsonl`` holds one span."""
    shell.write("spans.jsonl", json.dumps(SPANS) + "\n")
    return shell


@pytest.fixture
def server():
    with over_http() as one:
        yield one


def redirected(shell, redirection, *arguments):
    """Runs a command with one of its streams redirected by a shell."""
    with shell.start("sh", "-c", f"{shlex.join([*COMMAND, *arguments])} {redirection}") as process:
        stdout, stderr = process.communicate()
    assert "Traceback" not in stderr
    return stdout, stderr, process.returncode


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"], ids=["closed", "full"])
def test_a_command_does_the_same_where_nobody_can_be_told(saved, server, redirection):
    assert redirected(saved, redirection, "send", "spans.jsonl", "--endpoint", server.endpoint) == ("", "", 0)
    assert server.sizes == [1]
    assert redirected(saved, redirection, *EXPORT, "-o", "out.json")[2] == 0
    assert "aaaa" in (saved.directory / "out.json").read_text()


@pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
def test_what_cannot_be_written_is_told_by_the_exit_code(saved, server, redirection, why):
    assert redirected(saved, redirection, *EXPORT) == ("", f"pocketflow-otel: cannot write -: {why}\n", 1)
    sent = redirected(saved, redirection, "send", "spans.jsonl", "--endpoint", server.endpoint, "--json")
    assert sent == ("", f"pocketflow-otel: cannot write the counts: {why}\n", 1)
    assert server.sizes == [1]


def test_a_closed_standard_input_is_told(saved):
    _, stderr, status = redirected(saved, "<&-", "export", "-", "--format", "otlp")
    assert (status, "standard input is closed" in stderr) == (2, True)


def test_a_named_pipe_is_read(saved, server):
    pipe = saved.directory / "pipe"
    os.mkfifo(pipe)
    for arguments in (["send", "pipe", "--endpoint", server.endpoint], ["export", "pipe", "--format", "otlp"]):
        writer = threading.Thread(target=pipe.write_text, args=(json.dumps(SPANS, indent=2),))
        writer.start()
        assert saved.pocketflow_otel(*arguments).status == 0
        writer.join()
    assert server.sizes == [1]


def test_standard_input_may_be_named_as_a_file(saved, server):
    outcome = saved.pocketflow_otel("send", "/dev/stdin", "--endpoint", server.endpoint, stdin=json.dumps(SPANS))
    assert (outcome.status, server.sizes) == (0, [1])


@pytest.mark.parametrize("name", ["a" * 300, "last~" + "9" * 5000], ids=["file", "last"])
def test_a_name_that_is_too_long_is_told(saved, name):
    outcome = saved.pocketflow_otel("export", name, "--format", "otlp")
    assert (outcome.status, "Traceback" in outcome.stderr) == (2, False)


@pytest.mark.parametrize("seconds", ["inf", "nan", "1e30"])
def test_a_timeout_that_cannot_be_waited_for_is_told(saved, seconds):
    outcome = saved.pocketflow_otel("send", "spans.jsonl", "--timeout", seconds)
    assert outcome.status == 2
    assert "'--timeout': Input should be" in outcome.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"], ids=["closed", "full"])
@pytest.mark.parametrize("exporter", ["file", "console", "otlp"])
@pytest.mark.parametrize("is_flow", [True, False])
def test_a_program_runs_as_ever_where_nobody_can_be_told(shell, flow, redirection, exporter, is_flow):
    shell.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    shell.write("program.py", (flow if is_flow else "") + "print('done')")
    assert redirected(shell, redirection, "run", "--exporter", exporter, "program.py") == ("done\n", "", 0)
