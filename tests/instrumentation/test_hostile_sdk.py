"""An SDK whose parts fail: the program does not notice, its context is kept clean, and no span stays open."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import SpanKind, get_current_span
from pocketflow import AsyncFlow, AsyncNode, BatchFlow, BatchNode, Flow, Node

from instrumentation.recording import Recording, traced
from pocketflow_otel.guard import guard

CONTENT = {"capture_values": True, "capture_output": True, "capture_io": True}


class Broken(Exception): ...


class FailsOnStart(SpanProcessor):
    def on_start(self, span: Span, parent_context: Any = None) -> None:
        raise Broken


class FailsOnEnd(SpanProcessor):
    def on_end(self, span: Any) -> None:
        raise Broken


class FailingSampler(Sampler):
    def should_sample(self, *arguments: Any, **keywords: Any) -> SamplingResult:
        raise Broken

    def get_description(self) -> str:
        return "fails"


class Turns:
    """Fails at one of the calls of a span's method, and counts them."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.calls = 0

    def take(self) -> None:
        self.calls += 1
        if self.calls == self.failing:
            raise Broken


class Items(BatchNode):
    def prep(self, shared):
        return [1, 2]

    def exec(self, item):
        print("item")
        return item


class Fails(Node):
    def exec(self, prepared):
        raise ValueError("no")

    def exec_fallback(self, prepared, error):
        return "fallback"

    def post(self, shared, prepared, result):
        shared["result"] = result


class Rounds(BatchFlow):
    def prep(self, shared):
        return [{"number": 1}, {"number": 2}]


class Later(AsyncNode):
    async def post_async(self, shared, prepared, result):
        shared["later"] = 1
        raise KeyError("end")


def program() -> dict[str, Any]:
    items = Items()
    items >> Fails(max_retries=2) >> AsyncFlow(Later())
    store: dict[str, Any] = {}
    flow = AsyncFlow(items)
    flow.set_params({"page": 1})
    coroutine = flow.run_async(store)
    with pytest.raises(KeyError, match="end"):
        coroutine.send(None)
    Flow(Rounds(Fails(max_retries=2))).run(store)
    return store


@pytest.fixture
def _as_in_programs(monkeypatch, caplog):
    monkeypatch.setattr(guard, "reraise", False)
    monkeypatch.setattr(guard, "failures", 0)
    caplog.set_level(logging.CRITICAL, "pocketflow_otel")


def expect_unnoticed(recording: Recording | None, **options: Any) -> None:
    with traced(**CONTENT, **options) as own:
        assert program() == {"result": "fallback", "later": 1}
        assert not get_current_span().get_span_context().is_valid
    assert guard.failures > 0
    if recording is None:
        recording = own
    assert len(recording.spans) == sum(event == "begin" for event, _ in recording.events)


@pytest.mark.usefixtures("_as_in_programs")
@pytest.mark.parametrize("processor", [FailsOnStart, FailsOnEnd])
def test_a_processor_that_fails(processor):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor())
    expect_unnoticed(None, tracer_provider=provider)


@pytest.mark.usefixtures("_as_in_programs")
def test_a_sampler_that_fails():
    expect_unnoticed(None, sampler=FailingSampler())


class Tracer:
    """A tracer of another make: its spans fail at one of their calls."""

    def __init__(self, tracer: Any, method: str, turns: Turns) -> None:
        self._tracer = tracer
        self._method = method
        self._turns = turns

    def start_span(self, *arguments: Any, **keywords: Any) -> Any:
        span = self._tracer.start_span(*arguments, **keywords)
        whole = getattr(span, self._method)

        def method(*arguments: Any, **keywords: Any) -> Any:
            self._turns.take()
            return whole(*arguments, **keywords)

        setattr(span, self._method, method)
        return span


class Provider:
    def __init__(self, recording: Recording, method: str, turns: Turns) -> None:
        self._recording = recording
        self._method = method
        self._turns = turns

    def get_tracer(self, *arguments: Any, **keywords: Any) -> Tracer:
        return Tracer(self._recording.tracer_provider.get_tracer("a"), self._method, self._turns)


@pytest.mark.usefixtures("_as_in_programs")
@pytest.mark.parametrize("method", ["set_attribute", "set_attributes", "set_status", "add_event"])
def test_a_span_that_fails_at_any_of_its_calls(method):
    turns = Turns(0)
    with traced(**CONTENT, tracer_provider=Provider(Recording(), method, turns)):
        program()
    assert turns.calls > 0
    for failing in range(1, turns.calls + 1):
        recording = Recording()
        expect_unnoticed(recording, tracer_provider=Provider(recording, method, Turns(failing)))
        assert {SpanKind.INTERNAL} == {span.kind for span in recording.spans}
        guard.failures = 0
