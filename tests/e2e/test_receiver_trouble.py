"""A receiver that is down, refuses, talks nonsense or is slow: the program goes on, and its user is told once."""

from contextlib import AbstractContextManager

import pytest

from e2e.agent import OUTLINE, OUTPUT
from e2e.outline import outline
from e2e.processes import Outcome, Programs
from e2e.receiver import GRPC, HTTP
from e2e.troublemakers import Reply, Troublemaker, garbage, nobody, replying, silent

# Time for one more try: the SDK waits about a second before it.
ENOUGH_SECONDS, SHORT_SECONDS = "2.5", "0.5"


SPANS = len(OUTLINE.splitlines())


def refusing(status: int) -> AbstractContextManager[Troublemaker]:
    return replying(Reply(status))


TROUBLE = {
    "down": (HTTP, nobody, "Connection refused"),
    "busy, 503": (HTTP, lambda: refusing(503), "Service Unavailable"),
    "busy, 429": (HTTP, lambda: refusing(429), "Too Many Requests"),
    "refusing, 400": (HTTP, lambda: refusing(400), "HTTP 400 Bad Request"),
    "garbage": (HTTP, garbage, "BadStatusLine: ÿ what?"),
    "never answering": (HTTP, silent, f"no answer within {SHORT_SECONDS} s"),
    "down, gRPC": (GRPC, nobody, "UNAVAILABLE: Connection refused"),
    "garbage, gRPC": (GRPC, garbage, None),
    "never answering, gRPC": (GRPC, silent, f"no answer within {SHORT_SECONDS} s"),
}
all_trouble = pytest.mark.parametrize(("protocol", "trouble", "reason"), TROUBLE.values(), ids=TROUBLE)


def variables(endpoint: str, protocol: str, trouble: object) -> dict[str, str]:
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_TIMEOUT": SHORT_SECONDS if trouble is silent else ENOUGH_SECONDS,
    }


def assert_ran_as_ever(outcome: Outcome, programs: Programs) -> None:
    assert outcome.seen == (OUTPUT, 0)
    assert [outline(trace) for trace in programs.read()] == [OUTLINE]


@all_trouble
def test_run_goes_on_and_says_so_once(programs, protocol, trouble, reason):
    with trouble() as troublemaker:
        endpoint = troublemaker.endpoint
        outcome = programs.run("--quiet", "agent.py", **variables(endpoint, protocol, trouble))

    assert_ran_as_ever(outcome, programs)
    (line,) = outcome.stderr.splitlines()
    start, end = f"pocketflow-otel: OTLP to {endpoint}: ", f", {SPANS} spans dropped; your program goes on"
    assert (line[: len(start)], line[-len(end) :]) == (start, end)
    if reason is not None:
        assert line == start + reason + end


@pytest.mark.slow
@all_trouble
def test_an_instrumented_program_goes_on(programs, protocol, trouble, reason):
    """What is said of it, and how long its end waits, is the SDK's affair here."""
    with trouble() as troublemaker:
        endpoint = troublemaker.endpoint
        outcome = programs.instrument(
            "agent.py", **variables(endpoint, protocol, trouble), OTEL_TRACES_EXPORTER="otlp,pocketflow_file"
        )

    assert_ran_as_ever(outcome, programs)
    assert "pocketflow" not in outcome.stderr
