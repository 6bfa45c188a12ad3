"""Whatever stands in a file arrives, by every protocol, with nothing added and nothing lost."""

import base64
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pocketflow_otel.sending.destination import resolve
from pocketflow_otel.sending.retries import Retries
from pocketflow_otel.sending.seen import SeenSpans
from pocketflow_otel.sending.sender import Sender
from pocketflow_otel.sending.sources import Source
from pocketflow_otel.sending.tally import Tally
from sending.otlp_documents import ID_FORMS, as_document, as_file, requests
from sending.scripted import PROTOCOLS, Server, serving, spans_in

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


@pytest.fixture(scope="module", params=PROTOCOLS)
def server(request):
    with serving(request.param) as server:
        server.protocol = request.param
        yield server


def send(content: bytes, server: Server) -> Tally:
    """Sends a file's content, and forgets what came before."""
    server.clear()
    tally = Tally()
    transport = resolve(server.endpoint, server.protocol, environ={}).connect()
    try:
        with SeenSpans() as seen:
            spans = Source([io.BytesIO(content)], seen, tally).spans()
            Sender(transport, Retries(0), tally, lambda *_: None).send_all(spans, lambda: None)
    finally:
        transport.close()
    return tally


def arrived(server: Server) -> list[tuple[bytes, bytes, bytes]]:
    return [span for request in server.requests for span in spans_in(request)]


def sole_span(server: Server, **fields: object) -> object:
    span = {"traceId": TRACE, "spanId": SPAN, "name": "n", **fields}
    tally = send(as_file([{"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}]), server)
    assert (tally.accepted, tally.read) == (1, 1)
    return server.requests[0].resource_spans[0].scope_spans[0].spans[0]


@given(
    drawn=st.lists(requests, max_size=3),
    id_form=st.sampled_from(sorted(ID_FORMS)),
    named_enumerations=st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_span_arrives_once_and_as_it_was(server, drawn, id_form, named_enumerations):
    documents = [as_document(request, id_form, named_enumerations=named_enumerations) for request in drawn]
    tally = send(as_file(documents), server)

    wanted = {}
    for request in drawn:
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    one = ExportTraceServiceRequest()
                    resource = one.resource_spans.add(schema_url=resource_spans.schema_url)
                    resource.resource.CopyFrom(resource_spans.resource)
                    scope = resource.scope_spans.add(schema_url=scope_spans.schema_url, spans=[span])
                    scope.scope.CopyFrom(scope_spans.scope)
                    wanted.setdefault((span.trace_id, span.span_id), spans_in(one)[0])
    assert sorted(arrived(server)) == sorted(wanted.values())
    assert tally.accepted == tally.read == len(wanted)
    assert (tally.refused, tally.not_sent) == (0, 0)


def test_a_document_over_many_lines_is_one_request(server):
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": TRACE, "spanId": SPAN}]}]}]}
    assert send(as_file([document], indent=2), server).accepted == 1


def test_scopes_that_go_by_their_old_name_arrive(server):
    old = {"instrumentationLibrary": {"name": "lib", "version": "1"}, "spans": [{"traceId": TRACE, "spanId": SPAN}]}
    send(as_file([{"resourceSpans": [{"instrumentationLibrarySpans": [old]}]}]), server)
    (scope_spans,) = server.requests[0].resource_spans[0].scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("lib", "1")


@pytest.mark.parametrize("parent", [None, "", "0" * 16, base64.b64encode(bytes(8)).decode()])
def test_a_parent_of_nothing_is_no_parent(server, parent):
    assert sole_span(server, parentSpanId=parent).parent_span_id == b""


def test_what_otlp_does_not_know_is_left_out(server):
    assert sole_span(server, colour="red", status={"code": 2, "mood": "bad"}).status.code == 2


def test_text_that_utf8_cannot_say_is_replaced(server):
    span = sole_span(server, attributes=[{"key": "k", "value": {"stringValue": "a\ud800b"}}])
    assert span.attributes[0].value.string_value == "a\ufffdb"


def test_numbers_that_are_none_arrive(server):
    content = json.dumps(
        {
            "resourceSpans": [
                {
                    "scopeSpans": [
                        {
                            "spans": [
                                {
                                    "traceId": TRACE,
                                    "spanId": SPAN,
                                    "attributes": [
                                        {
                                            "key": "k",
                                            "value": {
                                                "arrayValue": {
                                                    "values": [{"doubleValue": float(name)} for name in ("nan", "inf")]
                                                }
                                            },
                                        }
                                    ],
                                }
                            ]
                        }
                    ]
                }
            ]
        }
    )
    assert "NaN" in content
    send(content.encode(), server)
    values = server.requests[0].resource_spans[0].scope_spans[0].spans[0].attributes[0].value.array_value.values
    assert [str(value.double_value) for value in values] == ["nan", "inf"]


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ({"attributes": [{"key": "k", "value": {"intValue": str(2**63)}}]}, "Value out of range: 9223372036854775808"),
        ({"spanId": "xyz"}, "xyz"),
        ({"spanId": None}, "no spanId"),
        ({"name": 5}, "name"),
    ],
    ids=["integer", "id", "no id", "name"],
)
def test_a_span_that_otlp_cannot_carry_is_left_out_with_its_place_and_the_others_arrive(server, field, reason):
    good = {"traceId": TRACE, "spanId": SPAN}
    bad = {"traceId": TRACE, "spanId": "1" * 16, **field}
    tally = send(as_file([{}, {"resourceSpans": [{"scopeSpans": [{"spans": [bad, good]}]}]}]), server)
    assert (tally.read, tally.accepted, tally.not_sent) == (2, 1, 1)
    ((told, count),) = tally.not_sent_for.items()
    assert count == 1
    assert told.startswith("stream:2: ")
    assert reason in told
