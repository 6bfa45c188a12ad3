"""What the backends' pages say is done as they say it, with the backends themselves."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backends import tempo
from backends.collector import collecting
from backends.jaeger import Jaeger
from backends.needed import program
from backends.reading import assert_worked, blocks, place_with
from backends.servers import Server, free_port, listening, start, wait_until
from docs.pages import Block
from docs.workspace import Workspace

STARTS_COLLECTOR = "otelcol-contrib --config "
STARTS_CONTAINERS = "docker compose "


@dataclass
class Reader:
    """Somebody who does what a page says, block by block.

    Attributes:
        place: Where they work.
        grpc: Where what the page has started takes OTLP by gRPC, host and port; the page says port 4317.
        http: The same by HTTP; the page says port 4318.
        behind: Where the Jaeger behind a Collector takes OTLP by gRPC; the page says port 14317.
        traces: How many traces of a service have arrived.
    """

    place: Workspace
    grpc: str
    http: str
    behind: str
    traces: Callable[[str], int]
    collectors: list[Server] = field(default_factory=list)

    def do(self, block: Block) -> None:
        """Does what a block says."""
        if STARTS_COLLECTOR in block.text:
            self._start_collector(block)
        elif not block.text.startswith(STARTS_CONTAINERS):
            self._run(block)

    def end(self) -> None:
        """Ends the Collector that runs, if one does."""
        for collector in self.collectors:
            collector.end()
        self.collectors.clear()

    def _run(self, block: Block) -> None:
        service = f"{Path(block.page).stem}-{block.line}-{self.place.home.parent.name}"
        # The page goes by ports, which are others here.
        address, protocol = (self.http, "http/protobuf") if "4318" in block.text else (self.grpc, "grpc")
        self.place.environ |= {
            "OTEL_SERVICE_NAME": service,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        outcome = self.place.shell(self._with_addresses(block.text))
        assert_worked(outcome)
        if not self._into_files:
            wait_until(lambda: self.traces(service) >= 1)

    @property
    def _into_files(self) -> bool:
        """Whether what is sent goes to files, and only later anywhere else."""
        return any("file.yaml" in str(collector.process.args) for collector in self.collectors)

    def _start_collector(self, block: Block) -> None:
        replays = "replay.yaml" in block.text
        self.end()
        self.place.environ |= {
            "OTLP_GRPC_ENDPOINT": self.grpc,
            "OTLP_HTTP_ENDPOINT": self.http,
            "COLLECTOR_METRICS_PORT": str(free_port()),
        }
        log = self.place.directory / "collector.log"
        ports = [] if replays else [int(address.rpartition(":")[2]) for address in (self.grpc, self.http)]

        def ready() -> bool:
            return "Everything is ready." in log.read_text(encoding="utf-8") and listening(*ports)

        log.unlink(missing_ok=True)
        command = [
            "/bin/sh",
            "-c",
            self._with_addresses(re.sub(r"otelcol-contrib", "exec otelcol-contrib", block.text)),
        ]
        self.collectors.append(start(command, log, ready, self.place.environ))

    def _with_addresses(self, text: str) -> str:
        for there, here in (("14317", self.behind), ("4317", self.grpc), ("4318", self.http)):
            text = text.replace(f"localhost:{there}", here)
        return text


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return place_with(tmp_path)


def test_jaeger(place, the_jaeger):
    reader = Reader(place, the_jaeger.grpc, the_jaeger.http, "", lambda service: len(the_jaeger.trace_ids(service)))
    for block in blocks("jaeger"):
        reader.do(block)


def test_tempo(place, tmp_path, collector_program):
    with (
        tempo.storing(program("tempo"), tmp_path) as one,
        # The image of the page has a Collector before its Tempo, too.
        collecting(collector_program, "tempo.yaml", tmp_path, TEMPO_ENDPOINT=one.grpc) as collector,
    ):
        grpc, http = (url.removeprefix("http://") for url in (collector.grpc, collector.http))
        reader = Reader(place, grpc, http, "", lambda service: len(one.trace_ids(service)))
        for block in blocks("tempo"):
            reader.do(block)


@pytest.fixture
def at_a_collector(tmp_path: Path, the_jaeger: Jaeger, collector_program: Path) -> Iterator[Reader]:
    """Somebody with a Collector, which the page starts, before the Jaeger."""
    place = place_with(tmp_path, otelcol_contrib=collector_program)
    grpc, http = (f"127.0.0.1:{free_port()}" for _ in range(2))
    reader = Reader(place, grpc, http, the_jaeger.grpc, lambda service: len(the_jaeger.trace_ids(service)))
    with ExitStack() as stack:
        stack.callback(reader.end)
        yield reader


def test_collector(at_a_collector, the_jaeger):
    for block in blocks("collector"):
        at_a_collector.do(block)
    # What went into the file is replayed by the last Collector of the page.
    written = at_a_collector.place.environ["OTEL_SERVICE_NAME"]
    wait_until(lambda: the_jaeger.trace_ids(written))
