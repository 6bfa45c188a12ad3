"""Trace files as other tools lay them out, and files that are something else."""

import gzip
import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.traces.documents import TraceFormatError, read_lines

SPACES = st.text(" \t\r\n", max_size=5)


def request(number: int) -> dict:
    span = {"traceId": "a" * 32, "spanId": f"{number:016x}", "name": "größer\n"}
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


def requests_in(content: bytes) -> list:
    return [line.request for line in read_lines(io.BytesIO(content), "file")]


@given(
    numbers=st.lists(st.integers(0, 99), min_size=1, max_size=5),
    layouts=st.lists(st.tuples(st.sampled_from([None, 0, 2]), SPACES), min_size=5, max_size=5),
    before=SPACES,
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
def test_documents_may_follow_each_other_in_any_layout(numbers, layouts, before, encoding):
    documents = [request(number) for number in numbers]
    # Where the first is on a line, all are; so has each line or each document its end.
    indented = any(indent is not None for indent, _ in layouts[: len(numbers)])
    laid_out = [
        json.dumps(document, indent=indent or 0 if indented else None, ensure_ascii=False)
        + ("" if indented else "\n")
        + after
        for document, (indent, after) in zip(documents, layouts, strict=False)
    ]
    assert requests_in((before + "".join(laid_out)).encode(encoding)) == documents


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_requests_is_read_as_these(indent):
    assert requests_in(json.dumps([request(1), {}, request(2)], indent=indent).encode()) == [request(1), {}, request(2)]


def test_what_javas_logging_exporter_writes_is_read():
    lines = [json.dumps(request(number)["resourceSpans"][0]) + "\n" for number in (1, 2)]
    assert requests_in("".join(lines).encode()) == [request(1), request(2)]


def test_each_request_has_the_line_where_its_document_begins():
    content = "\n" + "\n\n".join(json.dumps(request(number), indent=2) for number in (1, 2))
    length = len(json.dumps(request(1), indent=2).splitlines())
    assert [line.place for line in read_lines(io.BytesIO(content.encode()), "file")] == ["file:2", f"file:{length + 3}"]


DEEP = b'{"resourceSpans":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"{}"), "file:1: expected OTLP JSON: it is compressed, and must be unpacked first"),
        (b"\x28\xb5\x2f\xfd\x00", "file:1: expected OTLP JSON: it is compressed, and must be unpacked first"),
        (b"\n" + DEEP, "file:2: expected OTLP JSON: it is nested too deeply"),
        (json.dumps(request(1)).encode() + b"\n" + DEEP, "file:2: expected OTLP JSON: it is nested too deeply"),
        (b"[{}, 5]", "file:1: expected OTLP JSON: an object with resourceSpans"),
        (b"5\n", "file:1: expected OTLP JSON: it begins with '5'"),
    ],
    ids=["gzip", "zstd", "deep", "deep later", "list", "number"],
)
def test_what_is_wrong_with_a_file_is_told(content, message):
    with pytest.raises(TraceFormatError) as raised:
        requests_in(content)
    assert str(raised.value) == message


class Endless(io.RawIOBase):
    """A file of nothing but zeros, as long as anybody reads."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_a_large_file_that_is_no_json_is_not_read():
    tracemalloc.start()
    with pytest.raises(TraceFormatError, match="it begins with"):
        list(read_lines(io.BufferedReader(Endless()), "file"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
