"""Switches tracing on for the length of a block, and keeps what it made."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from pocketflow_otel import PocketFlowInstrumentor


@dataclass
class Tree:
    """A span and those below it, in the order they began."""

    span: ReadableSpan
    children: list["Tree"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def names(self) -> Any:
        """The span's name, or where it has children a pair of it and theirs."""
        return (self.name, [child.names for child in self.children]) if self.children else self.name

    def below(self) -> Iterator["Tree"]:
        """This span and all below it."""
        yield self
        for child in self.children:
            yield from child.below()


class _Keeper(SpanProcessor):
    def __init__(self) -> None:
        self.events: list[tuple[str, ReadableSpan]] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.events.append(("begin", span))

    def on_end(self, span: ReadableSpan) -> None:
        self.events.append(("end", span))


class Recording:
    """What one instrumentation made.

    Attributes:
        tracer_provider: The provider it was given.
        meter_provider: Likewise.
        logger_provider: Likewise.
    """

    def __init__(self, sampler: Sampler | None = None) -> None:
        empty = Resource({})
        self._keeper = _Keeper()
        self._reader = InMemoryMetricReader()
        self._logs = InMemoryLogRecordExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, resource=empty, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(self._keeper)
        self.meter_provider = MeterProvider([self._reader], resource=empty, shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(empty, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))

    @property
    def providers(self) -> dict[str, Any]:
        """The arguments of ``instrument()`` that bring everything here."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    @property
    def events(self) -> Sequence[tuple[str, ReadableSpan]]:
        """Each span as it began and as it ended, in order."""
        return self._keeper.events

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that ended, in the order they began."""
        ended = {span.context.span_id: span for event, span in self.events if event == "end"}
        began = [span.context.span_id for event, span in self.events if event == "begin"]
        return [ended[span_id] for span_id in began if span_id in ended]

    @property
    def trees(self) -> list[Tree]:
        """The spans that ended, each below its parent."""
        nodes = {span.context.span_id: Tree(span) for span in self.spans}
        roots = []
        for tree in nodes.values():
            parent = tree.span.parent
            (nodes[parent.span_id].children if parent and parent.span_id in nodes else roots).append(tree)
        return roots

    @property
    def names(self) -> list[Any]:
        """The names of all spans, nested as the spans are."""
        return [tree.names for tree in self.trees]

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name, in the order they began."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The only span of a name."""
        (span,) = self.named(name)
        return span

    def attributes(self, name: str) -> dict[str, Any]:
        """The attributes of the only span of a name."""
        return dict(self.one(name).attributes or {})

    def store(self, name: str) -> dict[str, Any]:
        """What the only span of a name tells of the store, without the prefix, save for the number of keys."""
        prefix = "pocketflow.store."
        told = {key[len(prefix) :]: value for key, value in self.attributes(name).items() if key.startswith(prefix)}
        told.pop("keys", None)
        return told

    def graph(self, name: str) -> Any:
        """The graph that the only span of a name tells."""
        return json.loads(self.attributes(name)["pocketflow.flow.graph"])

    @property
    def logs(self) -> list[Any]:
        """The log records."""
        return [data.log_record for data in self._logs.get_finished_logs()]

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics by name."""
        data = self._reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def traced(*, sampler: Sampler | None = None, **options: Any) -> Iterator[Recording]:
    """Traces PocketFlow inside the block.

    Args:
        sampler: What decides about the spans; all are recorded without.
        **options: The options of ``instrument()``; providers replace those of the recording.
    """
    recording = Recording(sampler)
    instrumentor = PocketFlowInstrumentor()
    instrumentor.instrument(**{**recording.providers, **options})
    try:
        yield recording
    finally:
        instrumentor.uninstrument()
