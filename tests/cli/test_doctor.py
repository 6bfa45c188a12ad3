import json
import socket
from importlib.metadata import version

import pytest


def diagnosis(shell):
    outcome = shell.pocketflow_otel("doctor", "--json")
    assert outcome.stderr == ""
    found = json.loads(outcome.stdout)
    assert outcome.status == (0 if found["is_well"] else 1)
    assert found["is_well"] is (found["complaints"] == [])
    return found


def complaints(shell):
    return [complaint["what"] for complaint in diagnosis(shell)["complaints"]]


def test_all_is_well_in_a_fresh_environment(shell):
    found = diagnosis(shell)

    assert found["is_well"] is True
    assert found["packages"]["pocketflow"] == version("pocketflow")
    assert found["packages"]["opentelemetry-sdk"] == version("opentelemetry-sdk")
    assert found["instrumentations"]["pocketflow"] == f"pocketflow-otel {version('pocketflow-otel')}"
    assert found["destinations"] == [
        {"exporter": "file", "target": str(shell.traces), "answers": None},
        {"exporter": "console", "target": "stderr", "answers": None},
    ]
    assert found["trace_directory"] == {
        "path": str(shell.traces),
        "exists": False,
        "writable": True,
        "mode": None,
        "traces": 0,
        "size_bytes": 0,
        "unfinished": 0,
    }
    assert found["last_run"] is None
    [installed] = found["pocketflow_copies"]
    assert installed.endswith("pocketflow/__init__.py")


def test_the_text_says_the_same(shell):
    outcome = shell.pocketflow_otel("doctor")

    assert (outcome.stderr, outcome.status) == ("", 0)
    assert f"  file     {shell.traces}\n" in outcome.stdout
    assert outcome.stdout.endswith("All is well.\n")


def test_copies_of_pocketflow_are_found(shell):
    copy = shell.write("app/flows.py", "class BaseNode:\n  pass\nclass Flow(BaseNode):\n  def _orch(self): pass\n")
    shell.write("app/other.py", "class Flow: pass")
    shell.write(".venv/hidden.py", copy.read_text())

    assert diagnosis(shell)["pocketflow_copies"][1:] == [str(copy)]


def test_options_tell_where_they_come_from(shell):
    shell.environ |= {
        "OTEL_PYTHON_POCKETFLOW_VERBOSITY": "verbose",
        "OTEL_PYTHON_POCKETFLOW_CAPTURE_OUTPUT": "false",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    }

    options = {option["name"]: (option["value"], option["source"]) for option in diagnosis(shell)["options"]}

    assert options["verbosity"] == ("verbose", "OTEL_PYTHON_POCKETFLOW_VERBOSITY")
    assert options["capture_output"] == ("NO_CONTENT", "OTEL_PYTHON_POCKETFLOW_CAPTURE_OUTPUT")
    assert options["capture_values"] == ("SPAN_ONLY", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")
    assert options["store_depth"] == ("1", "default")
    assert options["trace_dir"] == (str(shell.traces), "default")


@pytest.mark.parametrize(
    ("environ", "what"),
    [
        (
            {"OTEL_PYTHON_POCKETFLOW_STORE_DEPTH": "deep"},
            "OTEL_PYTHON_POCKETFLOW_STORE_DEPTH='deep' is ignored: expected a whole number",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@127.0.0.1:1/v1"},
            "nothing answers at http://127.0.0.1:1",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "exporter otlp: protocol 'http/json' is not supported: expected grpc or http/protobuf",
        ),
        ({"OTEL_SDK_DISABLED": "TRUE"}, "all of OpenTelemetry is switched off"),
        (
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "pocketflow"},
            "the PocketFlow instrumentation is switched off",
        ),
    ],
)
def test_what_is_wrong_is_named(shell, environ, what):
    shell.environ |= environ

    assert complaints(shell) == [what]


def test_a_directory_that_cannot_be_written_is_named(shell):
    beneath = shell.write("file", "") / "traces"
    shell.environ["OTEL_PYTHON_POCKETFLOW_TRACE_DIR"] = str(beneath)

    assert complaints(shell) == [f"{beneath} cannot be written"]


def test_every_complaint_comes_with_a_remedy(shell):
    shell.environ["OTEL_SDK_DISABLED"] = "true"

    outcome = shell.pocketflow_otel("doctor")

    assert outcome.status == 1
    assert outcome.stdout.endswith(
        "What is wrong\n  all of OpenTelemetry is switched off\n    what to do: unset OTEL_SDK_DISABLED\n"
    )


def test_an_unknown_exporter_is_named(shell):
    shell.environ["OTEL_TRACES_EXPORTER"] = "fiel"

    [what] = complaints(shell)
    assert what.startswith("OTEL_TRACES_EXPORTER: unknown exporter 'fiel': did you mean 'file'?")


def test_an_endpoint_that_answers_is_fine(shell):
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"http://127.0.0.1:{server.getsockname()[1]}"
        shell.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = target

        found = diagnosis(shell)

    assert found["destinations"][-1] == {"exporter": "otlp", "target": target, "answers": True}
    assert found["is_well"] is True


@pytest.mark.parametrize(
    ("variable", "endpoint", "what"),
    [
        ("ENDPOINT", "{server}", "OTEL_EXPORTER_OTLP_ENDPOINT has no http://, without which nothing is sent by HTTP"),
        ("TRACES_ENDPOINT", "{server}/v1/traces", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has no http://, without which"),
        (
            "ENDPOINT",
            "http://{server}/v1/traces",
            "OTEL_EXPORTER_OTLP_ENDPOINT ends in /v1/traces, which is added to it once more",
        ),
    ],
)
def test_an_endpoint_that_answers_and_cannot_work_is_named(shell, variable, endpoint, what):
    with socket.create_server(("127.0.0.1", 0)) as server:
        shell.environ[f"OTEL_EXPORTER_OTLP_{variable}"] = endpoint.format(server=f"127.0.0.1:{server.getsockname()[1]}")
        shell.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"

        [complaint] = complaints(shell)

    assert complaint.startswith(what)


@pytest.mark.parametrize(
    ("variable", "endpoint", "protocol"),
    [
        ("TRACES_ENDPOINT", "http://{server}/v1/traces", "http/protobuf"),
        ("ENDPOINT", "http://{server}/otlp", "http/protobuf"),
        ("ENDPOINT", "{server}", "grpc"),
    ],
)
def test_an_endpoint_as_the_standard_has_it_is_fine(shell, variable, endpoint, protocol):
    with socket.create_server(("127.0.0.1", 0)) as server:
        shell.environ[f"OTEL_EXPORTER_OTLP_{variable}"] = endpoint.format(server=f"127.0.0.1:{server.getsockname()[1]}")
        shell.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = protocol

        assert complaints(shell) == []


def test_traces_are_counted_and_a_directory_open_to_others_is_named(shell):
    for name, size in (("1.jsonl", 10), ("2.jsonl", 20), ("2.77.open", 3)):
        shell.traces.mkdir(parents=True, exist_ok=True)
        (shell.traces / name).write_text("x" * size)
    shell.traces.chmod(0o755)

    found = diagnosis(shell)

    directory = found["trace_directory"]
    assert (directory["traces"], directory["size_bytes"], directory["unfinished"]) == (2, 33, 1)
    assert found["complaints"] == [
        {
            "what": f"others may look into {shell.traces}, whose mode is 0755",
            "remedy": f"chmod 700 {shell.traces}",
        }
    ]


def test_the_last_run_s_losses_are_told_until_one_goes_well(shell, flow):
    shell.write("agent.py", flow)
    shell.environ |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "5",
    }
    shell.run("agent.py")
    del shell.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]

    last = diagnosis(shell)["last_run"]
    [what] = complaints(shell)
    assert last["program"] == "agent"
    assert last["problems"]["OTLP to http://127.0.0.1:1"]["dropped"] == 2
    assert what == (f"in the last run (agent, {last['ended']}): OTLP to http://127.0.0.1:1: Connection refused, 2 lost")
    shell.run("agent.py")
    assert complaints(shell) == []


def test_what_is_kept_of_the_last_run_may_be_anything(shell):
    for text in ("", "[]", '{"problems": {"x": 1}, "program": 1, "ended": 2}', '{"problems": []}'):
        shell.traces.parent.mkdir(parents=True, exist_ok=True)
        (shell.traces.parent / "last-run.json").write_text(text)

        assert diagnosis(shell)["last_run"] is None


def test_a_price_file_that_makes_no_sense_is_complained_of(shell):
    shell.write("prices.json", '{"my-model": {"inptu": 1, "output": 2}}')
    shell.environ["OTEL_PYTHON_POCKETFLOW_PRICE_FILE"] = "prices.json"

    outcome = shell.pocketflow_otel("doctor")

    assert outcome.status == 1
    said = " ".join(outcome.stdout.split())
    assert "price_file: prices.json" in said
    assert "inptu" in said
    assert "did you mean input?" in said


def test_all_instrumentations_of_one_client_are_named(shell):
    found = json.loads(shell.pocketflow_otel("doctor", "--json").stdout)

    official, other = found["instrumentations"]["openai"].split("; ")
    assert official.startswith("openinference-instrumentation-openai ")
    assert other.startswith("opentelemetry-instrumentation-genai-openai ")
