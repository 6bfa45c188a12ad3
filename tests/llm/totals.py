"""What the server billed, added up for each place of a program, and what the spans say of the same places."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from openinference.instrumentation.anthropic import AnthropicInstrumentor as OpenInferenceAnthropic
from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor as OpenInferenceGoogle
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceOpenAI
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from fixtures.llm_vendors import Call, Vendor
from llm.journal import Journal, Place
from pocketflow_otel import semconv
from pocketflow_otel.llm.prices import Prices

_OFFICIAL: Final = (OpenAIInstrumentor, AnthropicInstrumentor, GoogleGenAiSdkInstrumentor)
_OPENINFERENCE: Final = (OpenInferenceOpenAI, OpenInferenceAnthropic, OpenInferenceGoogle)
INSTRUMENTATIONS: Final[dict[str, tuple[Callable[[], Any], ...]]] = {
    "nobody": (),
    "clients themselves": (),
    "official": _OFFICIAL,
    "openinference": _OPENINFERENCE,
    "official, openinference": (*_OFFICIAL, *_OPENINFERENCE),
    "openinference, official": (*_OPENINFERENCE, *_OFFICIAL),
}

# Whose calls have spans; of all others only results tell.
_TRACED: Final[dict[str, frozenset[Vendor]]] = {"nobody": frozenset(), "clients themselves": frozenset(["anthropic"])}
_ALL: Final[frozenset[Vendor]] = frozenset(["openai", "anthropic", "google"])

_prices: Final = Prices()

# What a span of ours is numbered by; a flow that is no node of another is not.
_NUMBERS: Final = {
    semconv.SPAN_FLOW: semconv.NODE_VISIT,
    semconv.SPAN_NODE: semconv.NODE_VISIT,
    semconv.SPAN_ITERATION: semconv.BATCH_INDEX,
    semconv.SPAN_ITEM: semconv.BATCH_INDEX,
    semconv.SPAN_ATTEMPT: semconv.ATTEMPT_NUMBER,
}
_UNORDERED: Final = (semconv.USAGE_MODELS, semconv.USAGE_UNPRICED_MODELS)
_COSTS: Final = (semconv.USAGE_COST, semconv.USAGE_RETRY_COST)


@contextmanager
def instrumented(who: str, provider: TracerProvider) -> Iterator[None]:
    """Instruments the vendors' clients for the length of a block.

    Args:
        who: The instrumentations, of `INSTRUMENTATIONS`.
        provider: Where their spans go.
    """
    installed = [make() for make in INSTRUMENTATIONS[who]]
    for one in installed:
        one.instrument(tracer_provider=provider)
    try:
        yield
    finally:
        for one in reversed(installed):
            one.uninstrument()


def billed(calls: Iterable[Call], journal: Journal, traced: frozenset[Vendor]) -> dict[Place, dict[str, Any]]:
    """What each place of a program has used and spent, by the server's account.

    Args:
        calls: The server's log.
        journal: Where the program made its calls, and where its results tell of them.
        traced: Whose calls have spans; of others no more can be known than results tell.
    """
    totals: dict[Place, dict[str, Any]] = {}
    for call in calls:
        has_span = call.vendor in traced
        place = (journal.made if has_span else journal.told).get(call.label or "", ())
        if call.status != 200 or not (has_span or call.usage_reported):
            continue
        in_vain = max((length for length in range(len(place) + 1) if place[:length] in journal.failed), default=0)
        for length in range(1, len(place) + 1):
            _add(totals.setdefault(place[:length], {}), call, in_vain=length < in_vain)
    return totals


def _add(total: dict[str, Any], call: Call, *, in_vain: bool) -> None:
    usage = call.usage
    price = _prices.price(usage) if call.usage_reported else None
    tokens = usage.total_tokens if call.usage_reported else 0
    told: dict[str, Any] = {semconv.USAGE_CALLS: 1, semconv.USAGE_MODELS: {call.model}}
    if call.usage_reported:
        told |= {
            semconv.USAGE_INPUT_TOKENS: usage.input_tokens,
            semconv.USAGE_OUTPUT_TOKENS: usage.output_tokens,
            semconv.USAGE_CACHED_INPUT_TOKENS: usage.cached_input_tokens,
            semconv.USAGE_REASONING_TOKENS: usage.reasoning_tokens,
            semconv.USAGE_TOTAL_TOKENS: tokens,
        }
    told |= (
        {semconv.USAGE_UNPRICED_CALLS: 1, semconv.USAGE_UNPRICED_MODELS: {call.model}}
        if price is None
        else {semconv.USAGE_COST: price.usd}
    )
    if in_vain:
        told |= {
            semconv.USAGE_RETRY_TOTAL_TOKENS: tokens,
            semconv.USAGE_RETRY_COST: 0.0 if price is None else price.usd,
        }
    for name, value in told.items():
        if isinstance(value, set):
            total[name] = total.get(name, set()) | value
        elif value:
            total[name] = total.get(name, 0) + value


def told(spans: Iterable[ReadableSpan]) -> dict[Place, dict[str, Any]]:
    """What the spans of a program tell of the use of models, by their places.

    Raises:
        AssertionError: Two are in the same place.
    """
    totals: dict[Place, dict[str, Any]] = {}
    by_id = {span.context.span_id: span for span in spans}
    for span in by_id.values():
        if span.name.partition(" ")[0] in _NUMBERS and is_ours(span):
            place = _place(span, by_id)
            assert place not in totals, place
            totals[place] = _usage(span.attributes or {})
    return totals


def is_ours(span: ReadableSpan) -> bool:
    """Whether a span is of this project's instrumentation."""
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == semconv.INSTRUMENTATION_NAME


def _place(span: ReadableSpan, spans: Mapping[int, ReadableSpan]) -> Place:
    above = () if span.parent is None else _place(spans[span.parent.span_id], spans)
    kind, _, name = span.name.partition(" ")
    if not is_ours(span) or kind not in _NUMBERS:
        return above
    number: Any = (span.attributes or {}).get(_NUMBERS[kind], 1)
    return (*above, (kind, name, number))


def _usage(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: set(value) if name in _UNORDERED else value
        for name, value in attributes.items()
        if name.startswith("pocketflow.usage.") and name != semconv.USAGE_PRICE_SOURCES
    }


def assert_totals_are_as_billed(
    calls: Sequence[Call], journal: Journal, who: str, spans: Sequence[ReadableSpan]
) -> None:
    """Compares the spans of a program with the server's account, place by place."""
    traced = _TRACED.get(who, _ALL)
    expected, actual = billed(calls, journal, traced), told(spans)
    for total in expected.values():
        for name in _COSTS:
            if name in total:
                # Adding binary fractions leaves something, which depends on their order.
                total[name] = pytest.approx(total[name], rel=1e-9)
    assert actual == {**{place: {} for place in actual}, **expected}
    # Calls that others have spans of need none of ours.
    ours = [span for span in spans if is_ours(span) and span.name.startswith(semconv.SPAN_CHAT)]
    assert len(ours) == len([call for call in calls if call.vendor not in traced and call.usage_reported
                             and call.label in journal.told])  # fmt: skip
