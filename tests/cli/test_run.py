"""What ``run`` and ``demo`` add to a program: lines on stderr, and traces."""

import json
import socket
import subprocess
import sys
import threading

import pytest

CAPTURES = ("capture_values", "capture_output", "capture_io")


def said(outcome):
    """The lines of ours that are not the live console's."""
    return [line for line in outcome.stderr.splitlines() if line.startswith("pocketflow-otel: ")]


def spans(shell):
    return [
        {attribute["key"]: next(iter(attribute["value"].values())) for attribute in span.get("attributes", [])}
        | {"name": span["name"]}
        for file in sorted(shell.traces.glob("*.jsonl"))
        for line in file.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def service_names(shell):
    return {
        attribute["value"]["stringValue"]
        for file in shell.traces.glob("*.jsonl")
        for line in file.read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for attribute in resource["resource"]["attributes"]
        if attribute["key"] == "service.name"
    }


def test_flows_are_shown_and_kept_with_content(shell, flow):
    shell.write("agent.py", flow)

    outcome = shell.pocketflow_otel("run", "agent.py")

    assert (outcome.stdout, outcome.status) == ("", 0)
    assert said(outcome) == [
        f"pocketflow-otel: tracing to files in {shell.traces}, console; with content, which --no-content leaves out"
    ]
    node, whole = spans(shell)
    assert (node["name"], node["pocketflow.store.value.answer"]) == ("invoke_node Ask", '"yes"')
    assert whole["name"] == "invoke_workflow Flow"
    assert "1 flow, 1 node visit" in outcome.stderr
    assert service_names(shell) == {"agent"}


def test_a_module_gives_its_name(shell, flow):
    shell.write("package/agent.py", flow)
    shell.write("package/__main__.py", flow)

    shell.run("-m", "package.agent")
    assert service_names(shell) == {"package.agent"}
    shell.run("-m", "package")
    assert service_names(shell) == {"package.agent", "package"}


def test_changes_deep_in_the_store_are_seen_unless_the_environment_says_how_deep(shell):
    shell.write(
        "agent.py",
        """
from pocketflow import Flow, Node

class Deep(Node):
    def post(self, shared, prep_res, exec_res):
        shared["outer"]["inner"]["list"].append(1)

Flow(Deep()).run({"outer": {"inner": {"list": []}}})
""",
    )

    shell.run("agent.py")
    assert "pocketflow.store.modified" in spans(shell)[0]
    for file in shell.traces.iterdir():
        file.unlink()
    shell.environ["OTEL_PYTHON_POCKETFLOW_STORE_DEPTH"] = "1"
    shell.run("agent.py")
    assert "pocketflow.store.modified" not in spans(shell)[0]


@pytest.mark.parametrize(
    ("options", "environ", "what", "recorded"),
    [
        ([], {}, "with content, which --no-content leaves out", True),
        (["--content"], {}, "with content, which --no-content leaves out", True),
        (["--no-content"], {}, "without content, which --content adds", False),
        (
            [],
            {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT"},
            "without content, which --content adds",
            False,
        ),
        (
            ["--content"],
            {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT"},
            "with content, which --no-content leaves out",
            True,
        ),
        ([], {"OTEL_PYTHON_POCKETFLOW_CAPTURE_VALUES": "false"}, "with some content: output, io", False),
    ],
)
def test_content_is_recorded_and_said_to_be(shell, flow, options, environ, what, recorded):
    shell.write("agent.py", flow)
    shell.environ |= environ

    outcome = shell.pocketflow_otel("run", *options, "agent.py")

    assert said(outcome) == [f"pocketflow-otel: tracing to files in {shell.traces}, console; {what}"]
    assert ("pocketflow.store.value.answer" in spans(shell)[0]) is recorded


@pytest.mark.parametrize(("options", "recorded"), [([], False), (["--content"], True)])
def test_content_leaves_this_machine_only_when_asked_to(shell, flow, options, recorded):
    shell.write("agent.py", flow)
    shell.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "5"}

    outcome = shell.pocketflow_otel("run", *options, "agent.py")

    what = "with content, which --no-content leaves out" if recorded else "without content, which --content adds"
    refused = "OTLP to http://127.0.0.1:1: UNAVAILABLE: Connection refused"
    assert said(outcome) == [
        f"pocketflow-otel: tracing to files in {shell.traces}, console, otlp; {what}",
        f"pocketflow-otel: {refused}, 2 spans dropped; your program goes on",
    ]
    assert ("pocketflow.store.value.answer" in spans(shell)[0]) is recorded


def test_a_program_without_a_flow_is_told_of_in_one_line(shell):
    shell.write("program.py", "print('hello')")

    outcome = shell.pocketflow_otel("run", "program.py")

    assert outcome.stdout == "hello\n"
    assert said(outcome)[1:] == ["pocketflow-otel: no PocketFlow flow ran"]
    assert outcome.stderr.splitlines() == said(outcome)
    assert not shell.traces.exists()


def test_exporters_and_places_can_be_chosen(shell, flow):
    shell.write("agent.py", flow)

    outcome = shell.pocketflow_otel("run", "--exporter", "file", "--trace-dir", "mine", "agent.py")

    where = f"files in {shell.directory / 'mine'}"
    assert outcome.stderr == f"pocketflow-otel: tracing to {where}; with content, which --no-content leaves out\n"
    assert len(list((shell.directory / "mine").glob("*.jsonl"))) == 1
    assert not shell.traces.exists()


def test_the_verbosity_can_be_chosen(shell, flow):
    shell.write("agent.py", flow)

    normal, minimal = (
        shell.pocketflow_otel("run", "--verbosity", verbosity, "agent.py").stderr for verbosity in ("normal", "minimal")
    )

    assert "Ask" in normal
    assert "Ask" not in minimal


def test_a_wrong_exporter_is_a_usage_error(shell, flow):
    shell.write("agent.py", flow)

    outcome = shell.pocketflow_otel("run", "--exporter", "fiel", "agent.py")

    assert (outcome.stdout, outcome.status) == ("", 2)
    assert "unknown exporter 'fiel'" in outcome.stderr
    assert "'file'" in outcome.stderr


def test_a_wrong_exporter_in_the_environment_costs_no_run(shell, flow):
    shell.write("agent.py", flow)
    shell.environ["OTEL_TRACES_EXPORTER"] = "fiel,file"

    outcome = shell.pocketflow_otel("run", "agent.py")

    assert outcome.status == 0
    assert said(outcome)[0].startswith("pocketflow-otel: OTEL_TRACES_EXPORTER: unknown exporter 'fiel'")
    assert len(spans(shell)) == 2


@pytest.mark.parametrize("arguments", [[], ["-m"], ["--nonsense", "agent.py"]])
def test_a_command_line_that_makes_no_sense_is_a_usage_error(shell, arguments):
    outcome = shell.pocketflow_otel("run", *arguments)

    assert (outcome.stdout, outcome.status) == ("", 2)


def test_a_tracing_that_cannot_start_costs_no_run(shell, flow):
    shell.write("agent.py", flow + "print('ran')")

    outcome = shell.booted("agent.py", exporter="fiel")

    assert (outcome.stdout, outcome.status) == ("ran\n", 0)
    assert outcome.stderr.startswith(
        "pocketflow-otel: tracing could not start: UnknownExporterError: unknown exporter 'fiel': did you mean 'file'?"
    )
    assert len(outcome.stderr.splitlines()) == 1


def test_a_client_that_nothing_traces_is_named_at_the_end(shell, flow):
    shell.write("anthropic.py", "")
    shell.write("agent.py", "import anthropic\n" + flow)

    outcome = shell.pocketflow_otel("run", "agent.py")

    assert "calls through anthropic were not traced" in " ".join(outcome.stderr.split())
    assert "pip install 'pocketflow-otel[anthropic]'" in outcome.stderr


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_accepts_and_never_answers_holds_nothing_up(shell, flow, protocol):
    shell.write("agent.py", flow + "print('ran')")
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        shell.environ |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
        }

        outcome = shell.run("agent.py")

    assert (outcome.stdout, outcome.status) == ("ran\n", 0)
    assert outcome.stderr == (
        f"pocketflow-otel: OTLP to {endpoint}: no answer within 0.5 s, 2 spans dropped; your program goes on\n"
    )
    assert len(spans(shell)) == 2


def test_a_collector_that_answers_nonsense_is_one_line(shell, flow):
    shell.write("agent.py", flow + "print('ran')")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"\x00\xff what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        shell.environ |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
        }
        outcome = shell.run("agent.py")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()

    assert (outcome.stdout, outcome.status) == ("ran\n", 0)
    assert len(outcome.stderr.splitlines()) == 1
    assert len(spans(shell)) == 2


def test_the_demo_runs_offline(shell):
    outcome = shell.pocketflow_otel("demo", "--exporter", "file")

    assert outcome.status == 0
    assert (
        outcome.stdout
        == subprocess.run(
            [sys.executable, "-m", "pocketflow_otel.demo.agent"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert "invoke_workflow Agent" in [span["name"] for span in spans(shell)]
    assert any(key.startswith("pocketflow.store.value.") for span in spans(shell) for key in span)
