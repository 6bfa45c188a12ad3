import json
from dataclasses import replace

import anthropic.types
import cohere.types
import cohere.v2.types
import httpx
import mistralai.client.models
import ollama
import openai
import openai.types
import openai.types.chat
import openai.types.responses
import pytest
from google.genai import types as google_types
from langchain_core.messages import AIMessage
from pydantic import BaseModel, ConfigDict

from corpora.llm_bodies import (
    ANTHROPIC_MESSAGE,
    BEDROCK_CONVERSE,
    COHERE_UNITS,
    COHERE_V1,
    COHERE_V2,
    GOOGLE_RESPONSE,
    LANGCHAIN_USAGE,
    MISTRAL_RESPONSE,
    OLLAMA_RESPONSE,
    OPENAI_CHAT,
    OPENAI_RESPONSE,
)
from pocketflow_otel.llm.responses import find_usages, usage_of
from pocketflow_otel.llm.usage import Usage

OPENAI_CHAT_USAGE = Usage(
    provider="openai",
    model="gpt-4.1-2025-04-14",
    input_tokens=2006,
    output_tokens=300,
    cached_input_tokens=1920,
    reasoning_tokens=192,
    input_audio_tokens=16,
    output_audio_tokens=8,
    response_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
)

OPENAI_RESPONSE_USAGE = Usage(
    provider="openai",
    model="gpt-5-2025-08-07",
    input_tokens=81,
    output_tokens=1035,
    cached_input_tokens=64,
    cache_write_tokens=9,
    reasoning_tokens=832,
    response_id="resp_67ccd2bed1ec8190b14f964abc054267",
)

ANTHROPIC_USAGE = Usage(
    provider="anthropic",
    model="claude-sonnet-4-5-20250929",
    input_tokens=1209,
    output_tokens=393,
    cached_input_tokens=1000,
    cache_write_tokens=188,
    reasoning_tokens=120,
    response_id="msg_013Zva2CMHLNnXjNJJKqJ2EF",
)

GOOGLE_USAGE = Usage(
    provider="gcp.gemini",
    model="gemini-2.5-flash",
    input_tokens=1360,
    output_tokens=240,
    cached_input_tokens=1024,
    reasoning_tokens=200,
    input_audio_tokens=300,
    cached_audio_tokens=24,
    output_audio_tokens=5,
    response_id="mAitaLmkHPPlz7IPvtfUqQ4",
)

MISTRAL_USAGE = Usage(
    provider="mistral_ai",
    model="mistral-small-latest",
    input_tokens=16,
    output_tokens=34,
    response_id="cmpl-e5cc70bb28c444948073e77776eb30ef",
)

OLLAMA_USAGE = Usage(model="llama3.2", input_tokens=26, output_tokens=298)

BEDROCK_USAGE = Usage(
    provider="aws.bedrock",
    input_tokens=830,
    output_tokens=628,
    cached_input_tokens=600,
    cache_write_tokens=200,
    response_id="9b5a6a3e-3b0e-4c9d-a7d3-0d6b1f5d2a11",
)


def cohere_usage(response_id):
    return Usage(provider="cohere", input_tokens=5, output_tokens=418, cached_input_tokens=4, response_id=response_id)


def unnamed(usage):
    return replace(usage, model=None, response_id=None)


RESPONSES = {
    "openai chat": (openai.types.chat.ChatCompletion.model_validate(OPENAI_CHAT), OPENAI_CHAT_USAGE, None),
    "openai responses": (
        openai.types.responses.Response.model_validate(OPENAI_RESPONSE),
        OPENAI_RESPONSE_USAGE,
        None,
    ),
    "anthropic": (anthropic.types.Message.model_validate(ANTHROPIC_MESSAGE), ANTHROPIC_USAGE, "anthropic"),
    "google": (google_types.GenerateContentResponse.model_validate(GOOGLE_RESPONSE), GOOGLE_USAGE, "gcp.gemini"),
    "mistral": (
        mistralai.client.models.ChatCompletionResponse.model_validate(MISTRAL_RESPONSE),
        MISTRAL_USAGE,
        None,
    ),
    "cohere v2": (
        cohere.v2.types.V2ChatResponse.model_validate(COHERE_V2),
        cohere_usage(COHERE_V2["id"]),
        "cohere",
    ),
    "cohere v1": (
        cohere.types.NonStreamedChatResponse.model_validate(COHERE_V1),
        cohere_usage(COHERE_V1["response_id"]),
        "cohere",
    ),
    "ollama": (ollama.ChatResponse.model_validate(OLLAMA_RESPONSE), OLLAMA_USAGE, None),
}


@pytest.mark.parametrize(("response", "usage", "_"), RESPONSES.values(), ids=RESPONSES)
def test_a_clients_own_response_is_read(response, usage, _):
    assert usage_of(response) == usage


@pytest.mark.parametrize(("response", "usage", "provider"), RESPONSES.values(), ids=RESPONSES)
def test_a_dict_made_from_a_response_is_read_as_far_as_its_shape_tells(response, usage, provider):
    assert usage_of(response.model_dump()) == replace(usage, provider=provider)
    assert usage_of(json.loads(response.model_dump_json())) == replace(usage, provider=provider)
    assert usage_of(response.model_dump(by_alias=True, exclude_none=True)) == replace(usage, provider=provider)


@pytest.mark.parametrize("name", [name for name in RESPONSES if name not in {"ollama", "cohere v1", "google"}])
def test_a_bare_usage_object_tells_its_counts(name):
    response, usage, provider = RESPONSES[name]
    assert usage_of(response.usage) == unnamed(usage)
    assert usage_of(response.usage.model_dump()) == replace(unnamed(usage), provider=provider)


def test_googles_bare_usage_metadata_is_read():
    metadata = RESPONSES["google"][0].usage_metadata
    assert usage_of(metadata) == unnamed(GOOGLE_USAGE)
    assert usage_of(GOOGLE_RESPONSE["usageMetadata"]) == unnamed(GOOGLE_USAGE)


def test_openais_input_holds_what_was_cached_whatever_a_gateway_adds():
    usage = {**OPENAI_RESPONSE["usage"], "cache_read_input_tokens": 64}
    assert usage_of(usage) == replace(unnamed(OPENAI_RESPONSE_USAGE), provider=None)


def test_vertex_ai_is_told_by_its_traffic_type():
    body = {**GOOGLE_RESPONSE, "usageMetadata": {**GOOGLE_RESPONSE["usageMetadata"], "trafficType": "ON_DEMAND"}}
    assert usage_of(body) == replace(GOOGLE_USAGE, provider="gcp.vertex_ai")
    response = google_types.GenerateContentResponse.model_validate(body)
    assert usage_of(response) == replace(GOOGLE_USAGE, provider="gcp.vertex_ai")


def test_a_prompt_that_google_blocked_was_read_all_the_same():
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8}}
    assert usage_of(body) == Usage(provider="gcp.gemini", input_tokens=8)


@pytest.mark.parametrize(
    ("response_id", "provider"), [("msg_bdrk_01GEHnXy", "aws.bedrock"), ("msg_vrtx_017nGP1m", "gcp.vertex_ai")]
)
def test_anthropics_models_on_others_machines_are_told_by_their_ids(response_id, provider):
    message = anthropic.types.Message.model_validate({**ANTHROPIC_MESSAGE, "id": response_id})
    usage = usage_of(message)
    assert (usage.provider, usage.input_tokens) == (provider, 1209)


def test_bedrocks_converse_adds_what_was_cached_to_the_input():
    assert usage_of(BEDROCK_CONVERSE) == BEDROCK_USAGE
    event = {"metadata": {"usage": BEDROCK_CONVERSE["usage"], "metrics": {"latencyMs": 1275}}}
    assert usage_of(event) == unnamed(BEDROCK_USAGE)


def test_bedrocks_invoke_model_is_read_where_a_body_tells():
    nova = {"usage": {"inputTokens": 4, "outputTokens": 60, "cacheReadInputTokenCount": 10, "totalTokens": 64}}
    assert usage_of(nova) == Usage(provider="aws.bedrock", input_tokens=14, output_tokens=60, cached_input_tokens=10)
    llama = {"generation": "Hi", "prompt_token_count": 17, "generation_token_count": 9, "stop_reason": "stop"}
    assert usage_of(llama) == Usage(provider="aws.bedrock", input_tokens=17, output_tokens=9)
    assert usage_of({**llama, "model": "llama3"}) == replace(usage_of(llama), model="llama3")
    metrics = {"inputTokenCount": 12, "outputTokenCount": 3, "invocationLatency": 700, "firstByteLatency": 300}
    last_event = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    assert usage_of(last_event) == Usage(provider="aws.bedrock", input_tokens=12, output_tokens=3)


@pytest.mark.parametrize(
    ("provider", "named"), [("openai", "openai"), ("google_genai", "gcp.gemini"), ("fireworks", None)]
)
def test_langchains_message_holds_what_was_cached_in_its_input(provider, named):
    about = {"model_name": "m-1", "model_provider": provider, "id": "chatcmpl-9", "finish_reason": "stop"}
    message = AIMessage("Hi", id="run--5f1c-0", usage_metadata=LANGCHAIN_USAGE, response_metadata=about)
    expected = Usage(
        provider=named,
        model="m-1",
        input_tokens=350,
        output_tokens=240,
        cached_input_tokens=100,
        cache_write_tokens=200,
        reasoning_tokens=150,
        input_audio_tokens=10,
        output_audio_tokens=11,
        response_id="chatcmpl-9",
    )
    assert usage_of(message) == expected
    assert usage_of(message.model_dump()) == expected


def test_langchains_own_run_id_is_no_response_id():
    message = AIMessage("Hi", id="lc_run--5f1c", usage_metadata=LANGCHAIN_USAGE)
    assert usage_of(message).response_id is None


def test_langchains_older_messages_keep_usage_in_their_metadata():
    about = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}, "model_name": "gpt-4o"}
    assert usage_of(AIMessage("Hi", response_metadata=about)) == Usage(model="gpt-4o", input_tokens=3, output_tokens=4)


def test_litellms_response_is_read_from_what_pydantic_calls_extra():
    class ModelResponse(BaseModel):
        model_config = ConfigDict(extra="allow")
        __module__ = "litellm.types.utils"

    usage = openai.types.CompletionUsage.model_validate(
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 105,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60,
        }
    )
    response = ModelResponse(id="chatcmpl-1", choices=[], model="claude-3-haiku", usage=usage)
    assert usage_of(response) == Usage(
        model="claude-3-haiku",
        input_tokens=100,
        output_tokens=5,
        cached_input_tokens=60,
        cache_write_tokens=30,
        response_id="chatcmpl-1",
    )


@pytest.mark.parametrize(
    ("embedding", "usage"),
    [
        (
            openai.types.CreateEmbeddingResponse.model_validate(
                {
                    "object": "list",
                    "data": [],
                    "model": "text-embedding-3-small",
                    "usage": {"prompt_tokens": 8, "total_tokens": 8},
                }
            ),
            Usage(provider="openai", model="text-embedding-3-small", input_tokens=8),
        ),
        (
            mistralai.client.models.EmbeddingResponse.model_validate(
                {
                    "id": "9a1c",
                    "object": "list",
                    "data": [],
                    "model": "mistral-embed",
                    "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4},
                }
            ),
            Usage(provider="mistral_ai", model="mistral-embed", input_tokens=4, response_id="9a1c"),
        ),
        (
            ollama.EmbedResponse(model="all-minilm", embeddings=[[0.1]], prompt_eval_count=8),
            Usage(model="all-minilm", input_tokens=8),
        ),
        (
            {"id": "da6e", "embeddings": [], "meta": {"billed_units": {"input_tokens": 2.0}}},
            Usage(provider="cohere", input_tokens=2, response_id="da6e"),
        ),
    ],
)
def test_embeddings_have_an_input_only(embedding, usage):
    assert usage_of(embedding) == usage


def openai_chunk(choices, usage):
    return openai.types.chat.ChatCompletionChunk.model_validate(
        {**OPENAI_CHAT, "object": "chat.completion.chunk", "choices": choices, "usage": usage}
    )


def test_a_streams_last_chunk_or_event_is_read():
    first = openai_chunk([{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}], None)
    last = openai_chunk([], OPENAI_CHAT["usage"])
    assert usage_of(first) is None
    assert usage_of(last) == OPENAI_CHAT_USAGE
    [found] = find_usages([first, last])
    assert found == (OPENAI_CHAT_USAGE, (id(last), id(last.usage)), last.usage)

    completed = openai.types.responses.ResponseCompletedEvent.model_validate(
        {"type": "response.completed", "sequence_number": 9, "response": OPENAI_RESPONSE}
    )
    assert usage_of(completed) == OPENAI_RESPONSE_USAGE

    delta = anthropic.types.RawMessageDeltaEvent.model_validate(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": ANTHROPIC_MESSAGE["usage"],
        }
    )
    assert usage_of(delta) == unnamed(ANTHROPIC_USAGE)

    event = mistralai.client.models.CompletionEvent.model_validate({"data": {**MISTRAL_RESPONSE, "choices": []}})
    assert usage_of(event) == MISTRAL_USAGE

    end = cohere.v2.types.MessageEndV2ChatStreamResponse.model_validate(
        {"type": "message-end", "id": "e2", "delta": {"finish_reason": "COMPLETE", "usage": COHERE_UNITS}}
    )
    assert usage_of(end) == cohere_usage(None)


def test_a_streams_chunks_count_up_to_one_usage():
    def chunk(prompt, candidates):
        usage = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": candidates,
            "totalTokenCount": prompt + (candidates or 0),
        }
        return google_types.GenerateContentResponse.model_validate({**GOOGLE_RESPONSE, "usageMetadata": usage})

    chunks = [chunk(8, None), chunk(8, 3), chunk(8, 40), chunk(8, 40)]
    [found] = find_usages(chunks)
    assert (found.usage.input_tokens, found.usage.output_tokens) == (8, 40)
    assert found.identities == tuple(id(part) for chunk in chunks for part in (chunk, chunk.usage_metadata))


async def test_what_a_raw_response_parses_to_is_read():
    def answer(request):
        return httpx.Response(200, json=OPENAI_CHAT)

    transport = httpx.MockTransport(answer)
    async with openai.AsyncOpenAI(api_key="k", http_client=httpx.AsyncClient(transport=transport)) as client:
        raw = await client.chat.completions.with_raw_response.create(model="gpt-4.1", messages=[])
    assert usage_of(raw) is None
    assert usage_of(raw.parse()) == OPENAI_CHAT_USAGE


def test_other_vendors_behind_openais_client_report_more():
    usage = openai.types.CompletionUsage.model_validate(
        {
            "prompt_tokens": 20,
            "completion_tokens": 2,
            "total_tokens": 22,
            "prompt_cache_hit_tokens": 12,
            "prompt_cache_miss_tokens": 8,
            "cost": 0.00125,
        }
    )
    assert usage_of(usage) == Usage(
        provider="openai", input_tokens=20, output_tokens=2, cached_input_tokens=12, cost_usd=0.00125
    )
