"""What the tests with real backends share: the backends, installed once on a machine, started once in a test run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends import install, jaeger
from backends.jaeger import Jaeger

Programs = Callable[[str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("backend")


def program(name: str) -> Path:
    """The program of a backend; where it can't be had the test is skipped, but not in CI."""
    try:
        return install.BACKENDS[name].install()
    except install.CannotInstallError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def collector_program() -> Path:
    return program("collector")


@pytest.fixture(scope="session")
def the_jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """A Jaeger that all tests of a process share; each looks for its own traces."""
    with jaeger.storing(program("jaeger"), tmp_path_factory.mktemp("jaeger")) as one:
        yield one
