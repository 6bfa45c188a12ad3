"""What the tests with real backends share: the backends, installed once on a machine, started once in a test run.

How a backend is added is told in docs/backends.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import jaeger
from backends.jaeger import Jaeger
from backends.needed import program
from backends.observing import Observed, observe_mlflow, observe_phoenix, once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("backend")


@pytest.fixture(scope="session")
def collector_program() -> Path:
    return program("collector")


@pytest.fixture(scope="session")
def the_jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """A Jaeger that all tests of a process share; each looks for its own traces."""
    with jaeger.storing(program("jaeger"), tmp_path_factory.mktemp("jaeger")) as one:
        yield one


@pytest.fixture(scope="session")
def place_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the processes of a test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def in_phoenix(place_of_all: Path) -> Observed:
    """What a Phoenix made of the programs and commands that sent to it."""
    programs = {name: program(name) for name in ("phoenix", "chromium", "collector")}
    return once(place_of_all, "phoenix", lambda directory: observe_phoenix(directory, programs))


@pytest.fixture(scope="session")
def in_mlflow(place_of_all: Path) -> Observed:
    """What an MLflow made of the programs and commands that sent to it."""
    programs = {name: program(name) for name in ("mlflow", "chromium")}
    return once(place_of_all, "mlflow", lambda directory: observe_mlflow(directory, programs))
