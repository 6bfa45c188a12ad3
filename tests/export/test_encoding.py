import base64
import enum
import json
import math

import pytest
from google.protobuf import json_format
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, SpanContext, TraceFlags, TraceState

from pocketflow_otel.export import encoding
from pocketflow_otel.export.encoding import SpanEncoder, join

LINKED = SpanContext(2**127 + 1, 2**63 + 1, is_remote=True, trace_state=TraceState([("a", "1"), ("b", "2")]))


class Number(int, enum.Enum):
    SEVEN = 7


class Odd(int):
    def __str__(self):
        return "odd"


class Ended(SpanProcessor):
    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


class Tracing:
    """A provider whose ended spans can be encoded."""

    def __init__(self, **arguments):
        self.ended = Ended()
        self.provider = TracerProvider(shutdown_on_exit=False, **arguments)
        self.provider.add_span_processor(self.ended)
        self.tracer = self.provider.get_tracer("scope", "1.0", "https://example.com/schema", {"level": Number.SEVEN})
        self.encoder = SpanEncoder()

    def line(self):
        return join([self.encoder.encode(span) for span in self.ended.spans])

    def span(self, name="node", **arguments):
        """Makes a span and gives it back out of its line."""
        self.tracer.start_span(name, **arguments).end()
        return accepted(join([self.encoder.encode(self.ended.spans[-1])])).resource_spans[0].scope_spans[0].spans[0]


def accepted(line):
    """What protobuf's own parser makes of a line, once the ids are in base64, as plain protobuf JSON has them."""
    document = json.loads(line)
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for holder in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in holder:
                            holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
    return json_format.Parse(json.dumps(document), ExportTraceServiceRequest())


def plain(value):
    kind = value.WhichOneof("value")
    content = getattr(value, kind) if kind else None
    if kind == "array_value":
        return [plain(item) for item in content.values]
    if kind == "kvlist_value":
        return attributes(content.values)
    return content


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


@pytest.fixture
def tracing():
    return Tracing(resource=Resource({"service.name": "app", "big": 2**64}, "https://example.com/resource"))


def test_everything_a_span_holds_is_in_its_line(tracing):
    parent = trace.set_span_in_context(
        trace.NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))
    )
    span = tracing.tracer.start_span(
        "node ä",
        context=parent,
        kind=trace.SpanKind.CLIENT,
        attributes={"key": "value"},
        links=[Link(LINKED, {"big": -(2**63) - 1})],
        start_time=1_700_000_000_000_000_001,
    )
    span.add_event("exception", {"exception.type": "ValueError", "big": 2**63}, timestamp=1_700_000_000_000_000_002)
    span.set_status(trace.StatusCode.ERROR, "why")
    span.end(1_700_000_000_000_000_003)
    (resource_spans,) = accepted(tracing.line()).resource_spans
    (scope_spans,) = resource_spans.scope_spans
    (encoded,) = scope_spans.spans
    assert attributes(resource_spans.resource.attributes) == {"service.name": "app", "big": str(2**64)}
    assert resource_spans.schema_url == "https://example.com/resource"
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("scope", "1.0")
    assert scope_spans.schema_url == "https://example.com/schema"
    assert encoded.trace_id.hex() == "0" * 31 + "1"
    assert encoded.span_id.hex() == f"{span.get_span_context().span_id:016x}"
    assert encoded.parent_span_id.hex() == "0" * 15 + "2"
    assert encoded.name == "node ä"
    assert encoded.kind == encoded.SPAN_KIND_CLIENT
    assert (encoded.start_time_unix_nano, encoded.end_time_unix_nano) == (
        1_700_000_000_000_000_001,
        1_700_000_000_000_000_003,
    )
    assert attributes(encoded.attributes) == {"key": "value"}
    assert (encoded.status.code, encoded.status.message) == (2, "why")
    (event,) = encoded.events
    assert (event.name, event.time_unix_nano) == ("exception", 1_700_000_000_000_000_002)
    assert attributes(event.attributes) == {"exception.type": "ValueError", "big": str(2**63)}
    (link,) = encoded.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (f"{LINKED.trace_id:032x}", f"{LINKED.span_id:016x}")
    assert link.trace_state == "a=1,b=2"
    assert attributes(link.attributes) == {"big": str(-(2**63) - 1)}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", ""),
        ('\x00\x1f\x7f\n\r"\\', '\x00\x1f\x7f\n\r"\\'),
        ("ä€😀", "ä€😀"),
        ("\x85\u2028\u2029", "\x85\u2028\u2029"),
        ("lone \ud800.", "lone �."),
        ("lone \udc00\ud800.", "lone ��."),
        ("pair \ud83d\ude00.", "pair 😀."),
        (True, True),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, str(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (Number.SEVEN, 7),
        (Odd(3), 3),
        (Odd(2**70), str(2**70)),
        (0.1, 0.1),
        (math.inf, math.inf),
        (-math.inf, -math.inf),
        (5e-324, 5e-324),
        (b"\x00\xff", b"\x00\xff"),
        (b"", b""),
        (None, None),
        ([], []),
        ([1, None, "a", 2**64], [1, None, "a", str(2**64)]),
        ({"a": {"b": [2**64, {"c": Number.SEVEN}]}}, {"a": {"b": [str(2**64), {"c": 7}]}}),
    ],
    ids=ascii,
)
def test_values(tracing, value, read):
    encoded = attributes(tracing.span(attributes={"before": 1, "key": value}).attributes)
    assert encoded == {"before": 1, "key": read}
    assert type(encoded["key"]) is type(read)


def test_a_number_that_python_writes_in_no_decimals(tracing):
    assert attributes(tracing.span(attributes={"key": 10**5000}).attributes) == {"key": hex(10**5000)}


def test_not_a_number(tracing):
    assert math.isnan(attributes(tracing.span(attributes={"key": math.nan}).attributes)["key"])


def test_a_line_is_one_line_to_every_reader(tracing):
    tracing.span("a\x85b\u2028c\nd", attributes={"\u2029": "\r\x0b\x0c\x1c\x1d\x1e"})
    line = tracing.line()
    assert line.endswith(b"\n")
    assert len(line.decode().splitlines()) == 1
    assert tracing.span("a\x85b\u2028c\nd").name == "a\x85b\u2028c\nd"


def test_a_lone_surrogate_in_a_name(tracing):
    assert tracing.span("no\ud800de").name == "no�de"


def test_what_the_limits_dropped_is_counted():
    tracing = Tracing(span_limits=SpanLimits(max_attributes=1, max_events=1, max_links=1, max_event_attributes=1))
    with tracing.tracer.start_as_current_span("node", links=[Link(LINKED), Link(LINKED)]) as span:
        span.set_attributes({"a": 1, "b": 2, "c": 2**64})
        span.add_event("one")
        span.add_event("two", {"a": 1, "b": 2**64})
    (encoded,) = accepted(tracing.line()).resource_spans[0].scope_spans[0].spans
    assert attributes(encoded.attributes) == {"c": str(2**64)}
    assert encoded.dropped_attributes_count == 2
    assert encoded.dropped_events_count == 1
    assert encoded.dropped_links_count == 1
    assert encoded.events[0].dropped_attributes_count == 1


def test_spans_of_one_line_are_grouped_by_resource_and_scope(tracing):
    tracing.span("one")
    tracing.provider.get_tracer("other").start_span("two").end()
    tracing.span("three")
    other = Tracing(resource=Resource({"service.name": "other"}))
    other.span("four")
    tracing.ended.spans += other.ended.spans
    found = [
        (
            attributes(resource_spans.resource.attributes)["service.name"],
            scope_spans.scope.name,
            [span.name for span in scope_spans.spans],
        )
        for resource_spans in accepted(tracing.line()).resource_spans
        for scope_spans in resource_spans.scope_spans
    ]
    assert found == [("app", "scope", ["one", "three"]), ("app", "other", ["two"]), ("other", "scope", ["four"])]


def test_scopes_that_differ_are_told_apart_however_many(tracing):
    for number in range(200):
        tracing.provider.get_tracer("scope", str(number)).start_span("node").end()
    versions = [
        resource_spans.scope_spans[0].scope.version for resource_spans in accepted(tracing.line()).resource_spans
    ]
    assert versions == [str(number) for number in range(200)]
    assert len(tracing.encoder._envelopes) <= encoding._MOST_ENVELOPES


def test_a_span_without_scope_and_resource():
    ended = trace.SpanContext(1, 2, is_remote=False)
    encoded = SpanEncoder().encode(encoding.ReadableSpan("node", ended, resource=Resource({})))
    (resource_spans,) = accepted(join([encoded])).resource_spans
    assert resource_spans.scope_spans[0].spans[0].name == "node"


def test_an_event_without_attributes():
    events = [encoding.Event("first", timestamp=1), encoding.Event("second", {}, timestamp=2)]
    encoded = SpanEncoder().encode(encoding.ReadableSpan("node", LINKED, resource=Resource({}), events=events))
    (span,) = accepted(join([encoded])).resource_spans[0].scope_spans[0].spans
    assert [(event.name, event.time_unix_nano, len(event.attributes)) for event in span.events] == [
        ("first", 1, 0),
        ("second", 2, 0),
    ]


def test_a_span_that_cannot_be_encoded_raises(tracing):
    nested = []
    for _ in range(400):
        nested = [nested]
    tracing.tracer.start_span("node", attributes={"deep": nested}).end()
    with pytest.raises(RecursionError):
        tracing.line()
