"""The options about tracing are the same wherever something is run."""

import pytest
import typer

from pocketflow_otel.cli.app import app
from pocketflow_otel.cli.run_workflow import command as document_command

OF_ALL = {"--quiet", "-q", "--verbosity", "--exporter", "--trace-dir"}
OF_RUNS = OF_ALL | {
    "--trace",
    "--no-trace",
    "--content",
    "--no-content",
    "--budget-usd",
    "--budget-tokens",
    "--budget-visits",
    "--budget-seconds",
    "--price-file",
}


def options(name):
    commands = typer.main.get_command(app).commands | {"run FLOW.yaml": document_command()}
    return {
        option
        for param in commands[name].params
        if param.param_type_name == "option"
        for option in (*param.opts, *param.secondary_opts)
    }


@pytest.mark.parametrize(
    ("name", "own"),
    [("run", {"-m"}), ("demo", set())],
)
def test_a_command_has_its_own_options_and_the_shared_ones(name, own):
    assert options(name) - {"-h", "--help"} == own | (OF_RUNS if name == "run" else OF_ALL)


def test_documents_are_run_with_the_same_options_as_programs_and_more():
    assert options("run FLOW.yaml") > OF_RUNS


@pytest.mark.parametrize("given", ["0", "1001", "many", "-1", "1.5"])
def test_how_many_nodes_run_at_once_is_a_whole_number_within_bounds(shell, given):
    shell.write("flow.yaml", "workflow: w\nnodes:\n  a: {type: template, with: {text: hello}}\n")
    outcome = shell.pocketflow_otel("run", "flow.yaml", "--dry-run", f"--parallel={given}")
    assert outcome.status == 2
    assert f"expected a whole number from 1 to 1,000, not '{given}'" in " ".join(
        outcome.stderr.replace("│", "").split()
    )
