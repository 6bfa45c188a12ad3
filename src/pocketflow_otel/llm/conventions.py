"""What an ended span tells of a call of a model, whichever instrumentation wrote it.

Instrumentations differ in how they spell a count, and in whether a whole holds its parts. Both are facts about them,
kept here in tables; what the numbers themselves give away goes before what is known of their writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pocketflow_otel.llm.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SpanUsage:
    """What one span tells of the use of models.

    Attributes:
        usage: What it reports; None for a call that reports nothing, as a failed one or a stream without usage.
        is_call: Whether the span is a call of a model. The usage of any other span (of an agent, a chain, a tool) sums
            up calls that usually have spans of their own below it.
    """

    usage: Usage | None
    is_call: bool


# Each convention says which of its attributes is what; within one, and from one to the next, the earlier goes first.

# https://github.com/open-telemetry/semantic-conventions-genai/blob/main/model/gen-ai/registry.yaml
# `cache_write`, and audio in cached input, as opentelemetry-util-genai 1.3b0 writes them.
OFFICIAL: Final = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_input_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
    "gen_ai.usage.audio.input_tokens": "input_audio_tokens",
    "gen_ai.usage.audio.cache_read.input_tokens": "cached_audio_tokens",
    "gen_ai.usage.audio.output_tokens": "output_audio_tokens",
    "gen_ai.provider.name": "provider",
    "gen_ai.response.model": "response_model",
    "gen_ai.request.model": "request_model",
    "gen_ai.response.id": "response_id",
}

# What the official conventions were before, and spellings of them in the wild: OpenLLMetry (`total_tokens`,
# `reasoning_tokens`, `cache_…_input_tokens`), Strands (`cache_write_input_tokens`), Google's ADK (`experimental`).
OLDER: Final = {
    "gen_ai.usage.prompt_tokens": "input_tokens",
    "gen_ai.usage.completion_tokens": "output_tokens",
    "gen_ai.usage.total_tokens": "total_tokens",
    "gen_ai.usage.cache_read_input_tokens": "cached_input_tokens",
    "gen_ai.usage.cached_input_tokens": "cached_input_tokens",
    "gen_ai.usage.cached_tokens": "cached_input_tokens",
    "gen_ai.usage.cache_creation_input_tokens": "cache_write_tokens",
    "gen_ai.usage.cache_write_input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning_tokens": "reasoning_tokens",
    "gen_ai.usage.experimental.reasoning_tokens": "reasoning_tokens",
    "gen_ai.system": "provider",
}

# https://arize-ai.github.io/openinference/spec/semantic_conventions.html; calls of OpenAI's decision models have
# names of their own.
OPENINFERENCE: Final = {
    "llm.token_count.prompt": "input_tokens",
    "decision.token_count.input": "input_tokens",
    "llm.token_count.completion": "output_tokens",
    "decision.token_count.output": "output_tokens",
    "llm.token_count.total": "total_tokens",
    "llm.token_count.prompt_details.cache_read": "cached_input_tokens",
    "llm.token_count.prompt_details.cache_write": "cache_write_tokens",
    "llm.token_count.prompt_details.audio": "input_audio_tokens",
    "llm.token_count.completion_details.reasoning": "reasoning_tokens",
    "llm.token_count.completion_details.audio": "output_audio_tokens",
    "llm.provider": "provider",
    "llm.system": "provider",
    "llm.response.model_name": "response_model",
    "llm.model_name": "response_model",
    "llm.request.model_name": "request_model",
    "embedding.model_name": "response_model",
    "decision.response.model_name": "response_model",
    "decision.model_name": "response_model",
    "decision.request.model_name": "request_model",
}

# OpenLLMetry's until opentelemetry-semantic-conventions-ai 0.5 renamed them.
OPENLLMETRY: Final = {
    "llm.usage.prompt_tokens": "input_tokens",
    "llm.usage.completion_tokens": "output_tokens",
    "llm.usage.total_tokens": "total_tokens",
    "llm.usage.reasoning_tokens": "reasoning_tokens",
}

# Pydantic AI adds to the official names what its vendor reported, under the vendor's name or its own. Its
# `details.input_tokens` is Anthropic's, without the cached.
PYDANTIC_AI: Final = {
    "gen_ai.usage.details.cache_read_tokens": "cached_input_tokens",
    "gen_ai.usage.details.cache_read_input_tokens": "cached_input_tokens",
    "gen_ai.usage.details.cached_tokens": "cached_input_tokens",
    "gen_ai.usage.details.cached_content_tokens": "cached_input_tokens",
    "gen_ai.usage.details.cache_write_tokens": "cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens": "cache_write_tokens",
    "gen_ai.usage.details.reasoning_tokens": "reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens": "reasoning_tokens",
    "gen_ai.usage.details.thinking_tokens": "reasoning_tokens",
    "gen_ai.usage.details.input_audio_tokens": "input_audio_tokens",
    "gen_ai.usage.details.cache_audio_read_tokens": "cached_audio_tokens",
    "gen_ai.usage.details.output_audio_tokens": "output_audio_tokens",
}

# https://ai-sdk.dev/docs/ai-sdk-core/telemetry: version 4 and 5, which write a few official names beside these.
VERCEL_AI: Final = {
    "ai.usage.inputTokens": "input_tokens",
    "ai.usage.promptTokens": "input_tokens",
    "ai.usage.tokens": "input_tokens",
    "ai.usage.outputTokens": "output_tokens",
    "ai.usage.completionTokens": "output_tokens",
    "ai.usage.totalTokens": "total_tokens",
    "ai.usage.cachedInputTokens": "cached_input_tokens",
    "ai.usage.reasoningTokens": "reasoning_tokens",
    "ai.model.provider": "provider",
    "ai.response.model": "response_model",
    "ai.model.id": "request_model",
    "ai.response.id": "response_id",
}

LANGFUSE: Final = {"langfuse.observation.model.name": "response_model"}

# Only this is read of what spans say about money: where a bill is known it stands here, as on this project's own `chat`
# spans. `operation.cost` (Logfire, Pydantic AI), `llm.cost.*` (OpenInference) and `gen_ai.cost.*` (LiteLLM) come from
# price lists, and one price list is enough.
COST: Final = "gen_ai.usage.cost"


def _of(*values: str) -> frozenset[str]:
    return frozenset(values)


# Attributes that say what a span is, the decisive first: the values that make it a call, and those that do not, in
# lower case; another value says nothing. LangSmith's is first, for it calls a retriever's operation `embeddings`.
KINDS: Final = {
    "langsmith.span.kind": (_of("llm", "embedding"), _of("chain", "tool", "retriever", "prompt", "parser")),
    "openinference.span.kind": (
        _of("llm", "embedding", "reranker", "decision"),
        _of("agent", "chain", "tool", "retriever", "guardrail", "evaluator", "prompt"),
    ),
    "traceloop.span.kind": (_of(), _of("workflow", "task", "agent", "tool")),
    "langfuse.observation.type": (
        _of("generation", "embedding"),
        _of("span", "event", "agent", "tool", "chain", "retriever", "evaluator", "guardrail"),
    ),
    "ai.operationId": (
        _of("ai.generatetext.dogenerate", "ai.generateobject.dogenerate", "ai.embed.doembed", "ai.embedmany.doembed")
        | _of("ai.streamtext.dostream", "ai.streamobject.dostream"),
        _of("ai.generatetext", "ai.generateobject", "ai.embed", "ai.embedmany", "ai.toolcall")
        | _of("ai.streamtext", "ai.streamobject"),
    ),
    "gen_ai.operation.name": (
        _of("chat", "text_completion", "generate_content", "embeddings", "interactions.create"),
        _of("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "invoke_node", "retrieval", "chain"),
    ),
    "llm.request.type": (_of("chat", "completion", "embedding", "rerank"), _of()),
}

_FIELDS: Final = {
    name: field
    for convention in (OFFICIAL, OLDER, OPENINFERENCE, OPENLLMETRY, PYDANTIC_AI, VERCEL_AI, LANGFUSE)
    for name, field in convention.items()
} | {name: name for name in KINDS}
_RANKS: Final = {name: rank for rank, name in enumerate(_FIELDS)}
_TEXTS: Final = frozenset({"provider", "response_model", "request_model", "response_id", *KINDS})
_WHOLES: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})
_KNOWN: Final = frozenset({*_FIELDS, COST})

# What others call a provider, in lower case, to what `gen_ai.provider.name` calls it: OpenInference's `llm.provider`,
# OpenLLMetry's `gen_ai.system` (`OpenAI`, `Google`), and what the conventions said before.
PROVIDERS: Final = {
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google.generative-ai": "gcp.gemini",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
# What writers put who do not know; a framework is no provider.
_NAMELESS: Final = frozenset({"", "unknown", "langchain"})

# Writers whose input leaves out cached tokens, as their vendor's does, and whose total is the sum without them:
# OpenLLMetry's for Bedrock, 0.62.3 (https://github.com/traceloop/openllmetry/issues/4449).
CACHE_APART: Final = frozenset({"opentelemetry.instrumentation.bedrock"})

# Operations whose output leaves out reasoning, and whose total no writer tells: to Google's interactions, thoughts are
# beside the output (google-genai 2.34, `usage.total_thought_tokens`).
REASONING_APART: Final = frozenset({"interactions.create"})

# No call comes near: a greater number is no count, and no price.
_MOST_TOKENS: Final = 10**12
_MOST_USD: Final = 10**9


def span_usage(attributes: Mapping[str, Any], scope: str = "") -> SpanUsage | None:
    """What a span tells of the use of models.

    Args:
        attributes: The span's attributes, whoever wrote them: a value that makes no sense counts as absent.
        scope: The name of its instrumentation scope.

    Returns:
        Its usage, and whether it is a call; None where it is no call and reports no usage.
    """
    known = _KNOWN.intersection(attributes)
    if not known:
        return None
    counts, texts = _read(attributes, known)
    model = texts.get("response_model", texts.get("request_model"))
    cost_usd = _cost(attributes[COST]) if COST in known else None
    # Some write zeros for a call whose vendor told nothing; none reads and writes nothing.
    is_reported = cost_usd is not None or any(counts.get(whole) for whole in _WHOLES)
    is_call = _is_call(texts)
    if is_call is None:
        # A vendor's own operation may have any name, and old instrumentations name none. A model alone is no sign: the
        # Anthropic client's spans that count tokens or begin a session have one.
        is_call = is_reported and model is not None
    if not is_reported:
        return SpanUsage(None, is_call) if is_call else None
    inclusive = _inclusive(
        counts,
        is_gemini=model is not None and "gemini" in model.lower(),
        is_cache_apart=scope in CACHE_APART,
        is_reasoning_apart=texts.get("gen_ai.operation.name") in REASONING_APART,
    )
    provider = texts["provider"].lower() if "provider" in texts else None
    usage = Usage(
        provider=PROVIDERS.get(provider, provider) if provider is not None else None,
        model=model,
        response_id=texts.get("response_id"),
        cost_usd=cost_usd,
        **inclusive,
    )
    return SpanUsage(usage, is_call)


def _read(attributes: Mapping[str, Any], known: frozenset[str]) -> tuple[dict[str, int], dict[str, str]]:
    counts: dict[str, int] = {}
    texts: dict[str, str] = {}
    for name in sorted(known - {COST}, key=_RANKS.__getitem__):
        field = _FIELDS[name]
        if field in _TEXTS:
            if (text := _text(attributes[name])) is not None:
                texts.setdefault(field, text)
        elif (count := _count(attributes[name])) is not None:
            counts.setdefault(field, count)
    return counts, texts


def _is_call(texts: Mapping[str, str]) -> bool | None:
    for name, (calls, others) in KINDS.items():
        kind = texts.get(name, "").lower()
        if kind in calls:
            return True
        if kind in others:
            return False
    return None


def _inclusive(
    counts: Mapping[str, int],
    *,
    is_gemini: bool,
    is_cache_apart: bool,
    is_reasoning_apart: bool,
) -> dict[str, int]:
    """What `Usage` asks for: of the counts, those it has, and every part contained in its whole.

    A total that exceeds input and output by just what a part amounts to tells that neither contains the part, and so
    does a part greater than its whole. Where nothing else tells Gemini's thoughts, its total does, which has them.
    """
    total = counts.get("total_tokens", 0)
    read = counts.get("input_tokens", max(0, total - counts.get("output_tokens", 0)))
    written = counts.get("output_tokens", max(0, total - read))
    beyond = max(0, total - read - written)
    served, stored = counts.get("cached_input_tokens", 0), counts.get("cache_write_tokens", 0)
    cached, reasoning = served + stored, counts.get("reasoning_tokens", 0)
    if is_gemini and beyond:
        written, reasoning, beyond = written + beyond, reasoning or beyond, 0
    if is_cache_apart or cached > read or beyond in {cached, cached + reasoning}:
        read += cached
    if is_reasoning_apart or reasoning > written or beyond == cached + reasoning or beyond == reasoning != cached:
        written += reasoning
    audio = min(counts.get("input_audio_tokens", 0), read)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "cached_input_tokens": served,
        "cache_write_tokens": stored,
        "reasoning_tokens": reasoning,
        "input_audio_tokens": audio,
        "cached_audio_tokens": min(counts.get("cached_audio_tokens", 0), audio, served),
        "output_audio_tokens": min(counts.get("output_audio_tokens", 0), written),
    }


def _count(value: object) -> int | None:
    # By exact type: neither a bool nor a class of the user's is a count. Some writers send counts as floats.
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _text(value: object) -> str | None:
    return value if type(value) is str and value.lower() not in _NAMELESS else None


def _cost(value: object) -> float | None:
    # Those who know no price write 0.
    if (type(value) is int or type(value) is float) and 0 < value <= _MOST_USD:
        return float(value)
    return None
