import io
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, Status, StatusCode

from pocketflow_otel import semconv
from pocketflow_otel.export import problems
from pocketflow_otel.export.console import LiveConsole
from pocketflow_otel.options import Verbosity

MILLISECOND = 1_000_000
EPOCH = 1_700_000_000_000 * MILLISECOND


class Program:
    """Makes the spans that the instrumentation would make, at the times of a clock that only `after` moves."""

    def __init__(self, *processors: LiveConsole) -> None:
        self.provider = TracerProvider(sampler=ALWAYS_ON, span_limits=SpanLimits(), shutdown_on_exit=False)
        for processor in processors:
            self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer(semconv.INSTRUMENTATION_NAME)
        self._other_tracer = self.provider.get_tracer("opentelemetry.instrumentation.httpx")
        self.now = EPOCH

    def after(self, milliseconds: float) -> None:
        self.now += round(milliseconds * MILLISECOND)

    def start(self, name: str, parent: Span | None, attributes: dict[str, Any], tracer: trace.Tracer) -> Span:
        context = trace.set_span_in_context(parent) if parent is not None else trace.Context()
        return tracer.start_span(name, context, attributes=attributes, start_time=self.now)

    def flow(self, name: str, parent: Span | None = None, attributes: dict[str, Any] | None = None) -> Span:
        attributes = {semconv.WORKFLOW_NAME: name} | (attributes or {})
        return self.start(f"{semconv.SPAN_FLOW} {name}", parent, attributes, self._tracer)

    def node(self, name: str, parent: Span | None = None, visit: int = 1, attributes: Any = None) -> Span:
        attributes = {semconv.NODE_NAME: name, semconv.NODE_VISIT: visit} | (attributes or {})
        return self.start(f"{semconv.SPAN_NODE} {name}", parent, attributes, self._tracer)

    def iteration(self, parent: Span, index: int, attributes: dict[str, Any] | None = None) -> Span:
        attributes = {semconv.BATCH_INDEX: index} | (attributes or {})
        return self.start(semconv.SPAN_ITERATION, parent, attributes, self._tracer)

    def item(self, parent: Span, index: int) -> Span:
        return self.start(semconv.SPAN_ITEM, parent, {semconv.BATCH_INDEX: index}, self._tracer)

    def attempt(self, parent: Span, number: int, attributes: dict[str, Any] | None = None) -> Span:
        attributes = {semconv.ATTEMPT_NUMBER: number} | (attributes or {})
        return self.start(semconv.SPAN_ATTEMPT, parent, attributes, self._tracer)

    def chat(self, parent: Span | None, model: str) -> Span:
        return self.start(f"chat {model}", parent, {}, self._tracer)

    def other(self, name: str, parent: Span | None = None) -> Span:
        return self.start(name, parent, {}, self._other_tracer)

    def end(self, span: Span, after: float = 0, attributes: dict[str, Any] | None = None) -> None:
        self.after(after)
        span.set_attributes(attributes or {})
        span.end(self.now)

    def fail(
        self,
        span: Span,
        error: BaseException,
        after: float = 0,
        attributes: dict[str, Any] | None = None,
        *,
        raised_here: bool = True,
    ) -> None:
        if raised_here:
            span.record_exception(error, timestamp=self.now)
        span.set_attribute(semconv.ERROR_TYPE, _error_type(error))
        span.set_status(Status(StatusCode.ERROR, str(error)))
        self.end(span, after, attributes)


def _error_type(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


class Shown:
    """A program, and what a console on it has shown."""

    def __init__(self, stream: io.StringIO, console: LiveConsole) -> None:
        self.stream = stream
        self.console = console
        self.program = Program(console)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> str:
        """All that was shown, framed by line ends so that expected texts can be."""
        return "\n" + self.text


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def show(monkeypatch):
    """Makes a program with a console that writes to a pipe, or to a terminal of a width."""
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def make(verbosity: Verbosity = Verbosity.NORMAL, columns: int | None = None, **arguments: Any) -> Shown:
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        stream = FakeTerminal() if columns is not None else io.StringIO()
        return Shown(stream, LiveConsole(stream, verbosity, **arguments))

    return make


@pytest.fixture
def make_program():
    """Makes a program whose spans go to given processors."""
    return Program


@pytest.fixture(autouse=True)
def _nothing_goes_wrong():
    """The console hides its own mistakes from programs; not from these tests."""
    before = problems.snapshot().get("live console")
    yield
    assert problems.snapshot().get("live console") == before
