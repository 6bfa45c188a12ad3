"""Traces to be written in another format, read with the requests they come from."""

import io
import json

import pytest

from pocketflow_otel.traces.formats.saved import read_saved, traces_of
from pocketflow_otel.traces.reader import TraceFormatError

FIRST, SECOND = "1" * 32, "2" * 32


def line(trace_id=FIRST, span_id="a" * 16, start=1, **fields):
    made = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": "x",
        "startTimeUnixNano": start,
        "endTimeUnixNano": 9,
        **fields,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [made]}]}]}).encode() + b"\n"


def test_stream_is_read_once_for_traces_and_requests():
    one = read_saved(io.BytesIO(line() + line(span_id="b" * 16)))
    assert [len(trace.spans) for trace in one.traces] == [2]
    assert [place for place, _ in one.requests()] == ["stream:1", "stream:2"]


def test_file_with_nothing_but_a_journal_has_no_requests(tmp_path):
    entry = {"traceId": FIRST, "spanId": "a" * 16, "parentSpanId": "", "name": "x", "startTimeUnixNano": "1"}
    (tmp_path / f"{FIRST}.1.open").write_text(json.dumps({**entry, "attributes": {}, "pid": 1}) + "\n")
    one = read_saved(tmp_path / f"{FIRST}.jsonl")
    assert [trace.trace_id for trace in one.traces] == [FIRST]
    assert list(one.requests()) == []


def test_one_trace_can_be_chosen_by_the_start_of_its_id():
    content = line() + line(SECOND)
    assert [trace.trace_id for trace in read_saved(io.BytesIO(content)).traces] == [FIRST, SECOND]
    assert [trace.trace_id for trace in read_saved(io.BytesIO(content), "22").traces] == [SECOND]


@pytest.mark.parametrize(("content", "trace_id"), [(b"", ""), (line(), "3"), (line() + line("1" * 31 + "2"), "11")])
def test_anything_but_what_was_asked_for_is_an_error(content, trace_id):
    with pytest.raises(TraceFormatError, match="stream: "):
        read_saved(io.BytesIO(content), trace_id)


def test_trace_in_two_files_is_one_trace():
    parts = [
        read_saved(io.BytesIO(line(start=5))),
        read_saved(io.BytesIO(line(span_id="b" * 16, start=3) + line(start=5))),
    ]
    (one,) = traces_of(parts)
    assert [span.span_id[0] for span in one.spans] == ["b", "a"]


def test_traces_come_in_the_order_they_started():
    parts = [read_saved(io.BytesIO(line(start=5))), read_saved(io.BytesIO(line(SECOND, start=3)))]
    assert [trace.trace_id for trace in traces_of(parts)] == [SECOND, FIRST]


def test_span_that_is_open_in_one_file_and_ended_in_another_has_ended():
    parts = [read_saved(io.BytesIO(line(endTimeUnixNano=None))), read_saved(io.BytesIO(line()))]
    for some in (parts, parts[::-1]):
        (one,) = traces_of(some)
        assert [span.end_ns for span in one.spans] == [9]
