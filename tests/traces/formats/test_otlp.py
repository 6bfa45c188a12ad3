"""One OTLP object out of many lines: nothing lost, nothing twice, as the specification writes it."""

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pocketflow_otel.traces.formats import Format, render
from pocketflow_otel.traces.reader import read_traces
from traces.formats.documents import Document, documents, saved

TRACE, ROOT, CHILD = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", "b7ad6b7169203331"


def exported(*lines: Document) -> Document:
    return json.loads(render(Format.OTLP, [saved(*lines)]))


def spans_with_heads(document: Document) -> dict[str, Any]:
    """Each span with all that stands around it."""
    found = {}
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            around = {**resource, "scopeSpans": None, "scope": {**scope, "spans": None}}
            for span in scope["spans"]:
                found[span["spanId"]] = (span, around)
    return found


def request(*spans: Document, **scope: Any) -> Document:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def span(span_id: str = ROOT, **fields: Any) -> Document:
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {"traceId": TRACE, "spanId": span_id, "name": "work", **times, **fields}


@given(documents())
def test_all_of_a_document_is_there_again(document):
    assert spans_with_heads(exported(document)) == spans_with_heads(document)


@given(documents())
def test_lines_of_one_span_each_become_one_group_for_each_resource_and_scope(document):
    lines = [
        {"resourceSpans": [{**resource, "scopeSpans": [{**scope, "spans": [one]}]}]}
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    ]
    merged = exported(*lines)
    assert spans_with_heads(merged) == spans_with_heads(document)
    heads = [
        json.dumps([resource["resource"], resource["schemaUrl"], scope["scope"], scope["schemaUrl"]])
        for resource in merged["resourceSpans"]
        for scope in resource["scopeSpans"]
    ]
    assert len(heads) == len(set(heads))


@given(documents())
def test_what_was_exported_is_read_as_the_same_spans(document):
    one = saved(document)
    again = saved(json.loads(render(Format.OTLP, [one])))
    assert [trace.spans for trace in again.traces] == [trace.spans for trace in one.traces]


def test_span_that_stands_twice_is_there_once():
    (group,) = exported(request(span()), request(span(name="again"), span(CHILD)))["resourceSpans"]
    assert [one["spanId"] for one in group["scopeSpans"][0]["spans"]] == [ROOT, CHILD]
    assert group["scopeSpans"][0]["spans"][0]["name"] == "work"


def test_loose_spellings_become_those_of_the_specification():
    def in_base64(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode()

    loose = {
        "traceId": in_base64(TRACE),
        "spanId": CHILD.upper(),
        "parentSpanId": in_base64(ROOT),
        "name": None,
        "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": 1,
        "endTimeUnixNano": 2,
        "attributes": [
            {"key": "int", "value": {"intValue": 7}},
            {"key": "float", "value": {"doubleValue": float("nan")}},
            {"key": "nothing", "value": None},
        ],
        "events": [{"name": "said", "timeUnixNano": 3}],
        "links": [{"traceId": TRACE.upper(), "spanId": ROOT.upper()}],
        "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
        "newInOtlp": {"kept": True},
    }
    document = {
        "resourceSpans": [
            {
                "resource": None,
                "instrumentationLibrarySpans": [{"instrumentationLibrary": {"name": "old"}, "spans": [loose]}],
            }
        ]
    }
    assert exported(document) == {
        "resourceSpans": [
            {
                "resource": {},
                "scopeSpans": [
                    {
                        "scope": {"name": "old"},
                        "spans": [
                            {
                                "traceId": TRACE,
                                "spanId": CHILD,
                                "parentSpanId": ROOT,
                                "kind": 3,
                                "startTimeUnixNano": "1",
                                "endTimeUnixNano": "2",
                                "attributes": [
                                    {"key": "int", "value": {"intValue": "7"}},
                                    {"key": "float", "value": {"doubleValue": "NaN"}},
                                    {"key": "nothing", "value": {}},
                                ],
                                "events": [{"name": "said", "timeUnixNano": "3"}],
                                "links": [{"traceId": TRACE, "spanId": ROOT}],
                                "status": {"code": 2, "message": "no"},
                                "newInOtlp": {"kept": True},
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_parent_of_zeros_is_none():
    assert "parentSpanId" not in next(iter(spans_with_heads(exported(request(span(parentSpanId="0" * 16))))[ROOT]))


@given(st.text())
def test_content_is_utf8_whatever_stands_in_it(name):
    text = render(Format.OTLP, [saved(request(span(name=name)))])
    (found,) = spans_with_heads(json.loads(text.encode("utf-8"))).values()
    assert found[0]["name"] == name


def test_half_of_a_surrogate_pair_is_replaced():
    text = render(Format.OTLP, [saved(request(span(name="\ud800!")))])
    assert "\ufffd!" in text.encode("utf-8").decode("utf-8")


def test_only_the_wanted_traces_of_a_file_are_there():
    other = "1" * 32
    one = saved(request(span(), span(CHILD, traceId=other)))
    wanted = type(one)(one.name, one.source, [trace for trace in one.traces if trace.trace_id == other])
    assert list(spans_with_heads(json.loads(render(Format.OTLP, [wanted])))) == [CHILD]
    assert len(read_traces(wanted._open())) == 2
