"""OTLP JSON documents of one trace, as strict readers take them, with everything in them that OTLP has."""

import base64
import json
from io import BytesIO
from typing import Any

from hypothesis import strategies as st

from pocketflow_otel.traces.formats.saved import Saved, read_saved
from pocketflow_otel.traces.model import Trace

Document = dict[str, Any]

FIRST_NS = 1_700_000_000_000_000_000
HOUR_NS = 3_600_000_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
keys = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=6).map("key.{}".format)
hexes = {size: st.integers(1, 16**size - 1).map(f"{{:0{size}x}}".format) for size in (16, 32)}
# Trace ids of 64 bits are those of older tools.
trace_ids = hexes[32] | hexes[16].map(lambda short: short.rjust(32, "0"))
scalars = st.one_of(
    st.builds(dict, stringValue=texts),
    st.builds(dict, boolValue=st.booleans()),
    st.builds(dict, intValue=st.integers(-(2**63), 2**63 - 1).map(str)),
    st.builds(dict, doubleValue=st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(dict, bytesValue=st.binary(min_size=1, max_size=8).map(lambda data: base64.b64encode(data).decode())),
    st.just({}),
)


def pairs(values: st.SearchStrategy[Document]) -> st.SearchStrategy[list[Document]]:
    return st.dictionaries(keys, values, max_size=4).map(
        lambda held: [{"key": key, "value": value} for key, value in held.items()]
    )


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(dict, arrayValue=st.lists(inner, max_size=3).map(lambda items: {"values": items})),
        st.builds(dict, kvlistValue=pairs(inner).map(lambda items: {"values": items})),
    ),
    max_leaves=5,
)
attributes = pairs(values)
times = st.integers(0, HOUR_NS)


@st.composite
def spans(draw: st.DrawFn, trace_id: str, above: list[Document]) -> Document:
    """A span, with one of those above as its parent, or none; it lies within its parent's time."""
    parent = draw(st.sampled_from([None, *above]))
    bounds = (
        (FIRST_NS, FIRST_NS + HOUR_NS)
        if parent is None
        else (int(parent["startTimeUnixNano"]), int(parent["endTimeUnixNano"]))
    )
    start = draw(st.integers(*bounds))
    made = {
        "traceId": trace_id,
        "spanId": draw(hexes[16].filter(lambda made: made not in {span["spanId"] for span in above})),
        "name": draw(texts),
        "kind": draw(st.integers(0, 5)),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(draw(st.integers(start, bounds[1]))),
        "attributes": draw(attributes),
        "events": [
            {"timeUnixNano": str(FIRST_NS + draw(times)), "name": draw(texts), "attributes": draw(attributes)}
            for _ in range(draw(st.integers(0, 2)))
        ],
        "links": [
            {"traceId": draw(trace_ids), "spanId": draw(hexes[16]), "attributes": draw(attributes), "flags": 257}
            for _ in range(draw(st.integers(0, 2)))
        ],
        "status": {"code": draw(st.integers(0, 2)), "message": draw(texts)},
        "flags": draw(st.sampled_from([0, 1, 257])),
        "droppedAttributesCount": draw(st.integers(0, 5)),
        "traceState": draw(st.sampled_from(["", "vendor=a:1,other=b"])),
    }
    return made if parent is None else {**made, "parentSpanId": parent["spanId"]}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A request of one trace: several resources, and scopes in them, with their spans in any order."""
    trace_id = draw(trace_ids)
    made: list[Document] = []
    groups: list[Document] = []
    for number in range(draw(st.integers(1, 3))):
        scopes = []
        for _ in range(draw(st.integers(1, 2))):
            inside = []
            for _ in range(draw(st.integers(1, 3))):
                made.append(draw(spans(trace_id, made)))
                inside.insert(0, made[-1])
            scope = {"name": draw(texts), "version": draw(texts), "attributes": draw(attributes)}
            scopes.append({"scope": scope, "schemaUrl": draw(st.sampled_from(["", "urn:one"])), "spans": inside})
        name = {"key": "service.name", "value": {"stringValue": f"service {number}"}}
        resource = {"attributes": [name, *draw(attributes)], "droppedAttributesCount": draw(st.integers(0, 2))}
        groups.append({"resource": resource, "schemaUrl": draw(st.sampled_from(["", "urn:two"])), "scopeSpans": scopes})
    return {"resourceSpans": groups}


def saved(*lines: Document) -> Saved:
    """The traces of a file of such lines."""
    stream = BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return read_saved(stream)


def only_trace(document: Document) -> Trace:
    (trace,) = saved(document).traces
    return trace
