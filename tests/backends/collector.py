"""OpenTelemetry Collectors, started with the files of ``collector-config/`` as they stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backends.servers import Server, free_port, listening, start

CONFIGS = Path(__file__).resolve().parents[2] / "collector-config"


@dataclass
class Collector:
    """A Collector on ports of its own, to be started, ended, killed, and started again.

    Attributes:
        program: The Collector.
        config: Its configuration.
        directory: Where it runs and logs.
        environ: Further variables that its configuration asks for.
        receives: Whether it takes OTLP, and is ready only when it listens.
    """

    program: Path
    config: Path
    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    receives: bool = True
    grpc_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    server: Server = field(init=False)

    @property
    def grpc(self) -> str:
        """Where it takes OTLP by gRPC, as a URL."""
        return f"http://127.0.0.1:{self.grpc_port}"

    @property
    def http(self) -> str:
        """Where it takes OTLP by HTTP, as a URL."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        environ = {
            "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{self.grpc_port}",
            "OTLP_HTTP_ENDPOINT": f"127.0.0.1:{self.http_port}",
            "COLLECTOR_METRICS_PORT": str(free_port()),
            **self.environ,
        }
        log = self.directory / "collector.log"

        def ready() -> bool:
            begun = "Everything is ready." in log.read_text(encoding="utf-8", errors="replace")
            return begun and (not self.receives or listening(self.grpc_port, self.http_port))

        self.server = start([self.program, "--config", self.config], log, ready, environ)


@contextmanager
def collecting(
    program: Path, config: Path | str, directory: Path, *, receives: bool = True, **environ: str
) -> Iterator[Collector]:
    """Runs a Collector.

    Args:
        program: The Collector.
        config: Its configuration: the name of one in ``collector-config/``, or a file.
        directory: Where it runs and logs.
        receives: Whether it takes OTLP.
        environ: Variables that its configuration asks for.
    """
    collector = Collector(program, CONFIGS / config, directory, environ, receives)
    collector.start()
    try:
        yield collector
    finally:
        if collector.server.process.poll() is None:
            collector.server.end()
