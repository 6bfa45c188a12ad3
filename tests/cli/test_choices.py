"""A name that is not one of the few an option takes."""

from enum import StrEnum

import pytest
import typer

from pocketflow_otel.cli.choices import one_of


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def test_each_name_stands_for_its_member():
    assert [one_of(Colour)(name) for name in ("red", "green")] == [Colour.RED, Colour.GREEN]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("gren", "'gren' is not one of 'red', 'green': did you mean 'green'?"),
        ("blue", "'blue' is not one of 'red', 'green'"),
        ("", "'' is not one of 'red', 'green'"),
    ],
)
def test_another_name_is_refused_with_what_is_near(typed, told):
    with pytest.raises(typer.BadParameter) as error:
        one_of(Colour)(typed)
    assert error.value.message == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("export", "last", "--format", "jeager"),
            "'jeager' is not one of 'otlp', 'jaeger', 'grafana', 'chrome', 'mermaid': did you mean 'jaeger'?",
        ),
        (
            ("send", "last", "--protocol", "http/prtobuf"),
            "'http/prtobuf' is not one of 'grpc', 'http/protobuf', 'http/json': did you mean 'http/protobuf'?",
        ),
        (
            ("run", "--verbosity", "full", "program.py"),
            "Invalid value for '--verbosity': 'full' is not one of 'minimal', 'normal', 'verbose'",
        ),
    ],
)
def test_commands_tell_so(shell, arguments, told):
    shell.environ["COLUMNS"] = "300"
    outcome = shell.pocketflow_otel(*arguments)
    assert outcome.status == 2
    assert told in " ".join(outcome.stderr.split())
