"""Servers that say nothing: a connection to one ends when it has waited for as long as it is told."""

import socket
import threading
import time

import pytest

from pocketflow_otel.runtime.connections.databases.database import Unreachable
from pocketflow_otel.runtime.connections.families import Families


@pytest.fixture
def silent():
    """A server that lets everybody in, and never greets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held = []

        def serve() -> None:
            try:
                while True:
                    held.append(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for each in held:
            each.close()


@pytest.mark.parametrize("name", ["mysql", "postgres"])
def test_a_database_that_does_not_greet_is_unreachable_in_time(name, silent, tmp_path):
    family = Families().get(name)
    settings = family.config.model_validate(
        {"host": "127.0.0.1", "port": silent, "user": "ada", "database": "x", "timeout": 2}
    )
    database = family.open(settings, tmp_path)
    began = time.monotonic()
    with pytest.raises(Unreachable), database.session():  # type: ignore[attr-defined]
        pass
    assert time.monotonic() - began < 20
