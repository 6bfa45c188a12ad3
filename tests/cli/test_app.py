from importlib.metadata import version

import pytest


def test_the_version_is_the_package_s(shell):
    outcome = shell.pocketflow_otel("--version")

    assert (outcome.stdout, outcome.stderr, outcome.status) == (
        f"pocketflow-otel {version('pocketflow-otel')}\n",
        "",
        0,
    )


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        ("run", "Exit code: the program's own"),
        ("demo", "Exit code: the program's own"),
        ("doctor", "Exit codes: 0 when all is well, 1 when something is wrong."),
    ],
)
def test_help_tells_the_exit_codes(shell, command, codes):
    outcome = shell.pocketflow_otel(command, "--help")

    assert (outcome.stderr, outcome.status) == ("", 0)
    assert codes in " ".join(outcome.stdout.split())


def test_an_unknown_command_is_a_usage_error(shell):
    assert shell.pocketflow_otel("runn").status == 2
