"""Where settings may stand, for a program under ``opentelemetry-instrument``: flags, environment, declarative file."""

import subprocess

import pytest

from e2e.agent import OUTLINE, OUTPUT
from e2e.outline import outline
from pocketflow_otel.options import FIELDS, environment_variable

ANSWER = "pocketflow.store.value.answer"


def ask_of(programs):
    (span,) = programs.spans("invoke_node Ask")
    return span


class TestFlags:
    def test_each_option_has_one(self, programs):
        usage = programs.instrument(flags=("--help",)).stdout

        assert [name for name in FIELDS if f"--pocketflow_{name} " not in usage] == []

    def test_they_do_what_the_options_say(self, programs, tmp_path):
        outcome = programs.instrument(
            "agent.py",
            flags=(
                "--traces_exporter",
                "pocketflow_console,pocketflow_file",
                "--pocketflow_capture_values",
                "true",
                "--pocketflow_exclude",
                "Checks",
                "--pocketflow_verbosity",
                "minimal",
                "--pocketflow_trace_dir",
                str(tmp_path / "mine"),
            ),
        )

        assert outcome.seen == (OUTPUT, 0)
        assert "Flow" in outcome.stderr
        assert "Ask" not in outcome.stderr.partition("slowest")[0]
        assert programs.read() == []
        (trace,) = programs.read(tmp_path / "mine")
        assert [span.name for span in trace.spans] == ["invoke_workflow Flow", "invoke_node Ask"]
        assert trace.spans[1].attributes[ANSWER] == '"yes"'
        assert "pocketflow.stdout" not in trace.spans[1].attributes

    @pytest.mark.parametrize(("flag", "variable", "recorded"), [("true", "false", True), ("false", "true", False)])
    def test_they_come_before_the_environment(self, programs, flag, variable, recorded):
        programs.instrument(
            "agent.py",
            flags=("--pocketflow_capture_values", flag),
            **{environment_variable("capture_values"): variable},
        )

        assert (ANSWER in ask_of(programs).attributes) is recorded

    def test_an_option_comes_before_the_standard_variable(self, programs):
        programs.instrument(
            "agent.py",
            flags=("--pocketflow_capture_output", "false"),
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
        )

        attributes = ask_of(programs).attributes
        assert attributes[ANSWER] == '"yes"'
        assert "pocketflow.stdout" not in attributes

    def test_one_that_makes_no_sense_is_told_of_and_costs_nothing(self, programs):
        outcome = programs.instrument("agent.py", flags=("--pocketflow_max_value_bytes", "many"))

        assert outcome.seen == (OUTPUT, 0)
        assert outcome.stderr == ("OTEL_PYTHON_POCKETFLOW_MAX_VALUE_BYTES='many' is ignored: expected a whole number\n")
        assert [outline(trace) for trace in programs.read()] == [OUTLINE]


DECLARED = """
file_format: "1.0"
resource:
  attributes:
    - name: service.name
      value: declared
tracer_provider:
  processors:
    - batch:
        exporter:
          pocketflow_file: {of_file}
    - simple:
        exporter:
          pocketflow_console:
instrumentation/development:
  python:
    pocketflow: {options}
"""


class TestDeclarativeFile:
    def instrument(self, programs, of_file="{}", options="{}", **variables):
        programs.write("otel.yaml", DECLARED.format(of_file=of_file, options=options))
        return programs.instrument("agent.py", OTEL_CONFIG_FILE="otel.yaml", **variables)

    def test_exporters_of_ours_can_be_named_in_it(self, programs, tmp_path):
        outcome = self.instrument(programs, of_file=f"{{trace_dir: '{tmp_path / 'mine'}'}}")

        assert outcome.seen == (OUTPUT, 0)
        assert "1 flow, 3 node visits" in outcome.stderr
        assert programs.read() == []
        (trace,) = programs.read(tmp_path / "mine")
        assert outline(trace) == OUTLINE
        assert {span.resource["service.name"] for span in trace.spans} == {"declared"}

    def test_options_can_stand_in_it(self, programs):
        self.instrument(programs, options="{capture_values: true, exclude: [Checks], max_value_bytes: 64}")

        (trace,) = programs.read()
        assert [span.name for span in trace.spans] == ["invoke_workflow Flow", "invoke_node Ask"]
        assert trace.spans[1].attributes[ANSWER] == '"yes"'

    def test_options_of_exporters_can_stand_there_too(self, programs, tmp_path):
        outcome = self.instrument(programs, options=f"{{trace_dir: '{tmp_path / 'mine'}', verbosity: minimal}}")

        assert "Ask" not in outcome.stderr.partition("slowest")[0]
        assert programs.read() == []
        assert [outline(trace) for trace in programs.read(tmp_path / "mine")] == [OUTLINE]

    def test_the_environment_comes_before_it(self, programs, tmp_path):
        self.instrument(
            programs,
            options=f"{{capture_values: true, trace_dir: '{tmp_path / 'declared'}'}}",
            OTEL_PYTHON_POCKETFLOW_CAPTURE_VALUES="false",
            OTEL_PYTHON_POCKETFLOW_TRACE_DIR=str(tmp_path / "mine"),
        )

        (trace,) = programs.read(tmp_path / "mine")
        assert ANSWER not in trace.spans[1].attributes

    def test_one_that_makes_no_sense_is_told_of_and_costs_nothing(self, programs):
        outcome = self.instrument(programs, options="{store_depth: deep, capture_value: true}")

        assert outcome.seen == (OUTPUT, 0)
        assert "store_depth" in outcome.stderr
        assert [outline(trace) for trace in programs.read()] == [OUTLINE]


class TestStandardVariables:
    def test_the_instrumentation_can_be_disabled(self, programs):
        outcome = programs.instrument("agent.py", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="pocketflow")

        assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
        assert programs.read() == []

    @pytest.mark.parametrize("disabled", ["pocketflow", "*"])
    def test_run_heeds_that(self, programs, disabled):
        outcome = programs.run("agent.py", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)

        assert outcome.seen == (OUTPUT, 0)
        assert programs.read() == []

    def test_the_sdk_can_be_disabled(self, programs):
        outcome = programs.instrument("agent.py", OTEL_SDK_DISABLED="true")

        assert outcome.seen == (OUTPUT, 0)
        assert "Error" not in outcome.stderr
        assert programs.read() == []

    def test_run_heeds_that_too(self, programs):
        outcome = programs.run("--quiet", "agent.py", OTEL_SDK_DISABLED="true")

        assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
        assert programs.read() == []

    def test_a_sampler_that_drops_all_leaves_no_file(self, programs):
        outcome = programs.instrument("agent.py", OTEL_TRACES_SAMPLER="always_off")

        assert (outcome.seen, outcome.stderr) == ((OUTPUT, 0), "")
        assert programs.read() == []

    def test_the_resource_tells_the_version_of_the_program(self, programs):
        revision = commit_all(programs)

        programs.instrument("agent.py", OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="vcs")

        resource = ask_of(programs).resource
        assert {name: resource[name] for name in resource if name.startswith("vcs.")} == {
            "vcs.ref.head.name": "trunk",
            "vcs.ref.head.revision": revision,
            "vcs.ref.head.dirty": False,
            "vcs.repository.url.full": "https://example.com/agents",
        }


def commit_all(programs) -> str:
    """Puts the working directory under version control, and returns the revision."""
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for arguments in (
        ("init", "--quiet", "--initial-branch=trunk"),
        ("remote", "add", "origin", "https://ada:secret@example.com/agents.git"),
        ("add", "agent.py"),
        ("commit", "--quiet", "--message=First"),
    ):
        subprocess.run([*git, *arguments], cwd=programs.directory, env=programs.environ, check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], cwd=programs.directory, env=programs.environ, check=True, stdout=subprocess.PIPE
    )
    return head.stdout.decode().strip()
