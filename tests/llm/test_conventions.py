"""Where a release is named, the attributes are what it wrote for a call of the real client, recorded.

All but the embeddings are the same call: 100 tokens in, of them 64 from a cache, 8 to it and 5 of audio; 50 out, of
them 30 of reasoning and 4 of audio. What a vendor or a writer does not tell of it is missing from the expectation.
"""

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from pocketflow_otel.llm import conventions
from pocketflow_otel.llm.conventions import SpanUsage, span_usage
from pocketflow_otel.llm.usage import Usage

GPT = Usage(
    provider="openai",
    model="gpt-5-mini-2025",
    input_tokens=100,
    output_tokens=50,
    cached_input_tokens=64,
    cache_write_tokens=8,
    reasoning_tokens=30,
    input_audio_tokens=5,
    output_audio_tokens=4,
    response_id="chatcmpl-1",
)
RESPONSE = replace(GPT, response_id="resp_1", input_audio_tokens=0, output_audio_tokens=0)
EMBEDDING = Usage(provider="openai", model="text-embedding-3-small", input_tokens=7)
CLAUDE = Usage(
    provider="anthropic",
    model="claude-sonnet-4-5-20250929",
    input_tokens=100,
    output_tokens=50,
    cached_input_tokens=64,
    cache_write_tokens=8,
    reasoning_tokens=30,
    response_id="msg_1",
)
GEMINI = Usage(
    provider="gcp.gemini",
    model="gemini-2.5-flash",
    input_tokens=100,
    output_tokens=50,
    cached_input_tokens=64,
    reasoning_tokens=30,
    input_audio_tokens=5,
    response_id="g-1",
)

# opentelemetry-instrumentation-genai-openai, -genai-anthropic and -google-genai, all 1.3b0.
OFFICIAL = [
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2025",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_write.input_tokens": 8,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 30,
            "gen_ai.usage.audio.input_tokens": 5,
            "gen_ai.usage.audio.output_tokens": 4,
        },
        GPT,
        id="openai",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.request.stream": True,
            "gen_ai.response.model": "gpt-5-mini-2025",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.time_to_first_chunk": 0.0076,
        },
        None,
        id="openai-stream-without-usage",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2025",
            "gen_ai.response.id": "resp_1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_write.input_tokens": 8,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 30,
        },
        RESPONSE,
        id="openai-responses",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.embeddings.dimension.count": 2,
            "gen_ai.request.encoding_formats": ("float",),
            "gen_ai.response.model": "text-embedding-3-small",
            "gen_ai.usage.input_tokens": 7,
        },
        EMBEDDING,
        id="openai-embeddings",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "bad",
            "error.type": "openai.BadRequestError",
        },
        None,
        id="openai-error",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.stream": True,
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.id": "msg_1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_write.input_tokens": 8,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 30,
            "gen_ai.request.max_tokens": 9,
        },
        CLAUDE,
        id="anthropic-stream",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "gemini",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.response.model": "gemini-2.5-flash",
            "gen_ai.response.id": "g-1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 30,
            "gen_ai.usage.text.input_tokens": 95,
            "gen_ai.usage.audio.input_tokens": 5,
        },
        GEMINI,
        id="google",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "interactions.create",
            "gen_ai.provider.name": "gemini",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.response.model": "gemini-2.5-flash",
            "gen_ai.response.id": "int_1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning.output_tokens": 30,
        },
        replace(GEMINI, response_id="int_1", input_audio_tokens=0),
        id="google-interactions-without-thoughts-in-output",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "gemini",
            "gen_ai.request.model": "gemini-embedding-001",
            "gen_ai.embeddings.dimension.count": 1,
            "gen_ai.usage.input_tokens": 7,
        },
        Usage(provider="gcp.gemini", model="gemini-embedding-001", input_tokens=7),
        id="google-embeddings",
    ),
]

# openinference-instrumentation-openai 0.1.66, -anthropic 3.1.0, -google-genai 1.4.14. It records no ids.
OPENINFERENCE = [
    pytest.param(
        {
            "llm.system": "openai",
            "llm.model_name": "gpt-5-mini-2025",
            "llm.token_count.total": 150,
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 50,
            "llm.token_count.prompt_details.cache_read": 64,
            "llm.token_count.prompt_details.cache_write": 8,
            "llm.token_count.prompt_details.audio": 5,
            "llm.token_count.completion_details.reasoning": 30,
            "llm.token_count.completion_details.audio": 4,
            "openinference.span.kind": "LLM",
        },
        replace(GPT, response_id=None),
        id="openai",
    ),
    pytest.param(
        {"llm.system": "openai", "llm.model_name": "gpt-5-mini-2025", "openinference.span.kind": "LLM"},
        None,
        id="openai-stream-without-usage",
    ),
    pytest.param(
        {
            "llm.system": "openai",
            "llm.token_count.total": 7,
            "llm.token_count.prompt": 7,
            "embedding.model_name": "text-embedding-3-small",
            "openinference.span.kind": "EMBEDDING",
        },
        EMBEDDING,
        id="openai-embeddings",
    ),
    pytest.param({"llm.system": "openai", "openinference.span.kind": "LLM"}, None, id="openai-error"),
    pytest.param(
        {
            "llm.provider": "anthropic",
            "llm.system": "anthropic",
            "llm.request.model_name": "claude-sonnet-4-5",
            "llm.model_name": "claude-sonnet-4-5-20250929",
            "llm.response.model_name": "claude-sonnet-4-5-20250929",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 50,
            "llm.token_count.prompt_details.cache_read": 64,
            "llm.token_count.prompt_details.cache_write": 8,
            "llm.token_count.completion_details.reasoning": 30,
            "llm.token_count.total": 150,
            "openinference.span.kind": "LLM",
        },
        replace(CLAUDE, response_id=None),
        id="anthropic",
    ),
    pytest.param(
        {
            "llm.provider": "google",
            "llm.model_name": "gemini-2.5-flash",
            "llm.token_count.prompt_details.audio": 5,
            "llm.token_count.prompt_details.cache_read": 64,
            "llm.token_count.prompt": 100,
            "llm.token_count.completion_details.reasoning": 30,
            "llm.token_count.completion": 50,
            "llm.token_count.total": 150,
            "openinference.span.kind": "LLM",
        },
        replace(GEMINI, provider="gcp.gen_ai", response_id=None),
        id="google-stream",
    ),
    pytest.param(
        {
            "llm.provider": "google",
            "embedding.model_name": "gemini-embedding-001",
            "openinference.span.kind": "EMBEDDING",
        },
        None,
        id="google-embeddings",
    ),
]

# opentelemetry-instrumentation-openai and -anthropic 0.62.4, -google-generativeai 0.21.5 by its own account.
OPENLLMETRY = [
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.is_streaming": False,
            "gen_ai.response.model": "gpt-5-mini-2025",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.reasoning_tokens": 30,
        },
        replace(GPT, cache_write_tokens=0, input_audio_tokens=0, output_audio_tokens=0),
        id="openai",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.is_streaming": False,
            "gen_ai.response.model": "text-embedding-3-small",
            "gen_ai.usage.total_tokens": 7,
            "gen_ai.usage.input_tokens": 7,
            "gen_ai.usage.cache_read.input_tokens": 0,
        },
        EMBEDDING,
        id="openai-embeddings",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "bad",
            "gen_ai.is_streaming": False,
            "error.type": "BadRequestError",
        },
        None,
        id="openai-error",
    ),
    pytest.param(
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.max_tokens": 9,
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.id": "msg_1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.cache_creation.input_tokens": 8,
        },
        replace(CLAUDE, reasoning_tokens=0),
        id="anthropic",
    ),
    pytest.param(
        {
            "gen_ai.provider.name": "gcp.gen_ai",
            "gen_ai.operation.name": "generate_content",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.response.model": "gemini-2.5-flash",
            "gen_ai.response.id": "g-1",
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 64,
        },
        replace(GEMINI, provider="gcp.gen_ai", input_audio_tokens=0),
        id="google-without-thoughts-in-output",
    ),
]

# The client of anthropic 2.11 writes spans of its own.
CLIENTS = [
    pytest.param(
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.response.id": "msg_9ed02f1b7c084c8aa08a12fe1eaee1be",
            "gen_ai.response.model": "claude-sonnet-4-5",
            "gen_ai.usage.cache_write.input_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 20,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 5,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.reasoning.output_tokens": 7,
        },
        Usage(
            provider="anthropic",
            model="claude-sonnet-4-5",
            input_tokens=120,
            output_tokens=30,
            cached_input_tokens=20,
            cache_write_tokens=5,
            reasoning_tokens=7,
            response_id="msg_9ed02f1b7c084c8aa08a12fe1eaee1be",
        ),
        id="anthropic",
    ),
    pytest.param(
        {
            "gen_ai.provider.name": "anthropic",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.request.stream": True,
            "gen_ai.response.id": "msg_2ba334f7e0484db6bbf48058d29ad248",
            "gen_ai.response.model": "claude-sonnet-4-5",
            "gen_ai.usage.cache_write.input_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 20,
            "gen_ai.usage.input_tokens": 120,
        },
        Usage(
            provider="anthropic",
            model="claude-sonnet-4-5",
            input_tokens=120,
            cached_input_tokens=20,
            cache_write_tokens=5,
            response_id="msg_2ba334f7e0484db6bbf48058d29ad248",
        ),
        id="anthropic-stream-closed-early",
    ),
]

# Written by hand after the source and documentation of each.
OTHERS = [
    pytest.param(
        {
            "gen_ai.system": "OpenAI",
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2025",
            "gen_ai.response.id": "chatcmpl-1",
            "llm.usage.total_tokens": 150,
            "gen_ai.usage.completion_tokens": 50,
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.cache_read_input_tokens": 64,
            "llm.usage.reasoning_tokens": 30,
        },
        replace(GPT, cache_write_tokens=0, input_audio_tokens=0, output_audio_tokens=0),
        id="openllmetry-older",
    ),
    pytest.param(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.response.model": "claude-sonnet-4-5-20250929",
            "gen_ai.response.id": "msg_1",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.details.cache_creation_input_tokens": 8,
            "gen_ai.usage.details.cache_read_input_tokens": 64,
            "gen_ai.usage.details.input_tokens": 28,
            "gen_ai.usage.details.output_tokens": 50,
            "operation.cost": 0.001,
        },
        replace(CLAUDE, reasoning_tokens=0),
        id="pydantic-ai",
    ),
    pytest.param(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.provider": "openai",
            "ai.model.id": "gpt-5-mini",
            "ai.response.model": "gpt-5-mini-2025",
            "ai.response.id": "chatcmpl-1",
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 50,
            "ai.usage.totalTokens": 150,
            "ai.usage.cachedInputTokens": 64,
            "ai.usage.reasoningTokens": 30,
        },
        replace(GPT, cache_write_tokens=0, input_audio_tokens=0, output_audio_tokens=0),
        id="vercel-ai",
    ),
    pytest.param(
        {
            "langsmith.span.kind": "llm",
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "langchain",
            "gen_ai.request.model": "gpt-5-mini-2025",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.total_tokens": 150,
            "gen_ai.usage.input_token_details": "{'cache_read': 64}",
        },
        Usage(model="gpt-5-mini-2025", input_tokens=100, output_tokens=50),
        id="langsmith-0.14.17",
    ),
    pytest.param(
        {
            "openinference.span.kind": "DECISION",
            "llm.system": "openai",
            "decision.model_name": "decider-1",
            "decision.token_count.input": 9,
            "decision.token_count.output": 2,
        },
        Usage(provider="openai", model="decider-1", input_tokens=9, output_tokens=2),
        id="openinference-decision",
    ),
    pytest.param(
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5-mini"},
        None,
        id="langfuse-3",
    ),
]


@pytest.mark.parametrize(("attributes", "usage"), [*OFFICIAL, *OPENINFERENCE, *OPENLLMETRY, *CLIENTS, *OTHERS])
def test_a_call_is_read_as_each_instrumentation_writes_it(attributes, usage):
    assert span_usage(attributes) == SpanUsage(usage, is_call=True)


def test_a_call_of_which_only_zeros_are_told_reports_nothing():
    told = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0, "gen_ai.usage.total_tokens": 0}
    assert span_usage({"gen_ai.operation.name": "chat", **told}) == SpanUsage(None, is_call=True)


def test_the_attributes_of_a_span_of_the_sdk_are_read():
    span = TracerProvider().get_tracer("anybody").start_span("chat", attributes=OFFICIAL[0].values[0])
    span.end()
    assert type(span.attributes) is MappingProxyType
    assert span_usage(span.attributes) == SpanUsage(GPT, is_call=True)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http.request.method": "GET", "url.full": "https://api.openai.com/v1/chat/completions"},
        {"gen_ai.operation.name": "invoke_node", "openinference.span.kind": "CHAIN", "gen_ai.node.name": "Ask"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-5-mini"},
        {"openinference.span.kind": "UNKNOWN"},
        {"openinference.span.kind": "CHAIN", "llm.model_name": "gpt-5-mini"},
        {"gen_ai.operation.name": "something new", "gen_ai.request.model": "m"},
        {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "m", "url.path": "/v1/messages/count_tokens"},
        {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0},
        {"gen_ai.provider.name": "openai", "gen_ai.usage.reasoning.output_tokens": 3},
    ],
)
def test_nothing_is_told_by_a_span_that_is_no_call_and_reports_no_usage(attributes):
    assert span_usage(attributes) is None


@pytest.mark.parametrize(
    ("attributes", "is_call"),
    [
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, False),
        ({"gen_ai.operation.name": "invoke_workflow"}, False),
        ({"openinference.span.kind": "AGENT", "llm.model_name": "m"}, False),
        ({"openinference.span.kind": "UNKNOWN", "llm.model_name": "m"}, True),
        ({"traceloop.span.kind": "workflow", "gen_ai.operation.name": "chat"}, False),
        ({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"}, False),
        ({"ai.operationId": "ai.generateText", "ai.model.id": "m"}, False),
        ({"llm.request.type": "unknown", "gen_ai.request.model": "m"}, True),
        ({"gen_ai.operation.name": "transcription", "gen_ai.request.model": "m"}, True),
        ({"gen_ai.operation.name": "Chat"}, True),
        ({"gen_ai.request.model": "m"}, True),
        ({"gen_ai.response.model": "m"}, True),
        ({"gen_ai.request.model": "unknown"}, False),
        ({"agent_name": "helper", "model_name": "m"}, False),
    ],
)
def test_a_sum_over_calls_is_told_from_a_call(attributes, is_call):
    told = span_usage({"gen_ai.usage.input_tokens": 3, **attributes})
    assert (told.usage.input_tokens, told.is_call) == (3, is_call)


def counts(scope="", model="m", **tokens):
    usage = span_usage({"gen_ai.request.model": model, **{f"gen_ai.usage.{k}": v for k, v in tokens.items()}}, scope)
    return usage.usage.input_tokens, usage.usage.output_tokens


def test_cached_input_is_contained_where_the_total_tells_that_it_was_not():
    # Strands hands on Bedrock's: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    bedrock = {"cache_read_input_tokens": 40, "cache_write_input_tokens": 10, "output_tokens": 7}
    assert counts(input_tokens=100, total_tokens=157, **bedrock) == (150, 7)
    assert counts(input_tokens=150, total_tokens=157, **bedrock) == (150, 7)


def test_cached_input_is_contained_where_it_exceeds_the_input():
    assert counts(input_tokens=3, output_tokens=7, cache_read_input_tokens=40, cache_creation_input_tokens=10) == (
        53,
        7,
    )
    assert counts(input_tokens=50, output_tokens=7, cache_read_input_tokens=40, cache_creation_input_tokens=10) == (
        50,
        7,
    )


def test_cached_input_is_contained_where_its_writer_is_known_to_leave_it_out():
    cached = {"input_tokens": 100, "output_tokens": 7, "cache_read.input_tokens": 40, "total_tokens": 107}
    assert counts("opentelemetry.instrumentation.bedrock", **cached) == (140, 7)
    assert counts("opentelemetry.instrumentation.anthropic", **cached) == (100, 7)


def test_reasoning_is_contained_where_the_total_tells_that_it_was_not():
    assert counts(input_tokens=100, output_tokens=20, reasoning_tokens=15, total_tokens=135) == (100, 35)
    assert counts(input_tokens=100, output_tokens=35, reasoning_tokens=15, total_tokens=135) == (100, 35)


def test_reasoning_is_contained_where_it_exceeds_the_output():
    assert counts(input_tokens=100, output_tokens=20, reasoning_tokens=21) == (100, 41)
    assert counts(input_tokens=100, output_tokens=21, reasoning_tokens=21) == (100, 21)


def test_reasoning_is_contained_where_its_operation_is_known_to_leave_it_out():
    told = {"gen_ai.usage.output_tokens": 20, "gen_ai.usage.reasoning.output_tokens": 5}
    assert span_usage({"gen_ai.operation.name": "interactions.create", **told}).usage.output_tokens == 25
    assert span_usage({"gen_ai.operation.name": "generate_content", **told}).usage.output_tokens == 20


def test_the_total_tells_which_of_cached_input_and_reasoning_was_left_out():
    parts = {"input_tokens": 100, "output_tokens": 20, "cached_tokens": 40, "reasoning_tokens": 15}
    assert counts(total_tokens=120, **parts) == (100, 20)
    assert counts(total_tokens=160, **parts) == (140, 20)
    assert counts(total_tokens=135, **parts) == (100, 35)
    assert counts(total_tokens=175, **parts) == (140, 35)
    assert counts(total_tokens=999, **parts) == (100, 20)


def test_a_total_that_a_part_left_out_of_either_whole_explains_is_not_counted_twice():
    parts = {"input_tokens": 100, "output_tokens": 40, "cached_tokens": 30, "reasoning_tokens": 30}
    assert sum(counts(total_tokens=170, **parts)) == 170


def test_the_thoughts_of_gemini_are_what_its_total_has_besides():
    # As many as were cached: the total alone would not tell which was left out.
    told = span_usage(
        {
            "gen_ai.request.model": "models/gemini-2.5-pro",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
            "gen_ai.usage.cached_tokens": 30,
            "gen_ai.usage.total_tokens": 150,
        },
    )
    assert told.usage == Usage(
        model="models/gemini-2.5-pro",
        input_tokens=100,
        output_tokens=50,
        cached_input_tokens=30,
        reasoning_tokens=30,
    )


def test_a_whole_that_is_not_reported_is_what_the_total_leaves():
    assert counts(total_tokens=9) == (9, 0)
    assert counts(total_tokens=9, input_tokens=4) == (4, 5)
    assert counts(total_tokens=9, output_tokens=4) == (5, 4)
    assert counts(total_tokens=3, output_tokens=4) == (0, 4)
    assert counts(total_tokens=3, input_tokens=4) == (4, 0)


@pytest.mark.parametrize(
    ("told", "read"),
    [((8, 4, 5), (8, 4, 5)), ((12, 4, 5), (10, 4, 5)), ((8, 7, 9), (8, 6, 5)), ((3, 7, 0), (3, 3, 0))],
)
def test_parts_of_parts_never_exceed_them(told, read):
    names = ("gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio.cache_read.input_tokens")
    whole = {"input_tokens": 10, "output_tokens": 5, "cache_read.input_tokens": 6}
    attributes = {f"gen_ai.usage.{name}": value for name, value in whole.items()}
    attributes |= zip((*names, "gen_ai.usage.audio.output_tokens"), told, strict=True)
    usage = span_usage(attributes).usage
    assert (usage.input_audio_tokens, usage.cached_audio_tokens, usage.output_audio_tokens) == read


def test_the_model_that_answered_goes_before_the_one_asked_for_in_whichever_convention():
    told = span_usage({"gen_ai.request.model": "asked", "llm.model_name": "answered", "gen_ai.usage.input_tokens": 1})
    assert told.usage.model == "answered"


def test_the_official_name_goes_before_the_older():
    told = span_usage({"gen_ai.usage.prompt_tokens": 1, "llm.token_count.prompt": 2, "gen_ai.usage.input_tokens": 3})
    assert told.usage.input_tokens == 3
    assert span_usage({"ai.usage.inputTokens": 1, "llm.usage.prompt_tokens": 2}).usage.input_tokens == 2


def test_the_next_name_is_read_where_the_first_makes_no_sense():
    told = span_usage({"gen_ai.usage.input_tokens": "3", "gen_ai.usage.prompt_tokens": 4})
    assert told.usage.input_tokens == 4


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0), (3, 3), (3.0, 3), (10**12, 10**12), (True, 9), (-1, 9), (2.5, 9), (10**12 + 1, 9), (10**400, 9)]
    + [(value, 9) for value in (-1.0, float("nan"), float("inf"), 1e300, "3", None, (3,), type("N", (int,), {})(3))],
)
def test_only_whole_numbers_of_tokens_are_counts(value, read):
    told = span_usage(
        {"gen_ai.usage.input_tokens": value, "gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.output_tokens": 1},
    )
    assert told.usage.input_tokens == read
    assert type(told.usage.input_tokens) is int


@pytest.mark.parametrize(
    ("provider", "read"),
    [
        ("OpenAI", "openai"),
        ("Anthropic", "anthropic"),
        ("Google", "gcp.gen_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("AWS", "aws.bedrock"),
        ("az.ai.openai", "azure.ai.openai"),
        ("mistralai", "mistral_ai"),
        ("xai", "x_ai"),
        ("aws.bedrock", "aws.bedrock"),
        ("My-Own", "my-own"),
        ("Langchain", None),
        ("unknown", None),
        ("", None),
        (7, None),
    ],
)
def test_providers_have_the_official_names(provider, read):
    assert span_usage({"gen_ai.system": provider, "gen_ai.usage.input_tokens": 1}).usage.provider == read


def test_the_one_who_serves_a_model_goes_before_the_one_who_made_it():
    told = span_usage({"llm.system": "openai", "llm.provider": "azure", "llm.token_count.prompt": 1})
    assert told.usage.provider == "azure.ai.openai"


@pytest.mark.parametrize(
    ("cost", "read"),
    [(0.25, 0.25), (2, 2.0), (0, None), (-1.0, None), (True, None), ("1", None), (float("nan"), None), (1e300, None)],
)
def test_a_cost_is_read_where_somebody_knew_it(cost, read):
    told = span_usage({"gen_ai.usage.cost": cost, "gen_ai.usage.input_tokens": 1})
    assert told.usage.cost_usd == read


@pytest.mark.parametrize("name", ["operation.cost", "llm.cost.total", "gen_ai.cost.total_cost"])
def test_a_cost_from_a_price_list_is_left_alone(name):
    told = span_usage({name: 0.25, "gen_ai.usage.input_tokens": 1})
    assert told.usage.cost_usd is None


def test_a_cost_alone_is_a_usage():
    told = span_usage({"gen_ai.usage.cost": 0.25, "gen_ai.operation.name": "chat"})
    assert told == SpanUsage(Usage(cost_usd=0.25), is_call=True)


def test_no_code_of_a_value_is_run():
    class Loud:
        def __getattribute__(self, name):
            raise AssertionError(name)

        __eq__ = __hash__ = __bool__ = __len__ = __float__ = __index__ = __repr__ = lambda *_: 1 / 0

    assert span_usage(dict.fromkeys(NAMES, Loud())) is None


NAMES = [*conventions._FIELDS, conventions.COST]
VALUES = st.one_of(
    st.integers(0, 1000),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(),
    st.sampled_from(["chat", "LLM", "invoke_agent", "interactions.create", "gemini-2.5-pro"]),
    st.lists(st.integers(), max_size=3).map(tuple),
    st.binary(max_size=3),
)


@given(
    st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text()), VALUES),
    st.sampled_from(["", *conventions.CACHE_APART]),
)
def test_whatever_a_span_holds_parts_are_contained_in_their_wholes(attributes, scope):
    told = span_usage(attributes, scope)
    if told is None or told.usage is None:
        return
    usage = told.usage
    assert 0 <= usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens
    assert 0 <= usage.input_audio_tokens <= usage.input_tokens
    assert 0 <= usage.cached_audio_tokens <= min(usage.input_audio_tokens, usage.cached_input_tokens)
    assert 0 <= usage.output_audio_tokens <= usage.output_tokens
    assert usage.cost_usd is None or usage.cost_usd > 0


# Those that have a name for every whole and part below.
COMPLETE = {
    "official": {field: name for name, field in reversed(conventions.OFFICIAL.items())},
    "older": {field: name for name, field in reversed(conventions.OLDER.items())},
    "openinference": {field: name for name, field in reversed(conventions.OPENINFERENCE.items())},
}


@given(
    fresh=st.integers(0, 10**6),
    cached=st.integers(0, 10**6),
    stored=st.integers(0, 10**6),
    reasoning=st.integers(0, 10**6),
    text=st.integers(0, 10**6),
)
def test_one_call_is_the_same_in_every_convention(fresh, cached, stored, reasoning, text):
    expected = Usage(
        provider="openai",
        input_tokens=fresh + cached + stored,
        output_tokens=reasoning + text,
        cached_input_tokens=cached,
        cache_write_tokens=stored,
        reasoning_tokens=reasoning,
    )
    fields = {
        "provider": "openai",
        "input_tokens": expected.input_tokens,
        "output_tokens": expected.output_tokens,
        "total_tokens": expected.total_tokens,
        "cached_input_tokens": cached,
        "cache_write_tokens": stored,
        "reasoning_tokens": reasoning,
    }
    for names in COMPLETE.values():
        attributes = {names[field]: value for field, value in fields.items() if field in names}
        told = SpanUsage(expected, is_call=False) if expected.total_tokens else None
        assert span_usage(attributes) == told
        if "total_tokens" in names:
            assert span_usage(attributes | {names["input_tokens"]: fresh, names["output_tokens"]: text}) == told


def test_no_two_conventions_disagree_about_a_name():
    tables = [
        conventions.OFFICIAL,
        conventions.OLDER,
        conventions.OPENINFERENCE,
        conventions.OPENLLMETRY,
        conventions.PYDANTIC_AI,
        conventions.VERCEL_AI,
        conventions.LANGFUSE,
        conventions.KINDS,
    ]
    assert sum(map(len, tables)) == len(conventions._FIELDS)
