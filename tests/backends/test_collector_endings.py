"""Programs that end in their own way, fork, or make more spans than a Collector takes, while it is in trouble."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backends.collector import collecting
from backends.servers import wait_until
from backends.told import CONFIGURE, OURS, RUN, Ended, Told
from e2e import troublemakers
from e2e.receiver import GRPC, HTTP, Receiver, receiving
from e2e.troublemakers import Reply

CONFIG = Path(__file__).with_name("collector-synchronous.yaml")
GRACE_SECONDS = 5

FLOW = """
import os, signal, sys, threading
from pocketflow import Flow, Node

class Greet(Node):
    def post(self, shared, prep_res, exec_res):
        shared["greeting"] = "hello"
        print(shared, flush=True)

def flow():
    Flow(start=Greet()).run({})

flow()
"""
SPANS_A_FLOW = 2
CONFIGURED = "import pocketflow_otel\npocketflow_otel.configure(exporters=['file', 'otlp'])\n"
ENDINGS = {
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)\n", -15),
    "sys.exit": ("sys.exit(3)\n", 3),
    "exception": ("raise ValueError('not today')\n", 1),
    "os._exit": ("os._exit(3)\n", 3),
    "exception in a thread": ("threading.Thread(target=lambda: 1 / 0).start()\n", 0),
}

Start = Callable[..., Told]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program in one of the ways, with variables of its environment."""
    started: list[Told] = []

    def start(way: str, source: str, **variables: str) -> Told:
        text = CONFIGURED + source if way == CONFIGURE else source
        started.append(Told(way, tmp_path / f"{way} {len(started)}", source=text, **variables))
        return started[-1]

    yield start
    for program in started:
        program.kill()


def variables(endpoint: str, protocol: str, seconds: float) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(seconds),
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }


def without_ours(stderr: str) -> list[str]:
    """What a program says by itself; threads, files and lines are named differently each time."""
    lines = [line for line in stderr.splitlines() if not line.startswith("pocketflow-otel: ")]
    return [line for line in lines if not line.lstrip().startswith(("File ", "Exception in thread"))]


def plainly(source: str, directory: Path) -> subprocess.CompletedProcess[str]:
    script = directory / "plain.py"
    script.write_text(source)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run([sys.executable, script], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize("ending", ENDINGS)
def test_programs_end_as_ever_while_the_collector_is_silent(start, tmp_path, protocol, ending):
    end, status = ENDINGS[ending]
    with troublemakers.silent() as troublemaker:
        environ = variables(troublemaker.endpoint, protocol, 1)
        programs = [start(way, FLOW + end, **environ) for way in OURS]
        plain = plainly(FLOW + end, tmp_path)
        ended = [program.end() for program in programs]

    said = [] if ending == "os._exit" else [f", {SPANS_A_FLOW} spans dropped; your program goes on"]
    for one in ended:
        assert (one.stdout, one.status) == (plain.stdout, plain.returncode) == ("{'greeting': 'hello'}\n", status)
        assert one.end_seconds < 1 + GRACE_SECONDS
        if one is ended[0]:
            assert without_ours(one.stderr) == without_ours(plain.stderr)
        assert [f", {line.rpartition(', ')[2]}" for line in one.stderr.splitlines() if "dropped" in line] == said
        assert one.dropped == SPANS_A_FLOW * len(said)
        assert list(one.spans.values()) == [SPANS_A_FLOW]


FORKS = f"""{FLOW}
sys.stdin.readline()
workers = []
for _ in range(3):
    worker = os.fork()
    if worker == 0:
        flow()
        sys.exit(0)
    workers.append(worker)
print([os.waitpid(worker, 0)[1] for worker in workers])
"""
FORKED = "{'greeting': 'hello'}\n" * 4 + "[0, 0, 0]\n"


@pytest.fixture
def behind() -> Iterator[Receiver]:
    """What the Collector passes its spans on to."""
    with receiving(GRPC) as receiver:
        yield receiver


@pytest.mark.slow
@pytest.mark.parametrize("way", OURS)
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_each_forked_worker_sends_its_own_and_counts_its_own(start, tmp_path, collector_program, behind, way, killed):
    address = behind.endpoint.removeprefix("http://")
    with collecting(collector_program, CONFIG, tmp_path, RECEIVER_ENDPOINT=address) as collector:
        program = start(way, FORKS, **variables(collector.http, HTTP, 2))
        wait_until(lambda: len(behind.spans()) == SPANS_A_FLOW)
        if killed:
            collector.server.kill()
        ended = program.end()

    arrived = [span.span_id for span in behind.spans()]
    lost = 3 * SPANS_A_FLOW if killed else 0
    assert (ended.stdout, ended.status) == (FORKED, 0)
    assert len(arrived) == len(set(arrived)) == 4 * SPANS_A_FLOW - lost
    assert (sum(ended.spans.values()), ended.dropped) == (4 * SPANS_A_FLOW, lost)
    assert len(ended.stderr.splitlines()) == (3 if killed else 0)
    assert ended.stderr.count(f"{SPANS_A_FLOW} spans dropped; ") == (3 if killed else 0)


SPANS = 20_001
MANY = """
import json, resource, sys, time
from pocketflow import Flow, Node

class Count(Node):
    def post(self, shared, prep_res, exec_res):
        shared["count"] += 1
        return "again" if shared["count"] < 20_000 else "done"

count = Count()
count - "again" >> count
shared = {"count": 0}
began = time.perf_counter()
Flow(start=count).run(shared)
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]), file=sys.stderr)
print(shared)
"""


def measured(ended: Ended) -> tuple[float, int]:
    """How long the flow took, in seconds, and how much memory there was in use at most, in bytes."""
    assert (ended.stdout, ended.status) == ("{'count': 20000}\n", 0)
    seconds, held_bytes = json.loads(next(line for line in ended.stderr.splitlines() if line.startswith("[")))
    return seconds, held_bytes


@pytest.mark.slow
def test_more_spans_than_a_slow_collector_takes_are_dropped_and_counted(start):
    seconds, held_bytes = measured(start(RUN, MANY, OTEL_TRACES_EXPORTER="file").end())
    with troublemakers.replying(Reply(seconds=0.5, taken=True)) as troublemaker:
        environ = variables(troublemaker.endpoint, HTTP, 10)
        ended = start(RUN, MANY, **environ, OTEL_BSP_MAX_QUEUE_SIZE="2048").end()

    slow_seconds, slow_bytes = measured(ended)
    assert slow_seconds < 3 * seconds + 1
    assert slow_bytes < held_bytes + 64 * 1024 * 1024
    assert sum(ended.spans.values()) == SPANS
    assert sum(troublemaker.taken.values()) + ended.dropped == SPANS
    assert 0 < ended.dropped < SPANS
    first, *sums = [line for line in ended.stderr.splitlines() if line.startswith("pocketflow-otel")]
    source = f"pocketflow-otel: OTLP to {troublemaker.endpoint}"
    assert first == f"{source}: the queue of 2048 is full, 1 span dropped; your program goes on"
    assert sums == [f"{source}: {ended.dropped} spans dropped in all"]
