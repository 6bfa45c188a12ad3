import base64
import io
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from pocketflow_otel.export.file import TraceFileProcessor
from pocketflow_otel.traces import liveness
from pocketflow_otel.traces.reader import (
    Event,
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Trace,
    TraceFormatError,
    TraceState,
    read_trace,
    read_traces,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
ROOT, CHILD = "00f067aa0ba902b7", "b7ad6b7169203331"


def span(span_id=ROOT, **fields):
    made = {"traceId": TRACE, "spanId": span_id, "name": "node", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {key: value for key, value in {**made, **fields}.items() if value is not None}


def request(*spans, resource=None, scope="test"):
    return {
        "resourceSpans": [
            {"resource": {"attributes": resource or []}, "scopeSpans": [{"scope": {"name": scope}, "spans": [*spans]}]}
        ]
    }


def entry(span_id=ROOT, **fields):
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": "",
        "name": "flow",
        "startTimeUnixNano": "1",
        "attributes": {},
        "pid": 1,
        **fields,
    }


def lines(*documents):
    return b"".join(json.dumps(document, separators=(",", ":")).encode() + b"\n" for document in documents)


def read(*documents):
    return read_trace(io.BytesIO(lines(*documents)))


def read_span(**fields):
    (found,) = read(request(span(**fields))).spans
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / f"{TRACE}.jsonl"


@pytest.fixture
def journal(path):
    """The journal of a process that is alive: this one."""
    return path.with_name(f"{TRACE}.{os.getpid()}.open")


def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


# What is written is read again.

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
int64s = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | int64s | st.floats(allow_nan=False) | texts | st.binary(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple) | st.dictionaries(texts.filter(bool), inner, min_size=1, max_size=4)
    ),
    max_leaves=8,
)
attribute_sets = st.dictionaries(texts.filter(bool), values, max_size=6)
times = st.integers(1, 2**63 - 1)
trace_ids = st.integers(1, 2**128 - 1)
span_ids = st.integers(1, 2**64 - 1)
trace_states = st.sampled_from([None, api.TraceState([("vendor", "a:1"), ("other", "b")])])
linked = st.builds(api.SpanContext, trace_ids, span_ids, st.booleans(), st.just(api.TraceFlags(1)))
contexts = st.builds(api.SpanContext, trace_ids, span_ids, st.booleans(), st.just(api.TraceFlags(1)), trace_states)
statuses = st.one_of(
    st.just(api.Status()),
    st.just(api.Status(api.StatusCode.OK)),
    st.builds(api.Status, st.just(api.StatusCode.ERROR), texts),
)
sdk_spans = st.builds(
    ReadableSpan,
    name=texts,
    context=contexts,
    parent=st.none() | contexts,
    resource=st.builds(Resource, attribute_sets),
    attributes=attribute_sets,
    events=st.lists(st.builds(SdkEvent, texts, attribute_sets, times), max_size=3),
    links=st.lists(st.builds(api.Link, linked, attribute_sets), max_size=3),
    kind=st.sampled_from(api.SpanKind),
    status=statuses,
    start_time=times,
    end_time=times,
    instrumentation_scope=st.none() | st.builds(InstrumentationScope, texts.filter(bool), st.none() | texts),
)


def as_read(value):
    """What a value of an attribute is once it was read: sequences are lists."""
    if isinstance(value, (list, tuple)):
        return [as_read(item) for item in value]
    if isinstance(value, dict):
        return {key: as_read(item) for key, item in value.items()}
    return value


def expected(made):
    return Span(
        trace_id=f"{made.context.trace_id:032x}",
        span_id=f"{made.context.span_id:016x}",
        parent_span_id=f"{made.parent.span_id:016x}" if made.parent else None,
        name=made.name,
        start_ns=made.start_time,
        end_ns=made.end_time,
        kind=SpanKind(made.kind.name),
        attributes=as_read(dict(made.attributes)),
        events=tuple(Event(event.name, event.timestamp, as_read(dict(event.attributes))) for event in made.events),
        links=tuple(
            Link(f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", as_read(dict(link.attributes)))
            for link in made.links
        ),
        status=Status(StatusCode(made.status.status_code.name), made.status.description or ""),
        resource=as_read(dict(made.resource.attributes)),
        scope=made.instrumentation_scope.name if made.instrumentation_scope else "",
        scope_version=(made.instrumentation_scope.version or "") if made.instrumentation_scope else "",
        trace_state=made.context.trace_state.to_header(),
    )


@settings(deadline=None)
@given(made=sdk_spans)
def test_our_files_are_read_as_they_were_written(made, tmp_path_factory):
    directory = tmp_path_factory.mktemp("traces")
    processor = TraceFileProcessor(directory=directory)
    processor.on_end(made)
    (written,) = processor.paths
    wanted = expected(made)
    assert read_trace(written) == Trace(wanted.trace_id, [wanted], TraceState.FINISHED, written)


def protobuf_json(made):
    """What protobuf's own JSON looks like: ids in base64, enumerations by name, defaults left out."""
    return json_format.MessageToJson(encode_spans([made])).encode()


@settings(deadline=None)
@given(made=sdk_spans)
def test_protobufs_own_json_is_read_too(made):
    assert read_trace(io.BytesIO(protobuf_json(made))).spans == [expected(made)]


def test_times_are_exact():
    found = read_span(startTimeUnixNano="1700000000123456789", endTimeUnixNano=1700000000123456790)
    assert (found.start_ns, found.end_ns) == (1700000000123456789, 1700000000123456790)


# What other tools write.


@pytest.mark.parametrize("encode", [str, str.upper, lambda text: base64.b64encode(bytes.fromhex(text)).decode()])
def test_ids(encode):
    link = {"traceId": encode(TRACE), "spanId": encode(CHILD)}
    found = read_span(traceId=encode(TRACE), spanId=encode(ROOT), parentSpanId=encode(CHILD), links=[link])
    assert (found.trace_id, found.span_id, found.parent_span_id) == (TRACE, ROOT, CHILD)
    assert found.links == (Link(TRACE, CHILD),)


@pytest.mark.parametrize("parent", [None, "", "0" * 16])
def test_no_parent(parent):
    assert read_span(parentSpanId=parent).parent_span_id is None


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (3, SpanKind.CLIENT),
        ("3", SpanKind.CLIENT),
        ("SPAN_KIND_CLIENT", SpanKind.CLIENT),
        ("CLIENT", SpanKind.CLIENT),
        (5, SpanKind.CONSUMER),
        (None, SpanKind.UNSPECIFIED),
        (0, SpanKind.UNSPECIFIED),
        (6, SpanKind.UNSPECIFIED),
        (-1, SpanKind.UNSPECIFIED),
        ("SPAN_KIND_OF_THE_FUTURE", SpanKind.UNSPECIFIED),
    ],
)
def test_kinds(written, kind):
    assert read_span(kind=written).kind is kind


@pytest.mark.parametrize(
    ("written", "status"),
    [
        (None, Status()),
        ({}, Status()),
        ({"code": 1}, Status(StatusCode.OK)),
        ({"code": 2, "message": "why"}, Status(StatusCode.ERROR, "why")),
        ({"code": "STATUS_CODE_ERROR"}, Status(StatusCode.ERROR)),
    ],
)
def test_statuses(written, status):
    assert read_span(status=written).status == status


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"stringValue": "a"}, "a"),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 9223372036854775807}, 2**63 - 1),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.1}, 0.1),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "AP8="}, b"\x00\xff"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}]}}, [1, None]),
        ({"arrayValue": {}}, []),
        (
            {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}, {"key": "c"}]}},
            {"a": "b", "c": None},
        ),
        ({"kvlistValue": {}}, {}),
        ({}, None),
        (None, None),
        ({"stringValue": None}, None),
        ({"valueOfTheFuture": 7}, None),
    ],
)
def test_values(written, value):
    found = read_span(attributes=[{"key": "key", "value": written}]).attributes
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_not_a_number():
    assert math.isnan(read_span(attributes=[{"key": "a", "value": {"doubleValue": "NaN"}}]).attributes["a"])


def test_almost_nothing():
    (found,) = read({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE, "spanId": ROOT}]}]}]}).spans
    assert found == Span(TRACE, ROOT, None, "", 0, None, kind=SpanKind.UNSPECIFIED)
    assert not found.finished


def test_fields_that_are_null():
    keys = ["attributes", "events", "links", "status", "kind", "parentSpanId"]
    made = {**span(), **dict.fromkeys(keys)}
    document = {
        "resourceSpans": [
            {"resource": None, "scopeSpans": [{"scope": None, "spans": [made]}, {"spans": None}]},
            {"scopeSpans": None},
        ]
    }
    assert read(document).spans == [Span(TRACE, ROOT, None, "node", 1, 2, kind=SpanKind.UNSPECIFIED)]


def test_events():
    events = [{"name": "exception", "timeUnixNano": "5", "attributes": [{"key": "a", "value": {"intValue": 1}}]}, {}]
    assert read_span(events=events).events == (Event("exception", 5, {"a": 1}), Event("", 0))


def test_links():
    links = [
        {"traceId": TRACE, "spanId": CHILD, "traceState": "a=1", "attributes": [{"key": "a", "value": {"intValue": 1}}]}
    ]
    assert read_span(links=links).links == (Link(TRACE, CHILD, {"a": 1}, "a=1"),)


def test_scopes_by_their_old_name():
    library = {"instrumentationLibrary": {"name": "old"}, "spans": [span()]}
    (found,) = read({"resourceSpans": [{"instrumentationLibrarySpans": [library]}]}).spans
    assert found.scope == "old"


def test_resources_are_told_apart_and_shared():
    def service(name):
        return [{"key": "service.name", "value": {"stringValue": name}}]

    first, second, third = read(
        request(span(ROOT, startTimeUnixNano="1"), resource=service("a")),
        request(span(CHILD, startTimeUnixNano="2"), resource=service("a")),
        request(span("0" * 15 + "1", startTimeUnixNano="3"), resource=service("b")),
    ).spans
    assert (first.resource, third.resource) == ({"service.name": "a"}, {"service.name": "b"})
    assert first.resource is second.resource


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("before", ["", "\n\n", "\ufeff"])
def test_one_document(indent, before):
    document = json.dumps(request(span(), span(CHILD)), indent=indent)
    found = read_trace(io.BytesIO((before + document).encode()))
    assert [one.span_id for one in found.spans] == [ROOT, CHILD]
    assert found.torn_lines == 0


def test_lines_of_other_signals_and_empty_lines_are_passed_over():
    content = lines({"resourceLogs": [{}]}) + b"\n \r\n" + lines(request(span()), {}, {"resourceMetrics": []})
    found = read_trace(io.BytesIO(content))
    assert [one.span_id for one in found.spans] == [ROOT]
    assert found.torn_lines == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello\n", ":1: expected OTLP JSON: it begins with 'hello'"),
        (b"\n\nhello", ":3: expected OTLP JSON: it begins with 'hello'"),
        (
            b"\x80\x04\x95\xff",
            ":1: expected OTLP JSON: it begins with '\ufffd\\x04\ufffd\ufffd'",
        ),
        (b"[1, 2]", ":1: expected OTLP JSON: an object with resourceSpans"),
        (b'{"data": []}', ":1: expected OTLP JSON: an object with resourceSpans"),
        (lines(request(span())) + b'{"level": "info"}\n', ":2: expected OTLP JSON: an object with resourceSpans"),
        (
            lines(request(span(traceId="abc"))),
            ":1: expected OTLP JSON: 'abc' is no id of 32 hex digits",
        ),
        (lines(request(span("abcd"))), ":1: expected OTLP JSON: 'abcd' is no id of 16 hex digits"),
        (
            lines(request(span("x" * 16))),
            ":1: expected OTLP JSON: 'xxxxxxxxxxxxxxxx' is no id of 16 hex digits",
        ),
        (lines(request(span(), {"spanId": ROOT})), ":1: expected OTLP JSON: no traceId"),
        (
            lines({"resourceSpans": [1]}),
            ":1: expected OTLP JSON: a field is of a wrong type: 'int' object has no attribute 'get'",
        ),
        (
            lines({"resourceSpans": 1}),
            ":1: expected OTLP JSON: a field is of a wrong type: 'int' object is not iterable",
        ),
        (
            lines(request(span(startTimeUnixNano="now"))),
            ":1: expected OTLP JSON: invalid literal for int() with base 10: 'now'",
        ),
    ],
    ids=range(13),
)
def test_what_is_no_otlp_is_named_with_its_line(path, content, message):
    path.write_bytes(content)
    with pytest.raises(TraceFormatError) as raised:
        read_traces(path)
    assert str(raised.value) == f"{path}{message}"


@pytest.mark.parametrize("content", [b"", b"\n", b"{}", b'{"resourceSpans": []}', lines(request())])
def test_a_file_without_spans(path, content):
    path.write_bytes(content)
    assert read_traces(path) == []
    with pytest.raises(TraceFormatError) as raised:
        read_trace(path)
    assert str(raised.value) == f"{path}: no trace is in it"


def test_a_file_that_is_missing(path):
    with pytest.raises(FileNotFoundError):
        read_traces(path)


def test_several_traces(path):
    others = [f"{number:032x}" for number in range(4)]
    starts = [5, 3, 4, 6]
    content = [
        request(span(traceId=other, startTimeUnixNano=start)) for other, start in zip(others, starts, strict=True)
    ]
    path.write_bytes(lines(*content))
    assert [found.trace_id for found in read_traces(path)] == [others[1], others[2], others[0], others[3]]
    with pytest.raises(TraceFormatError) as raised:
        read_trace(path)
    assert str(raised.value) == f"{path}: 4 traces are in it, expected one: {others[1]}, {others[2]}, {others[0]}, …"
    with pytest.raises(TraceFormatError) as raised:
        read_trace(path, "abc")
    assert str(raised.value) == f"{path}: no trace whose id starts with abc is in it"
    assert read_trace(path, others[2].upper()).trace_id == others[2]


def test_a_stream_has_no_path_and_may_have_no_name():
    assert read(request(span())).path is None
    with pytest.raises(TraceFormatError, match=r"^stream: no trace is in it$"):
        read_trace(io.BytesIO())


# Torn lines.

TORN = lines(request(span(CHILD)))[:40]


@pytest.mark.parametrize(
    ("content", "torn"),
    [
        (lines(request(span())) + TORN, 1),
        (lines(request(span())) + TORN + b"\n", 1),
        (TORN + b"\n" + lines(request(span())), 1),
        (TORN + b"\n" + TORN + b"\n" + lines(request(span())) + TORN, 3),
        (lines(request(span())) + b"\xff\xfe\n", 1),
    ],
)
def test_torn_lines_are_passed_over_and_counted(path, content, torn):
    path.write_bytes(content)
    found = read_trace(path)
    assert [one.span_id for one in found.spans] == [ROOT]
    assert found.torn_lines == torn


def test_only_a_torn_line(path):
    path.write_bytes(TORN)
    assert read_traces(path) == []


def test_a_span_that_stands_twice_counts_once():
    found = read(request(span(name="first"), span(name="second")), request(span(name="third")))
    assert [one.name for one in found.spans] == ["first"]


# Journals.


def test_a_running_trace(path, journal):
    path.write_bytes(lines(request(span(CHILD, parentSpanId=ROOT, startTimeUnixNano="2"))))
    journal.write_bytes(lines(entry(ROOT, attributes={"a": [1, "b"]}, scope="test"), entry(CHILD, parentSpanId=ROOT)))
    found = read_trace(path)
    assert found.state is TraceState.RUNNING
    root, child = found.spans
    assert root == Span(TRACE, ROOT, None, "flow", 1, None, attributes={"a": [1, "b"]}, scope="test")
    assert (root.finished, child.finished) == (False, True)
    assert found.roots() == [root]
    assert found.children(root) == [child]


def test_a_crashed_trace(path):
    path.write_bytes(b"")
    path.with_name(f"{TRACE}.{dead_pid()}.open").write_bytes(lines(entry()))
    found = read_trace(path)
    assert found.state is TraceState.CRASHED
    assert [one.finished for one in found.spans] == [False]


def test_a_finished_trace(path):
    path.write_bytes(lines(request(span())))
    assert read_trace(path).state is TraceState.FINISHED


def test_one_of_two_processes_is_running(path, journal):
    path.with_name(f"{TRACE}.{dead_pid()}.open").write_bytes(lines(entry(ROOT)))
    journal.write_bytes(lines(entry(CHILD, parentSpanId=ROOT, startTimeUnixNano="2")))
    found = read_trace(path)
    assert found.state is TraceState.RUNNING
    assert [one.span_id for one in found.spans] == [ROOT, CHILD]


def test_journals_of_others(path):
    path.write_bytes(lines(request(span())))
    for name in (f"{TRACE[:-1]}.1.open", f"{TRACE}0.1.open", f"{TRACE}.x.open", f"{TRACE}.1.open.tmp"):
        path.with_name(name).write_bytes(lines(entry(CHILD)))
    found = read_trace(path)
    assert found.state is TraceState.FINISHED
    assert [one.span_id for one in found.spans] == [ROOT]


def test_torn_entries_are_passed_over(path, journal):
    journal.write_bytes(lines(entry(ROOT))[:30] + b"\n" + lines(entry(CHILD)) + b"\n" + lines(entry(ROOT))[:-9])
    assert [one.span_id for one in read_trace(path).spans] == [CHILD]


def test_a_journal_that_goes_while_it_is_read(path, journal, monkeypatch):
    path.write_bytes(lines(request(span())))
    journal.write_bytes(lines(entry(CHILD)))
    stat = Path.stat

    def late(self, **keywords):
        found = stat(self, **keywords)
        if self == journal:
            journal.unlink()
        return found

    monkeypatch.setattr(Path, "stat", late)
    found = read_trace(path)
    assert found.state is TraceState.FINISHED
    assert [one.span_id for one in found.spans] == [ROOT]


def test_a_name_that_looks_like_a_pattern(tmp_path):
    path = tmp_path / "[a]*.jsonl"
    path.write_bytes(lines(request(span())))
    (tmp_path / "ab.1.open").write_bytes(lines(entry(CHILD)))
    assert [one.span_id for one in read_trace(path).spans] == [ROOT]


def test_a_process_that_started_after_the_journal_was_written_is_another_one(path, journal):
    journal.write_bytes(lines(entry()))
    os.utime(journal, (1, 1))
    assert read_trace(path).state is TraceState.CRASHED


def test_a_process_that_has_died_and_was_not_waited_for():
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    now = time.time()
    assert liveness.is_alive(child.pid, now + 10)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not liveness.is_alive(child.pid, now + 10)
    child.wait()
    assert not liveness.is_alive(child.pid, now + 10)


def test_processes_that_cannot_be():
    assert not liveness.is_alive(2**80, 0)


def test_the_process_of_another_user(monkeypatch):
    def refuse(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert liveness.is_alive(os.getpid(), time.time())


def test_a_system_that_does_not_tell_when_a_process_started(monkeypatch):
    def missing(path, *arguments):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert liveness.is_alive(os.getpid(), 0)
    assert not liveness.is_alive(dead_pid(), 0)


# The tree.


def test_the_tree():
    def made(span_id, parent, start):
        return span(f"{span_id:016x}", parentSpanId=f"{parent:016x}", startTimeUnixNano=start)

    found = read(request(made(4, 2, 4), made(3, 1, 3), made(2, 1, 2), made(1, 0, 1), made(5, 99, 5)))
    one, two, three, four, five = found.spans
    assert [one.start_ns, two.start_ns, three.start_ns, four.start_ns, five.start_ns] == [1, 2, 3, 4, 5]
    assert found.roots() == [one, five]
    assert found.children(one) == [two, three]
    assert found.children(two) == [four]
    assert found.children(five) == ()


def test_nothing_that_reads_traces_needs_opentelemetry_or_the_instrumentation():
    script = """
import importlib, pkgutil, sys
import pocketflow_otel.traces
for module in pkgutil.walk_packages(pocketflow_otel.traces.__path__, "pocketflow_otel.traces."):
    importlib.import_module(module.name)
ours = sorted(name for name in sys.modules if name.startswith("pocketflow_otel."))
print(*ours, sep="\\n")
print([name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "wrapt", "pocketflow", "google")])
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    *ours, others = finished.stdout.splitlines()
    rooms = {name.split(".")[1] for name in ours}
    assert rooms == {"traces", "figures", "semconv", "version"}
    assert others == "[]"


def test_a_provider_writes_and_the_reader_reads(tmp_path):
    processor = TraceFileProcessor(directory=tmp_path)
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource({"service.name": "app"}))
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("pocketflow_otel")
    with tracer.start_as_current_span("flow"), pytest.raises(ValueError), tracer.start_as_current_span("node"):
        raise ValueError("why")
    found = read_trace(processor.paths[0])
    (flow,) = found.roots()
    (node,) = found.children(flow)
    assert (flow.name, flow.status, flow.scope) == ("flow", Status(), "pocketflow_otel")
    assert (node.name, node.status) == ("node", Status(StatusCode.ERROR, "ValueError: why"))
    assert [event.name for event in node.events] == ["exception"]
    assert flow.resource == {"service.name": "app"}
