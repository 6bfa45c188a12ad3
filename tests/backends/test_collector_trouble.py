"""A Collector that is killed, refuses, is slow, talks nonsense or is not there: what programs do is as without it.

What they lose is counted, said once, and told by `doctor`. Under `opentelemetry-instrument` the SDK sends, and what it
says of losses is its own affair; the program is to be unharmed there too.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc
import pytest

from backends.collector import Collector, collecting
from backends.servers import wait_until
from backends.told import CONFIGURE, INSTRUMENT, OURS, RUN, SPANS_A_FLOW, Ended, Told, output
from e2e import troublemakers
from e2e.receiver import GRPC, HTTP, Receiver, receiving
from e2e.troublemakers import Reply, Troublemaker
from fixtures.certificates import self_signed

CONFIG = Path(__file__).with_name("collector-synchronous.yaml")
WAYS = (RUN, CONFIGURE, INSTRUMENT)
TIMEOUT_SECONDS = 2
GRACE_SECONDS = 5
"""For the end of a program on a busy machine; less than what a slow receiver takes."""
FLOWS = 2
SPANS = FLOWS * SPANS_A_FLOW

Trouble = Callable[[], AbstractContextManager[Troublemaker]]


def variables(endpoint: str, protocol: str, **others: str) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TIMEOUT": str(TIMEOUT_SECONDS),
        **others,
    }


def retrying_after(status: int, seconds: str) -> Reply:
    return Reply(status, headers=(("Retry-After", seconds),))


def page(body: bytes, content_type: str = "text/html") -> Reply:
    return Reply(body=body, headers=(("Content-Type", content_type),))


def rejecting(rejected: int, message: str) -> Reply:
    answer = troublemakers.partly(rejected, message).SerializeToString()
    return Reply(200, answer, (("Content-Type", "application/x-protobuf"),), rejected, taken=True)


TAKING = Reply(taken=True)
SLOW = Reply(seconds=troublemakers.SLOW_SECONDS)
UNAVAILABLE, EXHAUSTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED
NO_ANSWER = f"no answer within {TIMEOUT_SECONDS} s"
REPLYING: dict[str, tuple[tuple[Reply, ...], str]] = {
    "503": ((Reply(503),), "Service Unavailable"),
    "429": ((Reply(429),), "Too Many Requests"),
    "503, come in an hour": ((retrying_after(503, "3600"),), "HTTP 503 Service Unavailable"),
    "429, come in an hour": ((retrying_after(429, "3600"),), "HTTP 429 Too Many Requests"),
    "429, come whenever you like": ((retrying_after(429, "0"),), "Too Many Requests"),
    "500": ((Reply(500, b"<html>oops</html>"),), "HTTP 500 Internal Server Error"),
    "redirecting": ((Reply(308, headers=(("Location", "https://127.0.0.1:1/"),)),), "HTTP 308 Permanent Redirect"),
    "slow": ((SLOW,), NO_ANSWER),
    "a page of something else": ((page(b"<html>Welcome</html>"),), r"HTTP 200 OK, .* text/html that is not OTLP"),
    "nonsense that says to be OTLP": ((page(b"\xff\xff", "application/x-protobuf"),), "HTTP 200 OK, .* not OTLP"),
    "a huge answer": ((page(b"x" * 20_000_000, "application/json"),), "HTTP 200 OK, but an answer of more than 64 KB"),
    "rejecting some": ((rejecting(3, "too old"),), "the receiver rejects: too old"),
}
TROUBLE: dict[str, tuple[str, Trouble, str]] = {
    **{
        name: (HTTP, lambda replies=replies: troublemakers.replying(*replies), reason)
        for name, (replies, reason) in REPLYING.items()
    },
    "absent": (HTTP, troublemakers.nobody, "Connection refused"),
    "absent, gRPC": (GRPC, troublemakers.nobody, "UNAVAILABLE: .*"),
    "silent": (HTTP, troublemakers.silent, NO_ANSWER),
    "silent, gRPC": (GRPC, troublemakers.silent, NO_ANSWER),
    "garbage": (HTTP, troublemakers.garbage, "BadStatusLine: .*"),
    "garbage, gRPC": (GRPC, troublemakers.garbage, "UNAVAILABLE: .*"),
    "unknown host": (HTTP, troublemakers.unknown_host, ".*"),
    "unknown host, gRPC": (GRPC, troublemakers.unknown_host, ".*"),
    "behind a dead proxy": (
        HTTP,
        lambda: troublemakers.behind_a_dead_proxy(troublemakers.replying(TAKING)),
        "Connection refused",
    ),
    "behind a dead proxy, gRPC": (
        GRPC,
        lambda: troublemakers.behind_a_dead_proxy(troublemakers.rejecting_over_grpc(0, "")),
        "UNAVAILABLE: .*",
    ),
    "spoken to in TLS": (HTTP, lambda: troublemakers.spoken_to_in_tls(troublemakers.replying(TAKING)), ".*SSL.*"),
    "spoken to in TLS, gRPC": (
        GRPC,
        lambda: troublemakers.spoken_to_in_tls(troublemakers.rejecting_over_grpc(0, "")),
        "UNAVAILABLE: Tls handshake failed .*",
    ),
    "slow, gRPC": (GRPC, troublemakers.slow_over_grpc, NO_ANSWER),
    "UNAVAILABLE, gRPC": (GRPC, lambda: troublemakers.aborting(UNAVAILABLE, "busy"), "UNAVAILABLE: busy"),
    "RESOURCE_EXHAUSTED, gRPC": (GRPC, lambda: troublemakers.aborting(EXHAUSTED, "full"), "RESOURCE_EXHAUSTED: full"),
    "rejecting some, gRPC": (
        GRPC,
        lambda: troublemakers.rejecting_over_grpc(3, "too old"),
        "the receiver rejects: too old",
    ),
}


Start = Callable[..., list[Told]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program in some ways, with variables of its environment."""
    started: list[Told] = []

    def start(ways: Iterable[str], **variables: str) -> list[Told]:
        new = [Told(way, tmp_path / way, **variables) for way in ways]
        started.extend(new)
        return new

    yield start
    for program in started:
        program.kill()


def together(programs: list[Told], flows: int = FLOWS) -> list[Ended]:
    """Runs flows in some programs, and ends them all at the same time."""
    for _ in range(flows):
        for program in programs:
            program.run_flow()
    with ThreadPoolExecutor(len(programs)) as pool:
        return list(pool.map(Told.end, programs))


def assert_unharmed(ended: Ended, flows: int = FLOWS, grace_seconds: float = GRACE_SECONDS) -> None:
    assert (ended.stdout, ended.status) == (output(flows), 0)
    assert list(ended.spans.values()) == [SPANS_A_FLOW] * flows
    assert ended.end_seconds < TIMEOUT_SECONDS + grace_seconds


def assert_said_once(ended: Ended, endpoint: str, reason: str, dropped: int) -> None:
    (line,) = ended.stderr.splitlines()
    said = rf"pocketflow-otel: OTLP to {re.escape(endpoint)}: {reason}, {dropped} spans dropped; your program goes on"
    assert re.fullmatch(said, line), line
    [(source, (message, lost))] = ended.lost.items()
    assert (source, lost) == (f"OTLP to {endpoint}", dropped)
    assert re.fullmatch(reason, message)


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "trouble", "reason"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_counted_and_said_once(start, protocol, trouble, reason):
    with trouble() as troublemaker:
        ended = together(start(WAYS, **variables(troublemaker.endpoint, protocol, **troublemaker.variables)))

    for one in ended:
        assert_unharmed(one)
    for one in ended[: len(OURS)]:
        taken = sum(troublemaker.taken.get(trace_id, 0) for trace_id in one.spans)
        assert_said_once(one, troublemaker.endpoint, reason, SPANS - taken)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "trouble"),
    [
        (HTTP, lambda: troublemakers.replying(retrying_after(503, "0.1"), TAKING)),
        (HTTP, lambda: troublemakers.replying(Reply(429), TAKING)),
        (GRPC, lambda: troublemakers.aborting(UNAVAILABLE, "busy", times=1)),
        (GRPC, lambda: troublemakers.aborting(EXHAUSTED, "full", times=1)),
    ],
    ids=["503", "429", "UNAVAILABLE", "RESOURCE_EXHAUSTED"],
)
def test_a_receiver_that_is_busy_once_gets_everything_and_nothing_is_said(start, protocol, trouble):
    with trouble() as troublemaker:
        [ended] = together(start([RUN], **variables(troublemaker.endpoint, protocol)))

    assert_unharmed(ended)
    assert (ended.stderr, ended.lost) == ("", {})
    assert troublemaker.taken == ended.spans


@pytest.fixture
def behind() -> Iterator[Receiver]:
    """What the Collector passes its spans on to."""
    with receiving(GRPC) as receiver:
        yield receiver


@contextmanager
def a_collector(program: Path, directory: Path, behind: Receiver, **environ: str) -> Iterator[Collector]:
    address = behind.endpoint.removeprefix("http://")
    with collecting(program, CONFIG, directory, RECEIVER_ENDPOINT=address, **environ) as collector:
        yield collector


def endpoint_of(collector: Collector, protocol: str) -> str:
    return collector.grpc if protocol == GRPC else collector.http


def received(behind: Receiver, ended: Ended) -> dict[str, int]:
    """How many spans of a program's traces have arrived, for each trace; none of them twice."""
    spans = [span for span in behind.spans() if span.trace_id in ended.spans]
    assert len({span.span_id for span in spans}) == len(spans)
    return {trace_id: [span.trace_id for span in spans].count(trace_id) for trace_id in ended.spans}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_without_memory_is_one_that_refuses(start, tmp_path, collector_program, behind, protocol):
    with a_collector(collector_program, tmp_path, behind, LIMIT_MIB="1") as collector:
        wait_until(lambda: "Memory usage" in collector.server.printed())
        endpoint = endpoint_of(collector, protocol)
        ended = together(start(WAYS, **variables(endpoint, protocol)))

    for one in ended:
        assert_unharmed(one)
    for one in ended[: len(OURS)]:
        reason = {GRPC: "(UNAVAILABLE|RESOURCE_EXHAUSTED): .*memory.*", HTTP: "Service Unavailable"}[protocol]
        assert_said_once(one, endpoint, reason, SPANS)
    assert behind.spans() == []


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_collector_that_is_soon_back_gets_everything(start, tmp_path, collector_program, behind, protocol):
    with a_collector(collector_program, tmp_path, behind) as collector:
        environ = variables(endpoint_of(collector, protocol), protocol, OTEL_BSP_SCHEDULE_DELAY="50")
        environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "10"
        programs = start(WAYS, **environ)
        run_and_arrive(programs, behind, 1)
        collector.server.kill()
        for program in programs:
            program.run_flow()
        collector.start()
        ended = together(programs, flows=1)

    for one in ended:
        assert_unharmed(one, flows=3, grace_seconds=8 + GRACE_SECONDS)
        assert received(behind, one) == one.spans
    for one in ended[: len(OURS)]:
        assert (one.stderr, one.lost) == ("", {})


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_what_a_killed_collector_could_not_take_is_counted(start, tmp_path, collector_program, behind, protocol):
    with a_collector(collector_program, tmp_path, behind) as collector:
        endpoint = endpoint_of(collector, protocol)
        environ = variables(endpoint, protocol, OTEL_BSP_SCHEDULE_DELAY="50", OTEL_EXPORTER_OTLP_TIMEOUT="0.5")
        programs = start(WAYS, **environ)
        run_and_arrive(programs, behind, 1)
        collector.server.kill()
        for program in programs:
            program.run_flow()
        for program in programs:
            program.wait_until_said()
        collector.start()
        ended = together(programs, flows=1)

    for one in ended:
        assert_unharmed(one, flows=3)
    for one in ended[: len(OURS)]:
        arrived = list(received(behind, one).values())
        assert (arrived[0], arrived[2]) == (SPANS_A_FLOW, SPANS_A_FLOW)
        assert sum(arrived) + one.dropped == 3 * SPANS_A_FLOW
        first, *sums = one.stderr.splitlines()
        assert first.startswith(f"pocketflow-otel: OTLP to {endpoint}: ")
        assert sums in ([], [f"pocketflow-otel: OTLP to {endpoint}: {one.dropped} spans dropped in all"])
        assert f" {one.dropped} spans dropped" in one.stderr


def run_and_arrive(programs: list[Told], behind: Receiver, flows: int) -> None:
    for program in programs:
        for _ in range(flows):
            program.run_flow()
    wait_until(lambda: len(behind.spans()) == len(programs) * flows * SPANS_A_FLOW)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [False, True], ids=["not spoken to in TLS", "not trusted"])
@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_a_receiver_whose_tls_does_not_fit_is_trouble_too(start, certificate, protocol, trusted):
    with troublemakers.tls_only(*certificate) as troublemaker:
        endpoint = troublemaker.endpoint.replace("http:", "https:") if trusted else troublemaker.endpoint
        ended = together(start(WAYS, **variables(endpoint, protocol)))

    for one in ended:
        assert_unharmed(one)
    for one in ended[: len(OURS)]:
        assert_said_once(one, endpoint, ".*", SPANS)
