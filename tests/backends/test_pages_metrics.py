"""What the pages of Prometheus and Grafana tell to type is typed, with a real Collector, Jaeger and Prometheus."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backends import compose
from backends.jaeger import Jaeger
from backends.needed import program
from backends.prometheus import Prometheus
from backends.reading import assert_worked, place_with
from backends.servers import answers, free_port, listening, running, wait_until
from docs.pages import ROOT, Block, read_page, read_pages
from docs.workspace import Workspace

CALLS = "sum(traces_pocketflow_flow_calls_total)"
CALLS_OF_THE_EXAMPLE = 8


class Reader:
    """Somebody who does what a page says, block by block, at other ports than it says.

    Attributes:
        place: Where they work.
        prometheus: The Prometheus that the page has started.
    """

    def __init__(self, place: Workspace, jaeger: Jaeger, servers: ExitStack) -> None:
        self.place = place
        self.servers = servers
        self.grpc, self.http, self.metrics, self.page = (f"127.0.0.1:{free_port()}" for _ in range(4))
        self.prometheus = Prometheus(f"http://{self.page}")
        self.addresses = {"14317": jaeger.grpc, "4317": self.grpc, "8889": self.metrics}
        self.runs = self.started = 0
        place.environ |= {
            "OTLP_GRPC_ENDPOINT": self.grpc,
            "OTLP_HTTP_ENDPOINT": self.http,
            "PROMETHEUS_ENDPOINT": self.metrics,
            "METRICS_INTERVAL": "200ms",
            "COLLECTOR_METRICS_PORT": str(free_port()),
        }

    def do(self, block: Block) -> None:
        """Does what a block says, and sees that it worked."""
        text = block.text
        if text.startswith("export "):
            # What Compose has started is at its own ports, and is the same Collector.
            self._run(text.replace("localhost:14317", "localhost:4317"))
        elif "otelcol-contrib" in text:
            self._start(text, lambda: listening(*(int(each.partition(":")[2]) for each in (self.grpc, self.metrics))))
        elif text.startswith("prometheus "):
            flags = f"--web.listen-address={self.page} --storage.tsdb.path=prometheus"
            self._start(f"{text.strip()} {flags}", lambda: answers(f"{self.prometheus.url}/-/ready"))
        elif block.kind == "yaml":
            short = text.replace("scrape_interval: 15s", "scrape_interval: 200ms")
            (self.place.directory / block.file_name).write_text(self._here(short), encoding="utf-8")
        else:
            assert text.startswith("docker compose ")

    def _start(self, command: str, ready) -> None:
        self.started += 1
        # In the place of the shell, so that the server ends with the test.
        replacing = re.sub(r"(otelcol-contrib|prometheus) --", r"exec \1 --", self._here(command))
        shell = ["/bin/sh", "-c", f"cd {self.place.directory}; {replacing}"]
        log = self.place.directory / f"server-{self.started}.log"
        self.servers.enter_context(running(shell, log, ready, self.place.environ))

    def _run(self, script: str) -> None:
        outcome = self.place.shell(self._here(script))
        assert_worked(outcome)
        self.runs += 1
        expected = self.runs * CALLS_OF_THE_EXAMPLE
        wait_until(lambda: [one.total for one in self.prometheus.at(CALLS)] == [expected])

    def _here(self, text: str) -> str:
        for port, address in self.addresses.items():
            text = text.replace(f"localhost:{port}", address)
        return text


@pytest.fixture
def reader(tmp_path: Path, the_jaeger: Jaeger) -> Iterator[Reader]:
    """Somebody with the project's configurations, and with the programs that the pages call."""
    place = place_with(tmp_path, otelcol_contrib=program("collector"), prometheus=program("prometheus"))
    with ExitStack() as servers:
        yield Reader(place, the_jaeger, servers)


@pytest.mark.slow
def test_pages_work(reader):
    """The page of Grafana needs what that of Prometheus has started."""
    blocks = [
        block for page in ("prometheus", "grafana") for block in read_page(ROOT / f"docs/backends/{page}.md").blocks
    ]
    for block in blocks:
        reader.do(block)
    assert reader.runs == 3


def composed() -> list[str]:
    """The commands of all pages, and of the Compose files' own comments, that call Compose."""
    texts = [block.text for page in read_pages() for block in page.blocks if block.kind == "sh"]
    texts += [path.read_text(encoding="utf-8").replace("#", "") for path in ROOT.glob("docker-compose.*.yml")]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return sorted({line for line in lines if line.startswith("docker compose ")})


@pytest.mark.parametrize("command", composed())
def test_files_and_profiles_that_compose_is_called_with_exist(command, compose_program):
    words = shlex.split(command)
    assert words[-2:] == ["up", "-d"]
    flags = dict(zip(words[2:-2:2], words[3:-2:2], strict=True))
    assert flags.keys() <= {"-f", "--profile"}
    without = compose.read(compose_program, flags["-f"])["services"]
    assert without
    if "--profile" in flags:
        assert compose.read(compose_program, flags["-f"], flags["--profile"])["services"].keys() > without.keys()


@pytest.fixture(scope="session")
def compose_program() -> Path:
    return program("compose")
