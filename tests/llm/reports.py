"""Writes spans as instrumentations of LLM clients do, in flows that do what a test gives them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, use_span
from pocketflow import Node

from instrumentation.recording import Recording

FLOW: Final = "invoke_workflow Flow"
NODE: Final = "invoke_node Does"
OFFICIAL: Final = "instrumentation.official"
OTHERS: Final = "instrumentation.others"
THIRD: Final = "instrumentation.third"
SECOND: Final = 1_000_000_000
"""In nanoseconds."""
PRICES: Final = {"m": {"input": 1, "output": 2, "date": "2026-01-31"}, "n": {"input": 10, "output": 20}}
"""USD per million tokens."""
ONE_CALL: Final = {
    "input_tokens": 100,
    "output_tokens": 10,
    "total_tokens": 110,
    "calls": 1,
    "cost_usd": 0.00012,
    "models": ("m",),
    "price_sources": ("price table, as of 2026-01-31",),
}
"""What is told of one call of `official`."""

_BEGINNING: Final = 1_700_000_000 * SECOND
_PREFIX: Final = "pocketflow.usage."


class Does(Node):
    """Does in ``exec`` what it is given, and in ``post`` with the store and the result what else it is given."""

    def __init__(self, work: Callable[[], Any], post: Callable[[Any, Any], Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.work = work
        self.put = post

    def exec(self, prepared):
        return self.work()

    def post(self, shared, prepared, result):
        return self.put(shared, result) if self.put else None


def usage_on(span: Any) -> dict[str, Any]:
    """What a span tells of usage, by the last part of the names."""
    return {name.removeprefix(_PREFIX): told for name, told in span.attributes.items() if name.startswith(_PREFIX)}


def used(recording: Recording, name: str = FLOW) -> dict[str, Any]:
    """What the only span of a name tells of usage."""
    return usage_on(recording.one(name))


def totals(recording: Recording, name: str = FLOW) -> tuple[int, int, int]:
    """Calls, tokens read and tokens written, as the only span of a name tells them."""
    told = used(recording, name)
    return told.get("calls", 0), told.get("input_tokens", 0), told.get("output_tokens", 0)


def cost_of(recording: Recording) -> dict[str, float]:
    """The metric of cost, by model."""
    points = recording.metrics["pocketflow.cost"].data.data_points
    return {point.attributes["gen_ai.request.model"]: point.value for point in points}


def tokens_of(recording: Recording) -> dict[str, int]:
    """The metric of tokens, by type."""
    points = recording.metrics["gen_ai.client.token.usage"].data.data_points
    return {point.attributes["gen_ai.token.type"]: point.sum for point in points}


def official(read: int = 100, written: int = 10, model: str = "m", response_id: str | None = None) -> dict[str, Any]:
    """The attributes of a call by the official conventions."""
    identified = {} if response_id is None else {"gen_ai.response.id": response_id}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": read,
        "gen_ai.usage.output_tokens": written,
        **identified,
    }


def openinference(read: int = 100, written: int = 10, model: str = "m") -> dict[str, Any]:
    """The attributes of a call by OpenInference's conventions, which have no id."""
    return {
        "openinference.span.kind": "LLM",
        "llm.model_name": model,
        "llm.token_count.prompt": read,
        "llm.token_count.completion": written,
    }


def agent(read: int, written: int) -> dict[str, Any]:
    """The attributes of an agent's sum of what its calls used."""
    return {**official(read, written), "gen_ai.operation.name": "invoke_agent"}


class Reporter:
    """Writes spans with a provider.

    Args:
        provider: The provider.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def begin(self, attributes: dict[str, Any], writer: str = OFFICIAL, at: float | None = None) -> Span:
        """Begins a span, which the test ends; `at` is in seconds since a common beginning."""
        tracer = self._provider.get_tracer(writer)
        return tracer.start_span("call", attributes=attributes, start_time=_nanoseconds(at))

    def span(
        self, attributes: dict[str, Any], writer: str = OFFICIAL, times: tuple[float, float] | None = None
    ) -> None:
        """A span that nothing happens in; times are in seconds since a common beginning."""
        started, ended = times or (None, None)
        self.begin(attributes, writer, started).end(_nanoseconds(ended))

    @contextmanager
    def around(self, attributes: dict[str, Any], writer: str = OFFICIAL) -> Iterator[Span]:
        """A span that is current in the block, and ends with it if it has not ended before."""
        span = self.begin(attributes, writer)
        with use_span(span):
            yield span
        if span.is_recording():
            span.end()


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else _BEGINNING + int(seconds * SECOND)
