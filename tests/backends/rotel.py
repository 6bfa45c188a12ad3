"""A rotel: a collector in Rust, which takes OTLP and passes it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backends.servers import free_port, listening, running


@dataclass(frozen=True)
class Rotel:
    """A rotel that runs.

    Attributes:
        grpc: Where it takes OTLP by gRPC: host and port.
        http: Where it takes OTLP by HTTP: host and port.
    """

    grpc: str
    http: str


@contextmanager
def passing_on(python: Path, to_grpc: str, directory: Path) -> Iterator[Rotel]:
    """Runs a rotel.

    Args:
        python: The Python of the environment it is installed in.
        to_grpc: Where it sends to, by gRPC: host and port.
        directory: Where it runs and logs.
    """
    (program,) = python.parents[1].glob("lib/python*/site-packages/rotel/rotel-agent")
    grpc, http = free_port(), free_port()
    options = {
        "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
        "otlp-http-endpoint": f"127.0.0.1:{http}",
        "exporter": "otlp",
        "otlp-exporter-endpoint": f"http://{to_grpc}",
        "pid-file": directory / "rotel.pid",
        "log-file": directory / "rotel-daemon.log",
    }
    command = [program, "start", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    with running(command, directory / "rotel.log", lambda: listening(grpc, http)):
        yield Rotel(f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
