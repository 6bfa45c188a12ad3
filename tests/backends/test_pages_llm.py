"""What the pages of Phoenix, MLflow and Langfuse tell to type works, as it stands there."""

import inspect

import pytest

from backends import install
from backends.observing import Observed
from backends.reading import assert_worked, blocks

each_server = pytest.mark.parametrize("name", ["phoenix", "mlflow"])


@pytest.mark.slow
@each_server
def test_every_command_brings_a_trace(name, request: pytest.FixtureRequest):
    observed: Observed = request.getfixturevalue(f"in_{name}")
    assert [command.text for command in observed.commands] == [block.text for block in blocks(name)[1:]]
    for command in observed.commands:
        assert_worked(command.outcome)
        assert len(command.arrived) == 1, command


@each_server
def test_the_server_is_started_from_an_environment_with_the_package_that_tests_install(name):
    make, fill, _ = blocks(name)[0].text.splitlines()
    assert make == f"python3 -m venv {name}"
    package = fill.removeprefix(f"{name}/bin/pip install ")
    assert f'f"{package}=={{' in inspect.getsource(install.BACKENDS[name].make)
