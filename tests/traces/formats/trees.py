"""Traces as random trees of spans: in sequence, side by side, overlapping, outliving, unfinished, in circles."""

from hypothesis import strategies as st

from pocketflow_otel.traces.model import Event, Span, Status, StatusCode, Trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
FIRST_NS = 1_700_000_000_000_000_000

resources = [{"service.name": "one"}, {"service.name": "two"}, {}]
# Few, so that they coincide, and some that no short decimal is.
times = st.integers(0, 12) | st.integers(0, 10**6) | st.integers(0, 86_400 * 10**9)
names = st.sampled_from(["invoke_node Ask", "item", "chat", "中", ""])


@st.composite
def traces(draw: st.DrawFn, trace_id: str = TRACE, *, finished: bool = False) -> Trace:
    number = draw(st.integers(1, 12))
    ids = [f"{index + 1:016x}" for index in range(number)]
    spans = [_span(draw, trace_id, each, [None, "f" * 16, *ids], finished=finished) for each in ids]
    return Trace(trace_id, sorted(spans, key=lambda span: span.start_ns))


def _span(draw: st.DrawFn, trace_id: str, span_id: str, parents: list[str | None], *, finished: bool) -> Span:
    first, second = sorted((draw(times), draw(times)))
    ended = finished or draw(st.integers(0, 5)) > 0
    return Span(
        trace_id,
        span_id,
        draw(st.sampled_from(parents)),
        draw(names),
        FIRST_NS + first,
        FIRST_NS + second if ended else None,
        attributes={"pocketflow.batch.index": draw(st.integers(0, 3))} if draw(st.booleans()) else {},
        events=tuple(Event("said", FIRST_NS + draw(times)) for _ in range(draw(st.integers(0, 1)))),
        status=Status(draw(st.sampled_from(StatusCode))),
        resource=draw(st.sampled_from(resources)) if ended else {},
    )


def span(span_id: int, start: int, end: int | None, parent: int | None = None, name: str = "", **fields) -> Span:
    """A span of the trace `TRACE`; times count from its beginning."""
    return Span(
        TRACE,
        f"{span_id:016x}",
        None if parent is None else f"{parent:016x}",
        name or f"span {span_id}",
        FIRST_NS + start,
        None if end is None else FIRST_NS + end,
        **fields,
    )


def trace(*spans: Span) -> Trace:
    return Trace(TRACE, sorted(spans, key=lambda span: span.start_ns))
