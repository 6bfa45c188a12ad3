"""The shapes in which vendors report token counts, as a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]
"""Names from a usage object to a count inside of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way of reporting usage.

    Attributes:
        input: Counts that together are the input. The first one has to be there.
        output: Counts that together are the output.
        cached: Names for the same count, as are those below: the largest is taken.
        marks: Where given, one of these members has to be there for the shape to be this one.
        provider: Who reports so and nobody else, as ``gen_ai.provider.name`` spells it.
        speaks_for_itself: Whether the input's name is a vendor's own, so that an input without an output is a usage.
        counts_in_floats: Whether the vendor's own classes declare counts as floats: whole ones are counts then.
    """

    input: tuple[Path, ...]
    output: tuple[Path, ...]
    cached: tuple[Path, ...] = ()
    cache_write: tuple[Path, ...] = ()
    reasoning: tuple[Path, ...] = ()
    input_audio: tuple[Path, ...] = ()
    cached_audio: tuple[Path, ...] = ()
    output_audio: tuple[Path, ...] = ()
    marks: frozenset[str] = frozenset()
    provider: str | None = None
    speaks_for_itself: bool = False
    counts_in_floats: bool = False


def _paths(*dotted: str) -> tuple[Path, ...]:
    return tuple(tuple(path.split(".")) for path in dotted)


# Input holds what was cached. DeepSeek and LiteLLM add names of their own to OpenAI's.
_OPENAI_CHAT: Final = Shape(
    input=_paths("prompt_tokens"),
    output=_paths("completion_tokens"),
    cached=_paths("prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"),
    cache_write=_paths(
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "cache_creation_input_tokens",
    ),
    reasoning=_paths("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
    input_audio=_paths("prompt_tokens_details.audio_tokens"),
    output_audio=_paths("completion_tokens_details.audio_tokens"),
)

# Input holds what was cached: OpenAI's other interfaces ("tokens_details"), LangChain ("token_details"), Pydantic AI.
_INCLUSIVE: Final = Shape(
    input=_paths("input_tokens"),
    output=_paths("output_tokens"),
    cached=_paths(
        "input_tokens_details.cached_tokens",
        "input_token_details.cached_tokens",
        "input_token_details.cache_read",
        "cache_read_tokens",
    ),
    cache_write=_paths(
        "input_tokens_details.cache_write_tokens", "input_token_details.cache_creation", "cache_write_tokens"
    ),
    reasoning=_paths(
        "output_tokens_details.reasoning_tokens",
        "output_tokens_details.thinking_tokens",
        "output_token_details.reasoning",
    ),
    input_audio=_paths(
        "input_tokens_details.audio_tokens",
        "input_token_details.audio_tokens",
        "input_token_details.audio",
        "input_audio_tokens",
    ),
    cached_audio=_paths(
        "input_token_details.cached_tokens_details.audio_tokens",
        "cache_audio_read_tokens",
    ),
    output_audio=_paths(
        "output_tokens_details.audio_tokens",
        "output_token_details.audio_tokens",
        "output_token_details.audio",
        "output_audio_tokens",
    ),
)

# https://docs.claude.com/en/docs/build-with-claude/prompt-caching: the input is the sum of the three.
_ANTHROPIC: Final = Shape(
    input=_paths("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    output=_paths("output_tokens"),
    cached=_paths("cache_read_input_tokens"),
    cache_write=_paths("cache_creation_input_tokens"),
    reasoning=_paths("output_tokens_details.thinking_tokens"),
    marks=frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"}),
    provider="anthropic",
)

# https://ai.google.dev/api/generate-content#UsageMetadata: the total is the sum of prompt, candidates, tool use and
# thoughts. The Live API says "response" for "candidates".
_GOOGLE: Final = Shape(
    input=_paths("prompt_token_count", "tool_use_prompt_token_count"),
    output=_paths("candidates_token_count", "response_token_count", "thoughts_token_count"),
    cached=_paths("cached_content_token_count"),
    reasoning=_paths("thoughts_token_count"),
    input_audio=_paths("prompt_tokens_details.AUDIO"),
    cached_audio=_paths("cache_tokens_details.AUDIO"),
    output_audio=_paths("candidates_tokens_details.AUDIO", "response_tokens_details.AUDIO"),
    provider="gcp.gemini",
)

# https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: the input is the sum of the three.
_BEDROCK_CONVERSE: Final = Shape(
    input=_paths("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
    output=_paths("outputTokens"),
    cached=_paths("cacheReadInputTokens"),
    cache_write=_paths("cacheWriteInputTokens"),
    provider="aws.bedrock",
)

# What ends a stream of any model called with InvokeModelWithResponseStream.
_BEDROCK_INVOKE: Final = replace(
    _BEDROCK_CONVERSE,
    input=_paths("inputTokenCount", "cacheReadInputTokens", "cacheWriteInputTokens"),
    output=_paths("outputTokenCount"),
)

# The body that InvokeModel returns for Llama.
_BEDROCK_LLAMA: Final = Shape(
    input=_paths("prompt_token_count"),
    output=_paths("generation_token_count"),
    marks=frozenset({"generation_token_count"}),
    provider="aws.bedrock",
)

# The GenAI conventions ask for billed tokens where a vendor reports both those and the ones that were used.
_COHERE_BILLED: Final = Shape(
    input=_paths("billed_units.input_tokens"),
    output=_paths("billed_units.output_tokens"),
    cached=_paths("cached_tokens"),
    provider="cohere",
    speaks_for_itself=True,
    counts_in_floats=True,
)
_COHERE_USED: Final = replace(
    _COHERE_BILLED,
    input=_paths("tokens.input_tokens"),
    output=_paths("tokens.output_tokens"),
    marks=frozenset({"billed_units"}),
)
_NESTED: Final = Shape(input=_paths("tokens.input_tokens"), output=_paths("tokens.output_tokens"))

_OLLAMA: Final = Shape(input=_paths("prompt_eval_count"), output=_paths("eval_count"))

SHAPES: Final = (
    _OPENAI_CHAT,
    replace(_INCLUSIVE, marks=frozenset({"input_tokens_details", "input_token_details"})),
    _ANTHROPIC,
    _INCLUSIVE,
    _BEDROCK_LLAMA,
    _GOOGLE,
    _BEDROCK_CONVERSE,
    _BEDROCK_INVOKE,
    _COHERE_BILLED,
    _COHERE_USED,
    _NESTED,
    _OLLAMA,
)
"""The first one that fits is the one."""

INPUTS: Final = frozenset(shape.input[0][0] for shape in SHAPES)
"""Names in `Members` of which any usage object has one."""

TOTALS: Final = _paths("total_tokens", "total_token_count", "totalTokens")
"""Names of the sum of input and output."""

# Google's names as its REST interface spells them; Nova's where they differ from those of Converse.
_SPELLINGS: Final = {
    "promptTokenCount": "prompt_token_count",
    "toolUsePromptTokenCount": "tool_use_prompt_token_count",
    "candidatesTokenCount": "candidates_token_count",
    "responseTokenCount": "response_token_count",
    "thoughtsTokenCount": "thoughts_token_count",
    "totalTokenCount": "total_token_count",
    "cachedContentTokenCount": "cached_content_token_count",
    "promptTokensDetails": "prompt_tokens_details",
    "cacheTokensDetails": "cache_tokens_details",
    "candidatesTokensDetails": "candidates_tokens_details",
    "responseTokensDetails": "response_tokens_details",
    "tokenCount": "token_count",
    "cacheReadInputTokenCount": "cacheReadInputTokens",
    "cacheWriteInputTokenCount": "cacheWriteInputTokens",
}


def _names() -> Iterator[str]:
    for shape in SHAPES:
        yield from shape.marks
        for paths in (shape.input, shape.output, shape.cached, shape.cache_write, shape.reasoning):
            yield from (name for path in paths for name in path)
        for paths in (shape.input_audio, shape.cached_audio, shape.output_audio):
            yield from (name for path in paths for name in path)
    yield from (name for path in TOTALS for name in path)


NAMES: Final = {name: name for name in (*_names(), "modality", "token_count")} | _SPELLINGS
"""Every name that has a meaning here, and what it is called in `Members`."""
