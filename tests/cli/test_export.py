"""`export`: traces by any of their names, to a file or to standard output."""

import json
import os
import stat
import time
from pathlib import Path

import pytest

from cli.conftest import COMMAND, Shell
from pocketflow_otel.traces.formats import Format
from pocketflow_otel.traces.reader import read_trace

FORMATS = [form.value for form in Format]
OTHER = "f" * 32


@pytest.fixture
def traced(shell: Shell, flow: str) -> Path:
    """The file of one trace."""
    shell.write("program.py", flow)
    assert shell.run("program.py").status == 0
    (file,) = shell.traces.glob("*.jsonl")
    return file


def two_in_one(shell: Shell, traced: Path) -> Path:
    """A file of two traces."""
    content = traced.read_text()
    return shell.write("two.jsonl", content + content.replace(traced.stem, OTHER))


def leave_open(file: Path) -> None:
    """Leaves a journal beside a trace file, as a killed program does."""
    entry = {
        "traceId": file.stem,
        "spanId": "e" * 16,
        "parentSpanId": "",
        "name": "invoke_workflow Killed",
        "startTimeUnixNano": str(time.time_ns()),
        "attributes": {"gen_ai.operation.name": "invoke_workflow"},
        "pid": 1,
    }
    file.with_name(f"{file.stem}.999999999.open").write_text(json.dumps(entry) + "\n")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_written_to_standard_output_and_nothing_is_said(shell, traced, form):
    outcome = shell.pocketflow_otel("export", "last", "--format", form)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert "Ask" in outcome.stdout
    assert outcome.stdout.endswith("\n")


@pytest.mark.parametrize("form", FORMATS)
def test_file_holds_what_is_written_to_standard_output(shell, traced, form):
    printed = shell.pocketflow_otel("export", "last", "--format", form, "--output", "-").stdout
    outcome = shell.pocketflow_otel("export", str(traced), "--format", form, "--output", "out")
    assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert (shell.directory / "out").read_text(encoding="utf-8") == printed


def test_trace_is_named_as_everywhere(shell, traced):
    wanted = shell.pocketflow_otel("export", "last", "--format", "otlp").stdout
    for name in ("last~0", traced.stem[:6], str(traced)):
        assert shell.pocketflow_otel("export", name, "--format", "otlp").stdout == wanted
    assert shell.pocketflow_otel("export", "-", "--format", "otlp", stdin=traced.read_text()).stdout == wanted


def test_directory_of_traces_can_be_named(shell, traced):
    moved = shell.directory / "elsewhere"
    moved.mkdir()
    traced.rename(moved / traced.name)
    outcome = shell.pocketflow_otel("export", "last", "--format", "otlp", "--trace-dir", "elsewhere")
    assert outcome.status == 0
    assert traced.stem in outcome.stdout


def test_several_traces_go_into_one_file(shell, traced):
    other = shell.write("other.jsonl", traced.read_text().replace(traced.stem, OTHER))
    for form, found in (("jaeger", lambda document: len(document["data"])), ("chrome", _processes)):
        outcome = shell.pocketflow_otel("export", "last", str(other), "--format", form)
        assert found(json.loads(outcome.stdout)) == 2


def _processes(document):
    return len({event["pid"] for event in document["traceEvents"]})


@pytest.mark.parametrize("form", ["grafana", "mermaid"])
def test_format_of_one_trace_refuses_several_and_takes_the_one_that_is_chosen(shell, traced, form):
    file = str(two_in_one(shell, traced))
    refused = shell.pocketflow_otel("export", file, "--format", form)
    assert refused.status == 2
    assert "these are 2" in refused.stderr
    assert "--trace-id" in refused.stderr
    chosen = shell.pocketflow_otel("export", file, "--format", form, "--trace-id", OTHER[:16])
    assert chosen.status == 0


def test_trace_id_chooses_one_of_a_file(shell, traced):
    file = str(two_in_one(shell, traced))
    outcome = shell.pocketflow_otel("export", file, "--format", "otlp", "--trace-id", OTHER[:16])
    assert OTHER in outcome.stdout
    assert traced.stem not in outcome.stdout


@pytest.mark.parametrize("form", FORMATS)
def test_spans_that_have_not_ended_are_spoken_of(shell, traced, form):
    leave_open(traced)
    outcome = shell.pocketflow_otel("export", "last", "--format", form)
    assert outcome.status == 0
    assert outcome.stderr.startswith("pocketflow-otel: 1 span has not ended")
    assert ("Killed" in outcome.stdout) == (form != "otlp")


def test_torn_lines_are_spoken_of(shell, traced):
    with traced.open("a") as file:
        file.write('{"resourceSpans":[{"reso')
    outcome = shell.pocketflow_otel("export", "last", "--format", "otlp")
    assert outcome.status == 0
    assert outcome.stderr == f"pocketflow-otel: {traced}: 1 line is torn and left out\n"


def test_args_put_attributes_into_trace_events(shell, traced):
    def args(*options):
        document = json.loads(shell.pocketflow_otel("export", "last", "--format", "chrome", *options).stdout)
        return [event["args"] for event in document["traceEvents"] if event["ph"] == "X" and "args" in event]

    assert args() == []
    assert len(args("--args")) == len(read_trace(traced).spans)
    assert args("--args")[0]["gen_ai.workflow.name"] == "Flow"


def test_args_are_refused_by_other_formats(shell, traced):
    outcome = shell.pocketflow_otel("export", "last", "--format", "jaeger", "--args")
    assert outcome.status == 2
    assert "only --format chrome" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", "--format", "otlp"], "no such file"),
        (["last", "--format", "zipkin"], "'zipkin' is not one of 'otlp'"),
        (["last"], "--format"),
        (["--format", "otlp"], "TRACE"),
        (["program.py", "--format", "otlp"], "program.py:2: expected OTLP JSON"),
        (["last", "--format", "otlp", "--trace-id", "abcdef99"], "no trace whose id starts with abcdef99"),
    ],
)
def test_what_cannot_be_found_or_read_is_an_error_of_the_command_line(shell, traced, arguments, said):
    outcome = shell.pocketflow_otel("export", *arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert said in " ".join(outcome.stderr.replace("│", " ").split())


def test_what_cannot_be_written_is_a_failure(shell, traced):
    outcome = shell.pocketflow_otel("export", "last", "--format", "otlp", "--output", "missing/out.json")
    assert outcome.status == 1
    assert outcome.stderr == "pocketflow-otel: cannot write missing/out.json: No such file or directory\n"


def test_file_is_for_its_owner_alone_and_one_that_is_replaced_keeps_its_mode(shell, traced):
    out = shell.directory / "out.json"
    for mode in (0o600, 0o644):
        if out.exists():
            out.chmod(mode)
        assert shell.pocketflow_otel("export", "last", "--format", "otlp", "-o", "out.json").status == 0
        assert stat.S_IMODE(out.stat().st_mode) == mode
    assert sorted(path.name for path in shell.directory.iterdir()) == ["out.json", "program.py"]


def test_link_is_followed_and_a_pipe_is_written_to(shell, traced):
    (shell.directory / "link").symlink_to("real.json")
    assert shell.pocketflow_otel("export", "last", "--format", "otlp", "-o", "link").status == 0
    assert (shell.directory / "link").is_symlink()
    assert traced.stem in (shell.directory / "real.json").read_text()
    os.mkfifo(shell.directory / "pipe")
    with shell.start("cat", "pipe") as reader:
        assert shell.pocketflow_otel("export", "last", "--format", "otlp", "-o", "pipe").status == 0
        assert traced.stem in reader.communicate()[0]


def test_text_of_any_language_is_utf8_whatever_the_locale(shell, traced):
    content = traced.read_text().replace("invoke_node Ask", "中 é")
    file = shell.write("other.jsonl", "")
    file.write_text(content, encoding="utf-8")
    shell.environ |= {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    assert shell.pocketflow_otel("export", "other.jsonl", "--format", "otlp", "-o", "out").status == 0
    assert "中 é" in (shell.directory / "out").read_text(encoding="utf-8")
    with shell.start(*COMMAND, "export", "other.jsonl", "--format", "jaeger") as process:
        assert process.stdout is not None
        assert "中 é".encode() in process.stdout.buffer.read()
