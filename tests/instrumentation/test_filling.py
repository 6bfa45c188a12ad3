"""Spans filled past the SDK's checks hold what they would hold if it had been asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan

from pocketflow_otel.instrumentation.filling import set_attributes

NAMES = st.sampled_from(["pocketflow.action", "pocketflow.store.keys", "gen_ai.node.name", "a", "b", "c"])
TEXTS = st.text(max_size=20)
PLAIN = st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())
ATTRIBUTES = st.dictionaries(NAMES, st.one_of(PLAIN, st.lists(TEXTS, max_size=4).map(tuple)), max_size=6)
LIMITS = st.builds(
    SpanLimits,
    max_span_attributes=st.one_of(st.integers(0, 8), st.just(128)),
    max_span_attribute_length=st.one_of(st.none(), st.integers(0, 8)),
)


def span_of(limits: SpanLimits, attributes: dict[str, Any] | None = None) -> Any:
    tracer = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("test")
    return tracer.start_span("span", attributes=attributes)


def held(span: ReadableSpan) -> tuple[dict[str, Any], int]:
    return dict(span.attributes or {}), span.dropped_attributes


@given(LIMITS, ATTRIBUTES, ATTRIBUTES)
def test_a_span_holds_what_the_sdk_would_have_put_there(
    limits: SpanLimits, first: dict[str, Any], then: dict[str, Any]
) -> None:
    filled, asked = span_of(limits, first), span_of(limits, first)
    set_attributes(filled, then)
    asked.set_attributes(then)
    assert held(filled) == held(asked)
    assert {name: type(value) for name, value in filled.attributes.items()} == {
        name: type(value) for name, value in asked.attributes.items()
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_span_that_has_ended_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    span = span_of(SpanLimits(), {"a": 1})
    span.end()
    set_attributes(span, {"b": 2})
    assert held(span) == ({"a": 1}, 0)
    assert "ended span" in caplog.text


class Elsewhere(NonRecordingSpan):
    """A span of another SDK."""

    def __init__(self) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self.told: dict[str, Any] = {}

    def set_attributes(self, attributes: Any) -> None:
        self.told.update(attributes)


def test_a_span_of_another_sdk_is_asked() -> None:
    span = Elsewhere()
    set_attributes(span, {"a": 1})
    assert span.told == {"a": 1}


@pytest.mark.parametrize("missing", ["_lock", "_dict", "_immutable", "maxlen", "max_value_len"])
def test_a_container_that_is_built_differently_is_filled_by_the_sdk(missing: str) -> None:
    span = Elsewhere()
    span._attributes = span_of(SpanLimits())._attributes
    delattr(span._attributes, missing)
    set_attributes(span, {"a": 1})
    assert span.told == {"a": 1}
