"""Backends that add up the tokens of a trace's spans get what the vendors bill: ours are never counted besides."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from openinference.instrumentation.anthropic import AnthropicInstrumentor as OpenInferenceAnthropic
from openinference.instrumentation.google_genai import GoogleGenAIInstrumentor as OpenInferenceGoogle
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceOpenAI
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from pocketflow import BatchFlow, BatchNode, Flow, Node

from fixtures.llm_vendors import VendorServer, call, client, directive
from instrumentation.recording import Recording, traced
from pocketflow_otel import record_llm_usage
from pocketflow_otel.llm.usage import Usage

USAGE = Usage(input_tokens=120, output_tokens=30, cached_input_tokens=20, reasoning_tokens=7)
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-of-tests", "google": "gemini-2.5-flash"}
OFFICIAL = (OpenAIInstrumentor, AnthropicInstrumentor, GoogleGenAiSdkInstrumentor)
OPENINFERENCE = (OpenInferenceOpenAI, OpenInferenceAnthropic, OpenInferenceGoogle)

Attributes = Mapping[str, Any]


class Clients:
    """Calls models, and hands on what becomes known of their usage in one of the ways that programs do.

    Args:
        server: What is called.
        opened: A client of each vendor.
        kept: Whether answers are returned whole, rather than their text.
        by_hand: Whether calls are recorded.
    """

    def __init__(self, server: VendorServer, opened: dict[str, Any], *, kept: bool, by_hand: bool) -> None:
        self._server = server
        self._opened = opened
        self._kept = kept
        self._by_hand = by_hand

    def ask(self, vendor: Any) -> Any:
        answer = call(vendor, self._opened[vendor], directive(usage=USAGE), model=MODELS[vendor])
        if self._by_hand:
            billed = self._server.calls[-1].usage
            record_llm_usage(
                model=MODELS[vendor],
                provider=billed.provider,
                input_tokens=billed.input_tokens,
                output_tokens=billed.output_tokens,
                cached_input_tokens=billed.cached_input_tokens,
                reasoning_tokens=billed.reasoning_tokens,
            )
        return answer if self._kept else "text"


def program(clients: Clients) -> Flow:
    """A flow of all that has spans: nested flows, rounds, items, and tries of which the first fails before its call."""

    class Ask(Node):
        def exec(self, prepared):
            return clients.ask(self.params.get("vendor", "openai"))

        def post(self, shared, prepared, answer):
            shared.setdefault("answers", []).append(answer)

    class Items(BatchNode):
        failed = False

        def prep(self, shared):
            return list(MODELS)

        def exec(self, vendor):
            if not Items.failed:
                Items.failed = True
                raise ConnectionError
            return clients.ask(vendor)

        def post(self, shared, prepared, answers):
            shared["items"] = answers

    class Rounds(BatchFlow):
        def prep(self, shared):
            return [{"vendor": vendor} for vendor in MODELS]

    first = Ask()
    first >> Items(max_retries=2) >> Rounds(Ask())
    return Flow(first)


# Who reports a call: the instrumentations, whether answers are kept, and whether calls are recorded by hand.
WAYS = {
    "official": (OFFICIAL, False, False),
    "official, answers kept": (OFFICIAL, True, False),
    "openinference": (OPENINFERENCE, False, False),
    "openinference, answers kept": (OPENINFERENCE, True, False),
    "answers kept": ((), True, False),
    "by hand": ((), False, True),
}


@pytest.fixture(params=WAYS)
def traced_run(request) -> Iterator[tuple[Recording, VendorServer]]:
    """A trace of the program, with all content, and the server that was called."""
    instrumentors, kept, by_hand = WAYS[request.param]
    with ExitStack() as stack:
        content = {"capture_values": True, "capture_io": True, "capture_output": True}
        recording = stack.enter_context(traced(**content))
        for made in [make() for make in instrumentors]:
            made.instrument(tracer_provider=recording.tracer_provider)
            stack.callback(made.uninstrument)
        server = stack.enter_context(VendorServer())
        opened = {vendor: stack.enter_context(client(vendor, server)) for vendor in MODELS}
        program(Clients(server, opened, kept=kept, by_hand=by_hand)).run({})
        yield recording, server


# Each backend's sum of what was read and what was written.


def langfuse(spans: Iterable[ReadableSpan]) -> tuple[int, int]:
    """Adds up the usage of all observations, whatever their type.

    `extractUsageDetails` of packages/shared/src/server/otel/OtelIngestionProcessor.ts takes each key below these two
    for a kind of usage: the first two names below mean input, the next two output, and other kinds are shown apart.
    """
    kinds = {
        "input_tokens": 0,
        "prompt_tokens": 0,
        "prompt": 0,
        "output_tokens": 1,
        "completion_tokens": 1,
        "completion": 1,
    }
    sums = [0, 0]
    for span in spans:
        details: dict[int, int] = {}
        for key, value in (span.attributes or {}).items():
            if key.startswith(("gen_ai.usage.", "llm.token_count")) and key != "gen_ai.usage.cost":
                kind = kinds.get(key.replace("gen_ai.usage.", "").replace("llm.token_count.", ""))
                if kind is not None:
                    details[kind] = int(value)
        for kind, value in details.items():
            sums[kind] += value
    return sums[0], sums[1]


def phoenix(spans: Iterable[ReadableSpan]) -> tuple[int, int]:
    """Adds up the counts of all spans: what a trace shows is its root's cumulative count.

    `insert_span` of src/phoenix/db/insertion/span.py adds them to all spans around; before that,
    `get_openinference_usage_attributes` of src/phoenix/trace/gen_ai/conversion.py names the official ones alike.
    """
    read, written = 0, 0
    for span in spans:
        told = span.attributes or {}
        read += told.get("llm.token_count.prompt", told.get("gen_ai.usage.input_tokens", 0))
        written += told.get("llm.token_count.completion", told.get("gen_ai.usage.output_tokens", 0))
    return read, written


def phoenix_of_models(spans: Iterable[ReadableSpan]) -> tuple[int, int]:
    """The same of spans of kind LLM alone: what its costs and its pages on models are of.

    `_infer_span_kind` of src/phoenix/trace/gen_ai/conversion.py.
    """
    operations = ("chat", "text_completion", "generate_content")
    return phoenix(
        span
        for span in spans
        if (span.attributes or {}).get("openinference.span.kind", "LLM") == "LLM"
        and (span.attributes or {}).get("gen_ai.operation.name", "chat") in operations
    )


def mlflow(spans: Iterable[ReadableSpan]) -> tuple[int, int]:
    """Adds up the usage of spans that tell all of it, except below one that does.

    `_get_token_usage` of mlflow/tracing/otel/translation/__init__.py reads it, by the names of OpenInference before the
    official ones; `aggregate_usage_from_spans` of mlflow/tracing/utils/__init__.py adds it up.
    """
    spans = list(spans)
    parents = {span.context.span_id: span.parent.span_id if span.parent else None for span in spans}
    told = {span.context.span_id: usage for span in spans if (usage := _mlflow_usage(span.attributes or {}))}
    sums = [0, 0]
    for span_id, usage in told.items():
        around = parents[span_id]
        while around is not None and around not in told:
            around = parents.get(around)
        if around is None:
            sums[0] += usage[0]
            sums[1] += usage[1]
    return sums[0], sums[1]


def _mlflow_usage(told: Attributes) -> tuple[int, int] | None:
    for read, written in (
        ("llm.token_count.prompt", "llm.token_count.completion"),
        ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    ):
        if told.get(read) and told.get(written):
            return told[read], told[written]
    return None


BACKENDS: tuple[Callable[[Iterable[ReadableSpan]], tuple[int, int]], ...] = (
    langfuse,
    phoenix,
    phoenix_of_models,
    mlflow,
)


def test_what_backends_add_up_is_what_was_billed(traced_run):
    recording, server = traced_run
    billed = server.total()

    assert (len(server.calls), billed.input_tokens, billed.output_tokens) == (7, 840, 210)
    assert {backend.__name__: backend(recording.spans) for backend in BACKENDS} == {
        backend.__name__: (840, 210) for backend in BACKENDS
    }


def test_so_is_what_our_own_spans_tell(traced_run):
    recording, server = traced_run
    flow = recording.attributes("invoke_workflow Flow")

    assert flow["pocketflow.usage.calls"] == 7
    assert flow["pocketflow.usage.input_tokens"] == server.total().input_tokens
    assert flow["pocketflow.usage.output_tokens"] == server.total().output_tokens
    assert flow["pocketflow.usage.cached_input_tokens"] == 140
    assert flow["pocketflow.usage.reasoning_tokens"] == 49
    assert set(flow["pocketflow.usage.models"]) == set(MODELS.values())


# What some backend takes for usage, cost, or the mark of a call of a model.
OF_CALLS_ALONE = (
    "gen_ai.usage.",
    "gen_ai.cost.",
    "gen_ai.request.",
    "gen_ai.response.",
    "gen_ai.provider.",
    "gen_ai.system",
    "llm.",
    "operation.cost",
    "langfuse.",
    "mlflow.",
    "traceloop.",
    "ai.",
    "model",
)


def test_no_span_of_ours_but_calls_has_what_backends_add_up(traced_run):
    recording, _ = traced_run
    ours = [span for span in recording.spans if span.instrumentation_scope.name == "pocketflow_otel"]
    calls = [span for span in ours if span.name.startswith("chat ")]
    others = [span for span in ours if span not in calls]

    kinds = {span.name.partition(" ")[0] for span in others}
    assert kinds == {"invoke_workflow", "invoke_node", "iteration", "item", "attempt"}
    assert [key for span in others for key in span.attributes or {} if key.startswith(OF_CALLS_ALONE)] == []
    # A call that another instrumentation has a span of has none of ours.
    assert len(calls) == (7 if ours == recording.spans else 0)


def test_a_cost_stands_on_calls_of_ours_under_both_names_that_backends_read(traced_run):
    recording, _ = traced_run
    calls = [
        span for span in recording.named("chat gpt-4o-mini") if span.instrumentation_scope.name == "pocketflow_otel"
    ]
    seen_by_others = any(span.instrumentation_scope.name != "pocketflow_otel" for span in recording.spans)

    # 120 tokens read for $0.15 a million, 20 of them for $0.075, and 30 written for $0.60.
    costs = [(call.attributes["gen_ai.usage.cost"], call.attributes["operation.cost"]) for call in calls]
    assert costs == ([] if seen_by_others else [(3.45e-05, 3.45e-05)] * 3)
